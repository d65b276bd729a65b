//! Ports: bound first, all of them, then served.

use std::net::SocketAddr;

use axum::Router;
use logkeep_intake::Intake;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::guard;
use crate::server::{ServerConfig, StartError};

/// An address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: SocketAddr,
    /// Whether someone asked for it: then it is an error if it is taken, else a warning.
    pub required: bool,
}

/// Whether a receiver receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverState {
    /// It does.
    Listening,
    /// Its default port belongs to another program.
    PortTaken,
    /// Switched off.
    Off,
}

impl ReceiverState {
    /// As the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::PortTaken => "port_taken",
            Self::Off => "off",
        }
    }
}

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its protocol, such as `otlp-grpc`.
    pub protocol: &'static str,
    /// Where it listens, or would.
    pub address: Option<SocketAddr>,
    /// Whether it does.
    pub state: ReceiverState,
}

/// The listeners, bound and not yet served.
pub(crate) struct Bound {
    main: TcpListener,
    main_address: SocketAddr,
    tcp: Vec<(Kind, Option<TcpListener>)>,
    udp: Option<UdpSocket>,
    receivers: Vec<Receiver>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OtlpGrpc,
    OtlpHttp,
    Elasticsearch,
    Loki,
    SyslogTcp,
}

impl Kind {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::OtlpGrpc => ("otlp-grpc", "listen.otlp_grpc"),
            Self::OtlpHttp => ("otlp-http", "listen.otlp_http"),
            Self::Elasticsearch => ("elasticsearch", "listen.elasticsearch"),
            Self::Loki => ("loki", "listen.loki"),
            Self::SyslogTcp => ("syslog-tcp", "listen.syslog_tcp"),
        }
    }
}

/// Binds every listener of the configuration.
pub(crate) async fn bind(config: &ServerConfig) -> Result<Bound, StartError> {
    let failed = |protocol, key, address| move |cause| StartError::Listen { protocol, address, key, cause };
    let main =
        TcpListener::bind(config.main.address).await.map_err(failed("http", "listen.main", config.main.address))?;
    let main_address = main.local_addr().map_err(failed("http", "listen.main", config.main.address))?;
    let mut receivers =
        vec![Receiver { protocol: "http", address: Some(main_address), state: ReceiverState::Listening }];
    let mut tcp = Vec::new();
    for (kind, endpoint) in [
        (Kind::OtlpGrpc, config.otlp_grpc),
        (Kind::OtlpHttp, config.otlp_http),
        (Kind::Elasticsearch, config.elasticsearch),
        (Kind::Loki, config.loki),
        (Kind::SyslogTcp, config.syslog_tcp),
    ] {
        let (protocol, key) = kind.names();
        let listener = match endpoint {
            Some(endpoint) => match TcpListener::bind(endpoint.address).await {
                Ok(listener) => Some(listener),
                Err(cause) => {
                    taken(endpoint, protocol, key, cause)?;
                    None
                }
            },
            None => None,
        };
        receivers.push(receiver(protocol, endpoint, listener.as_ref().and_then(|listener| listener.local_addr().ok())));
        tcp.push((kind, listener));
    }
    let udp = match config.syslog_udp {
        Some(endpoint) => match UdpSocket::bind(endpoint.address).await {
            Ok(socket) => Some(socket),
            Err(cause) => {
                taken(endpoint, "syslog-udp", "listen.syslog_udp", cause)?;
                None
            }
        },
        None => None,
    };
    receivers.push(receiver("syslog-udp", config.syslog_udp, udp.as_ref().and_then(|socket| socket.local_addr().ok())));
    Ok(Bound { main, main_address, tcp, udp, receivers })
}

fn receiver(protocol: &'static str, wanted: Option<Endpoint>, bound: Option<SocketAddr>) -> Receiver {
    let state = match (wanted, bound) {
        (_, Some(_)) => ReceiverState::Listening,
        (Some(_), None) => ReceiverState::PortTaken,
        (None, None) => ReceiverState::Off,
    };
    Receiver { protocol, address: bound.or(wanted.map(|endpoint| endpoint.address)), state }
}

/// A default port that another program has is no reason not to start.
fn taken(
    endpoint: Endpoint,
    protocol: &'static str,
    key: &'static str,
    cause: std::io::Error,
) -> Result<(), StartError> {
    if endpoint.required {
        return Err(StartError::Listen { protocol, address: endpoint.address, key, cause });
    }
    warn!(protocol, address = %endpoint.address, error = %cause, setting = key, "this default port cannot be used; going on without it");
    Ok(())
}

impl Bound {
    pub(crate) fn receivers(&self) -> Vec<Receiver> {
        self.receivers.clone()
    }

    pub(crate) fn main_address(&self) -> SocketAddr {
        self.main_address
    }

    /// Serves everything until `stop`. The tasks end when their last request has.
    pub(crate) fn serve(self, main: Router, intake: &Intake, stop: &CancellationToken) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_http(self.main, main, stop.clone()));
        for (kind, listener) in self.tcp {
            let Some(listener) = listener else { continue };
            let router = match kind {
                Kind::OtlpGrpc => grpc_router(intake),
                Kind::OtlpHttp => intake.otlp_http_router(),
                Kind::Elasticsearch => intake.elasticsearch_router(),
                Kind::Loki => intake.loki_router(),
                Kind::SyslogTcp => {
                    let (intake, stop) = (intake.clone(), stop.clone());
                    tasks.spawn(async move { intake.serve_syslog_tcp(listener, stop).await });
                    continue;
                }
            };
            let router = router.layer(axum::middleware::from_fn(guard::loopback_only));
            tasks.spawn(serve_http(listener, router, stop.clone()));
        }
        if let Some(socket) = self.udp {
            let (intake, stop) = (intake.clone(), stop.clone());
            tasks.spawn(async move { intake.serve_syslog_udp(socket, stop).await });
        }
        tasks
    }
}

/// The OTLP service over gRPC as routes.
pub(crate) fn grpc_router(intake: &Intake) -> Router {
    let path = format!("/{}/{{*method}}", <logkeep_intake::OtlpGrpc as tonic::server::NamedService>::NAME);
    Router::new().route_service(&path, intake.otlp_grpc())
}

async fn serve_http(listener: TcpListener, router: Router, stop: CancellationToken) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await {
        error!(%error, "a listener ended");
    }
}
