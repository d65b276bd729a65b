//! What is done to a tenant as a whole.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use logkeep_access::{Act, Action, Grant, Identity};
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
    let tenant = state.named_tenant(&who, Action::DestroyKeys, &name).await?;
    state.ask(&who, Action::DestroyKeys, Act::DestroyKeys { tenant }, None).await
}

impl AppState {
    /// The tenant of this name. What is no name is said to those only who may ask.
    pub(super) async fn named_tenant(&self, who: &Identity, action: Action, name: &str) -> Result<TenantId, ApiError> {
        match TenantId::new(name) {
            Ok(tenant) => Ok(tenant),
            Err(error) => {
                let shown: String = name.chars().take(64).collect();
                let grant = self.leave(who, action, format!("tenants/{shown}")).await?;
                outcome(grant, Err(ApiError::bad_request(error))).await.map(|(_, never)| never)
            }
        }
    }

    /// Whether something can be asked about this tenant, for whoever has leave to ask.
    pub(super) fn check_act(&self, act: &Act) -> Result<(), ApiError> {
        match act {
            Act::DestroyKeys { tenant } if tenant.as_str() == OWN => {
                let what =
                    format!("the tenant `{OWN}` has the server's own log, which goes on: its keys cannot be destroyed");
                Err(ApiError::conflict(what))
            }
            Act::DestroyKeys { tenant } | Act::SetRetention { tenant, .. } => self.check_tenant_is_there(tenant),
            Act::PlaceHold { tenant, class, .. } => {
                self.check_tenant_is_there(tenant)?;
                class.as_ref().map_or(Ok(()), |class| self.check_class_is_there(tenant, class))
            }
            _ => Ok(()),
        }
    }

    /// Whoever misspells a class would believe that it is held.
    fn check_class_is_there(&self, tenant: &TenantId, class: &str) -> Result<(), ApiError> {
        let class = Class::new(class).map_err(ApiError::bad_request)?;
        if self.ingest.snapshot().class(tenant, &class).is_some() {
            return Ok(());
        }
        Err(ApiError::not_found(format!(
            "the tenant `{tenant}` has nothing in a class `{class}`: nothing would be held"
        )))
    }

    pub(super) fn check_tenant_is_there(&self, tenant: &TenantId) -> Result<(), ApiError> {
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
