//! The log record and the resource it came from.

use std::borrow::Cow;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::canonical::encode_resource;
use crate::{Attributes, Severity, SpanId, TraceId, Value};

/// Attribute of a record that several were joined to: how many.
pub const JOINED_PARTS: &str = "log.record.parts";

/// One log entry, as the OpenTelemetry log data model has it, plus what we know of its arrival.
///
/// Text is borrowed from the request where the protocol allows, so a decoder need not allocate per field.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// When it happened, by the sender's clock (`Timestamp`), nanoseconds since the Unix epoch, UTC. `None` where the
    /// sender gave none or an unreadable one.
    pub time_ns: Option<i64>,
    /// When a collector before us saw it (`ObservedTimestamp`), where it said so.
    pub observed_ns: Option<i64>,
    /// When it reached us. Retention counts from here.
    pub received_ns: i64,
    /// `SeverityNumber`, derived where the sender gave only words.
    pub severity: Severity,
    /// `SeverityText` as sent.
    pub severity_text: Cow<'a, str>,
    /// `Body`: the message to show.
    pub body: Value<'a>,
    /// The source form (`log.record.original`), where it is not the body itself.
    pub original: Option<Cow<'a, str>>,
    /// `Attributes` of the record, in order.
    pub attributes: Attributes<'a>,
    /// `dropped_attributes_count` as sent, plus those that were over our own limits.
    pub dropped_attributes: u32,
    /// `TraceFlags` in the low byte.
    pub flags: u32,
    /// `TraceId`; never all zero.
    pub trace_id: Option<TraceId>,
    /// `SpanId`; never all zero.
    pub span_id: Option<SpanId>,
    /// `EventName`, empty where absent.
    pub event_name: Cow<'a, str>,
    /// Who emitted it, shared by all records of the same source.
    pub resource: Arc<Resource>,
}

impl<'a> Record<'a> {
    /// A record that has only a body.
    pub fn new(received_ns: i64, body: Value<'a>, resource: Arc<Resource>) -> Self {
        Self {
            time_ns: None,
            observed_ns: None,
            received_ns,
            severity: Severity::UNSPECIFIED,
            severity_text: Cow::Borrowed(""),
            body,
            original: None,
            attributes: Vec::new(),
            dropped_attributes: 0,
            flags: 0,
            trace_id: None,
            span_id: None,
            event_name: Cow::Borrowed(""),
            resource,
        }
    }

    /// The time to order and search by: the sender's, else the collector's, else ours.
    pub fn effective_time_ns(&self) -> i64 {
        self.time_ns.or(self.observed_ns).unwrap_or(self.received_ns)
    }

    /// The first value under `key` among the record's own attributes.
    pub fn attribute(&self, key: &str) -> Option<&Value<'a>> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// About how much memory it takes, without its resource, which others share.
    pub fn bytes(&self) -> usize {
        let original = self.original.as_ref().map_or(0, |text| text.len());
        size_of::<Self>() + self.body.bytes() + original + crate::value::attributes_bytes(&self.attributes)
    }

    /// A copy that outlives the request.
    pub fn into_owned(self) -> Record<'static> {
        Record {
            severity_text: Cow::Owned(self.severity_text.into_owned()),
            body: self.body.into_owned(),
            original: self.original.map(|text| Cow::Owned(text.into_owned())),
            attributes: crate::value::own_attributes(self.attributes),
            event_name: Cow::Owned(self.event_name.into_owned()),
            time_ns: self.time_ns,
            observed_ns: self.observed_ns,
            received_ns: self.received_ns,
            severity: self.severity,
            dropped_attributes: self.dropped_attributes,
            flags: self.flags,
            trace_id: self.trace_id,
            span_id: self.span_id,
            resource: self.resource,
        }
    }
}

/// The instrumentation scope (`InstrumentationScope`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Library or logger name, empty where absent.
    pub name: String,
    /// Its version, empty where absent.
    pub version: String,
    /// Its attributes.
    pub attributes: Attributes<'static>,
    /// As sent.
    pub dropped_attributes: u32,
    /// Schema of the records under this scope.
    pub schema_url: String,
}

/// Who emitted a record: OpenTelemetry's `Resource` with the scope. Immutable and shared, so that its canonical bytes
/// and digest are computed once for all the records it has.
#[derive(Clone, Debug)]
pub struct Resource {
    attributes: Attributes<'static>,
    dropped_attributes: u32,
    schema_url: String,
    scope: Scope,
    canonical: Vec<u8>,
    digest: [u8; 32],
}

impl Resource {
    /// Fixes the resource and computes its canonical bytes.
    pub fn new(
        attributes: Attributes<'static>,
        dropped_attributes: u32,
        schema_url: String,
        scope: Scope,
    ) -> Arc<Self> {
        let mut resource =
            Self { attributes, dropped_attributes, schema_url, scope, canonical: Vec::new(), digest: [0; 32] };
        let mut canonical = Vec::new();
        encode_resource(&resource, &mut canonical);
        resource.digest = Sha256::digest(&canonical).into();
        resource.canonical = canonical;
        Arc::new(resource)
    }

    /// A resource that only has attributes.
    pub fn from_attributes(attributes: Attributes<'static>) -> Arc<Self> {
        Self::new(attributes, 0, String::new(), Scope::default())
    }

    /// In the order the sender gave them.
    pub fn attributes(&self) -> &Attributes<'static> {
        &self.attributes
    }

    /// The first value under `key`.
    pub fn attribute(&self, key: &str) -> Option<&Value<'static>> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// As sent.
    pub fn dropped_attributes(&self) -> u32 {
        self.dropped_attributes
    }

    /// Schema of the resource's attributes, empty where absent.
    pub fn schema_url(&self) -> &str {
        &self.schema_url
    }

    /// The instrumentation scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Canonical bytes (docs/formats/canonical-record.md).
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// SHA-256 of the canonical bytes.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Resource {}
