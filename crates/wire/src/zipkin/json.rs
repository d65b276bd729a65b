//! Both versions in JSON. The list is read first and each span by itself, so that a bad one is told apart from the good.

use std::borrow::Cow;

use logkeep_record::{Attributes, SpanId, SpanKind, TraceId, Value, json, limits};
use serde_json::value::RawValue;

use super::span::{Endpoint, Resources, ZipkinSpan};
use super::v1::{Annotation, BinaryAnnotation, V1Span};
use crate::Decoded;
use crate::spans::{MAX_VALUES, SpansError, check_count, count, push};

const EXPECTED: &str = "a list of Zipkin spans in JSON";

/// Why a span is rejected.
type Fault = Cow<'static, str>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Bytes that are not UTF-8 are replaced.
pub(super) fn decode(body: &[u8], version: Version, received_ns: i64) -> Result<Decoded<'_>, SpansError> {
    match std::str::from_utf8(body) {
        Ok(text) => decode_text(text, version, received_ns),
        Err(_) => decode_text(&String::from_utf8_lossy(body), version, received_ns).map(Decoded::into_owned),
    }
}

fn decode_text(text: &str, version: Version, received_ns: i64) -> Result<Decoded<'_>, SpansError> {
    let spans: Vec<&RawValue> =
        serde_json::from_str(text).map_err(|error| SpansError::malformed(EXPECTED)(error.to_string()))?;
    check_count(spans.len())?;
    let (mut decoded, mut resources) = (Decoded::default(), Resources::default());
    let mut values_left = MAX_VALUES;
    for part in spans {
        let span = match fields(part.get()) {
            Ok(fields) => {
                values_left = values_left
                    .checked_sub(fields.iter().map(|(_, value)| count(value)).sum())
                    .ok_or(SpansError::TooMany { what: "values", max: MAX_VALUES })?;
                match version {
                    Version::V1 => v1_span(fields).map(V1Span::into_v2),
                    Version::V2 => v2_span(fields),
                }
            }
            Err(fault) => Err(fault),
        };
        match span {
            Ok(span) => push(&mut decoded, span.into_span(&mut resources), received_ns),
            Err(fault) => decoded.reject(fault),
        }
    }
    Ok(decoded)
}

fn fields(text: &str) -> Result<Attributes<'_>, Fault> {
    let max = 4 * limits::record_bytes();
    if text.len() > max {
        return Err(format!("a span of {} bytes, more than {max}", text.len()).into());
    }
    object(json::parse(text).map_err(|error| Cow::Owned(error.to_string()))?, "a span")
}

fn v2_span(fields: Attributes<'_>) -> Result<ZipkinSpan<'_>, Fault> {
    let mut span = ZipkinSpan::default();
    for (key, value) in fields {
        match &*key {
            "traceId" => span.trace_id = trace_id(value)?,
            "id" => span.id = span_id(value, "id")?,
            "parentId" => span.parent_id = span_id(value, "parentId")?,
            "kind" => span.kind = SpanKind::from_word(&text(value, "kind")?),
            "name" => span.name = text(value, "name")?,
            "timestamp" => span.timestamp_us = number(&value, "timestamp")?,
            "duration" => span.duration_us = Some(number(&value, "duration")?).filter(|lasted| *lasted != 0),
            "localEndpoint" => span.local = endpoint(value)?,
            "remoteEndpoint" => span.remote = endpoint(value)?,
            "annotations" => span.annotations = list(value, "annotations", annotation)?,
            "tags" => span.tags = tags(value)?,
            "debug" => span.debug = value == Value::Bool(true),
            "shared" => span.shared = value == Value::Bool(true),
            _ => {}
        }
    }
    check_id(span.trace_id)?;
    Ok(span)
}

fn v1_span(fields: Attributes<'_>) -> Result<V1Span<'_>, Fault> {
    let mut span = V1Span::default();
    for (key, value) in fields {
        match &*key {
            "traceId" => span.trace_id = trace_id(value)?,
            "id" => span.id = span_id(value, "id")?,
            "parentId" => span.parent_id = span_id(value, "parentId")?,
            "name" => span.name = text(value, "name")?,
            "timestamp" => span.timestamp_us = number(&value, "timestamp")?,
            "duration" => span.duration_us = Some(number(&value, "duration")?).filter(|lasted| *lasted != 0),
            "debug" => span.debug = value == Value::Bool(true),
            "annotations" => span.annotations = list(value, "annotations", v1_annotation)?,
            "binaryAnnotations" => span.tags = list(value, "binaryAnnotations", binary_annotation)?,
            _ => {}
        }
    }
    check_id(span.trace_id)?;
    Ok(span)
}

/// A body of another kind of JSON must not be taken for spans.
fn check_id(trace_id: Option<TraceId>) -> Result<(), Fault> {
    if trace_id.is_some() { Ok(()) } else { Err("a span has no `traceId`".into()) }
}

fn annotation(fields: Attributes<'_>) -> Result<(i64, Cow<'_, str>), Fault> {
    let read = v1_annotation(fields)?;
    Ok((read.timestamp_us, read.value))
}

fn v1_annotation(fields: Attributes<'_>) -> Result<Annotation<'_>, Fault> {
    let mut read = Annotation::default();
    for (key, value) in fields {
        match &*key {
            "timestamp" => read.timestamp_us = number(&value, "timestamp")?,
            "value" => read.value = text(value, "value")?,
            "endpoint" => read.endpoint = Some(endpoint(value)?),
            _ => {}
        }
    }
    Ok(read)
}

fn binary_annotation(fields: Attributes<'_>) -> Result<BinaryAnnotation<'_>, Fault> {
    let mut read = BinaryAnnotation::default();
    for (key, value) in fields {
        match &*key {
            "key" => read.key = text(value, "key")?,
            "value" => read.value = scalar(value)?,
            "endpoint" => read.endpoint = Some(endpoint(value)?),
            _ => {}
        }
    }
    Ok(read)
}

fn tags(value: Value<'_>) -> Result<Attributes<'_>, Fault> {
    object(value, "`tags`")?.into_iter().map(|(key, value)| Ok((key, scalar(value)?))).collect()
}

fn scalar(value: Value<'_>) -> Result<Value<'_>, Fault> {
    match value {
        Value::Array(_) | Value::Map(_) => Err("a tag must be text".into()),
        scalar => Ok(scalar),
    }
}

fn endpoint(value: Value<'_>) -> Result<Endpoint<'_>, Fault> {
    let mut read = Endpoint::default();
    for (key, value) in object(value, "an endpoint")? {
        match &*key {
            "serviceName" => read.service = text(value, "serviceName")?,
            "ipv4" | "ipv6" => read.addresses.push(text(value, "ipv4`, `ipv6")?),
            "port" => read.port = number(&value, "port")?,
            _ => {}
        }
    }
    Ok(read)
}

fn object<'a>(value: Value<'a>, what: &str) -> Result<Attributes<'a>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Map(fields) => Ok(fields),
        _ => Err(format!("{what} must be an object").into()),
    }
}

fn list<'a, T>(
    value: Value<'a>,
    what: &str,
    read: impl Fn(Attributes<'a>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.into_iter().map(|value| read(object(value, what)?)).collect(),
        _ => Err(format!("`{what}` must be an array").into()),
    }
}

fn text<'a>(value: Value<'a>, what: &str) -> Result<Cow<'a, str>, Fault> {
    match value {
        Value::Null => Ok(Cow::Borrowed("")),
        Value::Str(text) => Ok(text),
        _ => Err(format!("`{what}` must be text").into()),
    }
}

/// A whole number, also as text or with a fraction that is none.
fn number(value: &Value<'_>, what: &str) -> Result<i64, Fault> {
    match value {
        Value::Null => Some(0),
        Value::Int(number) => Some(*number),
        Value::Double(number) if number.abs() < 9.2e18 => Some(*number as i64),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| format!("`{what}` must be a whole number").into())
}

fn trace_id(value: Value<'_>) -> Result<Option<TraceId>, Fault> {
    let text = text(value, "traceId")?;
    let id = TraceId::from_hex(&text);
    if id.is_some() { Ok(id) } else { Err("`traceId` must be 1 to 32 hexadecimal digits, not all zero".into()) }
}

fn span_id(value: Value<'_>, what: &str) -> Result<Option<SpanId>, Fault> {
    let text = text(value, what)?;
    let id = SpanId::from_hex(&text);
    let absent = text.bytes().all(|digit| digit == b'0');
    if id.is_some() || absent { Ok(id) } else { Err(format!("`{what}` must be 1 to 16 hexadecimal digits").into()) }
}
