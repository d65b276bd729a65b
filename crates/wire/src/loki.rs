//! Loki's push API: streams of lines under labels.
//!
//! Promtail and its successors send protobuf in a raw snappy block, everyone else JSON. Labels say where a stream comes
//! from, so they become the resource; structured metadata belongs to the line and becomes its attributes. Names are
//! kept as sent: what they mean is for `normalize`.
//!
//! Not here: the query API (`server`), tenants (`X-Scope-OrgID`, `intake`).

mod json;
mod labels;
mod protobuf;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, limits};

use crate::Decoded;
use crate::compress::{CompressError, decompress};
pub use json::decode_json;
pub use labels::{LabelError, parse_labels};
pub use protobuf::decode_protobuf;

/// A push of which nothing can be stored: answer with [`LokiError::answer`]; do not retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LokiError {
    /// The body could not be opened.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// The bytes are not a push request.
    #[error("the body is not a push request in {format}: {what}")]
    Malformed {
        /// `protobuf` or `JSON`.
        format: &'static str,
        /// Where it failed.
        what: String,
    },
    /// More lines than one request may hold.
    #[error("the push has more than {} lines; send smaller ones", limits::RECORDS_PER_REQUEST)]
    TooMany,
}

impl LokiError {
    /// HTTP status and text of the answer. Promtail retries 429 and 5xx only.
    pub fn answer(&self) -> (u16, String) {
        let status = match self {
            Self::Compress(CompressError::TooLarge { .. }) | Self::TooMany => 413,
            Self::Compress(CompressError::Unsupported { .. }) => 415,
            Self::Compress(CompressError::Corrupt { .. }) | Self::Malformed { .. } => 400,
        };
        (status, format!("{self}\n"))
    }
}

/// Status and text of the answer to a push that was read: 204 and nothing, or 400 and the first reasons where some
/// lines were rejected. The others are stored all the same, as Loki does it.
pub fn push_answer(rejected: &[crate::Rejection], lines: usize) -> (u16, String) {
    const SHOWN: usize = 10;
    if rejected.is_empty() {
        return (204, String::new());
    }
    let mut text = format!("{} of {lines} lines rejected, the others are stored\n", rejected.len());
    for one in rejected.iter().take(SHOWN) {
        text.push_str(&format!("line {}: {}\n", one.place, one.reason));
    }
    (400, text)
}

/// A push body, opened and of known form.
#[derive(Debug)]
pub enum Body<'a> {
    /// For [`decode_json`].
    Json(Cow<'a, [u8]>),
    /// For [`decode_protobuf`].
    Protobuf(Cow<'a, [u8]>),
}

/// Opens the body of a push as its headers say: JSON if the content type says so, else protobuf in a snappy block, which
/// has no header of its own. Where the two disagree, the first byte decides.
///
/// # Errors
/// [`LokiError::Compress`]; do not retry.
pub fn open<'a>(
    body: &'a [u8],
    content_type: &str,
    content_encoding: &str,
    max_bytes: usize,
) -> Result<Body<'a>, LokiError> {
    let says_json = content_type.to_ascii_lowercase().contains("json");
    if says_json || !content_encoding.is_empty() {
        let opened = decompress(body, content_encoding, max_bytes)?;
        // `{` opens no push request in protobuf: it would be field 15 with a group.
        let is_json = opened.trim_ascii_start().first() == Some(&b'{');
        return Ok(if is_json || says_json { Body::Json(opened) } else { Body::Protobuf(opened) });
    }
    if body.is_empty() {
        return Ok(Body::Protobuf(Cow::Borrowed(body)));
    }
    match decompress(body, "snappy", max_bytes) {
        Ok(opened) => Ok(Body::Protobuf(opened)),
        Err(_) if body.trim_ascii_start().starts_with(b"{") => Ok(Body::Json(decompress(body, "", max_bytes)?)),
        Err(error) => Err(error.into()),
    }
}

/// Where a stream comes from: its labels, in their order.
type Stream = Result<Arc<Resource>, Cow<'static, str>>;

/// The record of one line, before its metadata.
fn line_record<'a>(text: Cow<'a, str>, time_ns: Option<i64>, received_ns: i64, stream: &Arc<Resource>) -> Record<'a> {
    let mut record = Record::new(received_ns, Value::Str(text), Arc::clone(stream));
    record.time_ns = time_ns;
    record
}

fn check_room(decoded: &Decoded<'_>) -> Result<(), LokiError> {
    if decoded.place() >= limits::RECORDS_PER_REQUEST { Err(LokiError::TooMany) } else { Ok(()) }
}
