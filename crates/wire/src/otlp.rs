//! OTLP: the protocol whose records and spans are our own.
//!
//! Protobuf and JSON carry the same messages. Protobuf strings are moved, not copied. A request that does not decode as
//! a whole is decoded once more record by record, so that one bad record costs only itself: senders never repeat what a
//! partial success rejects, so it must reject as little as it can.
//!
//! Not here: gRPC and HTTP (`intake`); what the resource's attributes mean (`normalize`).

mod answer;
mod count;
mod json;
mod lenient;
mod metrics;
mod protobuf;
#[cfg(test)]
mod tests;
mod traces;
mod traces_json;
#[cfg(test)]
mod traces_tests;

pub use answer::{PartialSuccess, Status, error_json, error_protobuf, success_json, success_message, success_protobuf};
pub use json::decode_json;
pub use metrics::{count_points_json, count_points_protobuf};
pub use protobuf::{decode_protobuf, decode_request};
pub use traces::decode_traces_protobuf;
pub use traces_json::decode_traces_json;

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Records of logs.
    Logs,
    /// Spans.
    Traces,
    /// Metrics, which are not stored.
    Metrics,
}

impl Signal {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Logs, Self::Traces, Self::Metrics];

    /// The gRPC service that takes it.
    pub fn service(self) -> &'static str {
        match self {
            Self::Logs => "opentelemetry.proto.collector.logs.v1.LogsService",
            Self::Traces => "opentelemetry.proto.collector.trace.v1.TraceService",
            Self::Metrics => "opentelemetry.proto.collector.metrics.v1.MetricsService",
        }
    }
}

/// A request of which nothing can be stored: answer 400 or `INVALID_ARGUMENT`; do not retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// The bytes are not the message.
    #[error("the body is not an OTLP export request in {format}: {what}")]
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
