//! What happens in the mesh, before anyone writes it down.
//!
//! An [`Event`] holds facts; how a proxy or an application words them is up to `render`. So one request can be
//! checked in whichever form it travelled.

use std::sync::Arc;

use crate::topology::Pod;

/// One thing that leads to one log line.
#[derive(Clone, Debug)]
pub struct Event {
    /// When, nanoseconds since the Unix epoch; whole milliseconds for access logs, as the proxies have it.
    pub time_ns: i64,
    /// Where the line is written.
    pub pod: Arc<Pod>,
    /// The request it belongs to.
    pub trace: Option<Trace>,
    /// What it is.
    pub kind: Kind,
}

/// The ids that tie the lines of one request together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of the whole request.
    pub trace_id: u128,
    /// Of this hop.
    pub span_id: u64,
    /// Hops from the entry: 0 for the first service.
    pub depth: u8,
}

/// The sorts of line a mesh writes.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Envoy under Consul or Kuma.
    EnvoyAccess(Access),
    /// Envoy under Istio.
    IstioAccess(Access),
    /// Linkerd's own proxy.
    LinkerdAccess(Access),
    /// The application.
    App(AppLog),
    /// The Kubernetes API server.
    Audit(Audit),
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// As it should be.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
}

impl Level {
    /// Lower case, as most loggers write it.
    pub fn lower(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Upper case, as Java and Python write it.
    pub fn upper(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// The severity code of syslog (RFC 5424).
    pub fn syslog(self) -> u8 {
        match self {
            Self::Debug => 7,
            Self::Info => 6,
            Self::Warn => 4,
            Self::Error => 3,
        }
    }

    /// The severity number of OpenTelemetry.
    pub fn otel(self) -> u8 {
        match self {
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
        }
    }
}

impl Event {
    /// The level: what the application says, or what the status means.
    pub fn level(&self) -> Level {
        match &self.kind {
            Kind::App(app) => app.level,
            Kind::Audit(audit) if audit.status >= 400 => Level::Warn,
            Kind::Audit(_) => Level::Info,
            Kind::EnvoyAccess(access) | Kind::IstioAccess(access) | Kind::LinkerdAccess(access) => access.level(),
        }
    }

    /// The request a proxy saw, if a proxy writes this.
    pub fn access(&self) -> Option<&Access> {
        match &self.kind {
            Kind::EnvoyAccess(access) | Kind::IstioAccess(access) | Kind::LinkerdAccess(access) => Some(access),
            Kind::App(_) | Kind::Audit(_) => None,
        }
    }
}

/// Which side of the request the proxy stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Beside the server.
    Inbound,
    /// Beside the caller.
    Outbound,
}

/// One request as a proxy saw it.
#[derive(Clone, Debug)]
pub struct Access {
    /// Where the proxy stands.
    pub side: Side,
    /// HTTP method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// HTTP status of the answer.
    pub status: u16,
    /// Envoy's response flags, `-` for none.
    pub flags: &'static str,
    /// Envoy's response code details.
    pub details: &'static str,
    /// Why Envoy could not talk to the upstream.
    pub transport_failure: Option<&'static str>,
    /// Request body.
    pub bytes_received: u64,
    /// Response body.
    pub bytes_sent: u64,
    /// From the first byte in to the last byte out.
    pub duration_us: u64,
    /// The upstream's part of it; `None` where the upstream never answered.
    pub upstream_us: Option<u64>,
    /// The address of the person outside, if the request came straight from one.
    pub client: Option<[u8; 4]>,
    /// Who calls, as it says itself.
    pub user_agent: &'static str,
    /// `x-request-id`.
    pub request_id: u128,
    /// Who answered.
    pub server: Arc<Pod>,
    /// Who asked, where it is in the mesh.
    pub caller: Option<Arc<Pod>>,
    /// The port the caller used.
    pub caller_port: u16,
}

impl Access {
    /// What the status means.
    pub fn level(&self) -> Level {
        match self.status {
            500.. => Level::Error,
            400.. => Level::Warn,
            _ => Level::Info,
        }
    }

    /// Envoy's `duration`: whole milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.duration_us / 1_000
    }

    /// The address the server's proxy sees: an Envoy that is told of an outside address takes it, with port 0.
    pub fn peer(&self) -> ([u8; 4], u16) {
        match (self.client, &self.caller) {
            (Some(ip), _) => (ip, 0),
            (None, Some(caller)) => (caller.ip, self.caller_port),
            (None, None) => ([127, 0, 0, 6], self.caller_port),
        }
    }
}

/// One line of an application.
#[derive(Clone, Debug)]
pub struct AppLog {
    /// How bad.
    pub level: Level,
    /// Logger, class or module.
    pub logger: &'static str,
    /// What it says.
    pub message: String,
    /// Several lines of stack trace that belong to the same record.
    pub stack: Option<String>,
}

/// One act on the Kubernetes API.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Unique.
    pub audit_id: u128,
    /// `get`, `patch`, …
    pub verb: &'static str,
    /// Who.
    pub user: String,
    /// Group of who.
    pub group: &'static str,
    /// From where.
    pub source_ip: [u8; 4],
    /// With what.
    pub user_agent: &'static str,
    /// API group of the object, empty for the core group.
    pub api_group: &'static str,
    /// `deployments`, `secrets`, …
    pub resource: &'static str,
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the object.
    pub name: String,
    /// HTTP status of the answer.
    pub status: u16,
    /// Whether, and by what rule.
    pub reason: String,
    /// How long it took.
    pub duration_us: u64,
}
