//! For how long what a tenant has is kept, and what is held.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use logkeep_access::{Act, Action, By, Grant, HoldInfo, new_hold_id};
use logkeep_record::Class;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::answer::outcome;
use super::caller::Caller;
use super::people::done;
use super::session::body;
use super::{ApiError, AppState, render};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedRetention {
    class: String,
    /// Null is for ever, and must be said.
    #[serde(deserialize_with = "said")]
    days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewHold {
    reason: String,
    class: Option<String>,
}

fn said<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u32>, D::Error> {
    Option::deserialize(value)
}

fn hold_json(hold: &HoldInfo) -> Value {
    json!({
        "id": hold.id,
        "class": hold.class,
        "reason": hold.reason,
        "by": hold.by,
        "placed": render::time(hold.placed_ns),
    })
}

/// `GET /api/v1/tenants/{name}/retention`: the classes that are not kept for ever.
pub(crate) async fn retention(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let tenant = state.named_tenant(&who, Action::ListRetention, &name).await?;
    let grant = state.leave(&who, Action::ListRetention, format!("tenants/{tenant}/retention")).await?;
    let (grant, ()) = outcome(grant, state.check_tenant_is_there(&tenant)).await?;
    let row = |(class, days): (String, u32)| json!({"class": class, "days": days});
    let rows: Vec<Value> = state.directory.retention(&tenant).into_iter().map(row).collect();
    done(grant, json!({"retention": rows})).await
}

/// `PUT /api/v1/tenants/{name}/retention`: makes that of a class longer, or asks that it be made shorter.
pub(crate) async fn set_retention(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let form = "{\"class\": \"default\", \"days\": 90}, where `days` is null for ever";
    let WantedRetention { class, days } = body(&headers, &bytes, form)?;
    let tenant = state.named_tenant(&who, Action::SetRetention, &name).await?;
    let class = Class::new(&class).map_err(ApiError::bad_request)?;
    state.ask(&who, Action::SetRetention, Act::SetRetention { tenant, class, days }, None).await
}

/// `GET /api/v1/tenants/{name}/holds`.
pub(crate) async fn holds(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(name): Path<String>,
) -> Result<Response, ApiError> {
    let tenant = state.named_tenant(&who, Action::ListRetention, &name).await?;
    let grant = state.leave(&who, Action::ListRetention, format!("tenants/{tenant}/holds")).await?;
    let (grant, ()) = outcome(grant, state.check_tenant_is_there(&tenant)).await?;
    let rows: Vec<Value> = state.directory.holds(&tenant).iter().map(hold_json).collect();
    done(grant, json!({"holds": rows})).await
}

/// `POST /api/v1/tenants/{name}/holds`: from its answer on nothing that it covers is destroyed.
pub(crate) async fn place_hold(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(name): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let form = "{\"reason\": \"…\", \"class\": \"default\"}, or without `class` for all";
    let NewHold { reason, class } = body(&headers, &bytes, form)?;
    let tenant = state.named_tenant(&who, Action::PlaceHold, &name).await?;
    let act = Act::PlaceHold { hold: new_hold_id(), tenant, class, reason };
    state.ask(&who, Action::PlaceHold, act, None).await
}

/// `DELETE /api/v1/tenants/{name}/holds/{id}`: asks that it be released. Always waits for another person.
pub(crate) async fn release_hold(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path((name, hold)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let tenant = state.named_tenant(&who, Action::ReleaseHold, &name).await?;
    let hold = hold.chars().take(64).collect();
    state.ask(&who, Action::ReleaseHold, Act::ReleaseHold { hold, tenant }, None).await
}

/// What the trail and the answer say once it is done; `None` for what is about something else.
fn said_of(act: &Act) -> Option<(&'static str, Value)> {
    Some(match act {
        Act::SetRetention { tenant, class, days } => {
            let shown = json!({"tenant": tenant.as_str(), "class": class.as_str(), "days": days});
            ("audit.retention.set", shown)
        }
        Act::PlaceHold { hold, tenant, class, .. } => {
            ("audit.hold.placed", json!({"hold": hold, "tenant": tenant.as_str(), "class": class}))
        }
        Act::ReleaseHold { hold, tenant } => ("audit.hold.released", json!({"hold": hold, "tenant": tenant.as_str()})),
        _ => return None,
    })
}

impl AppState {
    /// Whether what was carried out is about what is kept.
    pub(super) fn is_about_keeping(act: &Act) -> bool {
        said_of(act).is_some()
    }

    /// Answers for what was carried out: it counts for whatever is destroyed from now on, and the trail says so. A verifier holds the trail
    /// against the catalog, so it must not say anything that is not there.
    pub(super) async fn kept(&self, grant: Grant, act: &Act, by: By<'_>) -> Result<Response, ApiError> {
        let Some((event, shown)) = said_of(act) else { return done(grant, json!({})).await };
        let taken_up = self.ingest.take_up_retention().await;
        let taken_up = taken_up.map_err(|error| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error));
        let (grant, ()) = outcome(grant, taken_up).await?;
        let mut subject = vec![("audit.object", act.to_string())];
        subject.extend(shown["hold"].as_str().map(|hold| ("audit.hold", hold.to_owned())));
        if let By::One(Some(user)) = by {
            subject.push(("enduser.id", user.to_string()));
        }
        let noted = self.access.note(event, act.to_string(), subject).await.map_err(ApiError::from);
        let (grant, ()) = outcome(grant, noted).await?;
        done(grant, shown).await
    }
}
