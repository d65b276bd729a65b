//! Services with their rate, errors and durations, and who calls whom.

use axum::extract::State;
use axum::response::Response;
use logkeep_access::Grant;
use logkeep_query::exec::{Budget, Dataset};
use logkeep_query::{Edge, Figures, Mtls, SeenBy, Service};
use logkeep_record::TimeRange;
use serde_json::{Map, Value, json};

use super::answer::{JSON, answered, release, stats};
use super::caller::Caller;
use super::search::Parameters;
use super::{ApiError, AppState};

/// Services, or edges, of one answer unless `limit` says otherwise, and at most.
const LIMIT: (usize, usize) = (100, 1_000);

pub(crate) async fn services(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (selection, limit) = (params.selection(Dataset::Spans)?, params.count("limit", LIMIT.0, LIMIT.1)?);
    let grant = state.grant(&who, &params, "services").await?;
    let budget = state.query.budget();
    let found = state.query.services(&grant, &selection, limit, &budget).await;
    let (grant, found) = answered(grant, found, &budget).await?;
    let seconds = seconds(&selection.range);
    let service = |service: &Service| {
        let mut out = Map::from_iter([("service".to_owned(), json!(service.name))]);
        figures("requests", &service.figures, seconds, &mut out);
        Value::Object(out)
    };
    answer(grant, ("services", found.items.iter().map(service).collect()), found.more, &selection.range, &budget).await
}

pub(crate) async fn graph(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (selection, limit) = (params.selection(Dataset::Spans)?, params.count("limit", LIMIT.0, LIMIT.1)?);
    let grant = state.grant(&who, &params, "graph").await?;
    let budget = state.query.budget();
    let found = state.query.graph(&grant, &selection, limit, &budget).await;
    let (grant, found) = answered(grant, found, &budget).await?;
    let seconds = seconds(&selection.range);
    let edge = |edge: &Edge| {
        let ends = [("caller", json!(edge.caller)), ("callee", json!(edge.callee)), ("traced", json!(edge.traced))];
        let mut out = Map::from_iter(ends.map(|(name, value)| (name.to_owned(), value)));
        figures("calls", &edge.figures, seconds, &mut out);
        let mesh = json!({"caller": edge.caller_mesh, "callee": edge.callee_mesh});
        out.extend([("mesh".to_owned(), mesh), ("mtls".to_owned(), edge.mtls.as_ref().map_or(Value::Null, mtls))]);
        Value::Object(out)
    };
    answer(grant, ("edges", found.items.iter().map(edge).collect()), found.more, &selection.range, &budget).await
}

async fn answer(
    grant: Grant,
    (name, items): (&str, Vec<Value>),
    more: bool,
    range: &TimeRange,
    budget: &Budget,
) -> Result<Response, ApiError> {
    let rows = items.len() as u64;
    let body = json!({
        name: items,
        "from_ns": range.start_ns().to_string(),
        "to_ns": range.end_ns().to_string(),
        "seconds": seconds(range),
        "more": more,
        "stats": stats(budget),
    });
    release(grant, body.to_string(), JSON, rows).await
}

/// Length of the range of time, by which counts become rates.
fn seconds(range: &TimeRange) -> f64 {
    (range.end_ns() as f64 - range.start_ns() as f64) / 1e9
}

fn figures(counted: &str, figures: &Figures, seconds: f64, out: &mut Map<String, Value>) {
    let per = |whole: f64| if whole > 0.0 { 1.0 / whole } else { 0.0 };
    let [p50, p95, p99] = figures.duration_ms;
    out.extend([
        (counted.to_owned(), json!(figures.count)),
        ("rate".to_owned(), json!(figures.count as f64 * per(seconds))),
        ("errors".to_owned(), json!(figures.errors)),
        ("error_ratio".to_owned(), json!(figures.errors as f64 * per(figures.count as f64))),
        ("duration_ms".to_owned(), json!({"p50": p50, "p95": p95, "p99": p99})),
        ("measured_by".to_owned(), json!(figures.measured_by.name())),
        ("seen_by".to_owned(), SeenBy::ALL.iter().zip(figures.seen_by).map(|(by, count)| (by.name(), count)).collect()),
    ]);
}

fn mtls(mtls: &Mtls) -> Value {
    let counts = Mtls::STATES.into_iter().zip(mtls.counts).map(|(state, count)| (state.to_owned(), json!(count)));
    Value::Object(Map::from_iter([("state".to_owned(), json!(mtls.state()))].into_iter().chain(counts)))
}
