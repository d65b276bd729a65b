//! Every way in, in one table.
//!
//! A receiver is a file in `wire` for its bytes, a file here for its sockets, and one entry below. The ports that the server
//! binds, the keys of the configuration, the counters and the names in records all follow from the entry
//! (`docs/receivers.md`).

use std::pin::Pin;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::gelf::Gelf;
use crate::refusal::Refusal;
use crate::request::{answer, refused};
use crate::syslog::Syslog;
use crate::{Intake, datadog, forward, jaeger, json, lumberjack, relp, unanswered};

/// What serves a connection or a socket until its end.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A port that a protocol listens on.
pub struct Port {
    /// Such as `syslog-udp`; the key of the configuration is `listen.syslog_udp`.
    pub name: &'static str,
    /// Its number, unless the configuration says otherwise.
    pub number: u16,
    /// What it takes, in a few words.
    pub about: &'static str,
    /// Whose counters it adds to.
    pub protocol: Protocol,
    /// How it is served.
    pub serve: Serve,
}

/// How a port is served.
#[derive(Clone, Copy)]
pub enum Serve {
    /// Over HTTP/1.1 and HTTP/2.
    Http(fn(&Intake) -> Router),
    /// Each connection by itself.
    Tcp(fn(Intake, Connection) -> Task),
    /// The same, by a protocol that is spoken over TLS only.
    Tls(fn(Intake, Connection) -> Task),
    /// The whole socket.
    Udp(fn(Intake, UdpSocket, CancellationToken) -> Task),
}

impl Port {
    /// Its key in the configuration.
    pub fn setting(&self) -> String {
        format!("listen.{}", self.name.replace('-', "_"))
    }

    /// Whether it is a UDP port, whose numbers are a space of their own.
    pub fn is_udp(&self) -> bool {
        matches!(self.serve, Serve::Udp(_))
    }

    /// Whether senders have a place for a token.
    pub fn takes_tokens(&self) -> bool {
        matches!(self.serve, Serve::Http(_))
    }

    /// Whether it is of no use without a certificate.
    pub fn needs_tls(&self) -> bool {
        matches!(self.serve, Serve::Tls(_))
    }
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Port").field(&self.name).finish()
    }
}

impl PartialEq for Port {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Port {}

macro_rules! receivers {
    ($($(#[$doc:meta])* $variant:ident = $name:literal {
        main: [$($main:expr),*],
        ports: [$(($port:literal, $number:literal, $about:literal, $serve:expr)),*],
    })+) => {
        /// A way in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Protocol {
            $($(#[$doc])* $variant,)+
        }

        impl Protocol {
            /// Every protocol, in the order of [`crate::Intake::counters`].
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As records and metrics name it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        /// Every port, in the order of the configuration.
        pub static PORTS: &[Port] = &[$($(
            Port { name: $port, number: $number, about: $about, protocol: Protocol::$variant, serve: $serve },
        )*)+];

        /// What the main port serves of all protocols, each below paths of its own.
        static ON_MAIN: &[fn(&Intake) -> Router] = &[$($($main,)*)+];
    };
}

receivers! {
    /// OpenTelemetry over gRPC and HTTP.
    Otlp = "otlp" {
        main: [Intake::otlp_http_router, Intake::otlp_grpc_router],
        ports: [
            ("otlp-grpc", 4317, "OTLP over gRPC", Serve::Http(Intake::otlp_grpc_router)),
            ("otlp-http", 4318, "OTLP over HTTP", Serve::Http(Intake::otlp_http_router))
        ],
    }
    /// The bulk API.
    Elasticsearch = "elasticsearch" {
        main: [|intake| intake.elasticsearch_router_at("/es")],
        ports: [("elasticsearch", 9200, "Elasticsearch bulk API", Serve::Http(Intake::elasticsearch_router))],
    }
    /// The push API.
    Loki = "loki" {
        main: [Intake::loki_router],
        ports: [("loki", 3100, "Loki push API", Serve::Http(Intake::loki_router))],
    }
    /// Over TCP, TLS and UDP.
    Syslog = "syslog" {
        main: [],
        ports: [
            ("syslog-tcp", 5514, "syslog over TCP", Serve::Tcp(unanswered::tcp::<Syslog>)),
            ("syslog-tls", 6514, "syslog over TLS", Serve::Tls(unanswered::tcp::<Syslog>)),
            ("syslog-udp", 5514, "syslog over UDP", Serve::Udp(unanswered::udp::<Syslog>))
        ],
    }
    /// Fluentd's and Fluent Bit's own.
    Forward = "forward" {
        main: [],
        ports: [
            ("forward-tcp", 24_224, "Fluentd Forward", Serve::Tcp(forward::tcp)),
            ("forward-udp", 24_224, "heartbeat of Fluentd Forward", Serve::Udp(forward::heartbeat))
        ],
    }
    /// Beats and Logstash.
    Beats = "beats" {
        main: [],
        ports: [("beats", 5044, "Beats and Logstash (Lumberjack)", Serve::Tcp(lumberjack::tcp))],
    }
    /// The HTTP event collector.
    Hec = "splunk-hec" {
        main: [Intake::hec_router],
        ports: [("splunk-hec", 8088, "Splunk HTTP event collector", Serve::Http(Intake::hec_router))],
    }
    /// Graylog's format.
    Gelf = "gelf" {
        main: [Intake::gelf_router],
        ports: [
            ("gelf-udp", 12_201, "GELF over UDP", Serve::Udp(unanswered::udp::<Gelf>)),
            ("gelf-tcp", 12_201, "GELF over TCP", Serve::Tcp(unanswered::tcp::<Gelf>)),
            ("gelf-http", 12_202, "GELF over HTTP", Serve::Http(Intake::gelf_router))
        ],
    }
    /// The log intake of Datadog.
    Datadog = "datadog" {
        main: [Intake::datadog_router_on_main],
        ports: [
            ("datadog-http", 10_518, "Datadog log intake", Serve::Http(Intake::datadog_router)),
            ("datadog-tcp", 10_516, "Datadog log intake over TCP", Serve::Tcp(unanswered::tcp::<datadog::Lines>))
        ],
    }
    /// Envoy's access log service.
    EnvoyAls = "envoy-als" {
        main: [Intake::als_router],
        ports: [("envoy-als", 9090, "Envoy's access log service over gRPC", Serve::Http(Intake::als_router))],
    }
    /// The agent of Datadog, for tracers.
    DatadogTraces = "datadog-traces" {
        main: [Intake::datadog_traces_router_on_main],
        ports: [("datadog-traces", 8126, "Datadog spans", Serve::Http(Intake::datadog_traces_router))],
    }
    /// RELP, of rsyslog.
    Relp = "relp" {
        main: [],
        ports: [("relp", 20_514, "RELP of rsyslog", Serve::Tcp(relp::tcp))],
    }
    /// Uploads of systemd's journal.
    Journal = "journal" {
        main: [],
        ports: [("journal", 19_532, "systemd-journal-upload", Serve::Http(Intake::journal_router))],
    }
    /// Amazon's delivery streams.
    Firehose = "firehose" { main: [Intake::firehose_router], ports: [], }
    /// Google's push subscriptions.
    PubSub = "pubsub" { main: [Intake::pubsub_router], ports: [], }
    /// JSON documents over HTTP, TCP and UDP, as Logstash puts them.
    Json = "json" {
        main: [Intake::json_router],
        ports: [
            ("json-http", 5_171, "JSON over HTTP, at any path", Serve::Http(Intake::json_router_anywhere)),
            ("json-tcp", 5_170, "lines of JSON over TCP", Serve::Tcp(unanswered::tcp::<json::Lines>)),
            ("json-udp", 5_170, "lines of JSON over UDP", Serve::Udp(unanswered::udp::<json::Lines>))
        ],
    }
    /// Zipkin's collector.
    Zipkin = "zipkin" {
        main: [|intake| Router::new().nest("/zipkin", intake.zipkin_router())],
        ports: [("zipkin", 9411, "Zipkin spans", Serve::Http(Intake::zipkin_router))],
    }
    /// Jaeger's collector and agent.
    Jaeger = "jaeger" {
        main: [Intake::jaeger_grpc_router, |intake| Router::new().nest("/jaeger", intake.jaeger_http_router())],
        ports: [
            ("jaeger-grpc", 14_250, "Jaeger spans over gRPC", Serve::Http(Intake::jaeger_grpc_router)),
            ("jaeger-http", 14_268, "Jaeger spans in Thrift over HTTP", Serve::Http(Intake::jaeger_http_router)),
            ("jaeger-sampling", 5778, "Jaeger's sampling strategies", Serve::Http(Intake::jaeger_sampling_router)),
            ("jaeger-compact", 6831, "Jaeger spans in compact Thrift over UDP", Serve::Udp(jaeger::udp)),
            ("jaeger-binary", 6832, "Jaeger spans in binary Thrift over UDP", Serve::Udp(jaeger::udp))
        ],
    }
    /// Topics of Kafka, which we read.
    Kafka = "kafka" { main: [], ports: [], }
    /// Subjects of NATS, which we read.
    Nats = "nats" { main: [], ports: [], }
    /// JSON documents and plain lines.
    Ndjson = "ndjson" { main: [Intake::native_router], ports: [], }
    /// Lines of files.
    Import = "import" { main: [], ports: [], }
}

impl Intake {
    /// What the main port serves of all protocols, each below paths of its own.
    pub fn main_router(&self) -> Router {
        outliving(ON_MAIN.iter().fold(Router::new(), |router, part| router.merge(part(self))))
    }

    /// What a port serves, if that is HTTP.
    pub fn port_router(&self, port: &Port) -> Option<Router> {
        match port.serve {
            Serve::Http(router) => Some(outliving(router(self))),
            Serve::Tcp(_) | Serve::Tls(_) | Serve::Udp(_) => None,
        }
    }
}

/// Some senders hang up as soon as they have sent, and the server then drops what answers them, even before it has looked
/// at a body that is all there. So every request is a task of its own.
fn outliving(router: Router) -> Router {
    router.layer(from_fn(async |request: Request, next: Next| {
        tokio::spawn(next.run(request)).await.unwrap_or_else(|error| {
            let refusal = Refusal::defect(error);
            refused(&refusal, answer(refusal.status(), "text/plain; charset=utf-8", format!("{refusal}\n")))
        })
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http::HeaderValue;
    use tower::ServiceExt;

    use super::*;

    /// Some senders drop what 500 answers.
    #[tokio::test]
    async fn a_defect_is_answered_with_later() {
        let defective = async || -> &'static str { panic!("a defect") };
        let router = outliving(Router::new().route("/", get(defective)));
        let answer = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &HeaderValue::from_static("2")));
    }

    #[test]
    fn names_and_numbers_are_given_once() {
        for (place, port) in PORTS.iter().enumerate() {
            for other in &PORTS[..place] {
                assert_ne!(port.name, other.name);
                assert!(port.number != other.number || port.is_udp() != other.is_udp(), "{port:?} and {other:?}");
            }
        }
        assert!(PORTS.iter().all(|port| port.number != 7280), "the main port is not a receiver's");
    }
}
