//! HTTP API, console, and the wiring of all rooms.
//!
//! [`Server::start`] opens a data folder, binds the listeners and serves; [`Running::stop`] drains and flushes. Handlers
//! here turn HTTP into calls and answers into JSON, and hold no rules of their own: what may be read is decided in
//! `access`, what a query means in `query`, what is stored in `ingest`.

mod api;
mod destruction;
mod findings;
mod guard;
mod guest;
mod life;
mod listen;
mod metrics;
mod pipelines;
mod rotate;
mod selflog;
mod server;
mod setup;
mod turned_away;
mod ui;

pub use findings::{Finding, findings};
pub use logkeep_access::{
    BadPattern, CertificateRule, CertificateRules, ClientSecret, ExportLimits, NamePattern, OidcOptions, Policies,
    Role, SessionLimits,
};
pub use logkeep_intake::{
    Authorities, Clients, Common, Demand, ForwardSecurity, IntakeOptions, KafkaOptions, NatsOptions, OutgoingTls,
    PORTS, Port, Sasl, SaslMechanism, Secret, SourceOptions, Start, Tls, TlsError, TlsOptions, certificate_facts,
    is_spiffe_id,
};

pub use guest::Guest;
pub use listen::{Endpoint, Receiver, ReceiverState, Transport};
pub use pipelines::PipelineSource;
pub use rotate::{Rotated, move_keys, rotate_keys};
pub use selflog::{SelfLog, SelfLogLayer};
pub use server::{
    OpenFolder, Running, Server, ServerConfig, SignInOptions, StartError, open_parts, prepare_folder, verification,
};
