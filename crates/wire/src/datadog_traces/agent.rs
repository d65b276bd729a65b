//! What an Agent sends on of the traces that tracers gave it: their payloads in protobuf (`datadog.trace.AgentPayload`), with what the
//! Agent says of itself around them.
//!
//! Agents may be told to write the texts of a payload into a table, in a field of its own. That form is refused by name.

use std::borrow::Cow;

use logkeep_record::{Attributes, SpanEvent, SpanLink, Value, limits};
use prost::DecodeError;

use super::chunk::{Read, Taken};
use super::span::{DatadogSpan, Fault, span_id, trace_id};
use crate::Decoded;
use crate::protobuf::{Content, fields};
use crate::spans::{SpansError, check_count};

const EXPECTED: &str = "an Agent's payload of traces in protobuf";
/// The sampling priority that stands for "not decided".
const UNDECIDED: i32 = -128;

/// Facts of a tracer, by the number of their field.
const FACTS: [(usize, &str); 8] = [
    (1, "container.id"),
    (2, "telemetry.sdk.language"),
    (3, "process.runtime.version"),
    (4, "telemetry.sdk.version"),
    (5, "runtime-id"),
    (8, "deployment.environment.name"),
    (9, "host.name"),
    (10, "service.version"),
];

fn malformed(error: DecodeError) -> SpansError {
    SpansError::Malformed { expected: EXPECTED, what: error.to_string() }
}

fn fault(error: DecodeError) -> Fault {
    Cow::Owned(error.to_string())
}

pub(super) fn decode<'a>(body: &'a [u8], mut taken: Taken<'a>) -> Result<Decoded<'a>, SpansError> {
    let agent = about_the_agent(body, &mut taken)?;
    let bytes = agent.iter().map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
    for field in fields(body) {
        if let (5, Content::Bytes(payload)) = field.map_err(malformed)? {
            // Each has a copy.
            taken.take_values(1 + agent.len())?;
            taken.take_text(bytes)?;
            taken.turn_to(agent.clone());
            tracer(payload, &mut taken)?;
        }
    }
    Ok(taken.finish())
}

/// What stands around the payloads, wherever it is among them.
fn about_the_agent(body: &[u8], taken: &mut Taken<'_>) -> Result<Attributes<'static>, SpansError> {
    let (mut host, mut env, mut facts) = (Cow::default(), Cow::default(), Attributes::new());
    for field in fields(body) {
        match field.map_err(malformed)? {
            (1, Content::Bytes(bytes)) => host = text(bytes),
            (2, Content::Bytes(bytes)) => env = text(bytes),
            (6, Content::Bytes(tag)) => facts.push(fact(tag, taken)?),
            (11, Content::Bytes(_)) => {
                let what = "its texts are in tables (`idxTracerPayloads`), which is not supported".to_owned();
                return Err(SpansError::Malformed { expected: EXPECTED, what });
            }
            _ => {}
        }
    }
    for (name, text) in [("host.name", host), ("deployment.environment.name", env)] {
        if !text.is_empty() {
            facts.push((Cow::Borrowed(name), Value::from(text.into_owned())));
        }
    }
    Ok(facts)
}

/// What one tracer gave the Agent.
fn tracer<'a>(payload: &'a [u8], taken: &mut Taken<'a>) -> Result<(), SpansError> {
    let mut said: [&[u8]; 11] = [b""; 11];
    for field in fields(payload) {
        match field.map_err(malformed)? {
            (7, Content::Bytes(tag)) => {
                let fact = fact(tag, taken)?;
                taken.facts.push(fact);
            }
            (number @ 1..=10, Content::Bytes(bytes)) => said[number as usize] = bytes,
            _ => {}
        }
    }
    for (number, name) in FACTS {
        taken.know(name, text(said[number]));
    }
    for field in fields(payload) {
        if let (6, Content::Bytes(bytes)) = field.map_err(malformed)? {
            let spans = chunk(bytes, taken)?;
            taken.chunk(spans)?;
        }
    }
    Ok(())
}

fn fact(tag: &[u8], taken: &mut Taken<'_>) -> Result<(Cow<'static, str>, Value<'static>), SpansError> {
    taken.take_values(1)?;
    taken.take_text(tag.len())?;
    let (key, value) = entry(tag, Value::str(""), string).map_err(malformed)?;
    Ok((Cow::Owned(key.into_owned()), value.into_owned()))
}

/// The spans of a chunk. What is said of the chunk belongs to its first span, where the other versions have it.
fn chunk<'a>(bytes: &'a [u8], taken: &mut Taken<'a>) -> Result<Vec<Read<'a>>, SpansError> {
    let (mut spans, mut meta, mut priority) = (Vec::new(), Attributes::new(), 0);
    for field in fields(bytes) {
        match field.map_err(malformed)? {
            (1, Content::Number(number)) => priority = number as i32,
            (2, Content::Bytes(origin)) if !origin.is_empty() => {
                meta.push(("_dd.origin".into(), Value::Str(text(origin))));
            }
            (3, Content::Bytes(bytes)) => {
                let read = span(bytes);
                if let Ok(span) = &read {
                    taken.count(span)?;
                }
                spans.push(read);
                check_count(spans.len())?;
            }
            (4, Content::Bytes(tag)) => {
                taken.take_values(1)?;
                meta.push(entry(tag, Value::str(""), string).map_err(malformed)?);
            }
            (5, Content::Number(1)) => meta.push(("_dd.dropped_trace".into(), Value::str("true"))),
            _ => {}
        }
    }
    if let Some(first) = spans.iter_mut().flatten().next() {
        first.meta.append(&mut meta);
        if priority != UNDECIDED {
            first.metrics.push(("_sampling_priority_v1".into(), Value::Int(priority.into())));
        }
    }
    Ok(spans)
}

fn span(bytes: &[u8]) -> Read<'_> {
    let max = 4 * limits::record_bytes();
    if bytes.len() > max {
        return Err(format!("a span of {} bytes, more than {max}", bytes.len()).into());
    }
    let mut span = DatadogSpan::default();
    for field in fields(bytes) {
        match field.map_err(fault)? {
            (1, Content::Bytes(bytes)) => span.service = text(bytes),
            (2, Content::Bytes(bytes)) => span.name = text(bytes),
            (3, Content::Bytes(bytes)) => span.resource = text(bytes),
            (4, Content::Number(id)) => span.trace_id = id,
            (5, Content::Number(id)) => span.span_id = id,
            (6, Content::Number(id)) => span.parent_id = id,
            (7, Content::Number(ns)) => span.start_ns = ns as i64,
            (8, Content::Number(ns)) => span.duration_ns = ns as i64,
            (9, Content::Number(error)) => span.failed = error != 0,
            (10, Content::Bytes(bytes)) => span.meta.push(entry(bytes, Value::str(""), string).map_err(fault)?),
            (11, Content::Bytes(bytes)) => span.metrics.push(entry(bytes, Value::Double(0.0), double).map_err(fault)?),
            (12, Content::Bytes(bytes)) => span.kind = text(bytes),
            (13, Content::Bytes(bytes)) => {
                span.structures.push(entry(bytes, Value::Bytes(Cow::default()), structure).map_err(fault)?);
            }
            (14, Content::Bytes(bytes)) => span.links.push(link(bytes).map_err(fault)?),
            (15, Content::Bytes(bytes)) => span.events.push(event(bytes).map_err(fault)?),
            _ => {}
        }
    }
    span.checked()
}

fn link(bytes: &[u8]) -> Result<SpanLink<'_>, DecodeError> {
    let (mut link, mut upper, mut lower) = (SpanLink::default(), 0, 0);
    for field in fields(bytes) {
        match field? {
            (1, Content::Number(id)) => lower = id,
            (2, Content::Number(id)) => upper = id,
            (3, Content::Number(id)) => link.span_id = span_id(id),
            (4, Content::Bytes(bytes)) => link.attributes.push(entry(bytes, Value::str(""), string)?),
            (5, Content::Bytes(bytes)) => link.trace_state = text(bytes),
            // The highest bit says that the flags are known.
            (6, Content::Number(flags)) => link.flags = flags as u32 & 0x7fff_ffff,
            _ => {}
        }
    }
    link.trace_id = trace_id(upper, lower);
    Ok(link)
}

fn event(bytes: &[u8]) -> Result<SpanEvent<'_>, DecodeError> {
    let mut event = SpanEvent::default();
    for field in fields(bytes) {
        match field? {
            (1, Content::Fixed(ns)) => event.time_ns = i64::try_from(ns).ok().filter(|ns| *ns != 0),
            (2, Content::Bytes(bytes)) => event.name = text(bytes),
            (3, Content::Bytes(bytes)) => event.attributes.push(entry(bytes, Value::Null, any)?),
            _ => {}
        }
    }
    Ok(event)
}

/// An entry of a map, which is a message of a key and a value. What is not said is `value`.
fn entry<'a>(
    bytes: &'a [u8],
    mut value: Value<'a>,
    read: impl Fn(Content<'a>) -> Result<Option<Value<'a>>, DecodeError>,
) -> Result<(Cow<'a, str>, Value<'a>), DecodeError> {
    let mut key = Cow::Borrowed("");
    for field in fields(bytes) {
        match field? {
            (1, Content::Bytes(bytes)) => key = text(bytes),
            (2, content) => value = read(content)?.unwrap_or(value),
            _ => {}
        }
    }
    Ok((key, value))
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn string(content: Content<'_>) -> Result<Option<Value<'_>>, DecodeError> {
    Ok(if let Content::Bytes(bytes) = content { Some(Value::Str(text(bytes))) } else { None })
}

fn double(content: Content<'_>) -> Result<Option<Value<'_>>, DecodeError> {
    Ok(if let Content::Fixed(bits) = content { Some(Value::Double(f64::from_bits(bits))) } else { None })
}

fn structure(content: Content<'_>) -> Result<Option<Value<'_>>, DecodeError> {
    Ok(if let Content::Bytes(bytes) = content { Some(Value::Bytes(Cow::Borrowed(bytes))) } else { None })
}

/// An attribute of an event: a type, and the value unless it is zero or empty.
fn any(content: Content<'_>) -> Result<Option<Value<'_>>, DecodeError> {
    let Content::Bytes(bytes) = content else { return Ok(None) };
    let mut values = Vec::new();
    let alone = single(bytes, |content| {
        if let Content::Bytes(array) = content {
            for field in fields(array) {
                if let (1, Content::Bytes(bytes)) = field? {
                    values.push(single(bytes, |_| Ok(()))?.unwrap_or(Value::Null));
                }
            }
        }
        Ok(())
    })?;
    Ok(Some(alone.unwrap_or(Value::Array(values))))
}

/// A value that is none of several; `None` if its type says that it is, and `several` gets what they are in.
fn single<'a>(
    bytes: &'a [u8],
    mut several: impl FnMut(Content<'a>) -> Result<(), DecodeError>,
) -> Result<Option<Value<'a>>, DecodeError> {
    let (mut kind, mut value) = (0, None);
    for field in fields(bytes) {
        match field? {
            (1, Content::Number(number)) => kind = number,
            (2, Content::Bytes(bytes)) => value = Some(Value::Str(text(bytes))),
            (3, Content::Number(truth)) => value = Some(Value::Bool(truth != 0)),
            (4, Content::Number(number)) => value = Some(Value::Int(number as i64)),
            (5, Content::Fixed(bits)) => value = Some(Value::Double(f64::from_bits(bits))),
            (6, content) => several(content)?,
            _ => {}
        }
    }
    let zero = match kind {
        0 => Some(Value::str("")),
        1 => Some(Value::Bool(false)),
        2 => Some(Value::Int(0)),
        3 => Some(Value::Double(0.0)),
        _ => return Ok(None),
    };
    Ok(value.or(zero))
}
