//! Ports: bound first, all of them, then served.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use logkeep_intake::{Demand, Intake, Port, Tls, TlsOptions, serve_http};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::findings::Finding;
use crate::guard;
use crate::server::{ServerConfig, StartError};

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Where.
    pub address: SocketAddr,
    /// Whether someone asked for it: then it is an error if it is taken, else a warning.
    pub required: bool,
    /// The files of TLS; without them everything is in the clear.
    pub tls: Option<TlsOptions>,
    /// What those have to show who send.
    pub senders: Demand,
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
    /// Whether what it takes is encrypted on its way, and who sends it asked for a certificate.
    pub transport: Transport,
    /// What those have to show who send.
    pub senders: Demand,
}

impl Receiver {
    /// Whether other hosts can send to it in the clear.
    pub fn is_exposed(&self) -> bool {
        self.is_reachable() && self.transport == Transport::Plaintext
    }

    /// Whether other hosts can send to it at all.
    pub(crate) fn is_reachable(&self) -> bool {
        let others = self.address.is_some_and(|address| !address.ip().to_canonical().is_loopback());
        others && self.state == ReceiverState::Listening
    }
}

/// How what comes is protected on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Not at all.
    Plaintext,
    /// By TLS; whether senders are asked for certificates: `off`, `optional` or `required`.
    Tls(&'static str),
}

impl Transport {
    pub(crate) fn of(endpoint: Option<&Endpoint>) -> Self {
        match endpoint.and_then(|endpoint| endpoint.tls.as_ref()) {
            Some(tls) => Self::Tls(tls.clients.as_str()),
            None => Self::Plaintext,
        }
    }
}

/// The listeners, bound and not yet served.
pub(crate) struct Bound {
    main: TcpListener,
    main_tls: Option<Arc<Tls>>,
    main_address: SocketAddr,
    main_senders: Demand,
    sockets: Vec<(&'static Port, Socket, Option<Arc<Tls>>, Demand)>,
    receivers: Vec<Receiver>,
    certificates: Certificates,
}

enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Socket {
    async fn bind(port: &Port, address: SocketAddr) -> std::io::Result<(Self, SocketAddr)> {
        if port.is_udp() {
            let socket = UdpSocket::bind(address).await?;
            let address = socket.local_addr()?;
            return Ok((Self::Udp(socket), address));
        }
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok((Self::Tcp(listener), address))
    }
}

/// Sets of files, each once, whichever listeners use it.
#[derive(Default)]
struct Certificates(Vec<Arc<Tls>>);

impl Certificates {
    fn of(&mut self, key: impl Fn() -> String, options: Option<&TlsOptions>) -> Result<Option<Arc<Tls>>, StartError> {
        let Some(options) = options else { return Ok(None) };
        if let Some(known) = self.0.iter().find(|tls| tls.options() == options) {
            return Ok(Some(known.clone()));
        }
        let tls = Tls::open(options.clone()).map_err(|cause| StartError::Tls { key: key(), cause })?;
        self.0.push(tls.clone());
        Ok(Some(tls))
    }
}

/// Binds every listener of the configuration.
pub(crate) async fn bind(config: &ServerConfig) -> Result<Bound, StartError> {
    let address = config.main.address;
    let failed = |cause| StartError::Listen { protocol: "http", address, key: "listen.main".to_owned(), cause };
    let mut certificates = Certificates::default();
    let main_tls = certificates.of(|| "listen.main".to_owned(), config.main.tls.as_ref())?;
    let main = TcpListener::bind(address).await.map_err(failed)?;
    let main_address = main.local_addr().map_err(failed)?;
    let mut receivers = vec![Receiver {
        protocol: "http",
        address: Some(main_address),
        state: ReceiverState::Listening,
        transport: Transport::of(Some(&config.main)),
        senders: config.main.senders,
    }];
    let mut sockets = Vec::new();
    for (port, endpoint) in &config.receivers {
        let mut bound = None;
        if let Some(endpoint) = endpoint {
            let tls = certificates.of(|| port.setting(), endpoint.tls.as_ref())?;
            match Socket::bind(port, endpoint.address).await {
                Ok((socket, address)) => {
                    sockets.push((*port, socket, tls, endpoint.senders));
                    bound = Some(address);
                }
                Err(cause) => taken(endpoint, port, cause)?,
            }
        }
        receivers.push(receiver(port.name, endpoint.as_ref(), bound));
    }
    let main_senders = config.main.senders;
    Ok(Bound { main, main_tls, main_address, main_senders, sockets, receivers, certificates })
}

fn receiver(protocol: &'static str, wanted: Option<&Endpoint>, bound: Option<SocketAddr>) -> Receiver {
    let state = match (wanted, bound) {
        (_, Some(_)) => ReceiverState::Listening,
        (Some(_), None) => ReceiverState::PortTaken,
        (None, None) => ReceiverState::Off,
    };
    let address = bound.or(wanted.map(|endpoint| endpoint.address));
    let senders = wanted.map_or(Demand::Open, |endpoint| endpoint.senders);
    Receiver { protocol, address, state, transport: Transport::of(wanted), senders }
}

/// A default port that another program has is no reason not to start.
fn taken(endpoint: &Endpoint, port: &Port, cause: std::io::Error) -> Result<(), StartError> {
    let (protocol, address, key) = (port.name, endpoint.address, port.setting());
    if endpoint.required {
        return Err(StartError::Listen { protocol, address, key, cause });
    }
    warn!(protocol, %address, error = %cause, setting = key, "this default port cannot be used; going on without it");
    Ok(())
}

impl Bound {
    pub(crate) fn receivers(&self) -> Vec<Receiver> {
        self.receivers.clone()
    }

    pub(crate) fn main_address(&self) -> SocketAddr {
        self.main_address
    }

    /// Every set of files in use.
    pub(crate) fn certificates(&self) -> Vec<Arc<Tls>> {
        self.certificates.0.clone()
    }

    /// Says what whoever is responsible should know of.
    pub(crate) fn say_findings(&self) {
        for Finding { code, listener, text } in self.receivers.iter().flat_map(Receiver::findings) {
            warn!(listener, finding = code, "{text}");
        }
    }

    /// Serves everything until `stop`. The tasks end when their last request has.
    pub(crate) fn serve(self, main: Router, intake: &Intake, stop: &CancellationToken) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let door = intake.door(None, self.main, self.main_tls, self.main_senders);
        tasks.spawn(serve_http(door, main, stop.clone()));
        for (port, socket, tls, senders) in self.sockets {
            let (intake, stop) = (intake.clone(), stop.clone());
            match (socket, intake.port_router(port)) {
                (Socket::Tcp(listener), Some(router)) => {
                    let router = router.layer(axum::middleware::from_fn(guard::no_pages));
                    tasks.spawn(serve_http(intake.door(Some(port), listener, tls, senders), router, stop));
                }
                (Socket::Tcp(listener), None) => {
                    let door = intake.door(Some(port), listener, tls, senders);
                    tasks.spawn(async move { intake.serve_tcp(door, stop).await });
                }
                (Socket::Udp(socket), _) => {
                    tasks.spawn(async move { intake.serve_udp(port, socket, stop).await });
                }
            }
        }
        tasks
    }
}
