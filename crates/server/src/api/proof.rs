//! The proof of one record (docs/formats/record-proof.md).

use axum::extract::{Path, State};
use axum::response::Response;
use logkeep_query::Seal;
use serde_json::json;

use super::answer::{JSON, answered, release};
use super::caller::Caller;
use super::search::{Parameters, existing, record_id};
use super::{ApiError, AppState};

/// When it is worth asking again: checkpoints are published every second while there is something new.
const RETRY_AFTER_S: u64 = 1;

pub(crate) async fn proof(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let parsed = record_id(&id)?;
    let grant = state.grant(&who, &params, &format!("logs/{id}/proof")).await?;
    let budget = state.query.budget();
    let found = state.query.proof(&grant, &parsed, &budget).await;
    let (grant, seal) = existing(answered(grant, found, &budget).await?, &id).await?;
    match seal {
        Seal::Proof(file) => release(grant, file, JSON, 1).await,
        Seal::Pending => {
            let body = json!({
                "format": "logkeep-record-proof", "version": 1, "state": "pending", "id": parsed.to_string(),
                "retry_after_s": RETRY_AFTER_S,
                "message": "the record is stored and durable; the next signed checkpoint covers it",
            });
            release(grant, body.to_string(), JSON, 0).await
        }
    }
}
