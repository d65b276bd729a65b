//! Document ids seen lately, so that a retry is not stored twice.
//!
//! Elasticsearch's senders that want exactly-once give their documents ids and send everything again when in doubt. An id is
//! claimed before its record is stored and settled after, so that the retry of a request that is still under way waits for
//! it. Ids are kept as digests for a while, the latest of them; they are durable with their records, and remembered again after
//! a restart. A request whose documents all have ids is recognised beyond that by its batch key.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use logkeep_ingest::Document;
use logkeep_record::TenantId;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

/// The first half of a SHA-256: nobody can find two documents with the same.
pub(super) type Digest = [u8; 16];

fn half(hasher: Sha256) -> Digest {
    let whole: [u8; 32] = hasher.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

/// Digest of a document's name.
pub(super) fn name(tenant: &TenantId, index: &str, id: &str) -> Digest {
    let mut hasher = Sha256::new();
    for part in [tenant.as_str(), index, id] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    half(hasher)
}

/// Digest of a document.
pub(super) fn content(source: &[u8]) -> Digest {
    half(Sha256::new_with_prefix(source))
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    content: Digest,
    /// 0 while its first version is under way.
    version: u64,
    /// When that came, nanoseconds.
    received_ns: i64,
    claimed: bool,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Digest, Entry>,
    /// Names with their versions, as they were stored.
    order: VecDeque<(Digest, u64)>,
}

/// The ids.
pub(super) struct Ids {
    table: Mutex<Table>,
    /// Versions remembered, about 100 bytes each.
    most: usize,
    /// For so many nanoseconds.
    window_ns: i64,
    /// Told whenever claims are settled.
    pub(super) settled: Notify,
}

/// What is known of an id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Claimed, to be stored as this version.
    Fresh { version: u64 },
    /// Stored before, with these bytes or others.
    Exists { version: u64, same: bool },
    /// Claimed by this very request, with these bytes or others.
    Own { same: bool },
    /// Claimed by a request under way: wait until it is settled.
    Wait,
}

/// The claims of one request, in the order of its records. Those not settled are given up when it is dropped.
pub(super) struct Claims<'i> {
    ids: &'i Ids,
    received_ns: i64,
    held: HashMap<Digest, Held>,
}

/// A version that is under way.
struct Held {
    content: Digest,
    version: u64,
}

impl Ids {
    /// With documents that were stored before, oldest first, and when each came.
    pub(super) fn new(most: usize, window: Duration, stored: Vec<(i64, Document)>) -> Self {
        let window_ns = i64::try_from(window.as_nanos()).unwrap_or(i64::MAX);
        let mut table = Table::default();
        for (received_ns, Document { name, content, version }) in stored {
            let version = u64::from(version);
            table.entries.insert(name, Entry { content, version, received_ns, claimed: false });
            table.order.push_back((name, version));
        }
        table.forget(most);
        Self { table: Mutex::new(table), most, window_ns, settled: Notify::new() }
    }

    /// For a request that came at this time.
    pub(super) fn claims(&self, received_ns: i64) -> Claims<'_> {
        Claims { ids: self, received_ns, held: HashMap::new() }
    }
}

impl Claims<'_> {
    /// Claims an id for the next record. With `create`, what exists is never replaced.
    pub(super) fn claim(&mut self, name: Digest, content: Digest, create: bool) -> Claim {
        let mut table = self.ids.table.lock();
        let Some(entry) = table.entries.get_mut(&name) else {
            let received_ns = self.received_ns;
            table.entries.insert(name, Entry { content, version: 0, received_ns, claimed: true });
            self.held.insert(name, Held { content, version: 1 });
            return Claim::Fresh { version: 1 };
        };
        if entry.claimed {
            let Some(held) = self.held.get_mut(&name) else { return Claim::Wait };
            let same = held.content == content;
            if create || same {
                return Claim::Own { same };
            }
            *held = Held { content, version: held.version + 1 };
            return Claim::Fresh { version: held.version };
        }
        let same = entry.content == content;
        let is_lately = self.received_ns.saturating_sub(entry.received_ns) <= self.ids.window_ns;
        if is_lately && (create || same) {
            return Claim::Exists { version: entry.version, same };
        }
        entry.claimed = true;
        let version = entry.version + 1;
        self.held.insert(name, Held { content, version });
        Claim::Fresh { version }
    }

    /// Gives the claims a form that does not borrow.
    pub(super) fn keep(mut self) -> Kept {
        Kept { held: std::mem::take(&mut self.held), received_ns: self.received_ns }
    }
}

impl Drop for Claims<'_> {
    fn drop(&mut self) {
        if !self.held.is_empty() {
            let kept = Kept { held: std::mem::take(&mut self.held), received_ns: self.received_ns };
            self.ids.settle(kept, false);
        }
    }
}

/// Claims that wait for their records to be stored.
pub(super) struct Kept {
    held: HashMap<Digest, Held>,
    received_ns: i64,
}

impl Kept {
    /// The documents as they will be once they are stored: of each name the latest.
    pub(super) fn documents(&self) -> Vec<Document> {
        let document = |(name, held): (&Digest, &Held)| {
            let version = u32::try_from(held.version).unwrap_or(u32::MAX);
            Document { name: *name, content: held.content, version }
        };
        self.held.iter().map(document).collect()
    }
}

impl Ids {
    /// Remembers the ids, if their records are stored, and gives them up otherwise.
    pub(super) fn settle(&self, kept: Kept, is_stored: bool) {
        let mut table = self.table.lock();
        for (name, held) in kept.held {
            let Some(entry) = table.entries.get_mut(&name) else { continue };
            entry.claimed = false;
            if is_stored {
                entry.content = held.content;
                entry.version = held.version;
                entry.received_ns = kept.received_ns;
                table.order.push_back((name, held.version));
            } else if entry.version == 0 {
                table.entries.remove(&name);
            }
        }
        table.forget(self.most);
        drop(table);
        self.settled.notify_waiters();
    }
}

impl Table {
    /// Forgets the oldest of too many. What is claimed stays, even if it is too much: each is looked at once.
    fn forget(&mut self, most: usize) {
        for _ in 0..self.order.len() {
            if self.order.len() <= most {
                break;
            }
            let Some((oldest, version)) = self.order.pop_front() else { break };
            match self.entries.get(&oldest) {
                Some(entry) if entry.claimed => self.order.push_back((oldest, version)),
                Some(entry) if entry.version == version => drop(self.entries.remove(&oldest)),
                // Another version of it came later.
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Digest = [1; 16];
    const X: Digest = [7; 16];
    const Y: Digest = [8; 16];
    const MOST: usize = 100;

    #[test]
    fn claims_settle_or_are_given_up() {
        let ids = Ids::new(MOST, Duration::from_nanos(100), vec![]);
        let mut first = ids.claims(0);
        assert_eq!(first.claim(A, X, true), Claim::Fresh { version: 1 });
        assert_eq!(first.claim(A, X, true), Claim::Own { same: true });
        assert_eq!(ids.claims(0).claim(A, X, true), Claim::Wait);
        assert_eq!(first.claim(A, Y, false), Claim::Fresh { version: 2 });
        drop(first);
        let mut second = ids.claims(0);
        assert_eq!(second.claim(A, X, false), Claim::Fresh { version: 1 }, "given up by the first");
        ids.settle(second.keep(), true);
        assert_eq!(ids.claims(0).claim(A, Y, true), Claim::Exists { version: 1, same: false });
        assert_eq!(ids.claims(0).claim(A, X, false), Claim::Exists { version: 1, same: true });
        let mut third = ids.claims(0);
        assert_eq!(third.claim(A, Y, false), Claim::Fresh { version: 2 });
        ids.settle(third.keep(), false);
        assert_eq!(ids.claims(0).claim(A, X, false), Claim::Exists { version: 1, same: true }, "as it was before");
    }

    #[test]
    fn what_was_stored_before_a_restart_is_known_for_the_rest_of_its_window() {
        let before = Ids::new(MOST, Duration::from_nanos(100), vec![]);
        let mut claims = before.claims(7);
        claims.claim(A, X, false);
        claims.claim(A, Y, false);
        let kept = claims.keep();
        let document = Document { name: A, content: Y, version: 2 };
        assert_eq!(kept.documents(), [document], "the latest of it");
        before.settle(kept, true);
        let older = Document { name: A, content: X, version: 1 };
        let after = Ids::new(MOST, Duration::from_nanos(100), vec![(3, older), (7, document)]);
        for ids in [before, after] {
            assert_eq!(ids.claims(107).claim(A, Y, true), Claim::Exists { version: 2, same: true });
            assert_eq!(ids.claims(107).claim(A, X, true), Claim::Exists { version: 2, same: false });
            assert_eq!(ids.claims(108).claim(A, Y, true), Claim::Fresh { version: 3 });
        }
        let few = Ids::new(1, Duration::MAX, vec![(3, older), (7, Document { name: X, ..document })]);
        assert_eq!(
            few.claims(8).claim(A, X, true),
            Claim::Fresh { version: 1 },
            "of too many the oldest are forgotten"
        );
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let ids = Ids::new(MOST, Duration::from_nanos(100), vec![]);
        let mut claims = ids.claims(0);
        for n in 0..=MOST {
            let mut name = [0; 16];
            name[..8].copy_from_slice(&n.to_le_bytes());
            claims.claim(name, X, true);
        }
        ids.settle(claims.keep(), true);
        assert_eq!(ids.table.lock().entries.len(), MOST);
    }

    #[test]
    fn a_document_is_new_again_after_the_window() {
        let ids = Ids::new(MOST, Duration::from_nanos(100), vec![]);
        let store = |content, at| {
            let mut claims = ids.claims(at);
            let claim = claims.claim(A, content, true);
            ids.settle(claims.keep(), true);
            claim
        };
        assert_eq!(store(X, 0), Claim::Fresh { version: 1 });
        assert_eq!(store(X, 100), Claim::Exists { version: 1, same: true });
        assert_eq!(store(X, 101), Claim::Fresh { version: 2 });
        assert_eq!(
            store(Y, 201),
            Claim::Exists { version: 2, same: false },
            "the window begins with the latest version"
        );
        assert_eq!(store(Y, 202), Claim::Fresh { version: 3 });
    }

    #[test]
    fn a_later_version_is_not_forgotten_with_an_earlier_one() {
        let ids = Ids::new(2, Duration::MAX, vec![]);
        let store = |name, content| {
            let mut claims = ids.claims(0);
            claims.claim(name, content, false);
            ids.settle(claims.keep(), true);
        };
        store(A, X);
        store(X, X);
        store(A, Y);
        assert_eq!(ids.claims(0).claim(A, Y, false), Claim::Exists { version: 2, same: true });
        store(Y, Y);
        assert_eq!(ids.claims(0).claim(X, X, false), Claim::Fresh { version: 1 }, "the oldest is forgotten");
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        let tenant = TenantId::default();
        assert_ne!(name(&tenant, "ab", "c"), name(&tenant, "a", "bc"));
    }
}
