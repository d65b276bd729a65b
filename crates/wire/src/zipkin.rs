//! Zipkin's spans: version 2 in JSON and protobuf, version 1 in JSON and Thrift.
//!
//! All four come to one form ([`span::ZipkinSpan`]) and from there to ours. Which of them a body is, is told by its
//! first bytes: content types are missing or wrong too often. A span that cannot be read costs only itself.
//!
//! Not here: the paths (`intake`).

mod json;
mod protobuf;
mod span;
#[cfg(test)]
mod tests;
mod thrift;
mod v1;

pub use crate::spans::SpansError;

use crate::Decoded;

/// Decodes the body of `POST /api/v2/spans`: a list in JSON or protobuf. An empty body is an empty list.
///
/// # Errors
/// [`SpansError`]; do not retry.
pub fn decode_v2(body: &[u8], received_ns: i64) -> Result<Decoded<'_>, SpansError> {
    match first(body) {
        (_, None) => Ok(Decoded::default()),
        (_, Some(b'[')) => json::decode(body, json::Version::V2, received_ns),
        // Field 1 of the list, with a length.
        (Some(0x0a), _) => protobuf::decode(body, received_ns),
        _ => Err(neither("a list of Zipkin v2 spans in JSON or protobuf")),
    }
}

/// Decodes the body of `POST /api/v1/spans`: a list in JSON or Thrift. An empty body is an empty list.
///
/// # Errors
/// [`SpansError`]; do not retry.
pub fn decode_v1(body: &[u8], received_ns: i64) -> Result<Decoded<'_>, SpansError> {
    match first(body) {
        (_, None) => Ok(Decoded::default()),
        (_, Some(b'[')) => json::decode(body, json::Version::V1, received_ns),
        // A list of structs in the binary protocol.
        (Some(0x0c), _) => thrift::decode(body, received_ns),
        _ => Err(neither("a list of Zipkin v1 spans in JSON or Thrift")),
    }
}

/// The first byte, and the first that is no white space.
fn first(body: &[u8]) -> (Option<u8>, Option<u8>) {
    (body.first().copied(), body.trim_ascii_start().first().copied())
}

fn neither(expected: &'static str) -> SpansError {
    SpansError::Malformed { expected, what: "it begins like neither".to_owned() }
}
