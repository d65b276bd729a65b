//! Audit records: ordinary records in the class `audit` of the tenant whose data was asked for.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Severity, Value};

use crate::action::Action;
use crate::identity::{Identity, Known};

/// The event of records that say what came of something; all others say what was asked for, or done.
pub const AUDIT_CLOSED: &str = "audit.access.closed";
/// The attribute that the records of one request share.
pub const AUDIT_ID: &str = "audit.id";

/// What an answer amounted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Records, rows or buckets in the answer.
    pub rows: u64,
    /// Bytes of the answer's body.
    pub bytes: u64,
}

pub(crate) fn resource() -> Arc<Resource> {
    Resource::from_attributes(vec![
        ("service.name".into(), Value::str("logkeep")),
        ("service.version".into(), Value::str(env!("CARGO_PKG_VERSION"))),
    ])
}

/// What the record says that must be durable before the answer leaves.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) now_ns: i64,
    pub(crate) id: String,
    pub(crate) who: Identity,
    pub(crate) action: Action,
    pub(crate) is_allowed: bool,
    pub(crate) subject: Vec<(&'static str, String)>,
}

impl Opening {
    pub(crate) fn record(&self, resource: &Arc<Resource>) -> Record<'_> {
        let Self { now_ns, id, who, action, is_allowed, subject } = self;
        let mut record =
            base(*now_ns, resource, id, if *is_allowed { "audit.access.opened" } else { "audit.access.denied" });
        record.body = Value::from(format!("{} {}", who.name(), action.as_str()));
        push(&mut record, "enduser.id", Value::str(who.name()));
        if let Known::Token { owner, .. } = who.known() {
            push(&mut record, "audit.owner", Value::str(owner.as_str()));
        }
        push(&mut record, "client.address", Value::str(who.address()));
        push(&mut record, "audit.action", Value::str(action.as_str()));
        if let Some(purpose) = who.purpose() {
            push(&mut record, "audit.purpose", Value::str(purpose));
        }
        push(&mut record, "audit.decision", Value::str(if *is_allowed { "allow" } else { "deny" }));
        if let Some(glass) = who.broken_glass() {
            push(&mut record, "audit.break_glass", Value::str(glass));
        }
        for (key, value) in subject {
            push(&mut record, key, Value::str(value));
        }
        record
    }
}

/// What the record says that tells what the answer amounted to.
#[derive(Clone, Debug)]
pub(crate) struct Closing {
    pub(crate) now_ns: i64,
    pub(crate) id: String,
    pub(crate) outcome: &'static str,
    pub(crate) totals: Totals,
}

impl Closing {
    pub(crate) fn record(&self, resource: &Arc<Resource>) -> Record<'_> {
        let Self { now_ns, id, outcome, totals } = self;
        let mut record = base(*now_ns, resource, id, AUDIT_CLOSED);
        record.body = Value::from(format!("{outcome}: {} rows, {} bytes", totals.rows, totals.bytes));
        push(&mut record, "audit.outcome", Value::str(outcome));
        push(&mut record, "audit.rows", Value::Int(totals.rows as i64));
        push(&mut record, "audit.bytes", Value::Int(totals.bytes as i64));
        record
    }
}

/// What the server does to itself, as far as whoever audits it must know.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) now_ns: i64,
    pub(crate) id: String,
    pub(crate) event: &'static str,
    pub(crate) body: String,
    pub(crate) subject: Vec<(&'static str, String)>,
}

impl Note {
    pub(crate) fn record(&self, resource: &Arc<Resource>) -> Record<'_> {
        let Self { now_ns, id, event, body, subject } = self;
        let mut record = base(*now_ns, resource, id, event);
        record.body = Value::str(body);
        subject.iter().for_each(|(key, value)| push(&mut record, key, Value::str(value)));
        record
    }
}

fn base<'a>(now_ns: i64, resource: &Arc<Resource>, id: &'a str, event: &'static str) -> Record<'a> {
    let mut record = Record::new(now_ns, Value::Null, resource.clone());
    record.time_ns = Some(now_ns);
    record.severity = Severity::INFO;
    record.event_name = Cow::Borrowed(event);
    push(&mut record, AUDIT_ID, Value::str(id));
    record
}

fn push<'a>(record: &mut Record<'a>, key: &'static str, value: Value<'a>) {
    record.attributes.push((Cow::Borrowed(key), value));
}
