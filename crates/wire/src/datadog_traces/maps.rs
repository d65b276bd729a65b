//! Versions 0.3, 0.4 and 0.7 in MessagePack, where a span is a map.

use std::borrow::Cow;

use logkeep_record::{Attributes, Value, limits};

use super::chunk::{Read, Taken};
use super::span::{DatadogSpan, map, number, text};
use crate::Decoded;
use crate::msgpack::{MsgpackError, Reader, Token};
use crate::spans::{SpansError, count};

const EXPECTED: &str = "a list of Datadog traces in MessagePack or JSON";
const EXPECTED_PAYLOAD: &str = "a Datadog payload of traces in MessagePack";

pub(super) fn malformed(expected: &'static str) -> impl Fn(MsgpackError) -> SpansError {
    move |error| SpansError::Malformed { expected, what: error.to_string() }
}

pub(super) fn decode<'a>(body: &'a [u8], mut taken: Taken<'a>) -> Result<Decoded<'a>, SpansError> {
    let mut reader = Reader::with_wide_integers(body);
    for _ in 0..reader.array().map_err(malformed(EXPECTED))? {
        let spans = spans(&mut reader, &mut taken, EXPECTED)?;
        taken.chunk(spans)?;
    }
    Ok(taken.finish())
}

/// Version 0.7: `{chunks: [{spans: […], …}], …}`. What is said beside the chunks may come after them.
pub(super) fn decode_payload<'a>(body: &'a [u8], mut taken: Taken<'a>) -> Result<Decoded<'a>, SpansError> {
    let malformed = malformed(EXPECTED_PAYLOAD);
    let mut reader = Reader::with_wide_integers(body);
    let mut chunks = None;
    for _ in 0..pairs(&mut reader).map_err(&malformed)? {
        let key = reader.key().map_err(&malformed)?;
        if key == "chunks" {
            chunks = Some(reader.skip().map_err(&malformed)?);
            continue;
        }
        let bytes = reader.skip().map_err(&malformed)?;
        if bytes.len() > limits::record_bytes() {
            return Err(SpansError::TooMany { what: "bytes in a fact of the tracer", max: limits::record_bytes() });
        }
        fact(&mut taken, &key, Reader::new(bytes).value(0).map_err(&malformed)?)?;
    }
    let Some(chunks) = chunks else { return Ok(taken.finish()) };
    let mut reader = Reader::with_wide_integers(chunks);
    for _ in 0..reader.array().map_err(&malformed)? {
        let spans = chunk(&mut reader, &mut taken)?;
        taken.chunk(spans)?;
    }
    Ok(taken.finish())
}

fn fact(taken: &mut Taken<'_>, key: &str, value: Value<'_>) -> Result<(), SpansError> {
    let name = match key {
        "container_id" => "container.id",
        "language_name" => "telemetry.sdk.language",
        "language_version" => "process.runtime.version",
        "tracer_version" => "telemetry.sdk.version",
        "runtime_id" => "runtime-id",
        "env" => "deployment.environment.name",
        "hostname" => "host.name",
        "app_version" => "service.version",
        "tags" => {
            taken.take_values(count(&value))?;
            let known = map(value, "tags").unwrap_or_default();
            taken
                .facts
                .extend(known.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())));
            return Ok(());
        }
        _ => return Ok(()),
    };
    taken.know(name, text(value, name).unwrap_or_default());
    Ok(())
}

/// The spans of a chunk. What is said of the chunk belongs to its first span, where the other versions have it.
fn chunk<'a>(reader: &mut Reader<'a>, taken: &mut Taken<'a>) -> Result<Vec<Read<'a>>, SpansError> {
    let malformed = malformed(EXPECTED_PAYLOAD);
    let (mut found, mut said) = (Vec::new(), (Attributes::new(), Attributes::new()));
    for _ in 0..pairs(reader).map_err(&malformed)? {
        let key = reader.key().map_err(&malformed)?;
        if key == "spans" {
            found = spans(reader, taken, EXPECTED_PAYLOAD)?;
            continue;
        }
        let bytes = reader.skip().map_err(&malformed)?;
        let value = Reader::with_wide_integers(bytes).value(0).map_err(&malformed)?;
        taken.take_values(count(&value))?;
        match &*key {
            "priority" => match number(&value, "priority") {
                // The number that stands for "not decided".
                Ok(-128) | Err(_) => {}
                Ok(priority) => said.1.push(("_sampling_priority_v1".into(), Value::Int(priority))),
            },
            "origin" if value.as_str().is_some_and(|text| !text.is_empty()) => {
                said.0.push(("_dd.origin".into(), value))
            }
            "tags" => said.0.extend(map(value, "tags").unwrap_or_default()),
            "dropped_trace" if value == Value::Bool(true) => {
                said.0.push(("_dd.dropped_trace".into(), Value::str("true")))
            }
            _ => {}
        }
    }
    if let Some(first) = found.iter_mut().flatten().next() {
        first.meta.append(&mut said.0);
        first.metrics.append(&mut said.1);
    }
    Ok(found)
}

fn spans<'a>(
    reader: &mut Reader<'a>,
    taken: &mut Taken<'a>,
    expected: &'static str,
) -> Result<Vec<Read<'a>>, SpansError> {
    let malformed = malformed(expected);
    let announced = reader.array().map_err(&malformed)?;
    // What is announced need not be there.
    let mut spans = Vec::with_capacity(announced.min(64));
    for _ in 0..announced {
        let read = span(reader.skip().map_err(&malformed)?);
        if let Ok(span) = &read {
            taken.count(span)?;
        }
        spans.push(read);
        crate::spans::check_count(spans.len())?;
    }
    Ok(spans)
}

fn span(bytes: &[u8]) -> Read<'_> {
    let max = 4 * limits::record_bytes();
    if bytes.len() > max {
        return Err(format!("a span of {} bytes, more than {max}", bytes.len()).into());
    }
    let mut reader = Reader::with_wide_integers(bytes);
    let fault = |error: MsgpackError| Cow::Owned(error.to_string());
    let mut span = DatadogSpan::default();
    for _ in 0..pairs(&mut reader).map_err(fault)? {
        let key = reader.key().map_err(fault)?;
        // Bytes of a structure stay bytes, even if they could be read as text.
        let value = if key == "meta_struct" {
            structures(&mut reader).map_err(fault)?
        } else {
            reader.value(0).map_err(fault)?
        };
        span.set(&key, value)?;
    }
    span.checked()
}

fn structures<'a>(reader: &mut Reader<'a>) -> Result<Value<'a>, MsgpackError> {
    let Token::Map(count) = reader.token()? else { return Ok(Value::Null) };
    let mut pairs = Attributes::new();
    for _ in 0..count {
        let key = reader.key()?;
        let value = match reader.token()? {
            Token::Bin(bytes) | Token::Str(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            token => reader.content(token, 1)?,
        };
        pairs.push((key, value));
    }
    Ok(Value::Map(pairs))
}

/// A map, and how many pairs it has.
fn pairs(reader: &mut Reader<'_>) -> Result<usize, MsgpackError> {
    match reader.token()? {
        Token::Map(count) => Ok(count),
        Token::Nil => Ok(0),
        other => Err(reader.fault(format!("expected a map, found {}", other.name()))),
    }
}
