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
use crate::export::{Exports, Withheld};
use crate::identity::Identity;
use crate::policy::{Explanation, Policies};
use crate::scope::Scope;
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
    /// It is more than may be read out. That is in the audit trail.
    #[error("{0}")]
    Withheld(String),
}

/// What is decided by.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Who may do what.
    pub policies: Policies,
    /// The fields that are masked for whoever is not permitted to see them, as filters call them.
    pub masked: Vec<String>,
}

/// How much of a tenant's logs and traces may be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Only rows that all of these admit.
    pub scopes: Vec<Scope>,
    /// The fields that are masked.
    pub masked: Vec<String>,
}

/// Decides and writes down.
#[derive(Clone)]
pub struct Access {
    trail: Arc<Trail>,
    rules: Arc<Rules>,
    exports: Option<Arc<Exports>>,
}

impl Access {
    /// Access to what `ingest` stores; the trail is stored there too.
    pub fn new(ingest: Ingest, rules: Rules) -> Self {
        Self::lingering(ingest, rules, LINGER)
    }

    /// Access whose closing records wait so long for company.
    pub(crate) fn lingering(ingest: Ingest, rules: Rules, linger: Duration) -> Self {
        Self { trail: Trail::new(ingest, linger), rules: Arc::new(rules), exports: None }
    }

    /// The same, where what is read out is counted.
    pub fn counting(self, exports: Exports) -> Self {
        Self { exports: Some(Arc::new(exports)), ..self }
    }

    /// Whether somebody may do this. Not the leave to do it, which takes a grant.
    pub fn may(&self, who: &Identity, action: Action) -> bool {
        self.rules.policies.allow(who, action)
    }

    /// Whether somebody may do this, with a field where one is named, and why.
    pub fn explain(&self, who: &Identity, action: Action, field: Option<&str>) -> Explanation {
        self.rules.policies.explain(who, action, field)
    }

    /// How much of a tenant's logs and traces somebody who may read them can see, and the fields that they see although
    /// others do not.
    pub fn reach(&self, who: &Identity) -> (Reach, Vec<String>) {
        let unmask = |field: &String| self.rules.policies.unmask(who, field);
        let (unmasked, masked) = self.rules.masked.iter().cloned().partition(unmask);
        (Reach { scopes: who.scopes().to_vec(), masked }, unmasked)
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
        let used_up = self.used_up(who, action);
        let is_permitted = self.may(who, action);
        let is_allowed = is_permitted && used_up.is_none();
        let other = |reads| if action == reads { is_allowed } else { is_allowed && self.may(who, reads) };
        let (data, audit) = (other(Action::Query), other(Action::QueryAudit));
        let (reach, unmasked) = if data { self.reach(who) } else { Default::default() };
        // A scope narrows whatever else is permitted. Without one it takes the leave to see every row.
        let data = data && (!reach.scopes.is_empty() || self.may(who, Action::EveryRow));
        let id = new_id();
        let now_ns = self.trail.ingest.clock().now_ns();
        let reason = used_up.iter().map(|withheld| ("audit.reason", withheld.reason().to_owned()));
        let subject = subject.iter().cloned().chain(said_of(&reach, &unmasked)).chain(reason).collect();
        let opening = Opening { now_ns, id: id.clone(), who: who.clone(), action, is_allowed, subject };
        let opened = self.trail.open(who.tenant().clone(), opening).boxed().shared();
        if !is_allowed {
            opened.await?;
            return Err(match used_up.filter(|_| is_permitted) {
                Some(withheld) => AccessError::Withheld(withheld.text()),
                None => AccessError::Denied { who: who.name().to_owned(), action: action.as_str() },
            });
        }
        let (access, who) = (self.clone(), who.clone());
        Ok(Grant { access, who, action, data, audit, reach, id, opened, closed: false })
    }

    fn used_up(&self, who: &Identity, action: Action) -> Option<Withheld> {
        self.exports.as_ref().filter(|_| action.reads_out())?.used_up(who.account())
    }

    /// Counts records that somebody who follows them has been given, beside those before.
    ///
    /// # Errors
    /// [`AccessError::Withheld`], once that is in the trail: give them no more.
    pub async fn followed(&self, who: &Identity, id: &str, rows: u64) -> Result<(), AccessError> {
        let Some(exports) = &self.exports else { return Ok(()) };
        let counted = exports.taken(who.account(), rows).await;
        self.unless_withheld(who, Action::Tail, id, counted).await
    }

    /// Writes down what is withheld, before that is said.
    async fn unless_withheld(
        &self,
        who: &Identity,
        action: Action,
        id: &str,
        counted: Result<(), Withheld>,
    ) -> Result<(), AccessError> {
        let Err(withheld) = counted else { return Ok(()) };
        if let Withheld::Uncounted(_) = &withheld {
            return Err(AccessError::AuditUnavailable(withheld.text()));
        }
        let now_ns = self.trail.ingest.clock().now_ns();
        let subject = vec![("audit.object", "export".to_owned()), ("audit.reason", withheld.reason().to_owned())];
        let opening = Opening { now_ns, id: id.to_owned(), who: who.clone(), action, is_allowed: false, subject };
        self.trail.open(who.tenant().clone(), opening).await?;
        Err(AccessError::Withheld(withheld.text()))
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

/// What the trail says of how much may be read.
fn said_of(reach: &Reach, unmasked: &[String]) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let scopes: Vec<String> = reach.scopes.iter().map(Scope::to_string).collect();
    let said = [
        ("audit.scope", scopes.join(" and ")),
        ("audit.masked", reach.masked.join(" ")),
        ("audit.unmasked", unmasked.join(" ")),
    ];
    said.into_iter().filter(|(_, text)| !text.is_empty())
}

/// What the records of one request, or a note, have in common.
fn new_id() -> String {
    hex::encode(random_bytes::<12>())
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All of its answer left.
    Answered,
    /// It is more than may be read out: no more of it left.
    Withheld,
    /// It could not be answered, or not to the end.
    Failed,
    /// Whoever asked went away.
    Abandoned,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Withheld => "withheld",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Leave to read one tenant's data for one request.
pub struct Grant {
    access: Access,
    who: Identity,
    action: Action,
    data: bool,
    audit: bool,
    reach: Reach,
    id: String,
    opened: Shared<BoxFuture<'static, Result<(), AccessError>>>,
    closed: bool,
}

impl Grant {
    /// Whose data may be read.
    pub fn tenant(&self) -> &TenantId {
        self.who.tenant()
    }

    /// Whether logs and traces may be read.
    pub fn reads_data(&self) -> bool {
        self.data
    }

    /// How much of the logs and traces.
    pub fn reach(&self) -> &Reach {
        &self.reach
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

    /// Rows that an answer may have, if that is bounded.
    pub fn most_rows(&self) -> Option<u64> {
        self.access.exports.as_ref().filter(|_| self.action.reads_out()).map(|exports| exports.most())
    }

    /// Counts an answer as read out, before it leaves.
    ///
    /// # Errors
    /// [`AccessError::Withheld`], once that is in the trail: it must not leave.
    pub async fn export(&self, totals: Totals) -> Result<(), AccessError> {
        self.export_more(Totals::default(), totals).await
    }

    /// Counts a piece of an answer as read out before it leaves. `before` is what has left, `after` is that and the piece.
    ///
    /// # Errors
    /// [`AccessError::Withheld`], once that is in the trail: neither this piece nor another may leave.
    pub async fn export_more(&self, before: Totals, after: Totals) -> Result<(), AccessError> {
        let Some(exports) = self.access.exports.as_ref().filter(|_| self.action.reads_out()) else { return Ok(()) };
        let weight = |totals: Totals| Exports::weight(totals.rows, totals.bytes);
        let (counted, rows) = (weight(before), weight(after));
        let counted = exports.take(self.who.account(), counted, rows.saturating_sub(counted)).await;
        self.access.unless_withheld(&self.who, self.action, &self.id, counted).await
    }

    /// Writes down that nothing of the answer left.
    pub fn withhold(self) {
        self.end(Ending::Withheld, Totals::default());
    }

    /// Writes down what the answer amounted to.
    pub fn close(self, totals: Totals) {
        self.end(Ending::Answered, totals);
    }

    /// Writes down that the request failed.
    pub fn fail(self) {
        self.end(Ending::Failed, Totals::default());
    }

    /// Writes down how it ended, and what had left by then.
    pub fn end(mut self, ending: Ending, totals: Totals) {
        self.write_closing(ending, totals);
    }

    fn write_closing(&mut self, ending: Ending, totals: Totals) {
        let outcome = ending.as_str();
        self.closed = true;
        let trail = &self.access.trail;
        let now_ns = trail.ingest.clock().now_ns();
        trail.close(self.who.tenant(), Closing { now_ns, id: self.id.clone(), outcome, totals });
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if !self.closed {
            self.write_closing(Ending::Abandoned, Totals::default());
        }
    }
}
