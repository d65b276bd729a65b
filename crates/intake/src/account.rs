//! What becomes of records, counted for the loss ledger by who sent them.
//!
//! A record is counted as received where it is found, and as something else where that is decided. What is stored is
//! counted with its batch; everything else on the spot.

use std::collections::BTreeMap;
use std::net::IpAddr;

use logkeep_ingest::{Counts, Ledger, Reasons, minute};

use crate::Intake;
use crate::counters::add;
use crate::origin::Origin;

/// Why records are rejected or dropped, or requests refused. There are no others, but for the kinds of refusals.
pub(crate) mod reason {
    pub(crate) const MALFORMED: &str = "malformed";
    /// No log record and no span.
    pub(crate) const UNSUPPORTED: &str = "unsupported";
    /// The same id with other content.
    pub(crate) const CONFLICT: &str = "conflict";
    pub(crate) const QUEUE_FULL: &str = "queue_full";
    /// Datagrams that the kernel had no room for.
    pub(crate) const KERNEL_FULL: &str = "kernel_full";
    /// Pieces of a message that never came.
    pub(crate) const INCOMPLETE: &str = "incomplete";
    pub(crate) const STOPPING: &str = "stopping";
    /// For a tenant of which everything was destroyed.
    pub(crate) const DESTROYED: &str = "destroyed";
    /// A defect of ours.
    pub(crate) const FAILED: &str = "failed";
    /// A connection that we had to end.
    pub(crate) const CONNECTION_CLOSED: &str = "connection_closed";
    /// A connection without TLS to a listener with it.
    pub(crate) const NOT_TLS: &str = "not_tls";
    /// A connection with TLS to a listener without it.
    pub(crate) const UNEXPECTED_TLS: &str = "unexpected_tls";
    /// A handshake of TLS that failed or never ended.
    pub(crate) const HANDSHAKE: &str = "handshake";
    /// A certificate that was asked for and is missing, expired, or of an authority that is not ours.
    pub(crate) const CLIENT_CERTIFICATE: &str = "client_certificate";
}

/// What becomes of records that were received.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    Stored,
    Known,
    Deferred,
    Dropped(&'static str),
}

/// Counts by sender; `None` is the one that the request as a whole is from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares(BTreeMap<Option<IpAddr>, Counts>);

pub(crate) fn count_reason(reasons: &mut Reasons, reason: &str, count: usize) {
    if count > 0 {
        *reasons.entry(reason.to_owned()).or_default() += count as u64;
    }
}

impl Shares {
    pub(crate) fn of(&mut self, peer: Option<IpAddr>) -> &mut Counts {
        self.0.entry(peer).or_default()
    }

    /// Records of a sender that can never be stored.
    pub(crate) fn reject(&mut self, peer: Option<IpAddr>, reason: &str, records: usize) {
        let counts = self.of(peer);
        counts.received += records as u64;
        count_reason(&mut counts.rejected, reason, records);
    }

    /// Records of a sender that are not to be stored, or cannot.
    pub(crate) fn drop(&mut self, peer: Option<IpAddr>, reason: &str, records: usize) {
        let counts = self.of(peer);
        counts.received += records as u64;
        count_reason(&mut counts.dropped, reason, records);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(peer, counts)| self.of(*peer).add(counts));
    }

    /// All of what was received became this.
    pub(crate) fn became(&self, fate: Fate) -> Self {
        let mut shares = self.clone();
        for counts in shares.0.values_mut() {
            match fate {
                Fate::Stored => counts.stored = counts.received,
                Fate::Known => counts.deduplicated = counts.received,
                Fate::Deferred => counts.deferred = counts.received,
                Fate::Dropped(reason) => count_reason(&mut counts.dropped, reason, counts.received as usize),
            }
        }
        shares
    }

    pub(crate) fn lines(&self, origin: &Origin, received_ns: i64) -> Ledger {
        let mut ledger = Ledger::default();
        for (peer, counts) in &self.0 {
            let counts = Counts { last_ns: Some(received_ns), ..counts.clone() };
            ledger.add(minute(received_ns), &origin.source_at(*peer), &counts);
        }
        ledger
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.0.values().for_each(|counts| total.add(counts));
        total
    }
}

impl Intake {
    /// Adds to the counters of a protocol what the ledger is told elsewhere.
    pub(crate) fn tally(&self, origin: &Origin, shares: &Shares) {
        let (counts, total) = (self.inner.counters.of(origin.protocol), shares.total());
        for (counter, count) in [
            (&counts.received, total.received),
            (&counts.stored, total.stored),
            (&counts.deduplicated, total.deduplicated),
            (&counts.deferred, total.deferred),
            (&counts.rejected, total.rejected()),
            (&counts.dropped, total.dropped()),
            (&counts.refused, total.refused()),
        ] {
            add(counter, count as usize);
        }
    }

    /// Counts what is stored nowhere.
    pub(crate) fn account(&self, origin: &Origin, shares: &Shares, received_ns: i64) {
        self.tally(origin, shares);
        self.inner.ingest.count(&origin.tenant, &shares.lines(origin, received_ns));
    }

    /// Counts records of a sender that are lost.
    pub(crate) fn count_dropped(&self, origin: &Origin, peer: Option<IpAddr>, reason: &str, records: usize) {
        let mut shares = Shares::default();
        shares.drop(peer, reason, records);
        self.account(origin, &shares, self.now_ns());
    }

    /// Counts a request, or a connection, of which nothing more is taken.
    pub(crate) fn count_refused(&self, origin: &Origin, reason: &str) {
        let mut shares = Shares::default();
        count_reason(&mut shares.of(None).refused, reason, 1);
        self.account(origin, &shares, self.now_ns());
    }
}
