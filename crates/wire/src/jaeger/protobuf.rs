//! Batches in protobuf (jaeger.api_v2, model.proto and collector.proto).

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Resource, Span, SpanEvent, SpanId, Value};
use prost::Message;

use super::span::{Reference, SpanRef, event, finish, process, refer};
use crate::Decoded;
use crate::spans::{MAX_VALUES, SpansError, check_count, push, trace_id_of};

const EXPECTED: &str = "a Jaeger PostSpansRequest in protobuf";

#[derive(Message)]
struct PostSpans {
    #[prost(message, optional, tag = "1")]
    batch: Option<Batch>,
}

/// Spans stay bytes, so that one bad span costs only itself.
#[derive(Message)]
struct Batch {
    #[prost(bytes = "vec", repeated, tag = "1")]
    spans: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    process: Option<Process>,
}

#[derive(Message)]
struct Process {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(message, repeated, tag = "2")]
    tags: Vec<KeyValue>,
}

#[derive(Message)]
struct SpanMessage {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    operation_name: String,
    #[prost(message, repeated, tag = "4")]
    references: Vec<ReferenceMessage>,
    #[prost(uint32, tag = "5")]
    flags: u32,
    #[prost(message, optional, tag = "6")]
    start_time: Option<Time>,
    #[prost(message, optional, tag = "7")]
    duration: Option<Time>,
    #[prost(message, repeated, tag = "8")]
    tags: Vec<KeyValue>,
    #[prost(message, repeated, tag = "9")]
    logs: Vec<Log>,
    #[prost(message, optional, tag = "10")]
    process: Option<Process>,
    #[prost(string, repeated, tag = "12")]
    warnings: Vec<String>,
}

#[derive(Message)]
struct ReferenceMessage {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(int32, tag = "3")]
    kind: i32,
}

/// A `Timestamp` or a `Duration`.
#[derive(Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Time {
    fn ns(&self) -> Option<i64> {
        self.seconds.checked_mul(1_000_000_000)?.checked_add(self.nanos.into())
    }
}

#[derive(Message)]
struct Log {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Time>,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<KeyValue>,
}

#[derive(Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(string, tag = "3")]
    text: String,
    #[prost(bool, tag = "4")]
    truth: bool,
    #[prost(int64, tag = "5")]
    integer: i64,
    #[prost(double, tag = "6")]
    double: f64,
    #[prost(bytes = "vec", tag = "7")]
    binary: Vec<u8>,
}

impl KeyValue {
    fn attribute(self) -> (Cow<'static, str>, Value<'static>) {
        let value = match self.kind {
            1 => Value::Bool(self.truth),
            2 => Value::Int(self.integer),
            3 => Value::Double(self.double),
            4 => Value::Bytes(Cow::Owned(self.binary)),
            _ => Value::from(self.text),
        };
        (Cow::Owned(self.key), value)
    }
}

/// Decodes the message of `jaeger.api_v2.CollectorService/PostSpans`.
///
/// # Errors
/// [`SpansError`]; do not retry.
pub fn decode_post_spans(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, SpansError> {
    let request = PostSpans::decode(body).map_err(|error| SpansError::malformed(EXPECTED)(error.to_string()))?;
    let batch = request.batch.unwrap_or_default();
    check_count(batch.spans.len())?;
    let common = resource(batch.process.unwrap_or_default());
    let (mut decoded, mut values_left) = (Decoded::default(), MAX_VALUES);
    for bytes in batch.spans {
        match SpanMessage::decode(bytes.as_slice()) {
            Ok(message) => {
                let values = message.tags.len() + message.logs.iter().map(|log| 1 + log.fields.len()).sum::<usize>();
                values_left = values_left
                    .checked_sub(values + message.references.len())
                    .ok_or(SpansError::TooMany { what: "values", max: MAX_VALUES })?;
                push(&mut decoded, span(message, &common), received_ns);
            }
            Err(error) => decoded.reject(error.to_string()),
        }
    }
    Ok(decoded)
}

fn resource(message: Process) -> Arc<Resource> {
    process(message.service_name, attributes(message.tags))
}

fn attributes(tags: Vec<KeyValue>) -> Attributes<'static> {
    tags.into_iter().map(KeyValue::attribute).collect()
}

fn id(bytes: Vec<u8>) -> Option<SpanId> {
    bytes.try_into().ok().and_then(SpanId::new)
}

fn span(message: SpanMessage, common: &Arc<Resource>) -> Span<'static> {
    let resource = message.process.map_or_else(|| Arc::clone(common), resource);
    let mut span = Span::new(message.operation_name, resource);
    (span.trace_id, span.span_id) = (trace_id_of(&message.trace_id), id(message.span_id));
    span.flags = message.flags;
    span.start_ns = message.start_time.and_then(|time| time.ns()).filter(|time| *time != 0);
    // An absent duration is one of zero.
    let lasted_ns = message.duration.map_or(Some(0), |time| time.ns());
    span.end_ns = span.start_ns.zip(lasted_ns).and_then(|(start, lasted)| start.checked_add(lasted));
    span.attributes = attributes(message.tags);
    if !message.warnings.is_empty() {
        let warnings = message.warnings.into_iter().map(Value::from).collect();
        span.attributes.push((Cow::Borrowed("jaeger.warnings"), Value::Array(warnings)));
    }
    span.events = message.logs.into_iter().map(log).collect();
    let reference = |read: ReferenceMessage| SpanRef {
        kind: Reference::from_number(read.kind.into()),
        trace_id: trace_id_of(&read.trace_id),
        span_id: id(read.span_id),
    };
    refer(&mut span, message.references.into_iter().map(reference).collect());
    finish(span)
}

fn log(read: Log) -> SpanEvent<'static> {
    event(read.timestamp.and_then(|time| time.ns()), attributes(read.fields))
}
