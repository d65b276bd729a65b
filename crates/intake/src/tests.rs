//! The listeners over a real engine in a temporary folder.

mod beats;
mod cloud;
mod conformance;
mod connections;
mod datadog;
mod datadog_traces;
mod destroyed;
mod elasticsearch;
mod forward;
mod gelf;
mod hec;
mod joining;
mod journal;
mod ledger;
mod loki;
mod native;
mod otlp;
mod pipelines;
mod quirks;
mod redaction;
mod relp;
mod senders;
mod syslog;
mod tls;

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_ingest::{Counts, Ingest, IngestConfig, Parts, Source};
use logkeep_record::{Class, Record, Span, TenantId};
use logkeep_store::{KeyProvider, LocalKeyFile, SealedObjects, SystemClock, SystemRandom};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{Demand, Intake, IntakeOptions, PORTS, Peer, Port, Protocol, ProtocolCounters};

pub(crate) struct Setup {
    pub(crate) ingest: Ingest,
    pub(crate) intake: Intake,
    folder: TempDir,
}

async fn open(folder: &Path) -> Ingest {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let keys = LocalKeyFile::open_or_create(&folder.join("key"), &data, false).unwrap();
    let keys: Arc<dyn KeyProvider> = Arc::new(keys);
    let catalog = SqliteCatalog::open(&data.join("catalog.sqlite"), &DataKey::from_bytes([3; 32])).await.unwrap();
    let mut config = IngestConfig::new(&data);
    config.flush_interval = Duration::from_secs(3600);
    let parts = Parts {
        catalog: Arc::new(catalog),
        objects: SealedObjects::local(&data.join("objects")).unwrap(),
        keys,
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
    };
    Ingest::open(config, parts).await.unwrap()
}

/// The port of this name.
pub(crate) fn port(name: &str) -> &'static Port {
    PORTS.iter().find(|port| port.name == name).unwrap()
}

/// A TCP port that is served until the token is cancelled.
pub(crate) async fn listen(setup: &Setup, name: &'static str) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let (intake, stopping) = (setup.intake.clone(), stop.clone());
    let door = intake.door(Some(port(name)), listener, None, Demand::Open);
    tokio::spawn(async move { intake.serve_tcp(door, stopping).await });
    (address, stop)
}

/// What an answer came to.
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in `{}`", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Setup {
    pub(crate) async fn new() -> Self {
        Self::with(IntakeOptions { request_bytes: 1 << 20, request_decompressed_bytes: 4 << 20, ..options() }).await
    }

    pub(crate) async fn with(options: IntakeOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ingest = open(folder.path()).await;
        let intake = Intake::new(ingest.clone(), options);
        Self { ingest, intake, folder }
    }

    /// As after a kill.
    pub(crate) async fn restarted(self, options: IntakeOptions) -> Self {
        let ingest = open(self.folder.path()).await;
        let intake = Intake::new(ingest.clone(), options);
        Self { ingest, intake, folder: self.folder }
    }

    /// `text` of each record stored for a tenant, in order.
    pub(crate) fn stored(&self, tenant: &str, text: impl Fn(&Record<'_>) -> String) -> Vec<String> {
        self.stored_in(&Class::default(), tenant, text)
    }

    pub(crate) fn stored_in(&self, class: &Class, tenant: &str, text: impl Fn(&Record<'_>) -> String) -> Vec<String> {
        let snapshot = self.ingest.snapshot();
        let tenant = TenantId::new(tenant).unwrap();
        let Some(view) = snapshot.class(&tenant, class) else { return Vec::new() };
        let rows = view.live.iter().flat_map(|rows| (0..rows.len()).map(move |row| rows.record(row).unwrap()));
        rows.map(|record| text(&record)).collect()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.stored("default", |record| record.body.as_str().unwrap_or("?").to_owned())
    }

    /// What each record was sent for: the bodies of logs, the paths of access logs, the names of spans.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |record: &Record<'_>| match record.attribute("url.path").unwrap_or(&record.body).as_str() {
            Some(text) => text.to_owned(),
            None => Span::from_record(record.clone()).name.into_owned(),
        };
        self.logs_and_spans(text)
    }

    /// `text` of each log, then of each span.
    pub(crate) fn logs_and_spans(&self, text: impl Fn(&Record<'_>) -> String) -> Vec<String> {
        [Class::default(), Class::spans()].iter().flat_map(|class| self.stored_in(class, "default", &text)).collect()
    }

    pub(crate) fn counts(&self, protocol: Protocol) -> ProtocolCounters {
        let counts = self.intake.counters().into_iter().find(|counts| counts.protocol == protocol.name()).unwrap();
        let became = counts.stored + counts.deduplicated + counts.rejected + counts.deferred + counts.dropped;
        assert_eq!(counts.received, became, "{counts:?}");
        counts
    }
}

impl Setup {
    /// By source, all that the ledger says of the default tenant.
    pub(crate) async fn ledger(&self) -> Vec<(Source, Counts)> {
        self.ledger_of(&TenantId::default()).await
    }

    /// The same of any tenant.
    pub(crate) async fn ledger_of(&self, tenant: &TenantId) -> Vec<(Source, Counts)> {
        let found = self.ingest.ledger(tenant, i64::MIN..=i64::MAX, i64::MAX, 10_000).await.unwrap();
        found.lines().map(|(_, source, counts)| ((**source).clone(), counts.clone())).collect()
    }

    /// The ledger balances, names this peer alone, and says what the counters say.
    pub(crate) async fn check_ledger(&self, protocol: Protocol, peer: &str) {
        let counters = self.counts(protocol);
        let mut total = Counts::default();
        for (source, counts) in self.ledger().await {
            assert!(counts.is_balanced(), "{source:?}: {counts:?}");
            assert_eq!((source.protocol.as_str(), source.peer.as_deref()), (protocol.name(), Some(peer)), "{counts:?}");
            total.add(&counts);
        }
        let told = [
            (total.received, counters.received),
            (total.stored, counters.stored),
            (total.deduplicated, counters.deduplicated),
            (total.rejected(), counters.rejected),
            (total.deferred, counters.deferred),
            (total.dropped(), counters.dropped),
            (total.refused(), counters.refused),
        ];
        assert!(told.iter().all(|(ledger, counter)| ledger == counter), "{total:?} is not {counters:?}");
        assert!(total.stored == 0 || total.bytes > 0, "{total:?}");
    }
}

pub(crate) fn options() -> IntakeOptions {
    IntakeOptions { tenants: vec![TenantId::new("team-a").unwrap()], ..IntakeOptions::default() }
}

/// Sends one request, given as `METHOD path` and header lines.
pub(crate) async fn send(router: &Router, head: &str, body: impl Into<Body>) -> Answered {
    send_from(Peer::at("10.1.2.3:4000".parse().unwrap()), router, head, body).await
}

/// The same from somebody else.
pub(crate) async fn send_from(peer: Peer, router: &Router, head: &str, body: impl Into<Body>) -> Answered {
    let mut lines = head.lines().map(str::trim);
    let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let request = request.extension(ConnectInfo(peer)).body(body.into()).unwrap();
    Answered::of(router.clone().oneshot(request).await.unwrap()).await
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Waits for what happens in other tasks.
pub(crate) async fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "{what} did not happen within a minute");
        tokio::task::yield_now().await;
    }
}
