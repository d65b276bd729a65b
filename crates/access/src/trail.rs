//! The audit trail: how its records get into the log.
//!
//! Nothing may leave before an opening record is durable, so it is encoded and committed on a thread of its own while the
//! answer is computed. For a closing record nobody waits: it rides with the next opening of its tenant, or goes alone a
//! moment later, and so costs no sync of its own where many ask.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use logkeep_ingest::{BatchBuilder, Ingest};
use logkeep_record::{Class, Resource, TenantId};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tracing::warn;

use crate::AccessError;
use crate::audit::{self, Closing, Note, Opening};

/// How long a closing record may wait for company.
pub(crate) const LINGER: Duration = Duration::from_millis(50);
/// How long until a closing record that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Trail {
    pub(crate) ingest: Ingest,
    resource: Arc<Resource>,
    linger: Duration,
    /// By tenant; one is left out once nobody watches it.
    waiting: Mutex<HashMap<TenantId, Waiting>>,
}

/// Closing records that are not in the log yet.
struct Waiting {
    records: Vec<Closing>,
    /// Until when they may wait for company.
    due: Instant,
    /// A task is there that writes them when they are due.
    is_watched: bool,
}

impl Waiting {
    fn until(due: Instant) -> Self {
        Self { records: Vec::new(), due, is_watched: false }
    }
}

impl Trail {
    pub(crate) fn new(ingest: Ingest, linger: Duration) -> Arc<Self> {
        Arc::new(Self { ingest, resource: audit::resource(), linger, waiting: Mutex::default() })
    }

    /// Begins to write an opening record at once; the future resolves when it is durable.
    pub(crate) fn open(
        self: &Arc<Self>,
        tenant: TenantId,
        opening: Opening,
    ) -> impl Future<Output = Result<(), AccessError>> + use<> {
        let (trail, runtime) = (self.clone(), Handle::current());
        // A task would wait until this one, which goes on to plan and scan, lets its thread go.
        let written = runtime.clone().spawn_blocking(move || runtime.block_on(trail.write(&tenant, Some(&opening))));
        async move { written.await.unwrap_or_else(|stopped| Err(AccessError::AuditUnavailable(stopped.to_string()))) }
    }

    /// Sees to it that a closing record is written soon.
    pub(crate) fn close(self: &Arc<Self>, tenant: &TenantId, closing: Closing) {
        self.write_later(tenant, vec![closing], self.linger);
    }

    fn write_later(self: &Arc<Self>, tenant: &TenantId, mut closings: Vec<Closing>, after: Duration) {
        let due = Instant::now() + after;
        let mut waiting = self.waiting.lock();
        let all = waiting.entry(tenant.clone()).or_insert_with(|| Waiting::until(due));
        if all.records.is_empty() {
            all.due = due;
        }
        all.records.append(&mut closings);
        // Without a runtime the process is ending, or nothing is served: `flush` writes what is left.
        let (false, Ok(runtime)) = (all.is_watched, Handle::try_current()) else { return };
        all.is_watched = true;
        runtime.spawn(self.clone().watch(tenant.clone()));
    }

    /// Writes what waits when it is due. What rode with an opening meanwhile is not waited for, and what came after that has
    /// its own time.
    async fn watch(self: Arc<Self>, tenant: TenantId) {
        while let Some(due) = self.due(&tenant) {
            if Instant::now() < due {
                tokio::time::sleep_until(due).await;
            } else {
                // Why it failed was said, and the records wait again.
                drop(self.write(&tenant, None).await);
            }
        }
    }

    /// When what waits has to be written; `None` if nothing does, and then nobody watches.
    fn due(&self, tenant: &TenantId) -> Option<Instant> {
        let mut waiting = self.waiting.lock();
        let due = waiting.get(tenant).filter(|all| !all.records.is_empty()).map(|all| all.due);
        if due.is_none() {
            waiting.remove(tenant);
        }
        due
    }

    fn take(&self, tenant: &TenantId) -> Vec<Closing> {
        self.waiting.lock().get_mut(tenant).map(|all| std::mem::take(&mut all.records)).unwrap_or_default()
    }

    /// Writes every closing record that waits.
    pub(crate) async fn flush(self: &Arc<Self>) {
        let tenants: Vec<TenantId> = self.waiting.lock().keys().cloned().collect();
        for tenant in tenants {
            drop(self.write(&tenant, None).await);
        }
    }

    /// Writes an opening record and the closing ones that wait.
    async fn write(self: &Arc<Self>, tenant: &TenantId, opening: Option<&Opening>) -> Result<(), AccessError> {
        let closings = self.take(tenant);
        let written = self.commit(tenant, &closings, opening).await;
        if let (Err(error), false) = (&written, closings.is_empty()) {
            warn!(%tenant, %error, records = closings.len(), "closing audit records could not be written yet");
            self.write_later(tenant, closings, RETRY);
        }
        written
    }

    async fn commit(
        &self,
        tenant: &TenantId,
        closings: &[Closing],
        opening: Option<&Opening>,
    ) -> Result<(), AccessError> {
        let mut builder = BatchBuilder::default();
        closings.iter().for_each(|closing| builder.push(&closing.record(&self.resource)));
        opening.iter().for_each(|opening| builder.push(&opening.record(&self.resource)));
        self.commit_built(tenant, builder).await
    }

    /// Writes a note; it is durable when this returns.
    pub(crate) async fn note(&self, tenant: &TenantId, note: &Note) -> Result<(), AccessError> {
        let mut builder = BatchBuilder::default();
        builder.push(&note.record(&self.resource));
        self.commit_built(tenant, builder).await
    }

    async fn commit_built(&self, tenant: &TenantId, builder: BatchBuilder) -> Result<(), AccessError> {
        let unavailable = |error: String| AccessError::AuditUnavailable(error);
        let Some(batch) = builder.finish().map_err(|error| unavailable(error.to_string()))? else { return Ok(()) };
        let stored = self.ingest.commit(tenant, &Class::audit(), batch, None).await;
        stored.map(drop).map_err(|error| unavailable(error.to_string()))
    }
}
