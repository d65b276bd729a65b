//! Counts over time, by severity and by the values of a field.

use axum::extract::State;
use axum::response::Response;
use logkeep_access::Identity;
use logkeep_query::Selection;
use logkeep_query::exec::{Bucket, Budget, Group, Histogram};
use logkeep_record::TimeRange;
use serde_json::json;

use super::answer::{JSON, answered, release, stats};
use super::caller::Caller;
use super::params::Params;
use super::search::Parameters;
use super::{ApiError, AppState};

/// Values of a field that can be told apart at most.
const MOST_GROUPS: usize = 20;

pub(crate) async fn histogram(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (selection, buckets) = (params.selection(params.dataset()?)?, params.count("buckets", 60, 1_000)?);
    if !params.text("by").is_empty() {
        return split(state, who, params, selection, buckets).await;
    }
    let range = selection.range;
    let grant = state.grant(&who, &params, "histogram").await?;
    let budget = state.query.budget();
    let histogram = state.query.histogram(&grant, &selection, buckets, &budget).await;
    let (grant, histogram) = answered(grant, histogram, &budget).await?;
    let body = over_time(&range, &histogram, &budget);
    release(grant, body.to_string(), JSON, histogram.buckets.len() as u64).await
}

/// A histogram by the values of a field.
async fn split(
    state: AppState,
    who: Identity,
    params: Params,
    selection: Selection,
    buckets: usize,
) -> Result<Response, ApiError> {
    let (field, top) = (params.text("by").to_owned(), params.count("top", 10, MOST_GROUPS)?);
    let range = selection.range;
    let grant = state.grant(&who, &params, &format!("histogram by {field}")).await?;
    let budget = state.query.budget();
    let split = state.query.split(&grant, &selection, &field, (buckets, top), &budget).await;
    let (grant, split) = answered(grant, split, &budget).await?;
    let part = |counts: &[u64]| json!({"count": counts.iter().sum::<u64>(), "counts": counts});
    let group = |group: &Group| json!({"value": group.value, "count": group.total(), "counts": group.counts});
    let mut body = over_time(&range, &split.histogram, &budget);
    body["by"] = json!({
        "field": field,
        "groups": split.groups.iter().map(group).collect::<Vec<_>>(),
        "other": part(&split.other),
        "missing": part(&split.missing),
        "many": split.many,
    });
    let rows = split.histogram.buckets.len() * (split.groups.len() + 1);
    release(grant, body.to_string(), JSON, rows as u64).await
}

fn over_time(range: &TimeRange, histogram: &Histogram, budget: &Budget) -> serde_json::Value {
    let bucket = |bucket: &Bucket| {
        let severity: serde_json::Map<String, serde_json::Value> =
            bucket.families().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
        json!({"start_ns": bucket.start_ns.to_string(), "total": bucket.total(), "severity": severity})
    };
    json!({
        "from_ns": range.start_ns().to_string(),
        "to_ns": range.end_ns().to_string(),
        "bucket_ns": histogram.bucket_ns.to_string(),
        "total": histogram.buckets.iter().map(Bucket::total).sum::<u64>(),
        "buckets": histogram.buckets.iter().map(bucket).collect::<Vec<_>>(),
        "stats": stats(budget),
    })
}
