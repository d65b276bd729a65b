//! Views of the console that were saved for everybody of a tenant.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use logkeep_access::{Action, Grant, Identity, SavedView, ViewText};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::outcome;
use super::caller::Caller;
use super::people::done;
use super::session::body;
use super::{ApiError, AppState, render};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    #[serde(default)]
    description: String,
    address: String,
}

const FORM: &str = "{\"name\": \"…\", \"description\": \"…\", \"address\": \"/logs?q=…\"}";

fn wanted(headers: &HeaderMap, bytes: &Bytes) -> Result<ViewText, ApiError> {
    let Wanted { name, description, address } = body(headers, bytes, FORM)?;
    Ok(ViewText { name, description, address })
}

fn view_json(id: &str, view: &SavedView, who: &Identity) -> Value {
    json!({
        "id": id,
        "name": view.text.name,
        "description": view.text.description,
        "address": view.text.address,
        "owner": view.owner,
        "own": view.owner == who.account(),
        "created": render::time(view.created_ns),
        "changed": render::time(view.changed_ns),
    })
}

impl AppState {
    /// Leave to do something to views, which is in the trail of their tenant with what is said of them before it is done.
    async fn leave_to_save(
        &self,
        who: &Identity,
        action: Action,
        what: String,
        text: &ViewText,
    ) -> Result<Grant, ApiError> {
        let subject = [("audit.object", what), ("audit.text", format!("{}: {}", text.name, text.address))];
        let grant = self.access.authorize(who, action, &subject).await?;
        grant.release().await?;
        Ok(outcome(grant, self.query.check_there(who.tenant())).await?.0)
    }

    /// The same of one that there is: one's own, or that of another. Who may change their own alone is not told which others there are.
    async fn leave_to_change(
        &self,
        who: &Identity,
        id: &str,
        how: &str,
        text: Option<&ViewText>,
    ) -> Result<Grant, ApiError> {
        let known = self.directory.view(who.tenant(), id).await.ok();
        let is_own = known.as_ref().is_some_and(|view| view.owner == who.account());
        let action = if is_own { Action::SaveViews } else { Action::ManageViews };
        let none = ViewText { name: String::new(), description: String::new(), address: String::new() };
        let text = text.or(known.as_ref().map(|view| &view.text)).unwrap_or(&none);
        let shown: String = id.chars().take(64).collect();
        self.leave_to_save(who, action, format!("views/{shown}: {how}"), text).await
    }
}

/// `GET /api/v1/views`: what was saved, by name.
pub(crate) async fn views(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let grant = state.leave(&who, Action::ListViews, "views".into()).await?;
    let (grant, ()) = outcome(grant, state.query.check_there(who.tenant())).await?;
    let (grant, views) = outcome(grant, state.directory.views(who.tenant()).await).await?;
    let shown: Vec<Value> = views.iter().map(|(id, view)| view_json(id, view, &who)).collect();
    done(grant, json!({"views": shown})).await
}

/// `POST /api/v1/views`: saves one.
pub(crate) async fn save(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let text = wanted(&headers, &bytes)?;
    let grant = state.leave_to_save(&who, Action::SaveViews, "views: save".into(), &text).await?;
    let (grant, id) = outcome(grant, state.directory.save_view(who.tenant(), who.account(), text).await).await?;
    done(grant, json!({"id": id})).await
}

/// `PUT /api/v1/views/{id}`: another name, description or place.
pub(crate) async fn change(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let text = wanted(&headers, &bytes)?;
    let grant = state.leave_to_change(&who, &id, "change", Some(&text)).await?;
    let (grant, ()) = outcome(grant, state.directory.change_view(who.tenant(), &id, text).await).await?;
    done(grant, json!({})).await
}

/// `DELETE /api/v1/views/{id}`.
pub(crate) async fn remove(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let grant = state.leave_to_change(&who, &id, "delete", None).await?;
    let (grant, ()) = outcome(grant, state.directory.delete_view(who.tenant(), &id).await).await?;
    done(grant, json!({})).await
}
