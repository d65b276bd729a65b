//! What the spans of Zipkin, Jaeger and Datadog have in common on their way to ours.

use std::borrow::Cow;

use logkeep_record::{Attributes, Span, SpanId, SpanKind, SpanStatus, TraceId, Value, limits};

use crate::Decoded;
use crate::thrift::ThriftError;

/// A request of which nothing can be stored; do not retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpansError {
    /// The bytes are not what they should be.
    #[error("the body is not {expected}: {what}")]
    Malformed {
        /// Such as `a list of Zipkin v2 spans in JSON`.
        expected: &'static str,
        /// Where it failed.
        what: String,
    },
    /// More spans or values than one request may hold.
    #[error("the request has more than {max} {what}; send smaller ones")]
    TooMany {
        /// `spans` or `values`.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

/// Values of one request. A value of two bytes takes up to two hundred in memory, so bytes alone are no bound.
pub(crate) const MAX_VALUES: usize = 2 << 20;

impl SpansError {
    pub(crate) fn malformed(expected: &'static str) -> impl Fn(String) -> Self {
        move |what| Self::Malformed { expected, what }
    }

    pub(crate) fn thrift(expected: &'static str) -> impl Fn(ThriftError) -> Self {
        move |error| Self::Malformed { expected, what: error.to_string() }
    }
}

/// Refuses more spans than one request may hold.
pub(crate) fn check_count(spans: usize) -> Result<(), SpansError> {
    let max = limits::RECORDS_PER_REQUEST;
    if spans > max { Err(SpansError::TooMany { what: "spans", max }) } else { Ok(()) }
}

/// Values in a value, itself included.
pub(crate) fn count(value: &Value<'_>) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Map(pairs) => pairs.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    }
}

/// Adds a span.
pub(crate) fn push<'a>(decoded: &mut Decoded<'a>, span: Span<'a>, received_ns: i64) {
    decoded.records.push(span.into_record(received_ns));
}

/// Begin and end from microseconds; zero means "not given".
pub(crate) fn set_times(span: &mut Span<'_>, start_us: i64, lasted_us: Option<i64>) {
    span.start_ns = nanoseconds(start_us);
    let lasted_ns = lasted_us.and_then(|lasted| lasted.checked_mul(1_000));
    span.end_ns = lasted_ns.and_then(|lasted| span.start_ns?.checked_add(lasted));
}

/// A time in microseconds, of which zero means "not given".
pub(crate) fn nanoseconds(us: i64) -> Option<i64> {
    us.checked_mul(1_000).filter(|time| *time != 0)
}

pub(crate) fn trace_id(high: i64, low: i64) -> Option<TraceId> {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&high.to_be_bytes());
    id[8..].copy_from_slice(&low.to_be_bytes());
    TraceId::new(id)
}

pub(crate) fn span_id(id: i64) -> Option<SpanId> {
    SpanId::new(id.to_be_bytes())
}

/// Ids of 64 bits are padded.
pub(crate) fn trace_id_of(bytes: &[u8]) -> Option<TraceId> {
    let mut id = [0; 16];
    let start = id.len().checked_sub(bytes.len()).filter(|start| matches!(start, 0 | 8))?;
    id[start..].copy_from_slice(bytes);
    TraceId::new(id)
}

/// Adds `value` unless it is absent or empty.
pub(crate) fn put<'a>(attributes: &mut Attributes<'a>, key: &'static str, value: impl Into<Option<Value<'a>>>) {
    if let Some(value) = value.into().filter(|value| !value.is_null() && value.as_str() != Some("")) {
        attributes.push((Cow::Borrowed(key), value));
    }
}

/// What tags say that spans have a place for: the kind, and whether it failed. The tags stay, but for a kind that is known.
pub(crate) fn read_tags(span: &mut Span<'_>) {
    span.attributes.retain(|(key, value)| {
        match value.as_str().filter(|_| key == "span.kind").map(SpanKind::from_word) {
            None | Some(SpanKind::Unspecified) => true,
            Some(kind) => {
                span.kind = kind;
                false
            }
        }
    });
    let tag = |name: &str| span.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let status = tag("otel.status_code").and_then(Value::as_str).map(SpanStatus::from_word).unwrap_or_default();
    let (failed, why) = match tag("error") {
        None | Some(Value::Null | Value::Bool(false)) => (false, None),
        Some(Value::Str(text)) => match text.as_ref() {
            "false" => (false, None),
            "" | "true" => (true, None),
            why => (true, Some(why.to_owned())),
        },
        Some(_) => (true, None),
    };
    let description = tag("otel.status_description").and_then(Value::as_str).map(str::to_owned);
    span.status = if failed { SpanStatus::Error } else { status };
    span.status_message = Cow::Owned(description.or(why).unwrap_or_default());
}
