//! Datadog's spans, as its tracers send them to an agent: versions 0.3, 0.4, 0.5 and 0.7; and as an Agent sends them on.
//!
//! Versions 0.3 and 0.4 are lists of traces in MessagePack or JSON, 0.5 is the same with a table of all texts in front, 0.7 puts
//! facts of the tracer around them, and an Agent puts its own around several of these, in protobuf. All come to one form
//! ([`span::DatadogSpan`]) and from there to ours. A span that cannot be read costs only itself.
//!
//! Not here: the paths and headers (`intake`), OpenTelemetry's names for Datadog's tags (`normalize`).

mod agent;
mod chunk;
mod json;
mod maps;
mod span;
mod table;
#[cfg(test)]
mod tests;

use crate::Decoded;
use crate::spans::SpansError;

/// How the traces of a request are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Versions 0.3 and 0.4: a list of lists of maps, in MessagePack or JSON.
    Maps,
    /// Version 0.5: a table of texts, and spans that point into it.
    Table,
    /// Version 0.7: a map with the facts of the tracer and its traces.
    Payload,
    /// What an Agent sends on, in protobuf.
    Agent,
}

/// What a tracer says of itself in the headers of its request; empty where it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracer {
    /// Such as `python`.
    pub language: String,
    /// Of the language.
    pub language_version: String,
    /// Of the tracer.
    pub version: String,
    /// The container it runs in.
    pub container_id: String,
}

/// Decodes the body of a request for traces. An empty body is an empty list.
///
/// # Errors
/// [`SpansError`]; do not retry.
pub fn decode_traces<'a>(
    form: Form,
    body: &'a [u8],
    tracer: &Tracer,
    received_ns: i64,
) -> Result<Decoded<'a>, SpansError> {
    let taken = chunk::Taken::new(tracer, received_ns);
    match (form, body.trim_ascii_start().first()) {
        (_, None) => Ok(Decoded::default()),
        // In MessagePack a number, which no body begins with.
        (Form::Maps, Some(b'[')) => json::decode(body, taken),
        (Form::Maps, _) => maps::decode(body, taken),
        (Form::Table, _) => table::decode(body, taken),
        (Form::Payload, _) => maps::decode_payload(body, taken),
        (Form::Agent, _) => agent::decode(body, taken),
    }
}
