//! Grants: the leave to read one tenant's data once.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use logkeep_cipher::random_bytes;
use logkeep_ingest::{BatchBuilder, CommitError, Ingest};
use logkeep_record::{Class, Record, Resource, TenantId};
use tracing::warn;

use crate::audit::{self, Action, Totals};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    address: String,
    tenant: TenantId,
}

impl Identity {
    /// Whoever sits at this machine, from a loopback address; `None` for any other address.
    pub fn local(address: std::net::IpAddr, tenant: TenantId) -> Option<Self> {
        let loopback = address.to_canonical().is_loopback();
        loopback.then(|| Self { name: "local".into(), address: address.to_string(), tenant })
    }

    /// The name in the audit trail.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the request came from.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The tenant this identity belongs to.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }
}

/// Why nothing may be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccessError {
    /// The audit trail cannot be written. Retry later.
    #[error("the audit trail cannot be written, so nothing can be read: {0}")]
    AuditUnavailable(String),
}

/// Decides and writes down.
#[derive(Clone)]
pub struct Access {
    ingest: Ingest,
    resource: Arc<Resource>,
}

impl Access {
    /// Access to what `ingest` stores; the trail is stored there too.
    pub fn new(ingest: Ingest) -> Self {
        Self { ingest, resource: audit::resource() }
    }

    /// A grant for one request, whose audit record is on its way. `subject` says what is asked for: query, range, record.
    pub fn authorize(&self, who: &Identity, action: Action, subject: &[(&'static str, String)]) -> Grant {
        let id: String = random_bytes::<12>().iter().map(|byte| format!("{byte:02x}")).collect();
        let now_ns = self.ingest.clock().now_ns();
        let record = audit::opening(now_ns, &self.resource, &id, who, action, subject);
        let opened = self.write(who.tenant(), &record).boxed().shared();
        // Polled once here so that it is under way while the answer is computed.
        tokio::spawn(opened.clone());
        Grant { access: self.clone(), tenant: who.tenant().clone(), id, opened, closed: false }
    }

    /// Hands a record to the log; the future resolves when it is durable.
    fn write(&self, tenant: &TenantId, record: &Record<'_>) -> impl Future<Output = Result<(), AccessError>> + use<> {
        let mut builder = BatchBuilder::default();
        builder.push(record);
        let batch = builder.finish();
        let (ingest, tenant) = (self.ingest.clone(), tenant.clone());
        async move {
            let unavailable = |error: String| AccessError::AuditUnavailable(error);
            let Some(batch) = batch.map_err(|error| unavailable(error.to_string()))? else { return Ok(()) };
            let stored = ingest.commit(&tenant, &Class::audit(), batch, None).await;
            stored.map(drop).map_err(|error: CommitError| unavailable(error.to_string()))
        }
    }
}

/// Leave to read one tenant's data for one request.
pub struct Grant {
    access: Access,
    tenant: TenantId,
    id: String,
    opened: Shared<BoxFuture<'static, Result<(), AccessError>>>,
    closed: bool,
}

impl Grant {
    /// Whose data may be read.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The number that its audit records share.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits until the opening audit record is durable. Nothing of an answer may leave before.
    ///
    /// # Errors
    /// [`AccessError::AuditUnavailable`]: answer 503 and nothing else.
    pub async fn release(&self) -> Result<(), AccessError> {
        self.opened.clone().await
    }

    /// Writes down what the answer amounted to.
    pub fn close(mut self, totals: Totals) {
        self.write_closing("answered", totals);
    }

    /// Writes down that the request failed.
    pub fn fail(mut self) {
        self.write_closing("failed", Totals::default());
    }

    fn write_closing(&mut self, outcome: &'static str, totals: Totals) {
        self.closed = true;
        let now_ns = self.access.ingest.clock().now_ns();
        let record = audit::closing(now_ns, &self.access.resource, &self.id, outcome, totals);
        let written = self.access.write(&self.tenant, &record);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let id = self.id.clone();
        runtime.spawn(async move {
            if let Err(error) = written.await {
                warn!(audit_id = id, %error, "the closing audit record could not be written");
            }
        });
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        if !self.closed {
            self.write_closing("abandoned", Totals::default());
        }
    }
}
