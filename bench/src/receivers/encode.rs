//! Lines to the bytes of a request, a file for each family of protocols.
//!
//! As in `logkeep-demo`, whose encoders are used where there are any: written from the protocols' own definitions, sharing
//! nothing with the decoders.

pub(super) mod als;
pub(super) mod beats;
pub(super) mod datadog;
pub(super) mod documents;
pub(super) mod forward;
pub(super) mod jaeger;
pub(super) mod msgpack;
pub(super) mod otlp;
pub(super) mod span;
pub(super) mod text;
pub(super) mod thrift;
pub(super) mod zipkin;

use std::io::Write;

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use logkeep_meshsim::{Event, render};
use serde_json::{Map, Value};

/// The line as NDJSON, without a line feed.
fn document(event: &Event) -> String {
    let mut out = String::with_capacity(1_024);
    render::document(event, &mut out);
    out
}

/// The line as its container wrote it.
fn line(event: &Event) -> String {
    let mut out = String::with_capacity(1_024);
    render::line(event, &mut out);
    out
}

/// The fields of the document.
fn fields(event: &Event) -> anyhow::Result<Map<String, Value>> {
    let text = document(event);
    serde_json::from_str(&text).with_context(|| text)
}

/// For protocols whose values do not nest: what does is JSON.
fn flat(value: Value) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) => Value::String(value.to_string()),
        value => value,
    }
}

/// As text.
fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        value => value.to_string(),
    }
}

/// As senders compress: fast rather than small.
pub(super) fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?)
}

/// A message of gRPC: uncompressed, and its length.
pub(super) fn grpc(message: &[u8]) -> Vec<u8> {
    [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
}
