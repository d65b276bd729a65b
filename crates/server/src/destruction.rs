//! Carrying out what was ordered to be destroyed, and saying that it is done, also of what went by its age.
//!
//! Whoever approved it waits for the end of it, and it goes on if they do not. What an earlier server left is done by the next.

use std::sync::Arc;
use std::time::Duration;

use logkeep_access::{Access, Directory};
use logkeep_catalog::CatalogError;
use logkeep_ingest::{Expired, Ingest};
use logkeep_query::QueryEngine;
use logkeep_record::TenantId;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

const RETRY: Duration = Duration::from_secs(5);

/// Destroys, one tenant at a time.
#[derive(Clone)]
pub(crate) struct Destroyer {
    ingest: Ingest,
    access: Access,
    query: QueryEngine,
    directory: Arc<Directory>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Destroyer {
    pub(crate) fn new(ingest: Ingest, access: Access, query: QueryEngine, directory: Arc<Directory>) -> Self {
        Self { ingest, access, query, directory, turn: Arc::default() }
    }

    /// Takes up the orders that the catalog has. From then on nothing of their tenants is stored or read.
    pub(crate) async fn take_up(&self) -> Result<(), CatalogError> {
        self.ingest.take_up_destructions().await
    }

    /// Destroys what this tenant has, which was ordered, and gives the statement once the audit trail has it. It goes on if nobody
    /// waits for it.
    ///
    /// # Errors
    /// What stood in the way: it is tried again.
    pub(crate) async fn destroy(&self, tenant: &TenantId) -> Result<String, String> {
        let (this, tenant) = (self.clone(), tenant.clone());
        let done = tokio::spawn(async move { this.destroy_and_tell(&tenant).await }).await;
        done.unwrap_or_else(|stopped| Err(stopped.to_string()))
    }

    async fn destroy_and_tell(&self, tenant: &TenantId) -> Result<String, String> {
        let _turn = self.turn.lock().await;
        let said = |error: &dyn std::fmt::Display| error.to_string();
        // They may quote what they look for. Before the rest: that leaves nothing of what was deleted in the files.
        self.directory.forget_views(tenant).await.map_err(|error| said(&error))?;
        let statement = self.ingest.destroy(tenant).await.map_err(|error| said(&error))?;
        self.query.forget_all();
        if self.ingest.unfinished_destructions().await.map_err(|error| said(&error))?.contains(tenant) {
            self.tell(tenant, &statement).await.map_err(|error| said(&error))?;
            self.ingest.destruction_is_told(tenant).await.map_err(|error| said(&error))?;
            info!(%tenant, "what a tenant had is destroyed");
        }
        Ok(statement)
    }

    async fn tell(&self, tenant: &TenantId, statement: &str) -> Result<(), logkeep_access::AccessError> {
        let mut subject = vec![
            ("audit.action", "destroy_keys".to_owned()),
            ("audit.object", format!("tenants/{tenant}")),
            ("audit.statement", statement.to_owned()),
        ];
        let mut body = format!("all keys of the tenant `{tenant}` are destroyed");
        if let Some(by) = self.ingest.destruction(tenant) {
            body.push_str(&format!(", as {} asked for and {} approved", by.requester, by.approver));
            subject.extend([("audit.request", by.approval.clone()), ("audit.requester", by.requester.clone())]);
        }
        self.access.note("audit.keys.destroyed", body, subject).await
    }

    /// Has the trail say what was destroyed by its age, and forgets what was read of it before.
    async fn tell_expiries(&self) -> Result<(), String> {
        for expired in self.ingest.untold_expiries() {
            self.query.forget_all();
            let Expired { tenant, class, statement } = &expired;
            let subject = vec![
                ("audit.action", "retention".to_owned()),
                ("audit.object", format!("tenants/{tenant}: `{class}`")),
                ("audit.statement", statement.clone()),
            ];
            let body = format!("what `{tenant}` had in `{class}` for longer than its retention is destroyed");
            let told = self.access.note("audit.retention.destroyed", body, subject).await;
            told.map_err(|error| error.to_string())?;
            self.ingest.expiry_is_told(expired).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Does what is left to do, until nothing is.
    pub(crate) async fn finish(self, stop: CancellationToken) {
        loop {
            match self.finish_once().await {
                Ok(()) => {}
                Err(what) => error!(what, "what was ordered to be destroyed is not yet: it is tried again"),
            }
            if tokio::time::timeout(RETRY, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    async fn finish_once(&self) -> Result<(), String> {
        // Whoever had it ordered may have gone before it was taken up.
        self.take_up().await.map_err(|error| error.to_string())?;
        for tenant in self.ingest.unfinished_destructions().await.map_err(|error| error.to_string())? {
            self.destroy(&tenant).await.map_err(|what| format!("tenant `{tenant}`: {what}"))?;
        }
        self.tell_expiries().await
    }
}
