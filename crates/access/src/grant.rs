//! Grants: the leave to read one tenant's data once.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use logkeep_cipher::random_bytes;
use logkeep_ingest::Ingest;
use logkeep_record::TenantId;

use crate::action::Action;
use crate::audit::{Closing, Note, Opening, Totals};
use crate::identity::Identity;
use crate::policy;
use crate::trail::{LINGER, Trail};

/// Why something may not be done.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// The audit trail cannot be written. Retry later.
    #[error("the audit trail cannot be written, so nothing can be read: {0}")]
    AuditUnavailable(String),
    /// No policy permits it. That it was asked for is in the audit trail.
    #[error("`{who}` may not do this: no policy permits `{action}`")]
    Denied {
        /// Who asked.
        who: String,
        /// For what.
        action: &'static str,
    },
}

/// Decides and writes down.
#[derive(Clone)]
pub struct Access {
    trail: Arc<Trail>,
}

impl Access {
    /// Access to what `ingest` stores; the trail is stored there too.
    pub fn new(ingest: Ingest) -> Self {
        Self::lingering(ingest, LINGER)
    }

    /// Access whose closing records wait so long for company.
    pub(crate) fn lingering(ingest: Ingest, linger: Duration) -> Self {
        Self { trail: Trail::new(ingest, linger) }
    }

    /// A grant for one request, whose audit record is on its way. `subject` says what is asked for: query, range, record.
    /// To be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`AccessError::Denied`], once that is in the trail.
    pub async fn authorize(
        &self,
        who: &Identity,
        action: Action,
        subject: &[(&'static str, String)],
    ) -> Result<Grant, AccessError> {
        let (data, audit) = (policy::allows(who, Action::Query), policy::allows(who, Action::QueryAudit));
        let is_allowed = match action {
            Action::Query => data,
            Action::QueryAudit => audit,
            other => policy::allows(who, other),
        };
        let id = new_id();
        let now_ns = self.trail.ingest.clock().now_ns();
        let opening =
            Opening { now_ns, id: id.clone(), who: who.clone(), action, is_allowed, subject: subject.to_vec() };
        let opened = self.trail.open(who.tenant().clone(), opening).boxed().shared();
        if !is_allowed {
            opened.await?;
            return Err(AccessError::Denied { who: who.name().to_owned(), action: action.as_str() });
        }
        Ok(Grant { trail: self.trail.clone(), tenant: who.tenant().clone(), data, audit, id, opened, closed: false })
    }

    /// Writes down that somebody has, or has not, said who they are.
    ///
    /// # Errors
    /// [`AccessError::AuditUnavailable`]: nobody can be let in.
    pub async fn signed_in(
        &self,
        who: &Identity,
        is_allowed: bool,
        subject: &[(&'static str, String)],
    ) -> Result<(), AccessError> {
        let now_ns = self.trail.ingest.clock().now_ns();
        let (who, action, subject) = (who.clone(), Action::SignIn, subject.to_vec());
        let opening = Opening { now_ns, id: new_id(), who, action, is_allowed, subject };
        self.trail.open(opening.who.tenant().clone(), opening).await
    }

    /// Writes down something that the server does to itself, such as to take up other rules, in the trail of the default
    /// tenant. Do it before it has an effect.
    ///
    /// # Errors
    /// [`AccessError::AuditUnavailable`]: leave it undone, and try again.
    pub async fn note(
        &self,
        event: &'static str,
        body: String,
        subject: Vec<(&'static str, String)>,
    ) -> Result<(), AccessError> {
        let note = Note { now_ns: self.trail.ingest.clock().now_ns(), id: new_id(), event, body, subject };
        self.trail.note(&TenantId::default(), &note).await
    }

    /// Writes what is left of the trail, before the log is closed.
    pub async fn flush(&self) {
        self.trail.flush().await;
    }
}

/// What the records of one request, or a note, have in common.
fn new_id() -> String {
    hex::encode(random_bytes::<12>())
}

/// Leave to read one tenant's data for one request.
pub struct Grant {
    trail: Arc<Trail>,
    tenant: TenantId,
    data: bool,
    audit: bool,
    id: String,
    opened: Shared<BoxFuture<'static, Result<(), AccessError>>>,
    closed: bool,
}

impl Grant {
    /// Whose data may be read.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Whether logs and traces may be read.
    pub fn reads_data(&self) -> bool {
        self.data
    }

    /// Whether the audit trail may be read.
    pub fn reads_audit(&self) -> bool {
        self.audit
    }

    /// The number that its audit records share.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits until the opening audit record is durable. Nothing of an answer may leave before.
    ///
    /// # Errors
    /// [`AccessError::AuditUnavailable`]: answer 503 and nothing else.
    pub async fn release(&self) -> Result<(), AccessError> {
        self.opened.clone().await
    }

    /// Writes down what the answer amounted to.
    pub fn close(mut self, totals: Totals) {
        self.write_closing("answered", totals);
    }

    /// Writes down that the request failed.
    pub fn fail(mut self) {
        self.write_closing("failed", Totals::default());
    }

    fn write_closing(&mut self, outcome: &'static str, totals: Totals) {
        self.closed = true;
        let now_ns = self.trail.ingest.clock().now_ns();
        self.trail.close(&self.tenant, Closing { now_ns, id: self.id.clone(), outcome, totals });
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if !self.closed {
            self.write_closing("abandoned", Totals::default());
        }
    }
}
