//! The span: a record of the class `spans`, under names of its own.
//!
//! A span is stored as a record, so that whatever holds of records (durable, sealed, encrypted, searchable, verified) holds
//! of spans without a second machinery. What the log data model has a place for goes there; the rest goes under the
//! names of [`RESERVED`] among the attributes, where filters and SQL find it. The way there and back loses nothing
//! (`docs/formats/span.md`).
//!
//! Not here: how a protocol writes a span (`wire`), which columns SQL shows of it (`query`).

mod parts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use crate::{Attributes, Record, Resource, Severity, SpanId, TraceId, Value};

use parts::Parts;

/// Under which attribute a record keeps what only spans have.
pub mod name {
    /// The span's name.
    pub const NAME: &str = "span.name";
    /// The word of its [`SpanKind`](super::SpanKind).
    pub const KIND: &str = "span.kind";
    /// Id of the parent span, in base 16; absent for a root.
    pub const PARENT_ID: &str = "span.parent_id";
    /// W3C trace state, where there is one.
    pub const TRACE_STATE: &str = "span.trace_state";
    /// End less start, in nanoseconds.
    pub const DURATION_NS: &str = "span.duration_ns";
    /// The end, only where there is no start to count from.
    pub const END_NS: &str = "span.end_ns";
    /// The word of its [`SpanStatus`](super::SpanStatus).
    pub const STATUS_CODE: &str = "span.status.code";
    /// What went wrong, where something is said.
    pub const STATUS_MESSAGE: &str = "span.status.message";
    /// Events, as a list of maps.
    pub const EVENTS: &str = "span.events";
    /// Events the sender says it dropped.
    pub const DROPPED_EVENTS: &str = "span.dropped_events";
    /// Links to other spans, as a list of maps.
    pub const LINKS: &str = "span.links";
    /// Links the sender says it dropped.
    pub const DROPPED_LINKS: &str = "span.dropped_links";
}

/// The names that are ours on a record of the class `spans`.
pub const RESERVED: &[&str] = &[
    name::NAME,
    name::KIND,
    name::PARENT_ID,
    name::TRACE_STATE,
    name::DURATION_NS,
    name::END_NS,
    name::STATUS_CODE,
    name::STATUS_MESSAGE,
    name::EVENTS,
    name::DROPPED_EVENTS,
    name::LINKS,
    name::DROPPED_LINKS,
];

/// Put before a sender's own attribute that is called like one of ours.
const OWN: &str = "attributes.";

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $type {
            #[default]
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// By OpenTelemetry's number; unknown ones are the first, as its specification says.
            pub fn from_number(number: i64) -> Self {
                match number { $($number => Self::$variant,)+ _ => Self::default() }
            }

            /// By its word, in any case; unknown ones are the first.
            pub fn from_word(word: &str) -> Self {
                $(if word.eq_ignore_ascii_case($word) { return Self::$variant; })+
                Self::default()
            }

            /// As records, filters and SQL have it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// `SpanKind`: which side of what kind of call.
    SpanKind {
        /// Not said.
        Unspecified = 0 "unspecified",
        /// Within a process.
        Internal = 1 "internal",
        /// Serves a request.
        Server = 2 "server",
        /// Makes a request and waits for its answer.
        Client = 3 "client",
        /// Sends a message.
        Producer = 4 "producer",
        /// Takes a message.
        Consumer = 5 "consumer",
    }
}

words! {
    /// `StatusCode`.
    SpanStatus {
        /// Not said.
        Unset = 0 "unset",
        /// Someone declared it good.
        Ok = 1 "ok",
        /// It failed.
        Error = 2 "error",
    }
}

/// A trace span, as OpenTelemetry's trace data model has it
/// (<https://opentelemetry.io/docs/specs/otel/trace/api/#span>).
#[derive(Clone, Debug, PartialEq)]
pub struct Span<'a> {
    /// Which trace; 64-bit ids of older tracers are padded on the left.
    pub trace_id: Option<TraceId>,
    /// Which span.
    pub span_id: Option<SpanId>,
    /// Its parent; none for a root.
    pub parent_id: Option<SpanId>,
    /// W3C trace state, empty where absent.
    pub trace_state: Cow<'a, str>,
    /// W3C trace flags in the low byte, OpenTelemetry's above.
    pub flags: u32,
    /// What it does.
    pub name: Cow<'a, str>,
    /// Which side of a call.
    pub kind: SpanKind,
    /// Begin, nanoseconds since the Unix epoch, UTC.
    pub start_ns: Option<i64>,
    /// End, likewise.
    pub end_ns: Option<i64>,
    /// In the sender's order.
    pub attributes: Attributes<'a>,
    /// As sent.
    pub dropped_attributes: u32,
    /// In the sender's order.
    pub events: Vec<SpanEvent<'a>>,
    /// As sent.
    pub dropped_events: u32,
    /// In the sender's order.
    pub links: Vec<SpanLink<'a>>,
    /// As sent.
    pub dropped_links: u32,
    /// Whether it failed.
    pub status: SpanStatus,
    /// Why, empty where absent.
    pub status_message: Cow<'a, str>,
    /// Who emitted it.
    pub resource: Arc<Resource>,
}

/// Something that happened during a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanEvent<'a> {
    /// What, such as `exception`.
    pub name: Cow<'a, str>,
    /// When, nanoseconds since the Unix epoch, UTC.
    pub time_ns: Option<i64>,
    /// In the sender's order.
    pub attributes: Attributes<'a>,
    /// As sent.
    pub dropped_attributes: u32,
}

/// A span that this one has to do with, but is no child of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpanLink<'a> {
    /// The other's trace.
    pub trace_id: Option<TraceId>,
    /// The other.
    pub span_id: Option<SpanId>,
    /// The other's trace state, empty where absent.
    pub trace_state: Cow<'a, str>,
    /// The other's flags.
    pub flags: u32,
    /// In the sender's order.
    pub attributes: Attributes<'a>,
    /// As sent.
    pub dropped_attributes: u32,
}

impl<'a> Span<'a> {
    /// A span that only has a name.
    pub fn new(name: impl Into<Cow<'a, str>>, resource: Arc<Resource>) -> Self {
        Self {
            trace_id: None,
            span_id: None,
            parent_id: None,
            trace_state: Cow::Borrowed(""),
            flags: 0,
            name: name.into(),
            kind: SpanKind::Unspecified,
            start_ns: None,
            end_ns: None,
            attributes: Vec::new(),
            dropped_attributes: 0,
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
            dropped_links: 0,
            status: SpanStatus::Unset,
            status_message: Cow::Borrowed(""),
            resource,
        }
    }

    /// How long it took, where both ends are known.
    pub fn duration_ns(&self) -> Option<i64> {
        self.end_ns?.checked_sub(self.start_ns?)
    }

    /// The record it is stored as. A failed span has the severity `error`, so that it shows among other troubles.
    pub fn into_record(self, received_ns: i64) -> Record<'a> {
        let duration_ns = self.duration_ns();
        let end_ns = self.end_ns.filter(|_| duration_ns.is_none());
        let mut parts = Parts::with_capacity(self.attributes.len() + 6);
        parts.text(name::NAME, self.name);
        parts.word(name::KIND, self.kind.word());
        parts.text(name::PARENT_ID, parts::hex(self.parent_id));
        parts.text(name::TRACE_STATE, self.trace_state);
        parts.int(name::DURATION_NS, duration_ns);
        parts.int(name::END_NS, end_ns);
        parts.word(name::STATUS_CODE, self.status.word());
        parts.text(name::STATUS_MESSAGE, self.status_message);
        parts.list(name::EVENTS, self.events.into_iter().map(SpanEvent::into_value));
        parts.count(name::DROPPED_EVENTS, self.dropped_events);
        parts.list(name::LINKS, self.links.into_iter().map(SpanLink::into_value));
        parts.count(name::DROPPED_LINKS, self.dropped_links);
        let mut record = Record::new(received_ns, Value::Null, self.resource);
        record.attributes = parts.0;
        record.attributes.extend(self.attributes.into_iter().map(|(key, value)| (escape(key), value)));
        record.dropped_attributes = self.dropped_attributes;
        record.time_ns = self.start_ns;
        record.severity = if self.status == SpanStatus::Error { Severity::ERROR } else { Severity::UNSPECIFIED };
        record.trace_id = self.trace_id;
        record.span_id = self.span_id;
        record.flags = self.flags;
        record
    }

    /// The span that a record of the class `spans` stands for.
    pub fn from_record(record: Record<'a>) -> Self {
        let mut span = Self::new("", record.resource);
        span.trace_id = record.trace_id;
        span.span_id = record.span_id;
        span.flags = record.flags;
        span.start_ns = record.time_ns;
        span.dropped_attributes = record.dropped_attributes;
        for (key, value) in record.attributes {
            if !RESERVED.contains(&&*key) {
                span.attributes.push((unescape(key), value));
                continue;
            }
            match &*key {
                name::NAME => span.name = parts::text(value),
                name::KIND => span.kind = SpanKind::from_word(&parts::text(value)),
                name::PARENT_ID => span.parent_id = SpanId::from_hex(&parts::text(value)),
                name::TRACE_STATE => span.trace_state = parts::text(value),
                name::DURATION_NS => {
                    span.end_ns = parts::int(&value).and_then(|lasted| span.start_ns?.checked_add(lasted));
                }
                name::END_NS => span.end_ns = parts::int(&value),
                name::STATUS_CODE => span.status = SpanStatus::from_word(&parts::text(value)),
                name::STATUS_MESSAGE => span.status_message = parts::text(value),
                name::EVENTS => span.events = parts::list(value, SpanEvent::from_parts),
                name::DROPPED_EVENTS => span.dropped_events = parts::count(&value),
                name::LINKS => span.links = parts::list(value, SpanLink::from_parts),
                _ => span.dropped_links = parts::count(&value),
            }
        }
        span
    }
}

/// Whether the name, without our prefixes, is one of ours.
fn collides(key: &str) -> bool {
    RESERVED.contains(&key.trim_start_matches(OWN))
}

fn escape(key: Cow<'_, str>) -> Cow<'_, str> {
    if collides(&key) { Cow::Owned(format!("{OWN}{key}")) } else { key }
}

fn unescape(key: Cow<'_, str>) -> Cow<'_, str> {
    match key.strip_prefix(OWN).filter(|rest| collides(rest)) {
        Some(rest) => Cow::Owned(rest.to_owned()),
        None => key,
    }
}
