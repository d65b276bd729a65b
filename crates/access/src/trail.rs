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
    /// Closing records that are not in the log yet. Whoever puts in a tenant's first sees to it that they get there.
    waiting: Mutex<HashMap<TenantId, Vec<Closing>>>,
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
        let mut waiting = self.waiting.lock();
        let all = waiting.entry(tenant.clone()).or_default();
        let is_first = all.is_empty();
        all.append(&mut closings);
        // Without a runtime the process is ending, or nothing is served: `flush` writes what is left.
        let (true, Ok(runtime)) = (is_first, Handle::try_current()) else { return };
        let (trail, tenant) = (self.clone(), tenant.clone());
        runtime.spawn(async move {
            tokio::time::sleep(after).await;
            // Why it failed was said, and the records wait again.
            drop(trail.write(&tenant, None).await);
        });
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
        let closings = self.waiting.lock().remove(tenant).unwrap_or_default();
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
