//! The protobuf form (`logproto.PushRequest`).
//!
//! Read field by field and not as messages: lines are borrowed, a line that is not UTF-8 costs nothing but itself, and
//! two bytes of an empty entry never become a hundred in memory.

use std::borrow::Cow;

use logkeep_record::{Attributes, Record, Resource, Value, limits};
use prost::DecodeError;

use super::{LokiError, Stream, check_room, line_record, parse_labels};
use crate::Decoded;
use crate::protobuf::{Content, next_field};
use crate::text::Text;

/// Decodes a push that has been decompressed. An entry that does not decode, or one whose stream has no readable labels,
/// is rejected alone.
///
/// # Errors
/// [`LokiError`]; do not retry.
pub fn decode_protobuf(body: &[u8], received_ns: i64) -> Result<Decoded<'_>, LokiError> {
    let malformed = |error: DecodeError| LokiError::Malformed { format: "protobuf", what: error.to_string() };
    let mut decoded = Decoded::default();
    let mut rest = body;
    while !rest.is_empty() {
        if let (1, Content::Bytes(message)) = next_field(&mut rest).map_err(malformed)? {
            let resource = stream(message).map_err(malformed)?;
            let mut fields = message;
            while !fields.is_empty() {
                if let (2, Content::Bytes(message)) = next_field(&mut fields).map_err(malformed)? {
                    check_room(&decoded)?;
                    match (&resource, Entry::decode(message)) {
                        (Ok(resource), Ok(entry)) => decoded.records.push(entry.record(received_ns, resource)),
                        (Err(fault), _) => decoded.reject(fault.clone()),
                        (_, Err(error)) => decoded.reject(error.to_string()),
                    }
                }
            }
        }
    }
    Ok(decoded)
}

/// The labels of a stream, which need not come before its entries.
fn stream(mut fields: &[u8]) -> Result<Stream, DecodeError> {
    let mut labels: &[u8] = b"";
    while !fields.is_empty() {
        if let (1, Content::Bytes(text)) = next_field(&mut fields)? {
            labels = text;
        }
    }
    let parsed = parse_labels(&String::from_utf8_lossy(labels));
    Ok(parsed.map(Resource::from_attributes).map_err(|error| error.to_string().into()))
}

#[derive(Default)]
struct Entry<'a> {
    time_ns: Option<i64>,
    line: &'a [u8],
    metadata: Attributes<'a>,
}

impl<'a> Entry<'a> {
    fn decode(mut fields: &'a [u8]) -> Result<Self, DecodeError> {
        let mut entry = Self::default();
        while !fields.is_empty() {
            match next_field(&mut fields)? {
                (1, Content::Bytes(time)) => entry.time_ns = timestamp(time)?,
                (2, Content::Bytes(line)) => entry.line = line,
                (3, Content::Bytes(label)) if entry.metadata.len() < limits::ATTRIBUTES_PER_RECORD => {
                    entry.metadata.push(label_pair(label)?);
                }
                _ => {}
            }
        }
        Ok(entry)
    }

    fn record(self, received_ns: i64, resource: &std::sync::Arc<Resource>) -> Record<'a> {
        let text = Text::new(self.line);
        let mut attributes = self.metadata;
        text.mark(&mut attributes);
        let mut record = line_record(text.text, self.time_ns, received_ns, resource);
        record.attributes = attributes;
        record
    }
}

/// `None` for the zero time, and for what nanoseconds in 64 bits cannot say.
fn timestamp(mut fields: &[u8]) -> Result<Option<i64>, DecodeError> {
    let (mut seconds, mut nanos) = (0, 0);
    while !fields.is_empty() {
        match next_field(&mut fields)? {
            (1, Content::Number(number)) => seconds = number as i64,
            (2, Content::Number(number)) => nanos = i64::from(number as i32),
            _ => {}
        }
    }
    let ns = seconds.checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(nanos));
    Ok(ns.filter(|ns| *ns != 0))
}

fn label_pair(mut fields: &[u8]) -> Result<(Cow<'_, str>, Value<'_>), DecodeError> {
    let mut pair = (Cow::Borrowed(""), Value::str(""));
    while !fields.is_empty() {
        match next_field(&mut fields)? {
            (1, Content::Bytes(name)) => pair.0 = String::from_utf8_lossy(name),
            (2, Content::Bytes(value)) => pair.1 = Value::Str(String::from_utf8_lossy(value)),
            _ => {}
        }
    }
    Ok(pair)
}
