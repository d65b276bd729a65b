//! Version 1 in Thrift (zipkinCore.thrift): a list of structs in the binary protocol.

use std::borrow::Cow;

use logkeep_record::Value;

use super::span::{Endpoint, Resources};
use super::v1::{Annotation, BinaryAnnotation, V1Span};
use crate::Decoded;
use crate::spans::{SpansError, check_count, push, span_id, trace_id};
use crate::thrift::{Thrift, binary_list};

const EXPECTED: &str = "a list of Zipkin v1 spans in Thrift";

pub(super) fn decode(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, SpansError> {
    let spans = binary_list(body).map_err(SpansError::thrift(EXPECTED))?.list();
    check_count(spans.len())?;
    let (mut decoded, mut resources) = (Decoded::default(), Resources::default());
    for read in spans {
        let span = span(read);
        if span.trace_id.is_none() {
            decoded.reject("a span has no trace id");
            continue;
        }
        push(&mut decoded, span.into_v2().into_span(&mut resources), received_ns);
    }
    Ok(decoded)
}

fn span(read: Thrift<'_>) -> V1Span<'static> {
    let mut span = V1Span::default();
    let (mut high, mut low) = (0, 0);
    for (field, value) in read.fields() {
        let number = value.int().unwrap_or(0);
        match field {
            1 => low = number,
            3 => span.name = Cow::Owned(value.text()),
            4 => span.id = span_id(number),
            5 => span.parent_id = span_id(number),
            6 => span.annotations = value.list().into_iter().map(annotation).collect(),
            8 => span.tags = value.list().into_iter().map(tag).collect(),
            9 => span.debug = value.bool().unwrap_or(false),
            10 => span.timestamp_us = number,
            11 => span.duration_us = Some(number).filter(|lasted| *lasted != 0),
            12 => high = number,
            _ => {}
        }
    }
    span.trace_id = trace_id(high, low);
    span
}

fn annotation(read: Thrift<'_>) -> Annotation<'static> {
    let mut annotation = Annotation::default();
    for (field, value) in read.fields() {
        match field {
            1 => annotation.timestamp_us = value.int().unwrap_or(0),
            2 => annotation.value = Cow::Owned(value.text()),
            3 => annotation.endpoint = Some(endpoint(value)),
            _ => {}
        }
    }
    annotation
}

fn tag(read: Thrift<'_>) -> BinaryAnnotation<'static> {
    let mut tag = BinaryAnnotation::default();
    let (mut bytes, mut kind) = (&[][..], 1);
    for (field, value) in read.fields() {
        match field {
            1 => tag.key = Cow::Owned(value.text()),
            2 => bytes = value.bytes(),
            3 => kind = value.int().unwrap_or(kind),
            4 => tag.endpoint = Some(endpoint(value)),
            _ => {}
        }
    }
    tag.value = value_of(kind, bytes);
    tag
}

/// The bytes of a tag by its type; bytes that do not have the length of their type stay bytes.
fn value_of(kind: i64, bytes: &[u8]) -> Value<'static> {
    let int = || {
        let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) { -1 } else { 0 };
        Value::Int(bytes.iter().fold(sign, |number: i64, byte| number << 8 | i64::from(*byte)))
    };
    match (kind, bytes.len()) {
        (0, 1) => Value::Bool(bytes[0] != 0),
        (2, 2) | (3, 4) | (4, 8) => int(),
        (5, 8) => bytes.try_into().map_or(Value::Null, |bytes| Value::Double(f64::from_be_bytes(bytes))),
        (6, _) => Value::from(String::from_utf8_lossy(bytes).into_owned()),
        _ => Value::Bytes(Cow::Owned(bytes.to_vec())),
    }
}

fn endpoint(read: Thrift<'_>) -> Endpoint<'static> {
    let mut endpoint = Endpoint::default();
    for (field, value) in read.fields() {
        match field {
            1 => endpoint.add_address(&(value.int().unwrap_or(0) as i32).to_be_bytes()),
            // Unsigned in what is meant, signed in what is sent.
            2 => endpoint.port = (value.int().unwrap_or(0) as u16).into(),
            3 => endpoint.service = Cow::Owned(value.text()),
            4 => endpoint.add_address(value.bytes()),
            _ => {}
        }
    }
    endpoint
}
