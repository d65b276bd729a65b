//! The first look: all services, and what has changed, in one answer.

use axum::extract::State;
use axum::response::Response;
use logkeep_query::overview::{
    ALL_SLOTS, Change, Counts, MOST_CHANGES, NewestError, Overview, SLOTS, ServiceOverview, Share, What,
};
use serde_json::{Map, Value, json};

use super::answer::{JSON, answered, release, stats};
use super::caller::Caller;
use super::search::Parameters;
use super::{ApiError, AppState, render};

/// Services of one answer unless `limit` says otherwise, and at most.
const LIMIT: (usize, usize) = (100, 500);

pub(crate) async fn overview(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (range, limit) = (params.range()?, params.count("limit", LIMIT.0, LIMIT.1)?);
    let grant = state.grant(&who, &params, "overview").await?;
    let budget = state.query.budget();
    let found = state.query.overview(&grant, range, limit, &budget).await;
    let (grant, found) = answered(grant, found, &budget).await?;
    let partial = found.missing.as_ref().map(|missing| json!({"reason": missing.reason, "missing": missing.what}));
    let compared = found.compared.map(|slots| {
        let seconds = |slots: u64| slots as f64 * found.grid.slot_ns as f64 / 1e9;
        json!({"from_ns": found.grid.first_ns.to_string(), "seconds": seconds(slots.before), "seconds_now": seconds(slots.now)})
    });
    let changes: Vec<Value> = found.changes.iter().take(MOST_CHANGES).map(|one| change(one, &found)).collect();
    let body = json!({
        "from_ns": range.start_ns().to_string(),
        "to_ns": range.end_ns().to_string(),
        "bucket_ns": found.grid.slot_ns.to_string(),
        "compared": compared,
        "changes": changes,
        "more_changes": found.changes.len().saturating_sub(MOST_CHANGES),
        "services": found.services.iter().map(service).collect::<Vec<_>>(),
        "more": found.more,
        "partial": partial,
        "stats": stats(&budget),
    });
    release(grant, body.to_string(), JSON, found.services.len() as u64).await
}

fn service(one: &ServiceOverview) -> Value {
    let (counts, errors) = one.counted();
    let [before, now] = halves(counts, errors);
    let mut out = Map::from_iter([
        ("service".to_owned(), json!(one.name)),
        ("counted".to_owned(), json!(counted(one))),
        ("count".to_owned(), json!(now.of)),
        ("errors".to_owned(), json!(now.errors)),
        ("before".to_owned(), json!({"count": before.of, "errors": before.errors})),
        ("records".to_owned(), json!(one.records[SLOTS..].iter().sum::<u64>())),
        ("error_records".to_owned(), json!(one.error_records[SLOTS..].iter().sum::<u64>())),
        ("duration_ms".to_owned(), Value::Null),
        ("measured_by".to_owned(), Value::Null),
        ("series".to_owned(), json!({"counts": &counts[SLOTS..], "errors": &errors[SLOTS..]})),
        ("newest_error".to_owned(), one.newest_error.as_ref().map_or(Value::Null, newest_error)),
    ]);
    if let Some(requests) = &one.requests {
        let [p50, p95, p99] = requests.duration_ms[1];
        out.insert("duration_ms".to_owned(), json!({"p50": p50, "p95": p95, "p99": p99}));
        out.insert("measured_by".to_owned(), json!(requests.measured_by.name()));
    }
    Value::Object(out)
}

fn counted(one: &ServiceOverview) -> &'static str {
    if one.requests.is_some() { "requests" } else { "records" }
}

fn halves(counts: &Counts, errors: &Counts) -> [Share; 2] {
    [0..SLOTS, SLOTS..ALL_SLOTS]
        .map(|slots| Share { errors: errors[slots.clone()].iter().sum(), of: counts[slots].iter().sum() })
}

fn newest_error(error: &NewestError) -> Value {
    json!({
        "time": render::time(error.time_ns),
        "time_ns": error.time_ns.to_string(),
        "kind": if error.is_span { "span" } else { "record" },
        "id": error.id.to_string(),
        "text": error.text,
        "trace_id": error.trace_id.map(|id| id.to_string()),
        "span_id": error.span_id.map(|id| id.to_string()),
    })
}

fn change(change: &Change, found: &Overview) -> Value {
    let share = |share: &Share| json!({"errors": share.errors, "of": share.of});
    let seconds = found.grid.slot_ns as f64 / 1e9;
    let (kind, mut out) = match &change.what {
        What::Errors { before, now } => ("errors", json!({"before": share(before), "now": share(now)})),
        What::Latency { percentile, before_ms, now_ms } => {
            ("latency", json!({"percentile": percentile, "before_ms": before_ms, "now_ms": now_ms}))
        }
        What::Silent { slots, expected } => {
            let since_ns = found.grid.start_ns(ALL_SLOTS - usize::try_from(*slots).unwrap_or(0));
            let seconds = *slots as f64 * seconds;
            ("silent", json!({"since_ns": since_ns.to_string(), "seconds": seconds, "expected": expected}))
        }
        What::New { first, count } => {
            ("new", json!({"since_ns": found.grid.start_ns(*first).to_string(), "count": count}))
        }
        What::Pattern { id, template, first_ns, count } => {
            let id = id.map(|id| id.to_string());
            (
                "pattern",
                json!({"id": id, "template": template, "since_ns": first_ns.to_string(), "count": share(count)}),
            )
        }
        What::Volume { before, now } => ("volume", json!({"before_rate": before / seconds, "now_rate": now / seconds})),
    };
    let known = found.services.iter().find(|one| Some(&one.name) == change.service.as_ref());
    out["kind"] = json!(kind);
    out["service"] = json!(change.service);
    // What the counts are of: of a service that is not in the list any more, whatever came of it.
    let is_of_records = matches!(change.what, What::Pattern { .. });
    out["counted"] = json!(known.filter(|_| !is_of_records).map_or("records", counted));
    out
}
