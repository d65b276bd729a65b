//! Keys of batches that were stored, by which a retry is known.
//!
//! A key is known for exactly as long as [`Dedupe::window`] says, unless more batches than [`Dedupe::batches`] came in that time:
//! then the oldest are forgotten first. Each is also in the write-ahead log or the catalog, so that a restart forgets none.

use std::collections::HashMap;
use std::time::Duration;

use logkeep_catalog::BatchKey;
use logkeep_record::TenantId;
use tracing::warn;

use crate::state::ClassKey;

/// For how long, and of how many batches, keys are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dedupe {
    /// A batch that came longer ago is new when it comes again.
    pub window: Duration,
    /// Of how many batches at most, those of all tenants together; about 60 bytes of memory each.
    pub batches: usize,
    /// Of how many documents at most, likewise.
    pub documents: usize,
}

impl Default for Dedupe {
    fn default() -> Self {
        Self { window: Duration::from_secs(24 * 3600), batches: 1 << 20, documents: 1 << 18 }
    }
}

impl Dedupe {
    /// The first moment that is still within the window.
    pub(crate) fn since_ns(&self, now_ns: i64) -> i64 {
        now_ns.saturating_sub(i64::try_from(self.window.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// The keys.
#[derive(Default)]
pub(crate) struct BatchKeys {
    received_ns: HashMap<TenantId, HashMap<[u8; 32], i64>>,
    /// Those of batches that are only in the write-ahead log so far, with the number of the batch.
    live: HashMap<ClassKey, Vec<(u64, BatchKey)>>,
    /// From when on there are keys, here and in the catalog.
    kept_since_ns: i64,
}

impl BatchKeys {
    /// Those of the catalog, which came at or after `since_ns`.
    pub(crate) fn since(since_ns: i64, keys: Vec<(TenantId, BatchKey)>) -> Self {
        let mut all = Self { kept_since_ns: since_ns, ..Self::default() };
        keys.into_iter().for_each(|(tenant, key)| all.remember(tenant, &key));
        all
    }

    /// Of a batch in the write-ahead log.
    pub(crate) fn add(&mut self, class: &ClassKey, number: u64, key: BatchKey) {
        self.remember(class.0.clone(), &key);
        self.live.entry(class.clone()).or_default().push((number, key));
    }

    fn remember(&mut self, tenant: TenantId, key: &BatchKey) {
        self.received_ns.entry(tenant).or_default().insert(key.hmac, key.received_ns);
    }

    /// Whether a batch with this key came at or after `since_ns`.
    pub(crate) fn knows(&self, tenant: &TenantId, hmac: &[u8; 32], since_ns: i64) -> bool {
        self.received_ns.get(tenant).and_then(|keys| keys.get(hmac)).is_some_and(|received_ns| *received_ns >= since_ns)
    }

    /// The same, of a batch of whatever tenant: the key says for whom it is.
    pub(crate) fn knows_anywhere(&self, hmac: &[u8; 32], since_ns: i64) -> bool {
        self.received_ns.keys().any(|tenant| self.knows(tenant, hmac, since_ns))
    }

    /// Those of the batches up to `last`, for the transaction that takes them out of the log.
    pub(crate) fn up_to(&self, class: &ClassKey, last: u64) -> Vec<BatchKey> {
        let live = self.live.get(class).into_iter().flatten();
        live.filter(|(number, _)| *number <= last).map(|(_, key)| key.clone()).collect()
    }

    /// After that transaction.
    pub(crate) fn flushed(&mut self, class: &ClassKey, last: u64) {
        if let Some(live) = self.live.get_mut(class) {
            live.retain(|(number, _)| *number > last);
        }
    }

    /// Forgets what is too old and what is too much, and returns from when on the catalog is to keep keys; `None` while there
    /// is too little to forget for looking at all of them: a twenty-fourth of the window, or an eighth of what there may be.
    pub(crate) fn forget(&mut self, dedupe: Dedupe, now_ns: i64) -> Option<i64> {
        let mut since_ns = dedupe.since_ns(now_ns);
        let step_ns = i64::try_from(dedupe.window.as_nanos() / 24).unwrap_or(i64::MAX);
        let crowded = self.len() > dedupe.batches;
        if !crowded && since_ns.saturating_sub(self.kept_since_ns) < step_ns {
            return None;
        }
        if crowded {
            since_ns = since_ns.max(self.latest(dedupe.batches - dedupe.batches / 8));
            warn!(
                since_ns,
                "more than `dedupe.batches` batches came within `dedupe.window`: a retry of what came before this is not known"
            );
        }
        self.received_ns.values_mut().for_each(|keys| keys.retain(|_, received_ns| *received_ns >= since_ns));
        self.received_ns.retain(|_, keys| !keys.is_empty());
        self.kept_since_ns = since_ns;
        Some(since_ns)
    }

    fn len(&self) -> usize {
        self.received_ns.values().map(HashMap::len).sum()
    }

    /// From when on there are `count` keys at most.
    fn latest(&self, count: usize) -> i64 {
        let mut times: Vec<i64> = self.received_ns.values().flat_map(|keys| keys.values().copied()).collect();
        let Some(before) = times.len().checked_sub(count + 1) else { return i64::MIN };
        let (_, last_forgotten, _) = times.select_nth_unstable(before);
        last_forgotten.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use logkeep_record::Class;

    use super::*;

    fn key(name: u8, received_ns: i64) -> BatchKey {
        BatchKey { hmac: [name; 32], received_ns }
    }

    fn known(keys: &BatchKeys, since_ns: i64) -> Vec<u8> {
        (0..=20).filter(|name| keys.knows(&TenantId::default(), &[*name; 32], since_ns)).collect()
    }

    #[test]
    fn a_key_is_known_exactly_within_the_window() {
        let dedupe = Dedupe { window: Duration::from_nanos(100), batches: 10, documents: 0 };
        let mut keys = BatchKeys::since(900, vec![(TenantId::default(), key(1, 1_000))]);
        assert_eq!(known(&keys, dedupe.since_ns(1_100)), [1]);
        assert_eq!(known(&keys, dedupe.since_ns(1_101)), [0; 0]);
        assert!(!keys.knows(&TenantId::new("other").unwrap(), &[1; 32], 0), "of another tenant");
        assert!(keys.knows_anywhere(&[1; 32], 1_000) && !keys.knows_anywhere(&[1; 32], 1_001));

        assert_eq!(keys.forget(dedupe, 1_100), Some(1_000), "and what is within it stays");
        assert_eq!(known(&keys, 0), [1]);
        assert_eq!(keys.forget(dedupe, 1_103), None, "to look at all of them does not pay yet");
        assert_eq!(keys.forget(dedupe, 1_104), Some(1_004));
        assert_eq!(known(&keys, 0), [0; 0]);

        keys.remember(TenantId::default(), &key(1, 2_000));
        keys.remember(TenantId::default(), &key(1, 2_050));
        assert_eq!(known(&keys, dedupe.since_ns(2_150)), [1], "stored again, it counts from then");
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let dedupe = Dedupe { window: Duration::from_nanos(1_000), batches: 16, documents: 0 };
        let mut keys = BatchKeys::default();
        for name in 0..=15 {
            keys.remember(TenantId::default(), &key(name, 1_000 + i64::from(name)));
        }
        keys.forget(dedupe, 1_100);
        assert_eq!(known(&keys, 0).len(), 16);
        keys.remember(TenantId::default(), &key(16, 1_016));
        assert_eq!(keys.forget(dedupe, 1_100), Some(1_003));
        assert_eq!(known(&keys, 0), (3..=16).collect::<Vec<u8>>());

        let mut same = BatchKeys::default();
        for name in 0..=16 {
            same.remember(TenantId::default(), &key(name, 1_000));
        }
        same.forget(dedupe, 1_100);
        assert_eq!(known(&same, 0), [0; 0], "there are never more than that");
    }

    #[test]
    fn keys_in_the_log_go_to_the_catalog() {
        let class = (TenantId::default(), Class::default());
        let mut keys = BatchKeys::default();
        for number in 0..3 {
            keys.add(&class, u64::from(number), key(number, 10));
        }
        assert_eq!(keys.up_to(&class, 1), [key(0, 10), key(1, 10)]);
        keys.flushed(&class, 1);
        assert_eq!(keys.up_to(&class, 5), [key(2, 10)]);
        assert_eq!(known(&keys, 0), [0, 1, 2]);
    }
}
