//! Which of a sender's keys mean what, as data.
//!
//! Names follow OpenTelemetry's semantic conventions; where those have none, ours start with `mesh.` or `logkeep.`.
//! What shippers and agents add to records is in `shippers.rs`. `docs/normalization.md` tells users the same; a test
//! compares the two.

use logkeep_record::Value;

/// What a key's value becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// The same value under this name.
    As(&'static str),
    /// An integer, also from text.
    Int(&'static str),
    /// A size in bytes: the first name for HTTP, the second for plain connections.
    Size(&'static str, &'static str),
    /// Milliseconds, from a number, or from text with or without a unit.
    Millis(&'static str),
    /// Milliseconds from nanoseconds.
    Nanos(&'static str),
    /// `url.path` and `url.query`.
    Path,
    /// A whole URI or a path.
    Uri,
    /// `server.address` and `server.port`.
    Authority,
    /// An address and its port.
    Address(&'static str, &'static str),
    /// `network.protocol.name` and `network.protocol.version`.
    Protocol,
    /// `http.response.status_code`, which also tells the severity.
    Status,
    /// `mesh.response_flags`, which also tells the severity.
    ResponseFlags,
    /// `mesh.upstream.cluster`, which also tells the mesh.
    Cluster,
    /// Who the peer's certificate says it is.
    Identity(&'static str),
    /// The version of TLS on the peer's connection.
    TlsVersion,
    /// Istio's `mutual_tls` or `none`.
    SecurityPolicy,
    /// When it happened; the lowest rank wins.
    Time(u8),
    /// The message; the lowest rank wins.
    Message(u8),
    /// How severe; the lowest rank wins.
    Level(u8, Scale),
    /// A trace id.
    TraceId(Digits),
    /// A span id.
    SpanId(Digits),
    /// W3C `traceparent`.
    Traceparent,
    /// `stdout` or `stderr`.
    Stream,
    /// A fact about who sent it, under this name.
    Lift(&'static str),
    /// The same, where the value is what Kubernetes calls a name; elsewhere the key means anything.
    LiftName(&'static str),
    /// Keeps its name, belongs to who sent it, and may name the service; the lowest rank wins.
    Name(u8),
}

impl Rule {
    /// Whether it says how severe a record is or which trace it belongs to.
    pub(crate) fn is_context(self) -> bool {
        matches!(self, Self::Level(..)) || self.is_trace()
    }

    /// Whether it says which trace a record belongs to.
    pub(crate) fn is_trace(self) -> bool {
        matches!(self, Self::TraceId(_) | Self::SpanId(_) | Self::Traceparent)
    }
}

/// What the numbers of a level mean; words mean the same in all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scale {
    /// 0 to 7 as syslog and GELF have it, 10 to 60 as bunyan and pino have it.
    SyslogOrPino,
    /// 10 to 50 as Python's `logging` has it.
    Python,
    /// OpenTelemetry's severity number.
    Otel,
}

/// How an id is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Digits {
    /// Hexadecimal.
    Hex,
    /// Decimal, or hexadecimal where it is too long for that (Datadog).
    Decimal,
}

/// One key of a sender.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As sent; nested keys joined by dots.
    pub(crate) key: &'static str,
    /// Added up over a document's keys, to recognise its family: one lane of eight bits per family.
    pub(crate) marks: u64,
    /// In an access log.
    pub(crate) access: Option<Rule>,
    /// In anything else, and in access logs where `access` is `None`.
    pub(crate) general: Option<Rule>,
}

/// Only proxies of the Envoy family say this.
pub(crate) const ENVOY_STRONG: u64 = 1;
/// Such proxies say it, others too.
pub(crate) const ENVOY_WEAK: u64 = 1 << 8;
/// Linkerd's proxy says this.
pub(crate) const LINKERD: u64 = 1 << 16;
/// Istio's ztunnel says this.
pub(crate) const ZTUNNEL: u64 = 1 << 24;
/// Cilium's Hubble says this.
pub(crate) const HUBBLE: u64 = 1 << 32;
/// Kuma's data plane says this.
pub(crate) const KUMA: u64 = 1 << 40;
/// The key has its `access` meaning in Linkerd's log alone; elsewhere shippers use it for themselves.
pub(crate) const LINKERD_ONLY: u64 = 1 << 48;

const fn access(key: &'static str, marks: u64, rule: Rule) -> Entry {
    Entry { key, marks, access: Some(rule), general: None }
}

pub(crate) const fn general(key: &'static str, rule: Rule) -> Entry {
    Entry { key, marks: 0, access: None, general: Some(rule) }
}

const fn both(key: &'static str, marks: u64, in_access: Rule, otherwise: Rule) -> Entry {
    Entry { key, marks, access: Some(in_access), general: Some(otherwise) }
}

use Rule::*;

pub(crate) const HTTP_METHOD: &str = "http.request.method";
pub(crate) const HTTP_STATUS: &str = "http.response.status_code";
pub(crate) const URL_PATH: &str = "url.path";
pub(crate) const URL_QUERY: &str = "url.query";
pub(crate) const URL_SCHEME: &str = "url.scheme";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const CLIENT_ADDRESS: &str = "client.address";
pub(crate) const CLIENT_PORT: &str = "client.port";
pub(crate) const PROTOCOL_NAME: &str = "network.protocol.name";
pub(crate) const PROTOCOL_VERSION: &str = "network.protocol.version";
pub(crate) const RESPONSE_FLAGS: &str = "mesh.response_flags";
pub(crate) const UPSTREAM_CLUSTER: &str = "mesh.upstream.cluster";
pub(crate) const DESTINATION_SERVICE: &str = "mesh.destination.service";
pub(crate) const SOURCE_SPIFFE: &str = "mesh.source.spiffe_id";
pub(crate) const DESTINATION_SPIFFE: &str = "mesh.destination.spiffe_id";
pub(crate) const SOURCE_IDENTITY: &str = "mesh.source.identity";
pub(crate) const DESTINATION_IDENTITY: &str = "mesh.destination.identity";
pub(crate) const MTLS_STATE: &str = "mesh.mtls.state";
pub(crate) const MESH_KIND: &str = "mesh.kind";
pub(crate) const TLS_VERSION: &str = "tls.protocol.version";
pub(crate) const IOSTREAM: &str = "log.iostream";
pub(crate) const SERVICE_NAME: &str = "service.name";
/// What decoders say of a record that did not come through whole.
const TRUNCATED_BYTES: &str = "logkeep.truncated_bytes";
const INVALID_UTF8: &str = "logkeep.invalid_utf8";

/// Whether an attribute is such a mark. What senders can put beside it, where decoders do, is text.
pub(crate) fn is_mark(key: &str, value: &Value<'_>) -> bool {
    matches!((key, value), (TRUNCATED_BYTES, Value::Int(_)) | (INVALID_UTF8, Value::Bool(_)))
}

/// What every syslog message with a priority has.
pub(crate) const SYSLOG_FACILITY: &str = "syslog.facility.code";
pub(crate) const DERIVED_FROM: &str = "logkeep.service.name.derived_from";
pub(crate) const PROTOCOL: &str = "logkeep.protocol";
pub(crate) const SOURCE: &str = "logkeep.source";
pub(crate) const POD_NAME: &str = "k8s.pod.name";
pub(crate) const CONTAINER_NAME: &str = "k8s.container.name";
pub(crate) const FILE_PATH: &str = "log.file.path";

/// Every key we know, with those of `shippers.rs`.
pub(crate) static ENTRIES: &[Entry] = &[
    // Envoy, Istio and Consul: the keys of the JSON access log. Text formats are read into the same keys.
    access("method", ENVOY_WEAK, As(HTTP_METHOD)),
    access("path", ENVOY_WEAK, Path),
    access("protocol", ENVOY_WEAK, Protocol),
    access("response_code", ENVOY_WEAK, Status),
    access("response_flags", ENVOY_STRONG, ResponseFlags),
    access("response_code_details", ENVOY_STRONG, As("mesh.response_code_details")),
    access("connection_termination_details", ENVOY_STRONG, As("mesh.connection_termination_details")),
    access("upstream_transport_failure_reason", ENVOY_STRONG, As("mesh.upstream.transport_failure_reason")),
    access("bytes_received", ENVOY_WEAK, Size("http.request.body.size", "mesh.bytes_received")),
    access("bytes_sent", ENVOY_WEAK, Size("http.response.body.size", "mesh.bytes_sent")),
    access("duration", ENVOY_WEAK, Millis("mesh.duration_ms")),
    access("upstream_service_time", ENVOY_STRONG, Millis("mesh.upstream.duration_ms")),
    access("x_envoy_upstream_service_time", ENVOY_STRONG, Millis("mesh.upstream.duration_ms")),
    access("x_forwarded_for", ENVOY_WEAK, As("http.request.header.x-forwarded-for")),
    access("user_agent", ENVOY_WEAK, As("user_agent.original")),
    access("request_id", ENVOY_WEAK, As("mesh.request_id")),
    access("x_request_id", ENVOY_WEAK, As("mesh.request_id")),
    access("authority", ENVOY_WEAK, Authority),
    access("upstream_host", ENVOY_STRONG, Address("mesh.upstream.address", "mesh.upstream.port")),
    access("upstream_cluster", ENVOY_STRONG, Cluster),
    access("upstream_local_address", ENVOY_STRONG, Address("mesh.upstream.local.address", "mesh.upstream.local.port")),
    access("downstream_local_address", ENVOY_STRONG, Address("network.local.address", "network.local.port")),
    access("downstream_remote_address", ENVOY_STRONG, Address(CLIENT_ADDRESS, CLIENT_PORT)),
    access("downstream_direct_remote_address", ENVOY_STRONG, Address("network.peer.address", "network.peer.port")),
    access("requested_server_name", ENVOY_STRONG, As("tls.client.server_name")),
    access("route_name", ENVOY_WEAK, As("mesh.route")),
    access("downstream_peer_uri_san", ENVOY_STRONG, Identity(SOURCE_SPIFFE)),
    access("upstream_peer_uri_san", ENVOY_STRONG, Identity(DESTINATION_SPIFFE)),
    access("downstream_tls_version", ENVOY_STRONG, TlsVersion),
    access("downstream_tls_cipher", ENVOY_STRONG, As("tls.cipher")),
    access("connection_security_policy", ENVOY_WEAK, SecurityPolicy),
    access("grpc_status", ENVOY_WEAK, As("rpc.grpc.status")),
    access("response_duration", ENVOY_WEAK, Millis("mesh.response.duration_ms")),
    both("start_time", ENVOY_WEAK, Time(0), Time(5)),
    // Kuma's operators, and the fields of its text formats.
    access("kuma_mesh", KUMA, As("mesh.name")),
    access("kuma_source_service", KUMA, As("mesh.source.service")),
    access("kuma_destination_service", KUMA, As(DESTINATION_SERVICE)),
    access("kuma_source_address", KUMA, Address(CLIENT_ADDRESS, CLIENT_PORT)),
    access("kuma_source_address_without_port", KUMA, Address(CLIENT_ADDRESS, CLIENT_PORT)),
    access("kuma_traffic_direction", KUMA, As("mesh.direction")),
    // Linkerd.
    access("client.addr", 2 * LINKERD, Address(CLIENT_ADDRESS, CLIENT_PORT)),
    access("client.id", 2 * LINKERD, Identity(SOURCE_SPIFFE)),
    access("uri", LINKERD, Uri),
    access("status", LINKERD, Status),
    both("version", LINKERD_ONLY, Protocol, Lift("service.version")),
    access("request_bytes", LINKERD, Size("http.request.body.size", "mesh.bytes_received")),
    access("response_bytes", LINKERD, Size("http.response.body.size", "mesh.bytes_sent")),
    access("total_ns", 2 * LINKERD, Nanos("mesh.duration_ms")),
    access("processing_ns", 2 * LINKERD, Nanos("mesh.processing.duration_ms")),
    both("host", LINKERD_ONLY, Authority, Lift("host.name")),
    // Istio's ztunnel.
    access("src.addr", ZTUNNEL, Address(CLIENT_ADDRESS, CLIENT_PORT)),
    access("src.workload", ZTUNNEL, As("mesh.source.workload")),
    access("src.namespace", ZTUNNEL, As("mesh.source.namespace")),
    access("src.identity", ZTUNNEL, Identity(SOURCE_SPIFFE)),
    access("dst.addr", ZTUNNEL, Address(SERVER_ADDRESS, SERVER_PORT)),
    access("dst.hbone_addr", ZTUNNEL, As("mesh.destination.hbone_address")),
    access("dst.service", ZTUNNEL, As(DESTINATION_SERVICE)),
    access("dst.workload", ZTUNNEL, As("mesh.destination.workload")),
    access("dst.namespace", ZTUNNEL, As("mesh.destination.namespace")),
    access("dst.identity", ZTUNNEL, Identity(DESTINATION_SPIFFE)),
    access("direction", 0, As("mesh.direction")),
    access("bytes_recv", 0, Size("http.request.body.size", "mesh.bytes_received")),
    access("error", 0, As("error.message")),
    // Cilium's Hubble.
    Entry { key: "flow", marks: HUBBLE, access: None, general: None },
    access("flow.time", 0, Time(0)),
    access("flow.verdict", 0, As("mesh.authz.decision")),
    access("flow.drop_reason_desc", 0, As("mesh.drop_reason")),
    access("flow.traffic_direction", 0, As("mesh.direction")),
    access("flow.auth_type", 0, SecurityPolicy),
    access("flow.node_name", 0, Lift("k8s.node.name")),
    access("flow.IP.source", 0, As(CLIENT_ADDRESS)),
    access("flow.IP.destination", 0, As(SERVER_ADDRESS)),
    access("flow.l4.TCP.source_port", 0, Int(CLIENT_PORT)),
    access("flow.l4.TCP.destination_port", 0, Int(SERVER_PORT)),
    access("flow.l4.UDP.source_port", 0, Int(CLIENT_PORT)),
    access("flow.l4.UDP.destination_port", 0, Int(SERVER_PORT)),
    access("flow.source.namespace", 0, As("mesh.source.namespace")),
    access("flow.source.pod_name", 0, As("mesh.source.workload")),
    access("flow.destination.namespace", 0, As("mesh.destination.namespace")),
    access("flow.destination.pod_name", 0, As("mesh.destination.workload")),
    access("flow.l7.http.method", 0, As(HTTP_METHOD)),
    access("flow.l7.http.url", 0, Uri),
    access("flow.l7.http.code", 0, Status),
    access("flow.l7.http.protocol", 0, Protocol),
    access("flow.l7.latency_ns", 0, Nanos("mesh.duration_ms")),
    access("flow.trace_context.parent.trace_id", 0, TraceId(Digits::Hex)),
    // Web servers' access logs, where a text format has more than the proxies above.
    access("referer", 0, As("http.request.header.referer")),
    access("user", 0, As("user.name")),
    // Times.
    general("@timestamp", Time(1)),
    general("timestamp", Time(2)),
    general("time", Time(3)),
    general("ts", Time(4)),
    general("eventTime", Time(5)),
    general("event_time", Time(5)),
    general("datetime", Time(6)),
    general("asctime", Time(6)),
    general("t", Time(7)),
    general("Timestamp", Time(2)),
    general("requestReceivedTimestamp", Time(8)),
    // Messages.
    general("message", Message(0)),
    general("msg", Message(1)),
    general("log", Message(2)),
    general("MESSAGE", Message(2)),
    general("short_message", Message(3)),
    general("body", Message(4)),
    general("Body", Message(4)),
    general("event", Message(5)),
    general("text", Message(6)),
    // Levels.
    general("level", Level(0, Scale::SyslogOrPino)),
    general("severity", Level(1, Scale::SyslogOrPino)),
    general("log.level", Level(1, Scale::SyslogOrPino)),
    general("lvl", Level(1, Scale::SyslogOrPino)),
    general("loglevel", Level(1, Scale::SyslogOrPino)),
    general("log_level", Level(1, Scale::SyslogOrPino)),
    general("levelname", Level(1, Scale::SyslogOrPino)),
    general("severity_text", Level(1, Scale::SyslogOrPino)),
    general("SeverityText", Level(1, Scale::SyslogOrPino)),
    general("LEVEL", Level(1, Scale::SyslogOrPino)),
    general("Level", Level(1, Scale::SyslogOrPino)),
    general("severity_number", Level(2, Scale::Otel)),
    general("levelno", Level(2, Scale::Python)),
    general("detected_level", Level(3, Scale::SyslogOrPino)),
    general("PRIORITY", Level(3, Scale::SyslogOrPino)),
    // Trace context.
    general("trace_id", TraceId(Digits::Hex)),
    general("traceId", TraceId(Digits::Hex)),
    general("traceID", TraceId(Digits::Hex)),
    general("traceid", TraceId(Digits::Hex)),
    general("TraceId", TraceId(Digits::Hex)),
    general("trace.id", TraceId(Digits::Hex)),
    general("otelTraceID", TraceId(Digits::Hex)),
    general("x-b3-traceid", TraceId(Digits::Hex)),
    general("X-B3-TraceId", TraceId(Digits::Hex)),
    general("x_b3_traceid", TraceId(Digits::Hex)),
    general("dd.trace_id", TraceId(Digits::Decimal)),
    general("span_id", SpanId(Digits::Hex)),
    general("spanId", SpanId(Digits::Hex)),
    general("spanID", SpanId(Digits::Hex)),
    general("spanid", SpanId(Digits::Hex)),
    general("SpanId", SpanId(Digits::Hex)),
    general("span.id", SpanId(Digits::Hex)),
    general("otelSpanID", SpanId(Digits::Hex)),
    general("x-b3-spanid", SpanId(Digits::Hex)),
    general("X-B3-SpanId", SpanId(Digits::Hex)),
    general("x_b3_spanid", SpanId(Digits::Hex)),
    general("dd.span_id", SpanId(Digits::Decimal)),
    general("traceparent", Traceparent),
    // Who sent it.
    general("service.name", Lift(SERVICE_NAME)),
    general("service_name", Lift(SERVICE_NAME)),
    general("serviceName", Lift(SERVICE_NAME)),
    general("otelServiceName", Lift(SERVICE_NAME)),
    general("dd.service", Lift(SERVICE_NAME)),
    general("service.version", Lift("service.version")),
    general("dd.version", Lift("service.version")),
    general("service.namespace", Lift("service.namespace")),
    general("service.instance.id", Lift("service.instance.id")),
    general("service.environment", Lift("deployment.environment.name")),
    general("deployment.environment.name", Lift("deployment.environment.name")),
    general("deployment.environment", Lift("deployment.environment.name")),
    general("environment", Lift("deployment.environment.name")),
    general("env", Lift("deployment.environment.name")),
    general("dd.env", Lift("deployment.environment.name")),
    general("host.name", Lift("host.name")),
    general("hostname", Lift("host.name")),
    general("host.hostname", Lift("host.name")),
    general("host.id", Lift("host.id")),
    general("cluster", Lift("k8s.cluster.name")),
    general("cluster_name", Lift("k8s.cluster.name")),
    general("orchestrator.cluster.name", Lift("k8s.cluster.name")),
    general("container.id", Lift("container.id")),
    general("container.image.name", Lift("container.image.name")),
    general("cloud.provider", Lift("cloud.provider")),
    general("cloud.region", Lift("cloud.region")),
    general("cloud.availability_zone", Lift("cloud.availability_zone")),
    general("cloud.account.id", Lift("cloud.account.id")),
    general("region", Lift("cloud.region")),
    general("filename", Lift(FILE_PATH)),
    general("log.file.path", Lift(FILE_PATH)),
    // May name the service, lowest first; `resource.rs` goes on with pods, containers, clusters and files.
    general("service", Name(3)),
    general("app", Name(4)),
    general("app_name", Name(5)),
    general("application", Name(5)),
    general("job", Name(6)),
    general("syslog.appname", Name(20)),
    general("appname", Name(20)),
    general("SYSLOG_IDENTIFIER", Name(20)),
    general("stream", Stream),
];
