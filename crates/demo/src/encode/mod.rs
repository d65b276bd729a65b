//! Events to the bytes of a request, one file per protocol.
//!
//! These encoders are written from the protocols' own definitions and share nothing with the decoders in `wire`: what
//! one side misunderstands, the other must not misunderstand with it.

mod elasticsearch;
mod loki;
mod otlp;
mod syslog;

pub(crate) use elasticsearch::bulk;
pub(crate) use loki::{push_json, push_protobuf};
pub(crate) use otlp::logs;
pub(crate) use syslog::frames;

#[cfg(test)]
pub(crate) use loki::{PushRequest, Stream};
