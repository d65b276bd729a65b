//! Answers: success, partial success, and errors as `google.rpc.Status`.

use std::borrow::Cow;

use logkeep_record::{Value, json};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message;

use super::Signal;
use crate::Rejection;

/// What of a request was not stored. Senders never send it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// How many records.
    pub rejected: usize,
    /// Why; may also be set as a warning with nothing rejected.
    pub message: String,
}

impl PartialSuccess {
    /// Says how many were rejected and why the first ones were.
    pub fn new(rejected: &[Rejection]) -> Self {
        const SHOWN: usize = 3;
        let reasons: Vec<_> =
            rejected.iter().take(SHOWN).map(|one| format!("record {}: {}", one.place, one.reason)).collect();
        let more = if rejected.len() > SHOWN { "; …" } else { "" };
        Self { rejected: rejected.len(), message: reasons.join("; ") + more }
    }

    /// Says of metrics that they are not stored.
    pub fn of_metrics(points: usize) -> Self {
        let message = "metrics are not stored here; send them to a metrics store, or switch their export off";
        Self { rejected: points, message: message.to_owned() }
    }

    fn is_full(&self) -> bool {
        self.rejected == 0 && self.message.is_empty()
    }
}

/// The gRPC message of a success. Those of traces and metrics differ from that of logs in names only, which protobuf does
/// not carry.
pub fn success_message(partial: &PartialSuccess) -> ExportLogsServiceResponse {
    let partial_success = (!partial.is_full()).then(|| ExportLogsPartialSuccess {
        rejected_log_records: partial.rejected as i64,
        error_message: partial.message.clone(),
    });
    ExportLogsServiceResponse { partial_success }
}

/// The body of a 200 in protobuf; empty where everything was stored.
pub fn success_protobuf(partial: &PartialSuccess) -> Vec<u8> {
    success_message(partial).encode_to_vec()
}

/// The body of a 200 in JSON.
pub fn success_json(signal: Signal, partial: &PartialSuccess) -> Vec<u8> {
    if partial.is_full() {
        return b"{}".to_vec();
    }
    let what = match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
    };
    let mut out = format!("{{\"partialSuccess\":{{\"{what}\":\"{}\",\"errorMessage\":", partial.rejected);
    json::write_str(&partial.message, &mut out);
    out.push_str("}}");
    out.into_bytes()
}

/// An error as OTLP senders read it. An internal fault must be `UNAVAILABLE` with 503: on 500 they drop the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// A gRPC code (`google.rpc.Code`), such as 3 `INVALID_ARGUMENT`, 8 `RESOURCE_EXHAUSTED`, 14 `UNAVAILABLE`.
    pub code: i32,
    /// For people.
    pub message: String,
    /// `RetryInfo`. Without it, senders take `RESOURCE_EXHAUSTED` as final.
    pub retry_after_s: Option<u32>,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[derive(Message)]
struct StatusMessage {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<AnyMessage>,
}

#[derive(Message)]
struct AnyMessage {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

#[derive(Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// The body of an error in protobuf, which is also the value of gRPC's `grpc-status-details-bin`.
pub fn error_protobuf(status: &Status) -> Vec<u8> {
    let detail = |seconds: u32| AnyMessage {
        type_url: RETRY_INFO.to_owned(),
        value: RetryInfo { retry_delay: Some(Duration { seconds: seconds.into() }) }.encode_to_vec(),
    };
    let details = status.retry_after_s.map(detail).into_iter().collect();
    StatusMessage { code: status.code, message: status.message.clone(), details }.encode_to_vec()
}

/// The body of an error in JSON.
pub fn error_json(status: &Status) -> Vec<u8> {
    let pair = |key: &'static str, value| (Cow::Borrowed(key), value);
    let mut pairs = vec![pair("code", Value::Int(status.code.into())), pair("message", Value::str(&status.message))];
    if let Some(seconds) = status.retry_after_s {
        let retry = vec![pair("@type", Value::str(RETRY_INFO)), pair("retryDelay", format!("{seconds}s").into())];
        pairs.push(pair("details", Value::Array(vec![Value::Map(retry)])));
    }
    let mut out = String::new();
    json::write(&Value::Map(pairs), &mut out);
    out.into_bytes()
}
