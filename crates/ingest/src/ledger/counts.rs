//! What became of what a source sent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Records, or requests, by the reason why. Reasons are few and ours, never a sender's text.
pub type Reasons = BTreeMap<String, u64>;

/// Counts of records, if nothing else is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Found in what was sent, each time it was sent.
    pub received: u64,
    /// Made durable.
    pub stored: u64,
    /// Recognised as stored before.
    #[serde(skip_serializing_if = "is_zero")]
    pub deduplicated: u64,
    /// To be sent again, as the sender was told.
    #[serde(skip_serializing_if = "is_zero")]
    pub deferred: u64,
    /// Never to be stored.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: Reasons,
    /// Lost or left out on purpose, without the sender being told.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: Reasons,
    /// Requests of which nothing was taken. How many records they had is not known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refused: Reasons,
    /// Bytes as they arrived.
    pub bytes: u64,
    /// Latest time that a record says of itself, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_ns: Option<i64>,
    /// When something arrived last, nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ns: Option<i64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn total(reasons: &Reasons) -> u64 {
    reasons.values().sum()
}

fn add(to: &mut Reasons, reasons: &Reasons) {
    reasons.iter().for_each(|(reason, count)| *to.entry(reason.clone()).or_default() += count);
}

fn subtract(from: &mut Reasons, reasons: &Reasons) {
    for (reason, count) in reasons {
        if let Some(own) = from.get_mut(reason) {
            *own = own.saturating_sub(*count);
        }
    }
    from.retain(|_, count| *count > 0);
}

impl Counts {
    /// Adds what else came.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.stored += other.stored;
        self.deduplicated += other.deduplicated;
        self.deferred += other.deferred;
        self.bytes += other.bytes;
        add(&mut self.rejected, &other.rejected);
        add(&mut self.dropped, &other.dropped);
        add(&mut self.refused, &other.refused);
        self.newest_ns = self.newest_ns.max(other.newest_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
    }

    /// Takes away what was added before. Times stay.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (own, other) in [
            (&mut self.received, other.received),
            (&mut self.stored, other.stored),
            (&mut self.deduplicated, other.deduplicated),
            (&mut self.deferred, other.deferred),
            (&mut self.bytes, other.bytes),
        ] {
            *own = own.saturating_sub(other);
        }
        subtract(&mut self.rejected, &other.rejected);
        subtract(&mut self.dropped, &other.dropped);
        subtract(&mut self.refused, &other.refused);
    }

    /// Whether nothing is counted.
    pub fn is_zero(&self) -> bool {
        let nothing = Self { newest_ns: self.newest_ns, last_ns: self.last_ns, ..Self::default() };
        *self == nothing
    }

    /// Records rejected, for whatever reason.
    pub fn rejected(&self) -> u64 {
        total(&self.rejected)
    }

    /// Records dropped, for whatever reason.
    pub fn dropped(&self) -> u64 {
        total(&self.dropped)
    }

    /// Requests refused, for whatever reason.
    pub fn refused(&self) -> u64 {
        total(&self.refused)
    }

    /// Whether what became of the records adds up to what was received.
    pub fn is_balanced(&self) -> bool {
        self.received == self.stored + self.deduplicated + self.deferred + self.rejected() + self.dropped()
    }
}
