//! What waits for a second person, and their decision.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use logkeep_access::{Action, By, Identity, Request, UserName};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::outcome;
use super::ask::request_json;
use super::caller::Caller;
use super::people::done;
use super::session::body;
use super::{ApiError, AppState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    hash: String,
    decision: Decision,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Approve,
    Refuse,
}

/// Who decides, which takes a person.
pub(super) fn person(who: &Identity) -> Result<UserName, ApiError> {
    who.user().cloned().ok_or_else(|| ApiError::bad_request("only a person can do this: sign in"))
}

impl AppState {
    /// Forgets what has waited for too long, once the trail says so.
    pub(super) async fn forget_expired(&self) -> Result<(), ApiError> {
        for request in self.directory.expired_requests() {
            self.note_request("audit.approval.expired", &request, "logkeep").await?;
            // Somebody else may have noticed at the same time.
            drop(self.directory.forget_request(&request.id).await);
        }
        Ok(())
    }
}

/// `GET /api/v1/approvals`: what waits, and the key by which statements are checked.
pub(crate) async fn approvals(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let grant = state.leave(&who, Action::ListApprovals, "approvals".into()).await?;
    let (grant, ()) = outcome(grant, state.forget_expired().await).await?;
    let waiting: Vec<Value> = state.directory.requests().iter().map(request_json).collect();
    done(grant, json!({"approvals": waiting, "key": state.directory.approval_key().to_string()})).await
}

/// `POST /api/v1/approvals/{id}`: approves what somebody else has asked for, which is then done, or refuses it.
pub(crate) async fn decide(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let form = "{\"hash\": \"…\", \"decision\": \"approve\"} or \"refuse\"";
    let Decided { hash, decision } = body(&headers, &bytes, form)?;
    let word = if matches!(decision, Decision::Approve) { "approve" } else { "refuse" };
    let shown: String = id.chars().take(64).collect();
    let grant = state.leave(&who, Action::Approve, format!("approvals/{shown}: {word}")).await?;
    let (grant, ()) = outcome(grant, state.forget_expired().await).await?;
    let (grant, request) = outcome(grant, state.directory.request(&id, &hash)).await?;
    match decision {
        Decision::Approve => {
            let approved = state.approve(&request, &who).await;
            let (grant, note) = outcome(grant, approved).await?;
            state.carry_out(grant, &request.act, None, By::Statement(&note)).await
        }
        Decision::Refuse => {
            let (grant, ()) = outcome(grant, state.refuse(&request, &who).await).await?;
            done(grant, json!({})).await
        }
    }
}

impl AppState {
    /// The statement that this person approves a request, which is in the trail by then.
    async fn approve(&self, request: &Request, who: &Identity) -> Result<String, ApiError> {
        let signed = self.directory.approve(request, &person(who)?)?;
        self.note_statement(&request.act, &signed, who).await?;
        Ok(signed.note)
    }

    /// Whoever asked may take it back, too.
    async fn refuse(&self, request: &Request, who: &Identity) -> Result<(), ApiError> {
        self.note_request("audit.approval.refused", request, person(who)?.as_str()).await?;
        Ok(self.directory.forget_request(&request.id).await?)
    }
}
