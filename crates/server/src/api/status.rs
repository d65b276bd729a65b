//! What the server is and has, and whether it is well.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use logkeep_access::Action;
use serde_json::{Value, json};

use super::answer::{JSON, release};
use super::caller::Caller;
use super::{ApiError, AppState, render};
use crate::findings::{Finding, of_people};
use crate::listen::{Receiver, Transport};

pub(crate) async fn status(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let grant = state.access.authorize(&who, Action::Status, &[("audit.object", "status".to_owned())]).await?;
    let extent = state.query.extent(&grant);
    let bounds = extent.and_then(|(_, bounds)| bounds);
    let receivers: Vec<_> = state
        .receivers
        .iter()
        .map(|receiver| {
            json!({
                "protocol": receiver.protocol,
                "address": receiver.address.map(|address| address.to_string()),
                "state": receiver.state.as_str(),
                "tls": matches!(receiver.transport, Transport::Tls(_)),
                "client_certificates": match receiver.transport {
                    Transport::Tls(clients) => clients,
                    Transport::Plaintext => "off",
                },
                "exposed": receiver.is_exposed(),
                "senders": receiver.senders.as_str(),
            })
        })
        .collect();
    let of_listeners = state.receivers.iter().flat_map(Receiver::findings);
    let findings: Vec<_> =
        of_listeners.chain(of_people(&state.directory)).map(|finding| finding_json(&finding)).collect();
    let is_encrypted = state.receivers.first().is_some_and(|main| main.transport != Transport::Plaintext);
    let scheme = if is_encrypted { "https" } else { "http" };
    let example = format!(
        "curl -sS {scheme}://{}/api/v1/ingest/ndjson --data-binary '{{\"message\":\"hello from curl\",\"service\":\"my-service\",\"level\":\"info\"}}'",
        state.main
    );
    let body = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "tenant": grant.tenant().as_str(),
        "records": extent.map(|(records, _)| records),
        "oldest_ns": bounds.map(|(oldest, _)| oldest.to_string()),
        "newest_ns": bounds.map(|(_, newest)| newest.to_string()),
        "started": render::time(state.started_ns),
        "receivers": receivers,
        "findings": findings,
        "ingest_example": example,
    });
    release(grant, body.to_string(), JSON, 1).await
}

fn finding_json(finding: &Finding) -> Value {
    json!({"code": finding.code, "listener": finding.listener, "text": finding.text})
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
