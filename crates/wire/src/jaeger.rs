//! Jaeger's spans: Thrift, as agents and clients send it over UDP and HTTP, and the protobuf of its collector.
//!
//! The two differ in more than bytes: tag types have other numbers, and in protobuf each span may name its own process.
//! What is the same in both, and how it becomes a span of ours, is in `span`.
//!
//! Not here: sockets (`intake`).

mod protobuf;
mod sampling;
mod span;
#[cfg(test)]
mod tests;
mod thrift;

pub use crate::spans::SpansError;
pub use protobuf::decode_post_spans;
pub use sampling::{strategy_json, strategy_protobuf};
pub use thrift::{decode_batch, decode_datagram};
