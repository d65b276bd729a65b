//! A live mesh for someone who has none at hand: the simulated shop, sent over the protocols real senders use.
//!
//! The demo must show what a user's own senders will do, so nothing here is special to Logkeep: each service speaks
//! OTLP, Elasticsearch bulk, Loki push or syslog to an ordinary listener, waits for its acknowledgement, and backs off
//! when refused. The spans of the requests that the logs are about go over OTLP. The last minutes are sent first and fast, so that the first screen is full.

pub mod encode;
mod http;
mod protocol;
mod run;
mod sender;

#[cfg(test)]
mod tests;

pub use protocol::{Protocol, Targets};
pub use run::{DemoOptions, FAULTY_SERVICE, run, run_with_progress};
pub use sender::{Progress, ProtocolSummary, Summary};
