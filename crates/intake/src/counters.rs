//! What came in since this process began, and what became of it. The ledger says it by source and for good.
//!
//! For each protocol, received = stored + deduplicated + rejected + deferred + dropped, once nothing is under way. Deferred
//! records were answered with "later" and come again, which receives them again.

use std::sync::atomic::{AtomicU64, Ordering};

pub use crate::receivers::Protocol;

/// What one protocol brought so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolCounters {
    /// Which protocol.
    pub protocol: &'static str,
    /// Requests, or batches of syslog messages.
    pub requests: u64,
    /// Requests answered with an error as a whole.
    pub refused: u64,
    /// Bytes of bodies as they arrived, or of messages.
    pub bytes: u64,
    /// Records found in them.
    pub received: u64,
    /// Records made durable.
    pub stored: u64,
    /// Records recognised as stored before.
    pub deduplicated: u64,
    /// Records that can never be stored, as the sender was told.
    pub rejected: u64,
    /// Records the sender was told to send again.
    pub deferred: u64,
    /// Records lost because the protocol cannot slow its sender down.
    pub dropped: u64,
    /// Records that are here and wait until they can be stored.
    pub waiting: u64,
    /// Requests under way, or open connections of syslog.
    pub connections: u64,
}

/// One protocol's counters.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) stored: AtomicU64,
    pub(crate) deduplicated: AtomicU64,
    pub(crate) rejected: AtomicU64,
    pub(crate) deferred: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) connections: AtomicU64,
}

/// Adds to one counter.
pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

/// All counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    counts: [Counts; Protocol::ALL.len()],
}

impl Counters {
    pub(crate) fn of(&self, protocol: Protocol) -> &Counts {
        &self.counts[protocol as usize]
    }

    pub(crate) fn read(&self) -> Vec<ProtocolCounters> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Protocol::ALL
            .iter()
            .zip(&self.counts)
            .map(|(protocol, counts)| ProtocolCounters {
                protocol: protocol.name(),
                requests: read(&counts.requests),
                refused: read(&counts.refused),
                bytes: read(&counts.bytes),
                received: read(&counts.received),
                stored: read(&counts.stored),
                deduplicated: read(&counts.deduplicated),
                rejected: read(&counts.rejected),
                deferred: read(&counts.deferred),
                dropped: read(&counts.dropped),
                waiting: read(&counts.waiting),
                connections: read(&counts.connections),
            })
            .collect()
    }
}
