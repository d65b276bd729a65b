//! The protobuf form (`logproto.PushRequest`).

use std::borrow::Cow;

use logkeep_record::{Attributes, Resource, Value};
use prost::Message;

use super::{LokiError, Stream, check_room, line_record, parse_labels};
use crate::Decoded;
use crate::text::Text;

/// Text is read as bytes, so that one line which is not UTF-8 does not cost the whole push. Entries and metadata stay
/// encoded until they are read: an empty one takes two bytes here and a hundred as a message.
#[derive(Message)]
struct PushRequest {
    #[prost(bytes = "vec", repeated, tag = "1")]
    streams: Vec<Vec<u8>>,
}

#[derive(Message)]
struct StreamMessage {
    #[prost(bytes = "vec", tag = "1")]
    labels: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    entries: Vec<Vec<u8>>,
}

#[derive(Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(bytes = "vec", tag = "2")]
    line: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    structured_metadata: Vec<Label>,
}

#[derive(Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Message)]
struct Label {
    #[prost(bytes = "vec", tag = "1")]
    name: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Decodes a push that has been decompressed. An entry that does not decode, or one whose stream has no readable labels,
/// is rejected alone.
///
/// # Errors
/// [`LokiError`]; do not retry.
pub fn decode_protobuf(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, LokiError> {
    let malformed = |error: prost::DecodeError| LokiError::Malformed { format: "protobuf", what: error.to_string() };
    let mut decoded = Decoded::default();
    for stream in PushRequest::decode(body).map_err(malformed)?.streams {
        let StreamMessage { labels, entries } = StreamMessage::decode(stream.as_slice()).map_err(malformed)?;
        let resource: Stream = parse_labels(&String::from_utf8_lossy(&labels))
            .map(Resource::from_attributes)
            .map_err(|error| error.to_string().into());
        for entry in entries {
            check_room(&decoded)?;
            match (&resource, Entry::decode(entry.as_slice())) {
                (Ok(resource), Ok(entry)) => {
                    let time_ns = entry.timestamp.as_ref().and_then(time_ns);
                    let (text, marks) = owned_text(entry.line);
                    let mut record = line_record(text, time_ns, received_ns, resource);
                    record.attributes = entry.structured_metadata.into_iter().map(attribute).collect();
                    record.attributes.extend(marks);
                    decoded.records.push(record);
                }
                (Err(fault), _) => decoded.reject(fault.clone()),
                (_, Err(error)) => decoded.reject(error.to_string()),
            }
        }
    }
    Ok(decoded)
}

fn attribute(label: Label) -> (Cow<'static, str>, Value<'static>) {
    (owned_text(label.name).0, Value::Str(owned_text(label.value).0))
}

/// The bytes themselves where they are text, so that the usual line is moved and not copied.
fn owned_text(bytes: Vec<u8>) -> (Cow<'static, str>, Attributes<'static>) {
    if bytes.len() > logkeep_record::limits::RECORD_BYTES {
        return copied_text(&bytes);
    }
    match String::from_utf8(bytes) {
        Ok(text) => (Cow::Owned(text), Vec::new()),
        Err(error) => copied_text(error.as_bytes()),
    }
}

fn copied_text(bytes: &[u8]) -> (Cow<'static, str>, Attributes<'static>) {
    let text = Text::new(bytes);
    let mut marks = Vec::new();
    text.mark(&mut marks);
    (Cow::Owned(text.text.into_owned()), marks)
}

/// `None` for the zero time, and for what nanoseconds in 64 bits cannot say.
fn time_ns(time: &Timestamp) -> Option<i64> {
    let ns = time.seconds.checked_mul(1_000_000_000)?.checked_add(time.nanos.into())?;
    (ns != 0).then_some(ns)
}
