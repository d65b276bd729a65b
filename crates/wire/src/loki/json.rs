//! The JSON form, version 1, and the one of the old `/api/prom/push`.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Value, json, limits};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{LokiError, Stream, check_room, line_record, parse_labels};
use crate::Decoded;
use crate::text::Text;

#[derive(Deserialize)]
struct PushRequest<'a> {
    #[serde(borrow, default)]
    streams: Option<Vec<StreamMessage<'a>>>,
}

/// `stream` and `values` in version 1, `labels` and `entries` in the old one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct StreamMessage<'a> {
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    values: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    labels: Option<Cow<'a, str>>,
    #[serde(borrow)]
    entries: Option<Vec<&'a RawValue>>,
}

/// One entry as JSON text: the line and its metadata with escapes.
fn max_entry_bytes() -> usize {
    4 * limits::record_bytes()
}

/// Decodes a push in JSON. An entry of the wrong form, or one whose stream has no readable labels, is rejected alone.
/// Bytes that are not UTF-8 are replaced.
///
/// # Errors
/// [`LokiError`]; do not retry.
pub fn decode_json(body: &[u8], received_ns: i64) -> Result<Decoded<'_>, LokiError> {
    match std::str::from_utf8(body) {
        Ok(text) => decode_text(text, received_ns),
        Err(_) => decode_text(&String::from_utf8_lossy(body), received_ns).map(Decoded::into_owned),
    }
}

fn decode_text(text: &str, received_ns: i64) -> Result<Decoded<'_>, LokiError> {
    let malformed = |what| LokiError::Malformed { format: "JSON", what };
    if !text.trim_ascii_start().starts_with('{') {
        return Err(malformed("it is not a JSON object".to_owned()));
    }
    let request: PushRequest<'_> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let mut decoded = Decoded::default();
    for message in request.streams.into_iter().flatten() {
        let stream = stream(&message);
        let forms = [(message.values, v1_entry as EntryReader), (message.entries, v0_entry as EntryReader)];
        for (entries, read) in forms {
            for entry in entries.into_iter().flatten() {
                check_room(&decoded)?;
                let fault = stream.as_ref().map_err(Clone::clone);
                match fault.and_then(|stream| read(entry, received_ns, stream)) {
                    Ok(record) => decoded.records.push(record),
                    Err(fault) => decoded.reject(fault),
                }
            }
        }
    }
    Ok(decoded)
}

type Fault = Cow<'static, str>;
type EntryReader = for<'a> fn(&'a RawValue, i64, &Arc<Resource>) -> Result<Record<'a>, Fault>;

fn stream(message: &StreamMessage<'_>) -> Stream {
    let labels = match (message.stream, &message.labels) {
        (Some(stream), _) => string_pairs(parse(stream)?, "a label")?,
        (None, Some(labels)) => parse_labels(labels).map_err(|error| Cow::Owned(error.to_string()))?,
        (None, None) => Vec::new(),
    };
    let owned = |(key, value): (Cow<'_, str>, Value<'_>)| (Cow::Owned(key.into_owned()), value.into_owned());
    Ok(Resource::from_attributes(labels.into_iter().map(owned).collect()))
}

fn parse(raw: &RawValue) -> Result<Value<'_>, Fault> {
    if raw.get().len() > max_entry_bytes() {
        return Err(format!("{} bytes of JSON, more than {}", raw.get().len(), max_entry_bytes()).into());
    }
    json::parse(raw.get()).map_err(|error| error.to_string().into())
}

fn string_pairs<'a>(value: Value<'a>, what: &str) -> Result<Attributes<'a>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Map(pairs) => match pairs.iter().find(|(_, value)| value.as_str().is_none()) {
            None => Ok(pairs),
            Some((key, _)) => {
                Err(format!("the value of {what} must be a string: `{}`", &key[..key.floor_char_boundary(40)]).into())
            }
        },
        _ => Err(format!("{what} must be a member of an object").into()),
    }
}

/// `["<nanoseconds>", "<line>"]` with an optional object of metadata.
fn v1_entry<'a>(entry: &'a RawValue, received_ns: i64, stream: &Arc<Resource>) -> Result<Record<'a>, Fault> {
    let Value::Array(parts) = parse(entry)? else { return Err("an entry must be an array".into()) };
    let mut parts = parts.into_iter();
    let (Some(time), Some(Value::Str(line)), metadata, None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("an entry must be [\"<nanoseconds>\", \"<line>\"], with metadata or without".into());
    };
    let time_ns = match time {
        Value::Str(text) => text.parse().ok(),
        Value::Int(ns) => Some(ns),
        _ => None,
    };
    let Some(time_ns) = time_ns else { return Err("the time must be nanoseconds as text".into()) };
    let time_ns = (time_ns != 0).then_some(time_ns);
    finish(line, time_ns, string_pairs(metadata.unwrap_or_default(), "metadata")?, received_ns, stream)
}

/// `{"ts": "<RFC 3339>", "line": "<line>"}`.
fn v0_entry<'a>(entry: &'a RawValue, received_ns: i64, stream: &Arc<Resource>) -> Result<Record<'a>, Fault> {
    let Value::Map(fields) = parse(entry)? else { return Err("an entry must be an object".into()) };
    let (mut line, mut time_ns) = (None, None);
    for (key, value) in fields {
        match (&*key, value) {
            ("line", Value::Str(text)) => line = Some(text),
            ("ts" | "timestamp", Value::Str(text)) => {
                let time: jiff::Timestamp = text.parse().map_err(|_| Cow::Borrowed("`ts` must be an RFC 3339 time"))?;
                time_ns = i64::try_from(time.as_nanosecond()).ok();
            }
            _ => {}
        }
    }
    let Some(line) = line else { return Err("an entry must have a `line` that is text".into()) };
    finish(line, time_ns, Vec::new(), received_ns, stream)
}

fn finish<'a>(
    line: Cow<'a, str>,
    time_ns: Option<i64>,
    metadata: Attributes<'a>,
    received_ns: i64,
    stream: &Arc<Resource>,
) -> Result<Record<'a>, Fault> {
    let (line, cut_bytes) = if line.len() > limits::record_bytes() {
        let text = Text::new(line.as_bytes());
        (Cow::Owned(text.text.into_owned()), Some(text.truncated_bytes))
    } else {
        (line, None)
    };
    let mut record = line_record(line, time_ns, received_ns, stream);
    record.attributes = metadata;
    if let Some(bytes) = cut_bytes {
        record.attributes.push((Cow::Borrowed(crate::text::TRUNCATED_BYTES), Value::Int(bytes as i64)));
    }
    Ok(record)
}
