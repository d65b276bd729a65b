//! Batches to the log.
//!
//! A request is durable as a whole or not at all, however many batches it makes and wherever pipelines send them. So a sender
//! that is told to send again repeats nothing that is stored, and one whose answer was lost is known by its key whatever the
//! pipelines have become.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use logkeep_ingest::{CommitError, Document, Part};
use logkeep_pipeline::Place;
use logkeep_record::{RecordId, TenantId};
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

/// A request that is durable.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The first record of each batch, and how many it has; `None` if the request was recognised as stored before.
    pub(crate) parts: Option<Vec<(RecordId, usize)>>,
    /// How many records there are in all batches.
    pub(crate) records: usize,
    /// Which of the request's records the batches have, one batch after the other; empty where that is their order.
    pub(crate) numbers: Vec<u32>,
}

impl Stored {
    /// Records stored now.
    pub(crate) fn stored(&self) -> usize {
        if self.parts.is_some() { self.records } else { 0 }
    }

    /// Records that were stored before.
    pub(crate) fn known(&self) -> usize {
        self.records - self.stored()
    }
}

/// Records that were not stored after all, if they could be read at all, and why.
#[derive(Debug)]
pub(crate) struct Unstored {
    pub(crate) records: usize,
    pub(crate) refusal: Refusal,
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
    /// Makes a request durable. Every record is counted; those of a request that is not stored as deferred: its sender is told
    /// to send it again.
    pub(crate) async fn commit(
        &self,
        origin: &Origin,
        prepared: Prepared,
        key: Option<&[u8]>,
    ) -> Result<Stored, CommitError> {
        self.commit_documents(origin, prepared, key, Vec::new()).await
    }

    /// The same, of a request with documents that are to be known again one by one.
    pub(crate) async fn commit_documents(
        &self,
        origin: &Origin,
        prepared: Prepared,
        key: Option<&[u8]>,
        documents: Vec<Document>,
    ) -> Result<Stored, CommitError> {
        let received_ns = self.received_ns(&prepared);
        let (stored, left) = self.attempt(origin, prepared, key, documents).await;
        let fate = stored.as_ref().err().and_then(lost).unwrap_or(Fate::Deferred);
        self.count_left(origin, &left, fate, received_ns);
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

    /// One attempt to store a request.
    async fn attempt(
        &self,
        origin: &Origin,
        prepared: Prepared,
        key: Option<&[u8]>,
        documents: Vec<Document>,
    ) -> (Result<Stored, CommitError>, Left) {
        let received_ns = self.received_ns(&prepared);
        let Prepared { class, parts, mut beside, .. } = prepared;
        beside.of(None).bytes += origin.bytes as u64;
        let mut stored = Stored::default();
        let is_routed = parts.iter().any(|part| part.place != Place::default());
        // What goes into no batch is counted with the first that stays.
        let mut not_told = Some(&beside);
        let (mut batches, mut sizes, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        for Portion { batch, shares, place, numbers } in parts {
            let tenant = place.tenant.unwrap_or_else(|| origin.tenant.clone());
            let class = place.class.unwrap_or_else(|| class.clone());
            let of = origin.in_tenant(&tenant);
            let mut counted = shares.became(Fate::Stored);
            not_told.take_if(|_| tenant == origin.tenant).into_iter().for_each(|beside| counted.merge(beside));
            sizes.push(batch.records());
            let batch = batch.counted(counted.lines(&of, received_ns));
            counts.push((of, shares, counted));
            batches.push(Part { tenant, class, batch });
            if is_routed {
                stored.numbers.extend(numbers);
            }
        }
        let is_told = not_told.is_none();
        stored.records = sizes.iter().sum();
        match self.inner.ingest.commit_request(&origin.tenant, batches, key, documents).await {
            Ok(Some(firsts)) => {
                counts.iter().for_each(|(of, _, counted)| self.tally(of, counted));
                stored.parts = Some(firsts.into_iter().zip(sizes).collect());
                (Ok(stored), Left { beside: (!is_told).then_some(beside), unstored: Vec::new() })
            }
            Ok(None) => {
                counts.iter().for_each(|(of, shares, _)| self.account(of, &shares.became(Fate::Known), received_ns));
                (Ok(stored), Left { beside: Some(beside), unstored: Vec::new() })
            }
            Err(error) => {
                let unstored = counts.into_iter().map(|(of, shares, _)| (of.tenant, shares)).collect();
                (Err(retried(origin, error)), Left { beside: Some(beside), unstored })
            }
        }
    }

    /// Stores what `prepare` makes, trying again for as long as we run.
    ///
    /// # Errors
    /// [`Unstored`]: `prepare` can never make anything of it; or we stop and one more attempt has failed, and the records are counted
    /// as `otherwise`; or all that the tenant had was destroyed, of which only who is told to send again (`Fate::Deferred`) must know.
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
        let mut pause = FIRST_PAUSE;
        loop {
            let work = prepare.clone();
            let prepared = self.process(move || work()).await.flatten();
            let prepared = prepared.map_err(|refusal| Unstored { records: 0, refusal })?;
            let received_ns = self.received_ns(&prepared);
            let redactor = &self.inner.options.redactor;
            let named = prepared.sender.as_deref().map(|sender| origin.clone().called(&redactor.masked(sender)));
            let origin = named.as_ref().unwrap_or(origin);
            let records = prepared.parts.iter().map(|part| part.batch.records()).sum();
            let (stored, left) = self.attempt(origin, prepared, key, Vec::new()).await;
            let Err(error) = stored else {
                self.count_left(origin, &left, otherwise, received_ns);
                return Ok(());
            };
            if let Some(fate) = lost(&error) {
                self.count_left(origin, &left, fate, received_ns);
                // Of a sender that is never answered the ledger says it all.
                let is_answered = matches!(otherwise, Fate::Deferred);
                return if is_answered { Err(Unstored { records, refusal: error.into() }) } else { Ok(()) };
            }
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

/// What became of records that nobody will ever take.
fn lost(error: &CommitError) -> Option<Fate> {
    matches!(error, CommitError::Destroyed(_)).then_some(Fate::Dropped(reason::DESTROYED))
}

/// That another tenant than the sender's own was destroyed meanwhile is nothing to the sender: the next attempt leaves it out.
fn retried(origin: &Origin, error: CommitError) -> CommitError {
    match error {
        CommitError::Destroyed(tenant) if tenant != origin.tenant => {
            CommitError::Unavailable(format!("what the tenant `{tenant}` had was destroyed meanwhile"))
        }
        error => error,
    }
}
