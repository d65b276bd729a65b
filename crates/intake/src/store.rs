//! Batches to the log, and what to say if only some of them got there.
//!
//! One answer may stand for several batches, and each is durable or not by itself. If a later one fails, the sender is
//! told to send again, and the retry must not store the earlier ones twice: with the sender's own key each part has a key
//! derived from it; without one, the parts that were stored are remembered under the digest of the body until the retry
//! comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use logkeep_ingest::{CommitError, Committed};
use logkeep_pipeline::Place;
use logkeep_record::{Class, RecordId, TenantId};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::account::{Fate, Shares, reason};
use crate::counters::add;
use crate::origin::Origin;
use crate::prepare::{Portion, Prepared};
use crate::refusal::Refusal;

/// Between attempts to store what no sender will send again.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Bodies stored in part that are remembered; at this number all are forgotten.
const RESUMES: usize = 4_096;

/// By digest of protocol, tenant, class and body: how many parts are stored.
#[derive(Default)]
pub(crate) struct Resumes {
    stored: Mutex<HashMap<[u8; 32], usize>>,
}

impl Resumes {
    fn stored(&self, key: &[u8; 32]) -> usize {
        self.stored.lock().get(key).copied().unwrap_or(0)
    }

    fn set(&self, key: [u8; 32], parts: usize) {
        let mut stored = self.stored.lock();
        if parts == 0 {
            stored.remove(&key);
            return;
        }
        if stored.len() >= RESUMES {
            stored.clear();
        }
        stored.insert(key, parts);
    }
}

/// What became of one batch.
#[derive(Debug)]
pub(crate) enum Part {
    Stored {
        first: RecordId,
        records: usize,
    },
    /// Recognised as stored before.
    Known {
        records: usize,
    },
    NotStored {
        records: usize,
    },
}

/// What became of a request.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) parts: Vec<Part>,
    /// Which of the request's records the parts have, one part after the other; empty where that is their order.
    pub(crate) numbers: Vec<u32>,
    /// Why the parts that were not stored were not.
    pub(crate) error: Option<CommitError>,
}

impl Stored {
    pub(crate) fn stored(&self) -> usize {
        self.count(|part| if let Part::Stored { records, .. } = part { *records } else { 0 })
    }

    pub(crate) fn known(&self) -> usize {
        self.count(|part| if let Part::Known { records } = part { *records } else { 0 })
    }

    pub(crate) fn not_stored(&self) -> usize {
        self.count(|part| if let Part::NotStored { records } = part { *records } else { 0 })
    }

    fn count(&self, records: impl Fn(&Part) -> usize) -> usize {
        self.parts.iter().map(records).sum()
    }

    /// For protocols that answer a request as a whole: "later" unless all of it is durable.
    pub(crate) fn whole(self) -> Result<Self, Refusal> {
        match self.error {
            Some(error) => Err(error.into()),
            None => Ok(self),
        }
    }
}

/// Records that were not stored after all, if they could be read at all, and why.
#[derive(Debug)]
pub(crate) struct Unstored {
    pub(crate) records: usize,
    pub(crate) refusal: Refusal,
}

/// The key of one part: the first has the sender's own, so that a request of one part is known by it alone. Where
/// pipelines decide what is in which of several parts, a part is known only to the same `set` of them: with another, some
/// record could be in none that is stored.
fn part_key(key: &[u8], part: usize, set: Option<&[u8; 32]>) -> Vec<u8> {
    let set = set.map_or(&[][..], |set| &set[..]);
    if part == 0 && set.is_empty() {
        key.to_vec()
    } else {
        [key, b"\0part ", part.to_string().as_bytes(), set].concat()
    }
}

/// What of a request is counted nowhere yet.
#[derive(Default)]
struct Left {
    /// Records that are stored nowhere, by the tenant they were for.
    unstored: Vec<(TenantId, Shares)>,
    /// What goes into no batch, and the bytes.
    beside: Option<Shares>,
}

impl Intake {
    /// Makes the batches durable, one after the other, up to the first that fails. Every record is counted, and those not
    /// stored as deferred: the sender is told to send them again.
    pub(crate) async fn commit(&self, origin: &Origin, prepared: Prepared, key: Option<&[u8]>) -> Stored {
        let received_ns = self.received_ns(&prepared);
        let (stored, left) = self.attempt(origin, prepared, key, false).await;
        self.count_left(origin, &left, Fate::Deferred, received_ns);
        stored
    }

    fn received_ns(&self, prepared: &Prepared) -> i64 {
        prepared.parts.first().map_or_else(|| self.now_ns(), |part| part.batch.received_ns())
    }

    fn count_left(&self, origin: &Origin, left: &Left, fate: Fate, received_ns: i64) {
        let mut own = left.beside.clone().unwrap_or_default();
        for (tenant, shares) in &left.unstored {
            let shares = shares.became(fate);
            if *tenant == origin.tenant {
                own.merge(&shares);
            } else {
                self.account(&origin.in_tenant(tenant), &shares, received_ns);
            }
        }
        self.account(origin, &own, received_ns);
    }

    /// One attempt to store a request; `again` if we make it ourselves, and what an earlier one stored is counted.
    async fn attempt(&self, origin: &Origin, prepared: Prepared, key: Option<&[u8]>, again: bool) -> (Stored, Left) {
        let received_ns = self.received_ns(&prepared);
        let Prepared { class, parts, mut beside, fingerprint, pipelines, .. } = prepared;
        beside.of(None).bytes += origin.bytes as u64;
        let resume = fingerprint.filter(|_| key.is_none());
        let resume = resume.map(|body| resume_key(origin, &class, &body, pipelines.as_ref()));
        let set = pipelines.as_ref().filter(|_| parts.len() > 1);
        let done = resume.as_ref().map_or(0, |key| self.inner.resumes.stored(key));
        let mut left = Left { beside: (!again || done == 0).then_some(beside), ..Left::default() };
        let mut stored = Stored::default();
        let is_routed = parts.iter().any(|part| part.place != Place::default());
        for (place, Portion { batch, shares, place: to, numbers }) in parts.into_iter().enumerate() {
            let records = batch.records();
            let own = origin;
            let origin = &to.tenant.as_ref().map_or_else(|| own.clone(), |tenant| own.in_tenant(tenant));
            let is_own = origin.tenant == own.tenant;
            if is_routed {
                stored.numbers.extend(numbers);
            }
            let part = if stored.error.is_some() {
                left.unstored.push((origin.tenant.clone(), shares));
                Part::NotStored { records }
            } else if place < done {
                if !again {
                    self.account(origin, &shares.became(Fate::Known), received_ns);
                }
                Part::Known { records }
            } else {
                let mut counted = shares.became(Fate::Stored);
                left.beside.iter().filter(|_| is_own).for_each(|beside| counted.merge(beside));
                let batch = batch.counted(counted.lines(origin, received_ns));
                let key = key.map(|key| part_key(key, place, set));
                let class = to.class.as_ref().unwrap_or(&class);
                match self.inner.ingest.commit(&origin.tenant, class, batch, key.as_deref()).await {
                    Ok(Committed { first: Some(first), .. }) => {
                        self.tally(origin, &counted);
                        left.beside = left.beside.filter(|_| !is_own);
                        Part::Stored { first, records }
                    }
                    Ok(Committed { first: None, .. }) => {
                        if !again {
                            self.account(origin, &shares.became(Fate::Known), received_ns);
                        }
                        Part::Known { records }
                    }
                    Err(error) => {
                        left.unstored.push((origin.tenant.clone(), shares));
                        stored.error = Some(error);
                        Part::NotStored { records }
                    }
                }
            };
            stored.parts.push(part);
        }
        if let Some(key) = resume {
            let durable = stored.parts.iter().take_while(|part| !matches!(part, Part::NotStored { .. })).count();
            self.inner.resumes.set(key, if stored.error.is_some() { durable } else { 0 });
        }
        (stored, left)
    }

    /// Stores what `prepare` makes, trying again for as long as we run.
    ///
    /// # Errors
    /// [`Unstored`]: `prepare` can never make anything of it, or we stop and one more attempt has failed. The records are
    /// then counted as `otherwise`.
    pub(crate) async fn persist(
        &self,
        origin: &Origin,
        prepare: impl Fn() -> Result<Prepared, Refusal> + Send + Sync + 'static,
        otherwise: Fate,
        shutdown: &CancellationToken,
    ) -> Result<(), Unstored> {
        self.persist_keyed(origin, prepare, None, otherwise, shutdown).await
    }

    /// The same; with a `key` what was stored under it before is known again, also after a restart.
    pub(crate) async fn persist_keyed(
        &self,
        origin: &Origin,
        prepare: impl Fn() -> Result<Prepared, Refusal> + Send + Sync + 'static,
        key: Option<&[u8]>,
        otherwise: Fate,
        shutdown: &CancellationToken,
    ) -> Result<(), Unstored> {
        let prepare = Arc::new(prepare);
        let (mut pause, mut again) = (FIRST_PAUSE, false);
        loop {
            let work = prepare.clone();
            let prepared = self.process(move || work()).await.flatten();
            let prepared = prepared.map_err(|refusal| Unstored { records: 0, refusal })?;
            let received_ns = self.received_ns(&prepared);
            let named = prepared.sender.as_deref().map(|sender| origin.clone().called(sender));
            let origin = named.as_ref().unwrap_or(origin);
            let (stored, left) = self.attempt(origin, prepared, key, again).await;
            let records = stored.not_stored();
            let Some(error) = stored.error else {
                self.count_left(origin, &left, otherwise, received_ns);
                return Ok(());
            };
            if shutdown.is_cancelled() {
                self.count_left(origin, &left, otherwise, received_ns);
                return Err(Unstored { records, refusal: error.into() });
            }
            tracing::warn!(protocol = origin.protocol.name(), records, %error, "messages wait to be stored");
            let waiting = &self.inner.counters.of(origin.protocol).waiting;
            add(waiting, records);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            waiting.fetch_sub(records as u64, Ordering::Relaxed);
            pause = (pause * 2).min(LONGEST_PAUSE);
            again = true;
        }
    }

    /// Stores what no sender will send again; what cannot be stored is counted.
    pub(crate) async fn store_for_sure(
        &self,
        origin: &Origin,
        prepare: impl Fn() -> Result<Prepared, Refusal> + Send + Sync + 'static,
        shutdown: &CancellationToken,
    ) {
        let stored = self.persist(origin, prepare, Fate::Dropped(reason::STOPPING), shutdown).await;
        let Err(Unstored { records, refusal }) = stored else { return };
        tracing::error!(protocol = origin.protocol.name(), records, error = %refusal, "messages could not be stored");
        if records == 0 {
            self.count_refused(origin, refusal.reason());
        }
    }
}

/// The same bytes may be logs and spans.
fn resume_key(origin: &Origin, class: &Class, body: &[u8; 32], set: Option<&[u8; 32]>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for name in [origin.protocol.name(), origin.tenant.as_str(), class.as_str()] {
        hasher.update(name);
        hasher.update([0]);
    }
    hasher.update(body);
    hasher.update(set.map_or(&[][..], |set| &set[..]));
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resumes_are_bounded_and_forgotten_once_done() {
        let resumes = Resumes::default();
        for n in 0..RESUMES + 1 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&n.to_le_bytes());
            resumes.set(key, 1);
        }
        assert_eq!(resumes.stored.lock().len(), 1);
        resumes.set([9; 32], 3);
        assert_eq!(resumes.stored(&[9; 32]), 3);
        resumes.set([9; 32], 0);
        assert_eq!(resumes.stored(&[9; 32]), 0);
    }

    #[test]
    fn parts_have_keys_of_their_own() {
        let set = Some(&[7; 32]);
        assert_eq!(part_key(b"k", 0, None), b"k");
        assert_ne!(part_key(b"k", 1, None), part_key(b"k", 2, None));
        assert_ne!(part_key(b"k", 0, set), part_key(b"k", 0, Some(&[8; 32])));
        assert_ne!(part_key(b"k", 1, set), part_key(b"k", 1, None));
    }
}
