//! Spans in JSON: the outline of a request for traces, and the fields of a span.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{
    Attributes, Record, Resource, Span, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId, Value,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Decoder, Fault, Object, decode_lossy, id, int64, object, outline, shown, text, uint32, uint64};
use super::{OtlpError, time};
use crate::Decoded;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Request<'a> {
    #[serde(borrow, alias = "resource_spans")]
    resource_spans: Option<Vec<Object<ResourceSpans<'a>>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ResourceSpans<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, alias = "scope_spans")]
    scope_spans: Option<Vec<Object<ScopeSpans<'a>>>>,
    #[serde(alias = "schema_url")]
    schema_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScopeSpans<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    spans: Option<Vec<&'a RawValue>>,
    #[serde(alias = "schema_url")]
    schema_url: Option<String>,
}

/// Decodes the body of `POST /v1/traces` in JSON. Bytes that are not UTF-8 are replaced. The records stand for spans
/// ([`Span::from_record`]).
///
/// # Errors
/// [`OtlpError`]; do not retry.
pub fn decode_traces_json(body: &[u8], received_ns: i64) -> Result<Decoded<'_>, OtlpError> {
    decode_lossy(body, received_ns, decode_text)
}

fn decode_text(text: &str, received_ns: i64) -> Result<Decoded<'_>, OtlpError> {
    let request: Request<'_> = outline(text)?;
    let mut decoder = Decoder::new(received_ns);
    for Object(spans) in request.resource_spans.into_iter().flatten() {
        let emitter = decoder.emitter(spans.resource, spans.schema_url);
        for Object(spans) in spans.scope_spans.into_iter().flatten() {
            let resource = decoder.resource(&emitter, spans.scope, spans.schema_url);
            for span in spans.spans.into_iter().flatten() {
                decoder.entry(span, &resource, Decoder::span)?;
            }
        }
    }
    Ok(decoder.decoded)
}

impl<'a> Decoder<'a> {
    fn span(&mut self, part: &'a RawValue, resource: &Arc<Resource>) -> Result<Record<'a>, Fault> {
        let mut span = Span::new("", Arc::clone(resource));
        for (key, value) in object(Some(part), "span")? {
            self.span_field(&mut span, &key, value)
                .map_err(|fault| Cow::Owned(format!("`{}`: {fault}", shown(&key))))?;
        }
        Ok(span.into_record(self.received_ns))
    }

    fn span_field(&mut self, span: &mut Span<'a>, key: &str, value: Value<'a>) -> Result<(), Fault> {
        match key {
            "traceId" | "trace_id" => span.trace_id = trace_id(value)?,
            "spanId" | "span_id" => span.span_id = span_id(value)?,
            "parentSpanId" | "parent_span_id" => span.parent_id = span_id(value)?,
            "traceState" | "trace_state" => span.trace_state = text(value)?,
            "flags" => span.flags = uint32(&value)?,
            "name" => span.name = text(value)?,
            "kind" => span.kind = kind(&value)?,
            "startTimeUnixNano" | "start_time_unix_nano" => span.start_ns = time(uint64(&value)?),
            "endTimeUnixNano" | "end_time_unix_nano" => span.end_ns = time(uint64(&value)?),
            "attributes" => span.attributes = self.attributes(value)?,
            "droppedAttributesCount" | "dropped_attributes_count" => span.dropped_attributes = uint32(&value)?,
            "events" => span.events = self.list(value, Self::event)?,
            "droppedEventsCount" | "dropped_events_count" => span.dropped_events = uint32(&value)?,
            "links" => span.links = self.list(value, Self::link)?,
            "droppedLinksCount" | "dropped_links_count" => span.dropped_links = uint32(&value)?,
            "status" => {
                for (key, value) in members(value)? {
                    match &*key {
                        "code" => span.status = status(&value)?,
                        "message" => span.status_message = text(value)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        value: Value<'a>,
        read: fn(&mut Self, Attributes<'a>) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let parts = match value {
            Value::Null => return Ok(Vec::new()),
            Value::Array(parts) => parts,
            _ => return Err("must be an array".into()),
        };
        let mut list = Vec::with_capacity(parts.len());
        for part in parts {
            self.count()?;
            list.push(read(self, members(part)?)?);
        }
        Ok(list)
    }

    fn event(&mut self, parts: Attributes<'a>) -> Result<SpanEvent<'a>, Fault> {
        let mut event = SpanEvent::default();
        for (key, value) in parts {
            match &*key {
                "name" => event.name = text(value)?,
                "timeUnixNano" | "time_unix_nano" => event.time_ns = time(uint64(&value)?),
                "attributes" => event.attributes = self.attributes(value)?,
                "droppedAttributesCount" | "dropped_attributes_count" => event.dropped_attributes = uint32(&value)?,
                _ => {}
            }
        }
        Ok(event)
    }

    fn link(&mut self, parts: Attributes<'a>) -> Result<SpanLink<'a>, Fault> {
        let mut link = SpanLink::default();
        for (key, value) in parts {
            match &*key {
                "traceId" | "trace_id" => link.trace_id = trace_id(value)?,
                "spanId" | "span_id" => link.span_id = span_id(value)?,
                "traceState" | "trace_state" => link.trace_state = text(value)?,
                "flags" => link.flags = uint32(&value)?,
                "attributes" => link.attributes = self.attributes(value)?,
                "droppedAttributesCount" | "dropped_attributes_count" => link.dropped_attributes = uint32(&value)?,
                _ => {}
            }
        }
        Ok(link)
    }
}

fn members(value: Value<'_>) -> Result<Attributes<'_>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Map(members) => Ok(members),
        _ => Err("must be an object".into()),
    }
}

/// Ids of 64 bits are padded.
fn trace_id(value: Value<'_>) -> Result<Option<TraceId>, Fault> {
    let text = text(value)?;
    Ok(id(&text).and_then(TraceId::new).or_else(|| TraceId::from_hex(&text).filter(|_| text.len() == 16)))
}

fn span_id(value: Value<'_>) -> Result<Option<SpanId>, Fault> {
    Ok(id(&text(value)?).and_then(SpanId::new))
}

/// The number of an enum, or the word after the prefix that its names have.
fn kind(value: &Value<'_>) -> Result<SpanKind, Fault> {
    match value {
        Value::Str(name) => match name.strip_prefix("SPAN_KIND_") {
            Some(word) => Ok(SpanKind::from_word(word)),
            None => Ok(SpanKind::from_number(name.parse().unwrap_or(0))),
        },
        Value::Null => Ok(SpanKind::Unspecified),
        number => int64(number).map(SpanKind::from_number),
    }
}

fn status(value: &Value<'_>) -> Result<SpanStatus, Fault> {
    match value {
        Value::Str(name) => match name.strip_prefix("STATUS_CODE_") {
            Some(word) => Ok(SpanStatus::from_word(word)),
            None => Ok(SpanStatus::from_number(name.parse().unwrap_or(0))),
        },
        Value::Null => Ok(SpanStatus::Unset),
        number => int64(number).map(SpanStatus::from_number),
    }
}
