//! Ports: bound first, all of them, then served.

use std::net::SocketAddr;

use axum::Router;
use logkeep_intake::{Intake, Port, serve_http};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::warn;

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
    sockets: Vec<(&'static Port, Socket)>,
    receivers: Vec<Receiver>,
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

/// Binds every listener of the configuration.
pub(crate) async fn bind(config: &ServerConfig) -> Result<Bound, StartError> {
    let address = config.main.address;
    let failed = |cause| StartError::Listen { protocol: "http", address, key: "listen.main".to_owned(), cause };
    let main = TcpListener::bind(address).await.map_err(failed)?;
    let main_address = main.local_addr().map_err(failed)?;
    let mut receivers =
        vec![Receiver { protocol: "http", address: Some(main_address), state: ReceiverState::Listening }];
    let mut sockets = Vec::new();
    for (port, endpoint) in &config.receivers {
        let mut bound = None;
        if let Some(endpoint) = endpoint {
            match Socket::bind(port, endpoint.address).await {
                Ok((socket, address)) => {
                    sockets.push((*port, socket));
                    bound = Some(address);
                }
                Err(cause) => taken(*endpoint, port, cause)?,
            }
        }
        receivers.push(receiver(port.name, *endpoint, bound));
    }
    Ok(Bound { main, main_address, sockets, receivers })
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
fn taken(endpoint: Endpoint, port: &Port, cause: std::io::Error) -> Result<(), StartError> {
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

    /// Serves everything until `stop`. The tasks end when their last request has.
    pub(crate) fn serve(self, main: Router, intake: &Intake, stop: &CancellationToken) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_http(self.main, main, stop.clone()));
        for (port, socket) in self.sockets {
            let (intake, stop) = (intake.clone(), stop.clone());
            match (socket, intake.port_router(port)) {
                (Socket::Tcp(listener), Some(router)) => {
                    let router = router.layer(axum::middleware::from_fn(guard::no_pages));
                    tasks.spawn(serve_http(listener, router, stop));
                }
                (Socket::Tcp(listener), None) => {
                    tasks.spawn(async move { intake.serve_tcp(port, listener, stop).await });
                }
                (Socket::Udp(socket), _) => {
                    tasks.spawn(async move { intake.serve_udp(port, socket, stop).await });
                }
            }
        }
        tasks
    }
}
