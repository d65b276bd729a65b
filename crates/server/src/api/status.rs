//! What the server is and has, and whether it is well.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use logkeep_access::Action;
use serde_json::json;

use super::answer::{JSON, release};
use super::{ApiError, AppState, render};

pub(crate) async fn status(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
) -> Result<Response, ApiError> {
    let grant =
        state.access.authorize(&state.identity(peer)?, Action::Status, &[("audit.object", "status".to_owned())]);
    let (records, bounds) = state.query.extent(&grant);
    let receivers: Vec<_> = state
        .receivers
        .iter()
        .map(|receiver| {
            json!({"protocol": receiver.protocol, "address": receiver.address.map(|address| address.to_string()), "state": receiver.state.as_str()})
        })
        .collect();
    let example = format!(
        "curl -sS http://{}/api/v1/ingest/ndjson --data-binary '{{\"message\":\"hello from curl\",\"service\":\"my-service\",\"level\":\"info\"}}'",
        state.main
    );
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "tenant": grant.tenant().as_str(),
        "records": records,
        "oldest_ns": bounds.map(|(oldest, _)| oldest.to_string()),
        "newest_ns": bounds.map(|(_, newest)| newest.to_string()),
        "started": render::time(state.started_ns),
        "receivers": receivers,
        "ingest_example": example,
    });
    release(grant, body.to_string(), JSON, 1).await
}

/// The process runs.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// The process takes requests.
pub(crate) async fn readyz(State(state): State<AppState>) -> Response {
    if state.stop.is_cancelled() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response()
    } else {
        "ready\n".into_response()
    }
}
