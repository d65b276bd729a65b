//! Events and spans to the bytes of a request, one file per protocol.
//!
//! These encoders are written from the protocols' own definitions and share nothing with the decoders in `wire`: what
//! one side misunderstands, the other must not misunderstand with it.

mod elasticsearch;
mod loki;
mod otlp;
mod syslog;
mod traces;

pub use elasticsearch::bulk;
pub use loki::{push_json, push_protobuf};
pub use otlp::logs;
pub use syslog::frames;
pub use traces::traces;

#[cfg(test)]
pub(crate) use loki::{PushRequest, Stream};
