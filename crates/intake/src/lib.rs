//! Listeners for every protocol: the only way in.
//!
//! A sender's whole guarantee is our answer, and each protocol's senders read answers in their own way: what one retries
//! another drops. So each protocol has its file here that says yes only after [`Ingest::commit`] did, and says no in the
//! words that make its senders keep what we did not store. Under load senders first wait, then are asked to come back;
//! nothing that was acknowledged is ever dropped, and everything else is counted in [`ProtocolCounters`].
//!
//! Every request runs to its end once its body is read, even if its sender has hung up by then: half of the work would be
//! counted nowhere.
//!
//! Not here: what the bytes mean (`wire`), what the fields mean (`normalize`), what durable is (`ingest`), binding of ports
//! (`server`).

mod accept;
mod account;
mod admission;
mod als;
mod body;
mod cloud;
mod connection;
mod counters;
mod credentials;
mod datadog;
mod datadog_traces;
mod datagrams;
mod documents;
mod door;
mod elasticsearch;
mod entry;
mod faults;
mod forward;
mod gelf;
mod grpc;
mod hec;
mod http;
mod jaeger;
mod joining;
mod journal;
mod json;
mod lines;
mod loki;
mod lumberjack;
mod native;
mod options;
mod origin;
mod otlp_grpc;
mod otlp_http;
mod prepare;
mod receivers;
mod refusal;
mod relp;
mod request;
mod seats;
mod senders;
mod sources;
mod store;
mod syslog;
mod tls;
mod unanswered;
mod watch;
mod zipkin;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use logkeep_ingest::Ingest;
use logkeep_pipeline::PipelineSet;
use logkeep_record::TenantId;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

pub use connection::Connection;
pub use counters::{Protocol, ProtocolCounters};
pub use door::{Door, DoorStatus};
pub use http::serve_http;
pub use options::{ForwardSecurity, IntakeOptions, Secret};
pub use origin::Peer;
pub use receivers::{PORTS, Port, Serve, Task};
pub use senders::{Demand, TurnedAway};
pub use sources::{Common, KafkaOptions, NatsOptions, OutgoingTls, Sasl, SaslMechanism, SourceOptions, Start};
pub use sources::{Lag, SourceLags};
pub use tls::{Authorities, Clients, Tls, TlsError, TlsOptions, TlsStatus, watch_certificates};
pub use tls::{certificate_facts, is_spiffe_id};
pub use watch::{Refusals, WATCH_PERIOD};

use counters::Counters;
use door::DoorCounts;
use elasticsearch::Elasticsearch;

/// All listeners, over one engine. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    ingest: Ingest,
    options: IntakeOptions,
    tenants: HashSet<TenantId>,
    counters: Counters,
    /// What became of connections, by listener.
    doors: Mutex<Vec<Arc<DoorCounts>>>,
    /// Requests with their body in memory.
    requests: Arc<Semaphore>,
    /// Requests being decoded: no more than there are processors, so that the others are not slowed for nothing.
    processors: Arc<Semaphore>,
    /// What bodies hold that are arriving.
    bodies: Arc<body::Room>,
    /// What connections hold of messages.
    room: Arc<Semaphore>,
    /// Uploads of journals, which may never end.
    uploads: Arc<Semaphore>,
    /// Ack ids given by the event collector.
    hec_acks: AtomicU64,
    elasticsearch: Elasticsearch,
    pipelines: ArcSwap<PipelineSet>,
    lags: sources::Lags,
    turned_away: senders::TurnedAwayCounts,
    faults: faults::Faults,
}

impl Intake {
    /// Takes requests in for `ingest`. No port is opened before a router is served.
    pub fn new(ingest: Ingest, options: IntakeOptions) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        let tenants = options.tenants.iter().cloned().chain([TenantId::default()]).collect();
        let inner = Inner {
            tenants,
            counters: Counters::default(),
            doors: Mutex::default(),
            requests: Arc::new(Semaphore::new(options.max_concurrent_requests.max(1))),
            processors: Arc::new(Semaphore::new(processors)),
            bodies: body::Room::new(options.connections_bytes),
            room: connection::room(options.connections_bytes),
            uploads: Arc::new(Semaphore::new(options.max_connections.max(1))),
            hec_acks: AtomicU64::new(0),
            elasticsearch: Elasticsearch::new(&options, ingest.take_documents()),
            pipelines: ArcSwap::new(options.pipelines.clone()),
            lags: sources::Lags::default(),
            turned_away: senders::TurnedAwayCounts::default(),
            faults: faults::Faults::default(),
            ingest,
            options,
        };
        Self { inner: Arc::new(inner) }
    }

    /// What has become of everything received so far, per protocol.
    pub fn counters(&self) -> Vec<ProtocolCounters> {
        self.inner.counters.read()
    }

    pub(crate) fn now_ns(&self) -> i64 {
        self.inner.ingest.clock().now_ns()
    }
}
