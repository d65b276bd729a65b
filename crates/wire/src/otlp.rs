//! OTLP logs: the protocol whose records are our records.
//!
//! Protobuf and JSON carry the same messages. Protobuf strings are moved, not copied. A request that does not decode as
//! a whole is decoded once more record by record, so that one bad record costs only itself: senders never repeat what a
//! partial success rejects, so it must reject as little as it can.
//!
//! Not here: gRPC and HTTP (`intake`); what the resource's attributes mean (`normalize`).

mod answer;
mod json;
mod protobuf;
#[cfg(test)]
mod tests;

pub use answer::{PartialSuccess, Status, error_json, error_protobuf, success_json, success_message, success_protobuf};
pub use json::decode_json;
pub use protobuf::{decode_protobuf, decode_request};

/// A request of which nothing can be stored: answer 400 or `INVALID_ARGUMENT`; do not retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// The bytes are not the message.
    #[error("the body is not an ExportLogsServiceRequest in {format}: {what}")]
    Malformed {
        /// `protobuf` or `JSON`.
        format: &'static str,
        /// Where it failed.
        what: String,
    },
    /// More records or values than one request may hold.
    #[error("the request has more than {max} {what}; send smaller ones")]
    TooMany {
        /// `records` or `values`.
        what: &'static str,
        /// The limit.
        max: usize,
    },
}

/// Values of one request. A value of two bytes takes up to two hundred in memory, so bytes alone are no bound.
const MAX_VALUES: usize = 4 << 20;

/// Time 0 means "not given" (OpenTelemetry protocol, `time_unix_nano`), as do times past the year 2262.
fn time(unix_nano: u64) -> Option<i64> {
    i64::try_from(unix_nano).ok().filter(|time| *time != 0)
}
