//! Messages that arrived together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use logkeep_normalize::{Arrival, Normalizer};
use logkeep_pipeline::spec::Signal;
use logkeep_wire::frame::Frame;
use tokio::time::Instant;

use super::Dialect;
use crate::entry::Policies;
use crate::prepare::{Prepared, Preparing};
use crate::refusal::Refusal;

/// Messages as they came, to be stored together.
#[derive(Debug, Default)]
pub(super) struct Burst {
    bytes: Vec<u8>,
    messages: Vec<Message>,
    since: Option<Instant>,
}

#[derive(Debug)]
struct Message {
    place: Range<usize>,
    truncated_bytes: usize,
    source: IpAddr,
}

impl Burst {
    pub(super) fn push(&mut self, frame: &Frame<'_>, source: IpAddr) {
        self.since.get_or_insert_with(Instant::now);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame.bytes);
        let place = start..self.bytes.len();
        self.messages.push(Message { place, truncated_bytes: frame.truncated_bytes, source });
    }

    /// Who sent each message.
    pub(super) fn senders(&self) -> impl Iterator<Item = IpAddr> {
        self.messages.iter().map(|message| message.source)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Of all messages together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it should be stored before more is read. Messages count as well: each costs more than its bytes.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= super::BURST_BYTES || self.messages.len() >= super::BURST_BYTES / 64
    }

    /// Until when more may be waited for, if it comes at once: `None` without messages.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| (Instant::now() + super::LULL).min(since + super::LONGEST_LULL))
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
        self.since = None;
    }
}

/// Senders whose resources are remembered at once; at this number all are forgotten and the ones in use come back.
const SOURCES: usize = 1_024;

/// What is remembered of senders from one burst to the next.
#[derive(Default)]
pub(super) struct Readers<D> {
    by_source: HashMap<IpAddr, Normalizer>,
    dialect: D,
}

impl<D: Dialect> Readers<D> {
    pub(super) fn prepare(
        &mut self,
        burst: &Burst,
        policies: &Policies,
        received_ns: i64,
    ) -> Result<Prepared, Refusal> {
        // Records of one batch may come from several senders, so they are normalised before they are prepared.
        let mut preparing = Preparing::normalized(policies, Signal::Logs);
        for message in &burst.messages {
            if self.by_source.len() >= SOURCES && !self.by_source.contains_key(&message.source) {
                self.by_source.clear();
            }
            let normalizer = self.by_source.entry(message.source).or_insert_with(|| {
                let source = message.source.to_canonical().to_string();
                Normalizer::new(Arrival { protocol: D::PROTOCOL.name(), source })
            });
            let frame = Frame { bytes: &burst.bytes[message.place.clone()], truncated_bytes: message.truncated_bytes };
            let record = self.dialect.record(&frame, received_ns);
            preparing.from(message.source, frame.bytes.len());
            preparing.push_normalized(normalizer.normalize(record))?;
        }
        preparing.finish(&burst.bytes)
    }
}
