//! One vocabulary for every sender.
//!
//! Envoy says `response_code`, Linkerd `status`, an application `http.status`; a search for
//! `http.response.status_code` must find them all. This turns a decoded record into OpenTelemetry's words: documents
//! become typed attributes, lines of known forms are read, times, levels, ids and the sender's identity go to where
//! the log data model has them. Nothing is refused, and nothing is lost: what was sent stays as the body or the
//! original, byte for byte. `docs/normalization.md` lists the fields.
//!
//! Not here: bytes on the wire (`wire`), parts of lines (`wire::container`) and lines of texts (`pipeline`), which are joined.

mod body;
mod convert;
mod family;
mod fields;
mod format;
mod ids;
mod mesh;
mod naming;
mod resource;
mod semconv;
mod shippers;
mod table;
mod text;
mod time;
mod unique;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use logkeep_record::{Attributes, Record, Severity, Value};

pub use crate::format::{LineFormat, UnknownFormat, detect};
pub use crate::mesh::failure_in;
pub use crate::naming::{service_of, workload_of};

use crate::body::Reader;
use crate::fields::Fields;
use crate::resource::{Interner, Lifted};
use crate::semconv::Rule;

/// Spans that come this way have names of their own.
const DATADOG_TRACES: &str = "datadog-traces";

/// Where a record's own time, if it has one, is a syslog header's or a container runtime's.
const ENVELOPES: &[&str] = &["syslog", "relp", "ndjson", "import"];

/// … and where it is, if the messages are syslog's.
const QUEUES: &[&str] = &["kafka", "nats"];

/// What is known of the connection a record came over.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// As the table of receivers names it, such as `otlp`, `loki` or `import`.
    pub protocol: &'static str,
    /// The peer's address, or the file.
    pub source: String,
}

/// Normalises the records of one connection. Keeps the resources it has made, so one per task, and not shared.
pub struct Normalizer {
    arrival: Arrival,
    resources: Interner,
}

impl std::fmt::Debug for Normalizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Normalizer").field("arrival", &self.arrival).finish_non_exhaustive()
    }
}

impl Normalizer {
    /// For records that arrive this way.
    pub fn new(arrival: Arrival) -> Self {
        Self { arrival, resources: Interner::new() }
    }

    /// Never refuses. Takes the decoded record, gives the normalised one.
    pub fn normalize<'a>(&mut self, mut record: Record<'a>) -> Record<'a> {
        let mut fields = Fields::default();
        if self.is_in_envelope(&record) {
            fields.envelope_time_ns = record.time_ns.take();
        }
        fields.keep_time = record.time_ns.is_some();
        fields.trace_id = record.trace_id;
        fields.span_id = record.span_id;
        self.own_attributes(&mut fields, std::mem::take(&mut record.attributes));
        match std::mem::take(&mut record.body) {
            Value::Map(pairs) => {
                let (pairs, source) = body::source(pairs, record.original.take());
                let content =
                    Reader { fields: &mut fields, received_ns: record.received_ns }.document(pairs, source, 0);
                record.body = Value::Str(content.body);
                record.original = content.original;
            }
            Value::Str(text) => {
                let content = Reader { fields: &mut fields, received_ns: record.received_ns }.text(text, 0);
                record.body = Value::Str(content.body);
                record.original = record.original.take().or(content.original);
            }
            other => record.body = other,
        }
        self.finish(record, fields)
    }

    /// Whether its time is that of an envelope, of a syslog message or a container's line. What is in it may know better.
    fn is_in_envelope(&self, record: &Record<'_>) -> bool {
        let is_syslog = || record.attributes.iter().any(|(name, _)| name == semconv::SYSLOG_FACILITY);
        ENVELOPES.contains(&self.arrival.protocol) || QUEUES.contains(&self.arrival.protocol) && is_syslog()
    }

    /// A span's record: its sender's identity as in logs, and everything else as it came, because tracers share one
    /// vocabulary already, but for Datadog's. Never refuses.
    pub fn normalize_span<'a>(&mut self, mut record: Record<'a>) -> Record<'a> {
        if self.arrival.protocol == DATADOG_TRACES {
            rename_tags(&mut record);
        }
        record.resource = self.resources.resource(&self.arrival, &record.resource, Vec::new(), None);
        let dropped = unique::settle(&mut record.attributes);
        record.dropped_attributes = record.dropped_attributes.saturating_add(dropped);
        record
    }

    /// What the decoder gave as attributes. OTLP's are in our vocabulary already, so only ids and levels are read
    /// from them; labels and structured data of other protocols may also say who sent the record.
    fn own_attributes<'a>(&self, fields: &mut Fields<'a>, attributes: Attributes<'a>) {
        let is_otlp = self.arrival.protocol == "otlp";
        for (key, value) in attributes {
            let rule = table::lookup(&key).and_then(|entry| entry.general).or_else(|| ids::in_structured_data(&key));
            match (rule, value) {
                (_, value) if !is_otlp && semconv::is_mark(&key, &value) => fields.mark(key, value),
                (_, Value::Map(inner)) if !inner.is_empty() => fields.nested(&mut key.into_owned(), inner, 1),
                (Some(Rule::Message(_) | Rule::Time(_)) | None, value) => fields.push(key, value),
                (Some(rule), value) if is_otlp && !rule.is_context() => fields.push(key, value),
                (Some(rule), value) => fields.general(key, rule, value),
            }
        }
    }

    fn finish<'a>(&mut self, mut record: Record<'a>, mut fields: Fields<'a>) -> Record<'a> {
        let read = fields.time.take().map(|slot| slot.read);
        let (time_ns, observed_ns) = with_envelope(read, fields.envelope_time_ns);
        record.time_ns = record.time_ns.or(time_ns).or(fields.prefix_time_ns);
        record.observed_ns = record.observed_ns.or(observed_ns);
        access_facts(&mut fields);
        self.severity(&mut record, &mut fields);
        record.trace_id = fields.trace_id;
        record.span_id = fields.span_id;
        if record.flags == 0 {
            record.flags = fields.flags.unwrap_or(0);
        }
        if !fields.lifted.is_empty() {
            fields.keep_contradictions(&record.resource, self.resources.base_facts(&record.resource));
        }
        let mut lifted = std::mem::take(&mut fields.lifted);
        let mut upstream = fields.mesh.upstream_service.take();
        if !resource::can_extend(&record.resource) {
            upstream = None;
            for (name, value) in lifted.drain(..).map(Lifted::into_attribute) {
                fields.push(name, value);
            }
        }
        record.resource = self.resources.resource(&self.arrival, &record.resource, lifted, upstream);
        fields.settle_renamed();
        record.attributes = fields.attributes;
        let dropped = fields.dropped.saturating_add(unique::settle(&mut record.attributes));
        record.dropped_attributes = record.dropped_attributes.saturating_add(dropped);
        record
    }

    /// The protocol's own, else a word it sent, else the document's, else the labels', else what the request came to.
    fn severity<'a>(&mut self, record: &mut Record<'a>, fields: &mut Fields<'a>) {
        if record.severity == Severity::UNSPECIFIED {
            record.severity = Severity::from_text(&record.severity_text);
        }
        if record.severity != Severity::UNSPECIFIED || !record.severity_text.is_empty() {
            let slot = fields.level.take();
            return fields.keep(slot);
        }
        if let Some(slot) = fields.level.take() {
            record.severity = slot.read;
            record.severity_text = match slot.sent {
                Value::Str(text) => text,
                Value::Int(number) => Cow::Owned(number.to_string()),
                _ => Cow::Borrowed(""),
            };
        } else if let Some((severity, text)) = &self.resources.base_facts(&record.resource).level {
            record.severity = *severity;
            record.severity_text = Cow::Owned(text.clone());
        } else if let Some((severity, text)) = fields.prefix_level.take() {
            record.severity = severity;
            record.severity_text = text;
        } else if fields.family.is_access() {
            record.severity = fields.mesh.severity();
        }
    }
}

/// The time of a message, of what it says itself and what its envelope says, and then when the envelope was written. An envelope
/// that only says the same second more precisely is believed.
fn with_envelope(read: Option<i64>, envelope: Option<i64>) -> (Option<i64>, Option<i64>) {
    const SECOND_NS: i64 = 1_000_000_000;
    match (read, envelope) {
        (Some(read), Some(envelope)) if read % SECOND_NS == 0 && envelope.div_euclid(SECOND_NS) == read / SECOND_NS => {
            (Some(envelope), None)
        }
        (Some(read), envelope) => (Some(read), envelope),
        (None, envelope) => (envelope, None),
    }
}

/// Tags of Datadog's spans under OpenTelemetry's names.
fn rename_tags(record: &mut Record<'_>) {
    let mut fields = Fields::default();
    for (key, value) in std::mem::take(&mut record.attributes) {
        match table::lookup(&key).and_then(|entry| entry.general) {
            Some(rule @ (Rule::As(_) | Rule::Int(_))) => fields.general(key, rule, value),
            _ => fields.push(key, value),
        }
    }
    fields.settle_renamed();
    record.attributes = fields.attributes;
    record.dropped_attributes = record.dropped_attributes.saturating_add(fields.dropped);
}

/// The facts that follow from several fields of an access log.
fn access_facts(fields: &mut Fields<'_>) {
    if let Some(kind) = fields.mesh.kind(fields.family) {
        fields.put(semconv::MESH_KIND, Value::str(kind));
    }
    if let Some(state) = fields.mesh.mtls_state() {
        fields.put(semconv::MTLS_STATE, Value::str(state));
    }
}
