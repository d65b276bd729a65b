//! Batches to the log, and what to say if only some of them got there.
//!
//! One answer may stand for several batches, and each is durable or not by itself. If a later one fails, the sender is
//! told to send again, and the retry must not store the earlier ones twice: with the sender's own key each part has a key
//! derived from it; without one, the parts that were stored are remembered under the digest of the body until the retry
//! comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use logkeep_ingest::CommitError;
use logkeep_record::{Class, RecordId, TenantId};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::counters::{Protocol, add};
use crate::prepare::Prepared;
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

/// The key of one part: the first has the sender's own, so that a request of one part is known by it alone.
fn part_key(key: &[u8], part: usize) -> Vec<u8> {
    if part == 0 { key.to_vec() } else { [key, b"\0part ", part.to_string().as_bytes()].concat() }
}

impl Intake {
    /// Makes the batches durable, one after the other, up to the first that fails. Every record is counted.
    pub(crate) async fn commit(
        &self,
        protocol: Protocol,
        tenant: &TenantId,
        prepared: Prepared,
        key: Option<&[u8]>,
    ) -> Stored {
        let class = prepared.class;
        let resume = prepared.fingerprint.filter(|_| key.is_none());
        let resume = resume.map(|body| resume_key(protocol, tenant, &class, &body));
        self.count_rejected(protocol, prepared.rejected);
        let done = resume.as_ref().map_or(0, |key| self.inner.resumes.stored(key));
        let mut stored = Stored::default();
        for (place, batch) in prepared.parts.into_iter().enumerate() {
            let records = batch.records();
            let part = if stored.error.is_some() {
                Part::NotStored { records }
            } else if place < done {
                Part::Known { records }
            } else {
                let key = key.map(|key| part_key(key, place));
                match self.inner.ingest.commit(tenant, &class, batch, key.as_deref()).await {
                    Ok(committed) => match committed.first {
                        Some(first) => Part::Stored { first, records },
                        None => Part::Known { records },
                    },
                    Err(error) => {
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
        self.count(protocol, &stored);
        stored
    }

    /// Stores what `prepare` makes, trying again for as long as we run.
    ///
    /// # Errors
    /// [`Unstored`]: `prepare` can never make anything of it, or we stop and one more attempt has failed.
    pub(crate) async fn persist(
        &self,
        protocol: Protocol,
        tenant: &TenantId,
        prepare: impl Fn() -> Result<Prepared, Refusal> + Send + Sync + 'static,
        shutdown: &CancellationToken,
    ) -> Result<(), Unstored> {
        let prepare = Arc::new(prepare);
        let mut pause = FIRST_PAUSE;
        loop {
            let work = prepare.clone();
            let prepared = self.process(move || work()).await.flatten();
            let prepared = prepared.map_err(|refusal| Unstored { records: 0, refusal })?;
            let stored = self.commit(protocol, tenant, prepared, None).await;
            let records = stored.not_stored();
            let Some(error) = stored.error else { return Ok(()) };
            if shutdown.is_cancelled() {
                return Err(Unstored { records, refusal: error.into() });
            }
            tracing::warn!(protocol = protocol.name(), records, %error, "messages wait to be stored");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Stores what no sender will send again; what cannot be stored is counted.
    pub(crate) async fn store_for_sure(
        &self,
        protocol: Protocol,
        tenant: &TenantId,
        prepare: impl Fn() -> Result<Prepared, Refusal> + Send + Sync + 'static,
        shutdown: &CancellationToken,
    ) {
        let Err(Unstored { records, refusal }) = self.persist(protocol, tenant, prepare, shutdown).await else {
            return;
        };
        let counts = self.inner.counters.of(protocol);
        tracing::error!(protocol = protocol.name(), records, error = %refusal, "messages could not be stored");
        add(&counts.refused, usize::from(records == 0));
        add(&counts.received, records);
        add(&counts.dropped, records);
    }

    fn count(&self, protocol: Protocol, stored: &Stored) {
        let counts = self.inner.counters.of(protocol);
        add(&counts.received, stored.stored() + stored.known() + stored.not_stored());
        add(&counts.stored, stored.stored());
        add(&counts.deduplicated, stored.known());
        add(&counts.deferred, stored.not_stored());
    }

    /// Counts records that can never be stored.
    pub(crate) fn count_rejected(&self, protocol: Protocol, records: usize) {
        let counts = self.inner.counters.of(protocol);
        add(&counts.received, records);
        add(&counts.rejected, records);
    }

    /// Counts a request of which nothing could be read.
    pub(crate) fn count_refused(&self, protocol: Protocol) {
        add(&self.inner.counters.of(protocol).refused, 1);
    }
}

/// The same bytes may be logs and spans.
fn resume_key(protocol: Protocol, tenant: &TenantId, class: &Class, body: &[u8; 32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for name in [protocol.name(), tenant.as_str(), class.as_str()] {
        hasher.update(name);
        hasher.update([0]);
    }
    hasher.update(body);
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
        assert_eq!(part_key(b"k", 0), b"k");
        assert_ne!(part_key(b"k", 1), part_key(b"k", 2));
    }
}
