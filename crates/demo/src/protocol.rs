//! Which service speaks which protocol, and where to.

use std::net::SocketAddr;

use logkeep_meshsim::Pod;

/// Where the receivers listen. A service whose protocol has no address uses another that has one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Targets {
    /// OTLP over HTTP with protobuf, `POST /v1/logs` and `POST /v1/traces`.
    pub otlp_http: Option<SocketAddr>,
    /// Elasticsearch, `POST /_bulk`.
    pub elasticsearch: Option<SocketAddr>,
    /// Loki, `POST /loki/api/v1/push`.
    pub loki: Option<SocketAddr>,
    /// Syslog over TCP with octet counting.
    pub syslog: Option<SocketAddr>,
}

impl Targets {
    /// The address for a protocol.
    pub fn address(&self, protocol: Protocol) -> Option<SocketAddr> {
        match protocol {
            Protocol::OtlpHttp | Protocol::OtlpTraces => self.otlp_http,
            Protocol::Elasticsearch => self.elasticsearch,
            Protocol::LokiProtobuf | Protocol::LokiJson => self.loki,
            Protocol::Syslog => self.syslog,
        }
    }
}

/// What a sender speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// OTLP over HTTP with protobuf, as the OpenTelemetry SDKs and Collector send.
    OtlpHttp,
    /// Elasticsearch bulk, as Filebeat, Fluent Bit and rsyslog send.
    Elasticsearch,
    /// Loki push, protobuf in snappy, as Promtail sends.
    LokiProtobuf,
    /// Loki push, JSON, as most client libraries send.
    LokiJson,
    /// RFC 5424 over TCP, octet-counted, as rsyslog and syslog-ng send.
    Syslog,
    /// OTLP over HTTP with protobuf, spans: every application's tracer speaks it, whatever carries its logs.
    OtlpTraces,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::OtlpHttp, Self::Elasticsearch, Self::LokiProtobuf, Self::LokiJson, Self::Syslog, Self::OtlpTraces];
    /// Those that carry logs.
    const OF_LOGS: [Self; 5] = [Self::OtlpHttp, Self::Elasticsearch, Self::LokiProtobuf, Self::LokiJson, Self::Syslog];

    /// A name to show.
    pub fn name(self) -> &'static str {
        match self {
            Self::OtlpHttp => "otlp-http",
            Self::Elasticsearch => "elasticsearch",
            Self::LokiProtobuf => "loki-protobuf",
            Self::LokiJson => "loki-json",
            Self::Syslog => "syslog",
            Self::OtlpTraces => "otlp-traces",
        }
    }

    /// Where it stands in [`Protocol::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// What carries the logs of all pods of the service: syslog on the legacy mesh, the others in turn elsewhere.
    pub fn of(pod: &Pod, targets: &Targets) -> Option<Self> {
        let preferred = match (pod.mesh, pod.index % 6) {
            ("legacy", _) => Self::Syslog,
            (_, 2 | 5) => Self::OtlpHttp,
            (_, 1) => Self::LokiProtobuf,
            (_, 4) => Self::LokiJson,
            _ => Self::Elasticsearch,
        };
        std::iter::once(preferred).chain(Self::OF_LOGS).find(|protocol| targets.address(*protocol).is_some())
    }
}
