//! What is done to a tenant as a whole.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use logkeep_access::{Act, Action, Grant};
use logkeep_record::{Class, TenantId};
use serde_json::json;

use super::answer::outcome;
use super::caller::Caller;
use super::people::done;
use super::{ApiError, AppState};

/// The tenant of the server's own log, which goes on as long as there is a server.
const OWN: &str = "logkeep";

/// `DELETE /api/v1/tenants/{name}/keys`: asks that every key of what a tenant has be destroyed. Always waits for another person.
pub(crate) async fn destroy_keys(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    match TenantId::new(&name) {
        Ok(tenant) => state.ask(&who, Action::DestroyKeys, Act::DestroyKeys { tenant }, None).await,
        Err(error) => {
            let shown: String = name.chars().take(64).collect();
            let grant = state.leave(&who, Action::DestroyKeys, format!("tenants/{shown}")).await?;
            outcome(grant, Err(ApiError::bad_request(error))).await.map(|(_, never)| never)
        }
    }
}

impl AppState {
    /// Whether there is such a tenant, for whoever has leave to ask.
    pub(super) fn check_act(&self, act: &Act) -> Result<(), ApiError> {
        let Act::DestroyKeys { tenant } = act else { return Ok(()) };
        if tenant.as_str() == OWN {
            let what =
                format!("the tenant `{OWN}` has the server's own log, which goes on: its keys cannot be destroyed");
            return Err(ApiError::conflict(what));
        }
        let snapshot = self.ingest.snapshot();
        let has_data =
            || snapshot.logs_of(tenant).next().is_some() || snapshot.class(tenant, &Class::spans()).is_some();
        let is_there = self.intake.has_tenant(tenant) || has_data();
        if is_there { Ok(()) } else { Err(ApiError::not_found(format!("there is no tenant `{tenant}`"))) }
    }

    /// Carries out what was ordered. The order is durable: whatever happens now, it is done.
    pub(super) async fn destroy(&self, grant: Grant, tenant: &TenantId) -> Result<Response, ApiError> {
        let (grant, ()) = outcome(grant, self.destroyer.take_up().await).await?;
        let destroyed = self.destroyer.destroy(tenant).await.map_err(|what| {
            let what = format!("what `{tenant}` has is not taken in or read any more, and not all of it is destroyed yet, which is tried again: {what}");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", what)
        });
        let (grant, statement) = outcome(grant, destroyed).await?;
        done(grant, json!({"tenant": tenant.as_str(), "statement": statement})).await
    }
}
