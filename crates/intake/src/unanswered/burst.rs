//! Messages that arrived together.

use std::net::IpAddr;
use std::ops::Range;

use logkeep_wire::frame::Frame;
use tokio::time::Instant;

use super::Dialect;
use crate::entry::Policies;
use crate::joining::{Held, Normalizers};
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

/// What is remembered of senders from one burst to the next.
pub(super) struct Readers<D> {
    normalizers: Normalizers,
    dialect: D,
    /// What waits for its rest.
    held: Held,
    /// What will, once the burst that was prepared last is stored.
    next: Option<Held>,
}

/// When there is something to store, of what has come or of what waits.
pub(super) fn earliest(deadline: Option<Instant>, held: &Held) -> Option<Instant> {
    deadline.into_iter().chain(held.until()).min()
}

impl<D: Dialect> Default for Readers<D> {
    fn default() -> Self {
        let normalizers = Normalizers::of_each(D::PROTOCOL.name());
        Self { normalizers, dialect: D::default(), held: Held::default(), next: None }
    }
}

impl<D: Dialect> Readers<D> {
    /// Prepares a burst, as often as it takes to store it: what waited before does so until [`Readers::stored`]. At the end
    /// nothing waits.
    pub(super) fn prepare(
        &mut self,
        burst: &Burst,
        policies: &Policies,
        received_ns: i64,
        is_end: bool,
    ) -> Result<Prepared, Refusal> {
        let normalizers = std::mem::replace(&mut self.normalizers, Normalizers::of_each(D::PROTOCOL.name()));
        let mut preparing = Preparing::resume(policies, normalizers, self.held.clone())?;
        for message in &burst.messages {
            let frame = Frame { bytes: &burst.bytes[message.place.clone()], truncated_bytes: message.truncated_bytes };
            let record = self.dialect.record(&frame, received_ns);
            preparing.from(message.source, frame.bytes.len());
            preparing.push(record)?;
        }
        let (prepared, normalizers, held) = preparing.pause(is_end)?;
        self.normalizers = normalizers;
        self.next = Some(held);
        Ok(prepared)
    }

    /// The burst is stored, or counted as lost: what waits is what came at its end.
    pub(super) fn stored(&mut self) {
        self.held = self.next.take().unwrap_or_default();
    }

    /// What waits for its rest.
    pub(super) fn held(&self) -> &Held {
        &self.held
    }
}
