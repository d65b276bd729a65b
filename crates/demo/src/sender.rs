//! One task per protocol: takes batches, encodes them, and stays with each until the receiver has it.
//!
//! A batch is given up only when the receiver says that these bytes can never be accepted; anything else is tried again
//! with growing pauses. Meanwhile the queue fills and the simulation waits, so memory stays bounded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use logkeep_meshsim::{Event, Span};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;

use crate::encode;
use crate::http::{Answer, Connection, HttpError};
use crate::protocol::Protocol;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Counts that grow while the demo runs.
#[derive(Debug, Default)]
pub struct Progress {
    counts: [Counts; Protocol::ALL.len()],
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    acked: AtomicU64,
    rejected: AtomicU64,
    retries: AtomicU64,
}

impl Progress {
    /// The counts as they stand.
    pub fn summary(&self) -> Summary {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let one = |protocol: Protocol| {
            let counts = &self.counts[protocol.index()];
            ProtocolSummary {
                protocol,
                sent: read(&counts.sent),
                acked: read(&counts.acked),
                rejected: read(&counts.rejected),
                retries: read(&counts.retries),
            }
        };
        Summary { protocols: Protocol::ALL.map(one) }
    }
}

/// What was sent, by protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// In the order of [`Protocol::ALL`].
    pub protocols: [ProtocolSummary; Protocol::ALL.len()],
}

impl Summary {
    /// Records and spans sent over all protocols.
    pub fn sent(&self) -> u64 {
        self.protocols.iter().map(|protocol| protocol.sent).sum()
    }

    /// Records and spans acknowledged over all protocols.
    pub fn acked(&self) -> u64 {
        self.protocols.iter().map(|protocol| protocol.acked).sum()
    }
}

/// What was sent over one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolSummary {
    /// Which.
    pub protocol: Protocol,
    /// Records handed to it, each counted once however often it was tried.
    pub sent: u64,
    /// Records the receiver acknowledged. Syslog has no acknowledgement: there it stays 0.
    pub acked: u64,
    /// Records the receiver refused for good.
    pub rejected: u64,
    /// Requests that had to be tried again.
    pub retries: u64,
}

/// What the receiver made of a batch.
enum Verdict {
    /// Of all records, this many were refused for good.
    Taken { rejected: u64 },
    /// Not now.
    Again { after: Option<Duration> },
}

/// Sends until the queue is closed and empty.
pub(crate) async fn run(
    protocol: Protocol,
    address: SocketAddr,
    mut batches: Receiver<Batch>,
    progress: Arc<Progress>,
) {
    let counts = &progress.counts[protocol.index()];
    let mut link = Link::new(protocol, address);
    while let Some(batch) = batches.recv().await {
        let (body, records) = batch.encoded(protocol);
        counts.sent.fetch_add(records, Ordering::Relaxed);
        let mut pause = FIRST_PAUSE;
        let rejected = loop {
            match link.send(body.clone(), records).await {
                Verdict::Taken { rejected } => break rejected.min(records),
                Verdict::Again { after } => {
                    counts.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        };
        counts.rejected.fetch_add(rejected, Ordering::Relaxed);
        if protocol != Protocol::Syslog {
            counts.acked.fetch_add(records - rejected, Ordering::Relaxed);
        }
    }
}

/// What one request carries.
#[derive(Debug)]
pub(crate) enum Batch {
    Logs(Vec<Event>),
    Spans(Vec<Span>),
}

impl Batch {
    /// The bytes, and how many records or spans they hold.
    fn encoded(&self, protocol: Protocol) -> (Bytes, u64) {
        let (bytes, count) = match self {
            Self::Logs(events) => (encode_logs(protocol, events), events.len()),
            Self::Spans(spans) => (encode::traces(spans), spans.len()),
        };
        (Bytes::from(bytes), count as u64)
    }
}

fn encode_logs(protocol: Protocol, events: &[Event]) -> Vec<u8> {
    match protocol {
        Protocol::OtlpHttp | Protocol::OtlpTraces => encode::logs(events),
        Protocol::Elasticsearch => encode::bulk(events),
        Protocol::LokiProtobuf => encode::push_protobuf(events),
        Protocol::LokiJson => encode::push_json(events),
        Protocol::Syslog => encode::frames(events),
    }
}

/// The way to the receiver.
#[derive(Debug)]
enum Link {
    Http { protocol: Protocol, connection: Connection },
    Tcp { address: SocketAddr, stream: Option<TcpStream> },
}

impl Link {
    fn new(protocol: Protocol, address: SocketAddr) -> Self {
        match protocol {
            Protocol::Syslog => Self::Tcp { address, stream: None },
            _ => Self::Http { protocol, connection: Connection::new(address) },
        }
    }

    async fn send(&mut self, body: Bytes, records: u64) -> Verdict {
        match self {
            Self::Http { protocol, connection } => {
                let (path, media_type) = endpoint(*protocol);
                judge(*protocol, connection.post(path, media_type, body).await, records)
            }
            Self::Tcp { address, stream } => match write(*address, stream, &body).await {
                Ok(()) => Verdict::Taken { rejected: 0 },
                Err(error) => {
                    *stream = None;
                    tracing::debug!(%address, %error, "syslog connection broke, will open another");
                    Verdict::Again { after: None }
                }
            },
        }
    }
}

fn endpoint(protocol: Protocol) -> (&'static str, &'static str) {
    match protocol {
        Protocol::OtlpHttp => ("/v1/logs", "application/x-protobuf"),
        Protocol::Elasticsearch => ("/_bulk", "application/x-ndjson"),
        Protocol::LokiProtobuf => ("/loki/api/v1/push", "application/x-protobuf"),
        Protocol::LokiJson => ("/loki/api/v1/push", "application/json"),
        Protocol::OtlpTraces => ("/v1/traces", "application/x-protobuf"),
        Protocol::Syslog => ("", ""),
    }
}

async fn write(address: SocketAddr, stream: &mut Option<TcpStream>, body: &[u8]) -> std::io::Result<()> {
    let stream = match stream {
        Some(stream) => stream,
        None => stream.insert(TcpStream::connect(address).await?),
    };
    stream.write_all(body).await?;
    stream.flush().await
}

fn judge(protocol: Protocol, answer: Result<Answer, HttpError>, records: u64) -> Verdict {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(protocol = protocol.name(), %error, "will try again");
            return Verdict::Again { after: None };
        }
    };
    match answer.status {
        200..300 => Verdict::Taken { rejected: rejected(protocol, &answer.body) },
        408 | 429 | 500.. => Verdict::Again { after: answer.retry_after },
        status => {
            let text: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
            tracing::warn!(protocol = protocol.name(), status, text, "the receiver refused a batch for good");
            Verdict::Taken { rejected: records }
        }
    }
}

/// Records refused inside an answer that is a success as a whole.
fn rejected(protocol: Protocol, body: &[u8]) -> u64 {
    match protocol {
        Protocol::OtlpHttp => {
            let partial = ExportLogsServiceResponse::decode(body).ok().and_then(|answer| answer.partial_success);
            partial.map_or(0, |partial| partial.rejected_log_records.max(0) as u64)
        }
        Protocol::OtlpTraces => {
            let partial = ExportTraceServiceResponse::decode(body).ok().and_then(|answer| answer.partial_success);
            partial.map_or(0, |partial| partial.rejected_spans.max(0) as u64)
        }
        Protocol::Elasticsearch => {
            let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let failed =
                |item: &&serde_json::Value| item["create"]["status"].as_u64().is_none_or(|status| status >= 300);
            match (answer["errors"].as_bool(), answer["items"].as_array()) {
                (Some(true), Some(items)) => items.iter().filter(failed).count() as u64,
                _ => 0,
            }
        }
        Protocol::LokiProtobuf | Protocol::LokiJson | Protocol::Syslog => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    /// How many of ten records are refused for good; `None` where the batch is tried again.
    fn check(protocol: Protocol, status: u16, body: &[u8], expected: Option<u64>) {
        let answer = Answer { status, retry_after: None, body: Bytes::copy_from_slice(body) };
        let found = match judge(protocol, Ok(answer), 10) {
            Verdict::Taken { rejected } => Some(rejected),
            Verdict::Again { .. } => None,
        };
        assert_eq!(found, expected, "{protocol:?} {status}");
    }

    #[test]
    fn answers_are_understood() {
        let items = br#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400}},{"index":{}}]}"#;
        check(Protocol::Elasticsearch, 200, items, Some(2));
        check(Protocol::Elasticsearch, 200, br#"{"errors":false,"items":[]}"#, Some(0));
        check(Protocol::Elasticsearch, 200, b"not JSON", Some(0));
        let partial = ExportLogsPartialSuccess { rejected_log_records: 3, error_message: String::new() };
        let partial = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        check(Protocol::OtlpHttp, 200, &partial, Some(3));
        check(Protocol::OtlpHttp, 200, b"", Some(0));
        let partial = ExportTracePartialSuccess { rejected_spans: 4, error_message: String::new() };
        let partial = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        check(Protocol::OtlpTraces, 200, &partial, Some(4));
        check(Protocol::OtlpTraces, 200, b"", Some(0));
        check(Protocol::LokiJson, 204, b"", Some(0));
        check(Protocol::LokiJson, 400, b"too old", Some(10));
        for status in [408, 429, 500, 503] {
            check(Protocol::LokiProtobuf, status, b"", None);
        }
    }

    #[test]
    fn no_answer_means_again() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let verdict = judge(Protocol::OtlpHttp, Err(HttpError::Timeout { address }), 10);
        assert!(matches!(verdict, Verdict::Again { after: None }));
    }
}
