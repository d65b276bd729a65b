//! Grants: the leave to read one tenant's data once.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use logkeep_cipher::random_bytes;
use logkeep_ingest::Ingest;
use logkeep_record::TenantId;

use crate::audit::{Action, Closing, Note, Opening, Totals};
use crate::trail::{LINGER, Trail};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    address: String,
    tenant: TenantId,
}

impl Identity {
    /// Whoever sits at this machine, from a loopback address; `None` for any other address.
    pub fn local(address: std::net::IpAddr, tenant: TenantId) -> Option<Self> {
        let loopback = address.to_canonical().is_loopback();
        loopback.then(|| Self { name: "local".into(), address: address.to_string(), tenant })
    }

    /// Whoever has proven by a certificate to be of this name.
    pub fn certified(name: &str, address: std::net::IpAddr, tenant: TenantId) -> Self {
        Self { name: name.to_owned(), address: address.to_canonical().to_string(), tenant }
    }

    /// The name in the audit trail.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the request came from.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The tenant this identity belongs to.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }
}

/// Why nothing may be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// The audit trail cannot be written. Retry later.
    #[error("the audit trail cannot be written, so nothing can be read: {0}")]
    AuditUnavailable(String),
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
    pub fn authorize(&self, who: &Identity, action: Action, subject: &[(&'static str, String)]) -> Grant {
        let id = new_id();
        let now_ns = self.trail.ingest.clock().now_ns();
        let opening = Opening { now_ns, id: id.clone(), who: who.clone(), action, subject: subject.to_vec() };
        let opened = self.trail.open(who.tenant().clone(), opening).boxed().shared();
        Grant { trail: self.trail.clone(), tenant: who.tenant().clone(), id, opened, closed: false }
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
    random_bytes::<12>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Leave to read one tenant's data for one request.
pub struct Grant {
    trail: Arc<Trail>,
    tenant: TenantId,
    id: String,
    opened: Shared<BoxFuture<'static, Result<(), AccessError>>>,
    closed: bool,
}

impl Grant {
    /// Whose data may be read.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
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
