//! One trace: its spans, and the records of logs that carry its id.

use axum::extract::{Path, State};
use axum::response::Response;
use logkeep_record::TraceId;
use serde_json::json;

use super::answer::{JSON, answered, outcome, release, stats};
use super::caller::Caller;
use super::search::{Parameters, records, spans_json};
use super::{ApiError, AppState};

/// Spans of one answer unless `spans` says otherwise, and at most.
const SPANS: (usize, usize) = (10_000, 50_000);
/// Likewise records of logs.
const LOGS: (usize, usize) = (1_000, 10_000);

pub(crate) async fn trace(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(text): Path<String>,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let id = TraceId::from_hex(&text).ok_or_else(|| {
        ApiError::bad_request("a trace id is 1 to 32 hexadecimal digits, not all of them zero; shorter ones are padded")
    })?;
    let (spans, logs) = (params.count("spans", SPANS.0, SPANS.1)?, params.count("logs", LOGS.0, LOGS.1)?);
    let grant = state.grant(&who, &params, &format!("traces/{id}")).await?;
    let budget = state.query.budget();
    let trace = state.query.trace(&grant, id, spans, logs, &budget).await;
    let (grant, trace) = answered(grant, trace, &budget).await?;
    let rows = trace.spans.records.len() + trace.logs.records.len();
    if rows == 0 {
        grant.release().await?;
        let message = format!("no span and no record carries the trace id `{id}`, or they have been destroyed");
        return Err(ApiError::not_found(message));
    }
    let mut out = format!("{{\"trace_id\":\"{id}\",\"spans\":");
    let rendered = (|| {
        spans_json(&trace.spans.records, &mut out)?;
        out.push_str(",\"logs\":");
        records(&trace.logs.records, &mut out)
    })();
    let (grant, ()) = outcome(grant, rendered).await?;
    let rest = json!({"more_spans": trace.spans.more, "more_logs": trace.logs.more, "stats": stats(&budget)});
    out.push(',');
    out.push_str(&rest.to_string()[1..]);
    release(grant, out, JSON, rows as u64).await
}
