//! Every receiver, and how its usual sender speaks to it: the table to add to.
//!
//! Requests are as large as the sender makes them when it has much to send. Four connections stand for a sender that has
//! several (workers, output threads, or pods), one for a sender that has one. Where a protocol has a message a request, there are
//! 32, because such senders are many or send many at once.

use super::batch::{Batch, Pick};
use super::encode::{als, beats, datadog, documents, forward, jaeger, otlp, text, zipkin};
use super::payload::Request;
use super::send::{Open, relp_open};

/// A receiver.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// As the server names it in its counts.
    pub(super) protocol: &'static str,
    /// As the server lists its port; on [`MAIN`] is more than one receiver.
    pub(super) listener: &'static str,
    /// At most, in a request, a message of a stream, a datagram, or what is written to a socket at once.
    pub(super) records: usize,
    pub(super) connections: usize,
    pub(super) pick: Pick,
    encode: fn(&Batch) -> anyhow::Result<Vec<u8>>,
    pub(super) way: Way,
}

/// How requests are sent.
pub(super) enum Way {
    /// Over HTTP/1.1, each answered with success.
    Http { path: &'static str, headers: &'static [(&'static str, &'static str)] },
    /// All in the body of one request.
    Upload { path: &'static str, headers: &'static [(&'static str, &'static str)] },
    /// As calls of gRPC.
    Grpc { path: &'static str },
    /// As messages of one call for each connection, after a first one.
    GrpcStream { path: &'static str, first: fn() -> Vec<u8> },
    /// Over TCP, at most `ahead` without their ack; `still` is what a busy server says before it.
    Acked { open: Option<Open>, ack: fn(&Batch) -> Vec<u8>, still: &'static [u8], ahead: usize },
    /// Over TCP.
    Unanswered,
    /// Over TCP with TLS.
    UnansweredTls,
    /// Over UDP.
    Datagrams,
}

impl Way {
    /// Whether the sender knows that everything is stored.
    pub(super) fn is_answered(&self) -> bool {
        // Envoy's stream ends with an answer, which says no more than that it was read.
        !matches!(self, Self::GrpcStream { .. } | Self::Unanswered | Self::UnansweredTls | Self::Datagrams)
    }
}

impl Case {
    /// Records of a request, of so many in all; `None` where the protocol has no requests.
    pub(super) fn records_a_request(&self, lines: u64) -> Option<u64> {
        match self.way {
            Way::Upload { .. } => Some(lines),
            Way::Unanswered | Way::UnansweredTls => None,
            _ => Some(self.records as u64),
        }
    }

    /// Encodes the lines of a request.
    pub(super) fn request(&self, batch: &Batch) -> anyhow::Result<Request> {
        let ack = if let Way::Acked { ack, .. } = &self.way { ack(batch) } else { Vec::new() };
        Ok(Request { records: batch.events.len() as u64, bytes: (self.encode)(batch)?, ack })
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const MSGPACK: (&str, &str) = ("content-type", "application/msgpack");
const THRIFT: (&str, &str) = ("content-type", "application/vnd.apache.thrift.binary");
const JOURNAL: (&str, &str) = ("content-type", "application/vnd.fdo.journal");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
/// The main port.
pub(super) const MAIN: &str = "http";
/// Spans of a datagram: the longest have 1.5 KB, most less.
const JAEGER_DATAGRAM: usize = 30;
/// Senders of this kind have a message a request.
const MANY: usize = 32;

/// The first is what the others are compared with.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "NDJSON over HTTP",
        protocol: "ndjson",
        listener: MAIN,
        records: 2_500,
        connections: 4,
        pick: Pick::Any,
        encode: documents::lines,
        way: Way::Http { path: "/api/v1/ingest/ndjson", headers: &[NDJSON] },
    },
    // Filebeat with the preset `throughput`.
    Case {
        name: "Elasticsearch bulk",
        protocol: "elasticsearch",
        listener: "elasticsearch",
        records: 1_600,
        connections: 4,
        pick: Pick::Any,
        encode: documents::bulk,
        way: Way::Http { path: "/_bulk", headers: &[NDJSON] },
    },
    // The collector, its batches kept below the 4 MiB that most servers of gRPC take.
    Case {
        name: "OTLP logs, HTTP protobuf",
        protocol: "otlp",
        listener: "otlp-http",
        records: 2_000,
        connections: 4,
        pick: Pick::Any,
        encode: otlp::logs,
        way: Way::Http { path: "/v1/logs", headers: &[PROTOBUF] },
    },
    Case {
        name: "OTLP logs, HTTP protobuf, gzip",
        protocol: "otlp",
        listener: "otlp-http",
        records: 2_000,
        connections: 4,
        pick: Pick::Any,
        encode: otlp::logs_gzip,
        way: Way::Http { path: "/v1/logs", headers: &[PROTOBUF, GZIP] },
    },
    Case {
        name: "OTLP logs, HTTP JSON",
        protocol: "otlp",
        listener: "otlp-http",
        records: 2_000,
        connections: 4,
        pick: Pick::Any,
        encode: otlp::logs_json,
        way: Way::Http { path: "/v1/logs", headers: &[JSON] },
    },
    Case {
        name: "OTLP logs, gRPC",
        protocol: "otlp",
        listener: "otlp-grpc",
        records: 2_000,
        connections: 4,
        pick: Pick::Any,
        encode: otlp::logs_grpc,
        way: Way::Grpc { path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export" },
    },
    Case {
        name: "OTLP traces, HTTP protobuf",
        protocol: "otlp",
        listener: "otlp-http",
        records: 2_000,
        connections: 4,
        pick: Pick::Any,
        encode: otlp::spans,
        way: Way::Http { path: "/v1/traces", headers: &[PROTOBUF] },
    },
    // Clients with workers, such as Fluent Bit.
    Case {
        name: "Loki, JSON",
        protocol: "loki",
        listener: "loki",
        records: 1_300,
        connections: 4,
        pick: Pick::Any,
        encode: documents::loki_json,
        way: Way::Http { path: "/loki/api/v1/push", headers: &[JSON] },
    },
    // Promtail and Alloy: batches of 1 MiB, one after the other.
    Case {
        name: "Loki, protobuf and snappy",
        protocol: "loki",
        listener: "loki",
        records: 1_300,
        connections: 1,
        pick: Pick::Any,
        encode: documents::loki_protobuf,
        way: Way::Http { path: "/loki/api/v1/push", headers: &[PROTOBUF] },
    },
    // rsyslog: one connection an action.
    Case {
        name: "syslog, TCP",
        protocol: "syslog",
        listener: "syslog-tcp",
        records: 64,
        connections: 1,
        pick: Pick::Any,
        encode: text::syslog_frames,
        way: Way::Unanswered,
    },
    Case {
        name: "syslog, TLS",
        protocol: "syslog",
        listener: "syslog-tls",
        records: 64,
        connections: 1,
        pick: Pick::Any,
        encode: text::syslog_frames,
        way: Way::UnansweredTls,
    },
    Case {
        name: "syslog, UDP",
        protocol: "syslog",
        listener: "syslog-udp",
        records: 1,
        connections: 1,
        pick: Pick::Any,
        encode: text::syslog,
        way: Way::Datagrams,
    },
    // Fluent Bit and Fluentd with `require_ack_response`, chunks of 2 MB.
    Case {
        name: "Forward, packed, acks",
        protocol: "forward",
        listener: "forward-tcp",
        records: 2_500,
        connections: 4,
        pick: Pick::Any,
        encode: forward::packed,
        way: Way::Acked { open: None, ack: forward::ack, still: b"", ahead: 1 },
    },
    Case {
        name: "Forward, packed, gzip, acks",
        protocol: "forward",
        listener: "forward-tcp",
        records: 2_500,
        connections: 4,
        pick: Pick::Any,
        encode: forward::compressed,
        way: Way::Acked { open: None, ack: forward::ack, still: b"", ahead: 1 },
    },
    // Filebeat to Logstash: one worker, `bulk_max_size` 2048, `pipelining` 2.
    Case {
        name: "Beats, compressed",
        protocol: "beats",
        listener: "beats",
        records: 2_048,
        connections: 1,
        pick: Pick::Any,
        encode: beats::window,
        way: Way::Acked { open: None, ack: beats::ack, still: b"2A\0\0\0\0", ahead: 2 },
    },
    // The OpenTelemetry collector's exporter: 2 MiB a request.
    Case {
        name: "Splunk HEC",
        protocol: "splunk-hec",
        listener: "splunk-hec",
        records: 2_500,
        connections: 4,
        pick: Pick::Any,
        encode: documents::hec,
        way: Way::Http {
            path: "/services/collector/event",
            headers: &[JSON, ("authorization", "Splunk 00000000-0000-0000-0000-000000000000")],
        },
    },
    Case {
        name: "GELF, TCP",
        protocol: "gelf",
        listener: "gelf-tcp",
        records: 64,
        connections: 1,
        pick: Pick::Any,
        encode: documents::gelf_frames,
        way: Way::Unanswered,
    },
    // Docker's driver: each message compressed.
    Case {
        name: "GELF, UDP, gzip",
        protocol: "gelf",
        listener: "gelf-udp",
        records: 1,
        connections: 1,
        pick: Pick::Any,
        encode: documents::gelf_datagram,
        way: Way::Datagrams,
    },
    Case {
        name: "GELF, HTTP",
        protocol: "gelf",
        listener: "gelf-http",
        records: 1,
        connections: MANY,
        pick: Pick::Any,
        encode: documents::gelf,
        way: Way::Http { path: "/gelf", headers: &[JSON] },
    },
    // The agent: `batch_max_size` 1000, compressed, four pipelines.
    Case {
        name: "Datadog logs, HTTP v2, gzip",
        protocol: "datadog",
        listener: "datadog-http",
        records: 1_000,
        connections: 4,
        pick: Pick::Any,
        encode: documents::datadog,
        way: Way::Http { path: "/api/v2/logs", headers: &[JSON, GZIP, ("dd-api-key", "k")] },
    },
    Case {
        name: "Datadog logs, TCP",
        protocol: "datadog",
        listener: "datadog-tcp",
        records: 64,
        connections: 1,
        pick: Pick::Any,
        encode: documents::datadog_lines,
        way: Way::Unanswered,
    },
    Case {
        name: "Datadog traces, v0.4",
        protocol: "datadog-traces",
        listener: "datadog-traces",
        records: 1_000,
        connections: 4,
        pick: Pick::OneService,
        encode: datadog::traces,
        way: Way::Http { path: "/v0.4/traces", headers: &[MSGPACK, ("datadog-meta-lang", "java")] },
    },
    // rsyslog: a window of 128 messages.
    Case {
        name: "RELP",
        protocol: "relp",
        listener: "relp",
        records: 1,
        connections: 1,
        pick: Pick::Any,
        encode: text::relp,
        way: Way::Acked { open: Some(relp_open), ack: text::relp_acks, still: b"", ahead: 128 },
    },
    // A journal that has grown: one upload up to its end.
    Case {
        name: "journal upload",
        protocol: "journal",
        listener: "journal",
        records: 16,
        connections: 1,
        pick: Pick::Any,
        encode: text::journal,
        way: Way::Upload { path: "/upload", headers: &[JOURNAL] },
    },
    // Logstash's tcp output with `json_lines`.
    Case {
        name: "JSON lines, TCP",
        protocol: "json",
        listener: "json-tcp",
        records: 64,
        connections: 1,
        pick: Pick::Any,
        encode: documents::lines,
        way: Way::Unanswered,
    },
    Case {
        name: "JSON lines, UDP",
        protocol: "json",
        listener: "json-udp",
        records: 1,
        connections: 1,
        pick: Pick::Any,
        encode: documents::lines,
        way: Way::Datagrams,
    },
    // Fluent Bit's http output: chunks of 2 MB.
    Case {
        name: "JSON, HTTP",
        protocol: "json",
        listener: "json-http",
        records: 2_500,
        connections: 4,
        pick: Pick::Any,
        encode: documents::array,
        way: Way::Http { path: "/", headers: &[JSON] },
    },
    // Its buffer hint for HTTP endpoints is up to some megabytes.
    Case {
        name: "Firehose",
        protocol: "firehose",
        listener: MAIN,
        records: 2_000,
        connections: 4,
        pick: Pick::Any,
        encode: documents::firehose,
        way: Way::Http { path: "/firehose", headers: &[JSON, ("x-amz-firehose-protocol-version", "1.0")] },
    },
    Case {
        name: "Pub/Sub push",
        protocol: "pubsub",
        listener: MAIN,
        records: 1,
        connections: MANY,
        pick: Pick::Any,
        encode: documents::pubsub,
        way: Way::Http { path: "/pubsub/push", headers: &[JSON] },
    },
    // zipkin-reporter: messages of 500 KB.
    Case {
        name: "Zipkin v2, JSON",
        protocol: "zipkin",
        listener: "zipkin",
        records: 400,
        connections: 4,
        pick: Pick::OneService,
        encode: zipkin::spans,
        way: Way::Http { path: "/api/v2/spans", headers: &[JSON] },
    },
    Case {
        name: "Jaeger, gRPC",
        protocol: "jaeger",
        listener: "jaeger-grpc",
        records: 500,
        connections: 4,
        pick: Pick::OneService,
        encode: jaeger::post_spans,
        way: Way::Grpc { path: "/jaeger.api_v2.CollectorService/PostSpans" },
    },
    // The clients' HTTP senders: 100 spans.
    Case {
        name: "Jaeger, Thrift over HTTP",
        protocol: "jaeger",
        listener: "jaeger-http",
        records: 100,
        connections: 4,
        pick: Pick::OneService,
        encode: jaeger::thrift,
        way: Way::Http { path: "/api/traces?format=jaeger.thrift", headers: &[THRIFT] },
    },
    // The clients' usual senders: what fits into a datagram of 65,000 bytes.
    Case {
        name: "Jaeger, compact Thrift over UDP",
        protocol: "jaeger",
        listener: "jaeger-compact",
        records: JAEGER_DATAGRAM,
        connections: 1,
        pick: Pick::OneService,
        encode: jaeger::compact_datagram,
        way: Way::Datagrams,
    },
    Case {
        name: "Jaeger, binary Thrift over UDP",
        protocol: "jaeger",
        listener: "jaeger-binary",
        records: JAEGER_DATAGRAM,
        connections: 1,
        pick: Pick::OneService,
        encode: jaeger::binary_datagram,
        way: Way::Datagrams,
    },
    // A stream for each worker of Envoy, 16 KiB a message.
    Case {
        name: "Envoy ALS, gRPC (proxies' lines)",
        protocol: "envoy-als",
        listener: "envoy-als",
        records: 32,
        connections: 4,
        pick: Pick::Access,
        encode: als::entries,
        way: Way::GrpcStream {
            path: "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
            first: als::identifier,
        },
    },
];

#[cfg(test)]
mod tests {
    use logkeep_intake::{PORTS, Protocol};

    use super::*;
    use crate::receivers::queues;

    /// Ports that are not measured: probes and questions.
    const LEFT_OUT: [&str; 2] = ["forward-udp", "jaeger-sampling"];

    #[test]
    fn every_receiver_has_a_row() {
        for port in PORTS.iter().filter(|port| !LEFT_OUT.contains(&port.name)) {
            assert!(CASES.iter().any(|case| case.listener == port.name), "{}", port.name);
        }
        for name in Protocol::ALL.iter().map(|protocol| protocol.name()).filter(|name| *name != "import") {
            let is_queue = queues::KINDS.iter().any(|kind| kind.to_lowercase() == name);
            assert!(is_queue || CASES.iter().any(|case| case.protocol == name), "{name}");
        }
        for case in CASES {
            assert!(Protocol::ALL.iter().any(|protocol| protocol.name() == case.protocol), "{}", case.name);
        }
    }
}
