//! Breaking the glass, and looking at what was done.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use logkeep_access::{Action, GlassInfo};
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::error;

use super::answer::outcome;
use super::approvals::person;
use super::caller::Caller;
use super::people::done;
use super::session::body;
use super::{ApiError, AppState, render};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    reason: String,
    minutes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    note: String,
}

fn glass_json(glass: &GlassInfo) -> Value {
    let review = glass.review.as_ref();
    json!({
        "id": glass.id,
        "user": glass.user.as_str(),
        "reason": glass.reason,
        "began": render::time(glass.began_ns),
        "ends": render::time(glass.ends_ns),
        "active": glass.is_active,
        "overdue": glass.is_overdue,
        "review": review.map(|review| json!({
            "by": review.by.as_str(), "note": review.note, "at": render::time(review.at_ns),
        })),
    })
}

impl AppState {
    /// Writes into the trail what becomes of a broken glass, which is before it does.
    async fn note_glass(&self, event: &'static str, id: &str, who: &str, text: String) -> Result<(), ApiError> {
        let subject = vec![
            ("enduser.id", who.to_owned()),
            ("audit.object", format!("break-glass/{id}")),
            ("audit.break_glass", id.to_owned()),
        ];
        Ok(self.access.note(event, text, subject).await?)
    }

    /// Writes down those that are over.
    async fn close_glasses(&self) -> Result<(), ApiError> {
        let is_over = |glass: &GlassInfo| !glass.is_active && !glass.is_closed;
        for glass in self.directory.glasses().into_iter().filter(is_over) {
            let text = format!("what {} could do by breaking the glass is over", glass.user);
            self.note_glass("audit.break_glass.ended", &glass.id, glass.user.as_str(), text).await?;
            self.directory.end_glass(&glass.id).await?;
        }
        Ok(())
    }
}

/// `GET /api/v1/break-glass`: who has broken the glass, and who has looked at it.
pub(crate) async fn glasses(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let grant = state.leave(&who, Action::ListApprovals, "break-glass".into()).await?;
    let (grant, ()) = outcome(grant, state.close_glasses().await).await?;
    let shown: Vec<Value> = state.directory.glasses().iter().map(glass_json).collect();
    done(grant, json!({"break_glass": shown})).await
}

/// `POST /api/v1/break-glass`: what administrators and analysts may, for some minutes.
pub(crate) async fn break_glass(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let Wanted { reason, minutes } = body(&headers, &bytes, "{\"reason\": \"…\", \"minutes\": 15}")?;
    let grant = state.leave(&who, Action::BreakGlass, format!("break-glass: {minutes} minutes")).await?;
    let (grant, glass) = outcome(grant, state.directory.new_glass(&who, &reason, minutes)).await?;
    let text = format!("{} breaks the glass for {minutes} minutes: {}", who.name(), glass.reason());
    let noted = state.note_glass("audit.break_glass.began", &glass.id, who.name(), text).await;
    let (grant, ()) = outcome(grant, noted).await?;
    let shown = json!({"id": glass.id, "ends": render::time(glass.ends_ns())});
    error!(
        user = who.name(),
        id = glass.id,
        minutes,
        reason = glass.reason(),
        "somebody has broken the glass: review what they do"
    );
    let (grant, ()) = outcome(grant, state.directory.break_glass(glass).await).await?;
    done(grant, shown).await
}

/// `DELETE /api/v1/break-glass`: the caller has done what they had to.
pub(crate) async fn end(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let grant = state.leave(&who, Action::BreakGlass, "break-glass: end".into()).await?;
    let broken = who.broken_glass().ok_or_else(|| ApiError::conflict("you have not broken the glass, or not any more"));
    let (grant, id) = outcome(grant, broken).await?;
    let text = format!("{} has ended what they could do by breaking the glass", who.name());
    let (grant, ()) = outcome(grant, state.note_glass("audit.break_glass.ended", id, who.name(), text).await).await?;
    let (grant, ()) = outcome(grant, state.directory.end_glass(id).await).await?;
    done(grant, json!({})).await
}

/// `POST /api/v1/break-glass/{id}/review`: somebody else has looked at what was done.
pub(crate) async fn review(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let Reviewed { note } = body(&headers, &bytes, "{\"note\": \"…\"}")?;
    let shown: String = id.chars().take(64).collect();
    let grant = state.leave(&who, Action::Review, format!("break-glass/{shown}: review")).await?;
    let (grant, ()) = outcome(grant, state.close_glasses().await).await?;
    let checked = person(&who).and_then(|reviewer| Ok(state.directory.check_review(&id, &note, &reviewer)?));
    let (grant, review) = outcome(grant, checked).await?;
    let text = format!("{} has reviewed it: {}", who.name(), review.note);
    let (grant, ()) =
        outcome(grant, state.note_glass("audit.break_glass.reviewed", &id, who.name(), text).await).await?;
    let (grant, ()) = outcome(grant, state.directory.review_glass(&id, review).await).await?;
    done(grant, json!({})).await
}
