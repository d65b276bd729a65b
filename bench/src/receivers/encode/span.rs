//! A span for each line: what the proxy or the service did when it wrote that.

use logkeep_meshsim::{Event, Kind, Rng};
use serde_json::Value;

use super::{fields, flat};

/// A span, with the fields of its line as attributes, so that it is about as large.
#[derive(Debug)]
pub(super) struct Span<'a> {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    /// The hop that the line is of; 0 for none.
    pub(super) parent_id: u64,
    pub(super) name: String,
    pub(super) service: &'a str,
    pub(super) start_ns: i64,
    pub(super) duration_ns: i64,
    pub(super) failed: bool,
    pub(super) attributes: Vec<(String, Value)>,
}

impl<'a> Span<'a> {
    /// The number of the line makes the span's own id.
    pub(super) fn of(number: u64, event: &'a Event) -> anyhow::Result<Self> {
        let mut rng = Rng::new(number);
        let (name, duration_us) = match &event.kind {
            Kind::App(app) => (app.logger.to_owned(), 1_000),
            Kind::Audit(audit) => (format!("{} {}", audit.verb, audit.resource), audit.duration_us),
            Kind::EnvoyAccess(access) | Kind::IstioAccess(access) | Kind::LinkerdAccess(access) => {
                let path = access.path.split('?').next().unwrap_or_default();
                (format!("{} {path}", access.method), access.duration_us)
            }
        };
        let told = |key: &str| matches!(key, "@timestamp" | "service" | "trace_id" | "span_id");
        let own = fields(event)?.into_iter().filter(|(key, _)| !told(key));
        Ok(Self {
            trace_id: event.trace.map_or_else(|| rng.next_u128() | 1, |trace| trace.trace_id),
            span_id: rng.next_u64() | 1,
            parent_id: event.trace.map_or(0, |trace| trace.span_id),
            name,
            service: &event.pod.service,
            start_ns: event.time_ns,
            duration_ns: duration_us as i64 * 1_000,
            failed: event.level() == logkeep_meshsim::Level::Error,
            attributes: own.map(|(key, value)| (key, flat(value))).collect(),
        })
    }

    /// The attributes, for protocols that say kind and failure among them.
    pub(super) fn tags(&mut self) -> Vec<(String, Value)> {
        let mut tags = std::mem::take(&mut self.attributes);
        tags.push(("span.kind".to_owned(), Value::from("server")));
        tags.extend(self.failed.then(|| ("error".to_owned(), Value::from(true))));
        tags
    }

    pub(super) fn start_us(&self) -> i64 {
        self.start_ns / 1_000
    }

    pub(super) fn duration_us(&self) -> i64 {
        self.duration_ns / 1_000
    }
}
