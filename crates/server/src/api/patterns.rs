//! Message templates: which there are, how many records have each, and what they leave open.

use axum::extract::State;
use axum::response::Response;
use logkeep_query::exec::{Bucket, Dataset, Pattern, Variable};
use serde_json::{Map, Value, json};

use super::answer::{JSON, answered, outcome, release, stats};
use super::caller::Caller;
use super::search::{Parameters, counts};
use super::{ApiError, AppState};

/// Templates of one answer unless `limit` says otherwise, and at most.
const LIMIT: (usize, usize) = (100, 1_000);
/// Services that are named with a template.
const SERVICES: usize = 10;
/// Values of one variable unless `limit` says otherwise, and at most.
const VALUES: (usize, usize) = (10, 100);

/// `GET /api/v1/patterns`.
pub(crate) async fn patterns(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let selection = params.selection(Dataset::Logs)?;
    let (limit, buckets) = (params.count("limit", LIMIT.0, LIMIT.1)?, params.count("buckets", 30, 200)?);
    let compare: bool = params.get("compare", false)?;
    let shown: fn(&Pattern) -> bool = match (params.text("show"), compare) {
        ("" | "all", _) => |pattern| pattern.count > 0,
        ("new", true) => |pattern| pattern.count > 0 && pattern.before == 0,
        ("gone", true) => |pattern| pattern.count == 0,
        ("new" | "gone", false) => return Err(ApiError::bad_request("`show` needs `compare=true`")),
        (other, _) => {
            return Err(ApiError::bad_request(format!("`show` is `{other}`; it must be `all`, `new` or `gone`")));
        }
    };
    let range = selection.range;
    let grant = state.grant(&who, &params, "patterns").await?;
    let budget = state.query.budget();
    let found = state.query.patterns(&grant, &selection, buckets, compare, &budget).await;
    let (grant, found) = answered(grant, found, &budget).await?;
    let of_range = |of: fn(&Pattern) -> bool| found.patterns.iter().filter(|pattern| of(pattern)).count();
    let all: Vec<&Pattern> = found.patterns.iter().filter(|pattern| shown(pattern)).collect();
    let body = json!({
        "from_ns": range.start_ns().to_string(),
        "to_ns": range.end_ns().to_string(),
        "first_ns": found.grid_ns.0.to_string(),
        "bucket_ns": found.grid_ns.1.to_string(),
        "total": found.total,
        "without": found.without,
        "others": found.others,
        "templates": of_range(|pattern| pattern.count > 0),
        "new": compare.then(|| of_range(|pattern| pattern.count > 0 && pattern.before == 0)),
        "gone": compare.then(|| of_range(|pattern| pattern.count == 0)),
        "patterns": all.iter().take(limit).map(|one| pattern(one, compare)).collect::<Vec<_>>(),
        "more": all.len().saturating_sub(limit),
        "stats": stats(&budget),
    });
    release(grant, body.to_string(), JSON, all.len().min(limit) as u64).await
}

fn pattern(one: &Pattern, compare: bool) -> Value {
    let severity = Bucket { start_ns: 0, severity: one.severity };
    let severity: Map<String, Value> =
        severity.families().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    let service = |(name, count): &(String, u64)| json!({"service": name, "count": count});
    json!({
        "id": one.id.map(|id| id.to_string()),
        "template": one.template.to_string(),
        "count": one.count,
        "before": compare.then_some(one.before),
        "severity": severity,
        "services": one.services.iter().filter(|(_, count)| *count > 0 || one.count == 0).take(SERVICES).map(service).collect::<Vec<_>>(),
        "more_services": one.services.len().saturating_sub(SERVICES),
        "first_ns": one.times_ns.0.to_string(),
        "last_ns": one.times_ns.1.to_string(),
        "first_seen_ns": one.first_seen_ns.map(|time| time.to_string()),
        "series": one.series,
        "example": one.example.as_ref().map(|(id, body)| json!({"id": id.to_string(), "body": body})),
    })
}

/// `GET /api/v1/patterns/parameters?template=`.
pub(crate) async fn parameters(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let selection = params.selection(Dataset::Logs)?;
    let limit = params.count("limit", VALUES.0, VALUES.1)?;
    let grant = state.grant(&who, &params, "patterns/parameters").await?;
    let is_asked = selection.template.is_some();
    let missing = || ApiError::bad_request("`template` is missing: the id or the text of one");
    let (grant, ()) = outcome(grant, is_asked.then_some(()).ok_or_else(missing)).await?;
    let budget = state.query.budget();
    let found = state.query.parameters(&grant, &selection, limit, &budget).await;
    let (grant, found) = answered(grant, found, &budget).await?;
    let Some(found) = found else {
        let what = format!("no template is known by `{}`", params.text("template"));
        let (_, never) = outcome(grant, Err(ApiError::not_found(what))).await?;
        return never;
    };
    let variable =
        |one: &Variable| json!({"kind": one.kind.mark(), "values": counts(&one.top), "more_values": one.many});
    let body = json!({
        "template": found.template.to_string(),
        "total": found.total,
        "otherwise": found.otherwise,
        "variables": found.variables.iter().map(variable).collect::<Vec<_>>(),
        "stats": stats(&budget),
    });
    let rows = found.variables.iter().map(|one| one.top.len() as u64).sum();
    release(grant, body.to_string(), JSON, rows).await
}
