//! From a computed answer to bytes that may leave.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use logkeep_access::{Grant, Totals};
use logkeep_query::exec::{Budget, QueryError};
use serde_json::{Value, json};

use super::ApiError;

/// Lets an answer go: the opening audit record must be durable first, the closing one says how much it was.
pub(crate) async fn release(
    grant: Grant,
    body: impl Into<Vec<u8>>,
    content_type: &'static str,
    rows: u64,
) -> Result<Response, ApiError> {
    let body = body.into();
    let totals = Totals { rows, bytes: body.len() as u64 };
    grant.release().await?;
    if let Err(error) = grant.export(totals).await {
        grant.withhold();
        return Err(error.into());
    }
    grant.close(totals);
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

pub(crate) const JSON: &str = "application/json";

/// Gives the result of what was granted, or writes down that it failed. An error is an answer, too: it may quote what was
/// read, so it leaves no sooner than any other.
pub(crate) async fn outcome<T, E: Into<ApiError>>(grant: Grant, result: Result<T, E>) -> Result<(Grant, T), ApiError> {
    match result {
        Ok(value) => Ok((grant, value)),
        Err(error) => {
            let released = grant.release().await;
            grant.fail();
            Err(released.map_or_else(Into::into, |()| error.into()))
        }
    }
}

/// The same of a question, whose error says what it did where it was for its budget.
pub(crate) async fn answered<T>(
    grant: Grant,
    result: Result<T, QueryError>,
    budget: &Budget,
) -> Result<(Grant, T), ApiError> {
    outcome(grant, result.map_err(|error| with_stats(error, budget))).await
}

/// An error that says what the question did where its budget was spent.
fn with_stats(error: QueryError, budget: &Budget) -> ApiError {
    match error {
        QueryError::OverTime(_) | QueryError::OverMemory => ApiError::from(error).and("stats", stats(budget)),
        error => error.into(),
    }
}

/// What the query did, as `stats`; null where that would tell of what the asker may not see.
pub(crate) fn stats(budget: &Budget) -> Value {
    let stats = budget.stats();
    json!({
        "elapsed_ms": (budget.elapsed().as_micros() as f64) / 1000.0,
        "scanned_rows": stats.map(|stats| stats.scanned_rows),
        "scanned_bytes": stats.map(|stats| stats.scanned_bytes),
        "segments": stats.map(|stats| stats.segments),
        "segments_pruned": stats.map(|stats| stats.segments_pruned),
    })
}
