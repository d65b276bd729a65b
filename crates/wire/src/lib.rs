//! What senders say, byte for byte, and what they want to hear back.
//!
//! One file per protocol turns the bytes of a request into [`Record`]s and an outcome into the bytes of the answer that
//! this protocol's senders understand. Nothing here opens a socket or reads a clock, so every decoder can be fuzzed and
//! every answer compared byte for byte.
//!
//! All decoders keep the same promises: bad input is an error or a [`Rejection`] and never a panic; memory stays in
//! proportion to the input, within `record::limits`; the good records of a request survive the bad ones wherever
//! the two can be told apart; text is borrowed from the request wherever it has no escapes.
//!
//! Not here: sockets, headers and backpressure (`intake`), what the fields mean (`normalize`).

pub mod als;
pub mod cloud;
pub mod compress;
pub mod container;
pub mod datadog;
pub mod datadog_traces;
pub mod documents;
pub mod elasticsearch;
pub mod forward;
pub mod frame;
pub mod gelf;
pub mod hec;
pub mod jaeger;
pub mod journal;
pub mod loki;
pub mod lumberjack;
pub mod msgpack;
pub mod ndjson;
pub mod otlp;
mod protobuf;
pub mod queue;
pub mod relp;
mod spans;
pub mod syslog;
#[cfg(test)]
mod testing;
mod text;
mod thrift;
pub mod zipkin;

use logkeep_record::Record;

/// What one request held.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded<'a> {
    /// The records to store, in the sender's order.
    pub records: Vec<Record<'a>>,
    /// What could not become a record.
    pub rejected: Vec<Rejection>,
}

/// One entry of a request that could not become a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which entry of the request, counted from 0 over the stored and the rejected alike.
    pub place: usize,
    /// What was wrong with it.
    pub reason: String,
}

impl Decoded<'_> {
    /// A copy that outlives the request.
    pub fn into_owned(self) -> Decoded<'static> {
        Decoded { records: self.records.into_iter().map(Record::into_owned).collect(), rejected: self.rejected }
    }

    /// How many entries were seen so far, which is the place of the next one.
    pub(crate) fn place(&self) -> usize {
        self.records.len() + self.rejected.len()
    }

    /// Counts the next entry as rejected.
    pub(crate) fn reject(&mut self, reason: impl Into<String>) {
        let place = self.place();
        self.rejected.push(Rejection { place, reason: reason.into() });
    }
}
