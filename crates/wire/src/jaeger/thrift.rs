//! Batches in Thrift (jaeger.thrift, agent.thrift).

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Resource, Span, SpanEvent, Value};

use super::span::{Reference, SpanRef, event, finish, process, refer};
use crate::Decoded;
use crate::spans::{SpansError, check_count, nanoseconds, push, set_times, span_id, trace_id};
use crate::thrift::{Thrift, binary_struct, call};

/// Decodes the body of `POST /api/traces`: one batch in the binary protocol, without the envelope of a call.
///
/// # Errors
/// [`SpansError`]; do not retry.
pub fn decode_batch(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, SpansError> {
    const EXPECTED: &str = "a Jaeger batch in Thrift";
    batch(binary_struct(body).map_err(SpansError::thrift(EXPECTED))?, received_ns)
}

/// Decodes a datagram to an agent: a call of `emitBatch` in the compact or the binary protocol.
///
/// # Errors
/// [`SpansError`]; do not retry.
pub fn decode_datagram(bytes: &[u8], received_ns: i64) -> Result<Decoded<'static>, SpansError> {
    const EXPECTED: &str = "a call of `emitBatch` in Thrift";
    let call = call(bytes).map_err(SpansError::thrift(EXPECTED))?;
    if call.name != b"emitBatch" {
        let name: String = String::from_utf8_lossy(call.name).chars().take(40).collect();
        return Err(SpansError::malformed(EXPECTED)(format!("it calls `{name}`")));
    }
    let argument = call.arguments.fields().into_iter().find(|(field, _)| *field == 1);
    batch(argument.map_or(Thrift::Struct(Vec::new()), |(_, batch)| batch), received_ns)
}

fn batch(read: Thrift<'_>, received_ns: i64) -> Result<Decoded<'static>, SpansError> {
    let (mut resource, mut spans) = (None, Vec::new());
    for (field, value) in read.fields() {
        match field {
            1 => resource = Some(read_process(value)),
            2 => spans = value.list(),
            _ => {}
        }
    }
    let Some(resource) = resource else {
        return Err(SpansError::malformed("a Jaeger batch in Thrift")("it has no process".to_owned()));
    };
    check_count(spans.len())?;
    let mut decoded = Decoded::default();
    for span in spans {
        push(&mut decoded, read_span(span, &resource), received_ns);
    }
    Ok(decoded)
}

fn read_process(read: Thrift<'_>) -> Arc<Resource> {
    let (mut service, mut attributes) = (String::new(), Attributes::new());
    for (field, value) in read.fields() {
        match field {
            1 => service = value.text(),
            2 => attributes = tags(value),
            _ => {}
        }
    }
    process(service, attributes)
}

fn read_span(read: Thrift<'_>, resource: &Arc<Resource>) -> Span<'static> {
    let mut span = Span::new("", Arc::clone(resource));
    let (mut low, mut high, mut start_us, mut lasted_us, mut references) = (0, 0, 0, None, Vec::new());
    for (field, value) in read.fields() {
        let number = value.int().unwrap_or(0);
        match field {
            1 => low = number,
            2 => high = number,
            3 => span.span_id = span_id(number),
            4 => span.parent_id = span_id(number),
            5 => span.name = Cow::Owned(value.text()),
            6 => references = value.list().into_iter().map(reference).collect(),
            7 => span.flags = number as u32,
            8 => start_us = number,
            9 => lasted_us = value.int(),
            10 => span.attributes = tags(value),
            11 => span.events = value.list().into_iter().map(log).collect(),
            _ => {}
        }
    }
    span.trace_id = trace_id(high, low);
    set_times(&mut span, start_us, lasted_us);
    refer(&mut span, references);
    finish(span)
}

fn reference(read: Thrift<'_>) -> SpanRef {
    let (mut kind, mut low, mut high, mut span) = (0, 0, 0, 0);
    for (field, value) in read.fields() {
        let number = value.int().unwrap_or(0);
        match field {
            1 => kind = number,
            2 => low = number,
            3 => high = number,
            4 => span = number,
            _ => {}
        }
    }
    SpanRef { kind: Reference::from_number(kind), trace_id: trace_id(high, low), span_id: span_id(span) }
}

fn log(read: Thrift<'_>) -> SpanEvent<'static> {
    let (mut time_us, mut fields) = (0, Attributes::new());
    for (field, value) in read.fields() {
        match field {
            1 => time_us = value.int().unwrap_or(0),
            2 => fields = tags(value),
            _ => {}
        }
    }
    event(nanoseconds(time_us), fields)
}

fn tags(read: Thrift<'_>) -> Attributes<'static> {
    read.list().into_iter().map(tag).collect()
}

/// A tag has its value in the field that its type names.
fn tag(read: Thrift<'_>) -> (Cow<'static, str>, Value<'static>) {
    let (mut key, mut kind, mut fields) = (String::new(), 0, Vec::new());
    for (field, value) in read.fields() {
        match field {
            1 => key = value.text(),
            2 => kind = value.int().unwrap_or(0),
            _ => fields.push((field, value)),
        }
    }
    let value = fields.into_iter().find(|(field, _)| i64::from(*field) == kind + 3).map(|(_, value)| value);
    let value = match (kind, value) {
        (0, Some(text)) => Value::from(text.text()),
        (_, Some(Thrift::Double(number))) => Value::Double(number),
        (_, Some(Thrift::Bool(value))) => Value::Bool(value),
        (_, Some(Thrift::Int(number))) => Value::Int(number),
        (_, Some(Thrift::Bytes(bytes))) => Value::Bytes(Cow::Owned(bytes.to_vec())),
        _ => Value::Null,
    };
    (Cow::Owned(key), value)
}
