//! How the records of a search differ from those before, or from all others.

use axum::extract::State;
use axum::response::Response;
use logkeep_query::compared_range;
use logkeep_query::exec::{Dataset, FieldDifference, ValueDifference, With};
use serde_json::{Value, json};

use super::answer::{JSON, answered, release, stats};
use super::caller::Caller;
use super::params::Params;
use super::search::Parameters;
use super::{ApiError, AppState};

/// Fields of one answer unless `limit` says otherwise, and at most; and likewise values of each.
const FIELDS: (usize, usize) = (20, 100);
const VALUES: (usize, usize) = (5, 50);

fn with(params: &Params) -> Result<With, ApiError> {
    match params.text("with") {
        "" | "before" => Ok(With::Before),
        "rest" if params.text("q").trim().is_empty() && params.text("template").is_empty() => {
            Err(ApiError::bad_request("without `q` or `template` there is no rest to compare with; give one of them"))
        }
        "rest" => Ok(With::Rest),
        other => Err(ApiError::bad_request(format!("`with` is `{other}`; it must be `before` or `rest`"))),
    }
}

fn value(one: &ValueDifference) -> Value {
    json!({"value": one.value, "count": one.counts[0], "other": one.counts[1]})
}

fn field(one: &FieldDifference) -> Value {
    json!({
        "field": one.name,
        "count": one.has[0],
        "other": one.has[1],
        "values": one.values.iter().map(value).collect::<Vec<_>>(),
        "more": one.more,
        "not_counted": {"count": one.others[0], "other": one.others[1]},
    })
}

pub(crate) async fn compare(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (selection, with) = (params.selection(Dataset::Logs)?, with(&params)?);
    let most = (params.count("limit", FIELDS.0, FIELDS.1)?, params.count("values", VALUES.0, VALUES.1)?);
    let (range, other) = (selection.range, compared_range(selection.range, with));
    let name = if with == With::Rest { "rest" } else { "before" };
    let grant = state.grant(&who, &params, &format!("compare/{name}")).await?;
    let budget = state.query.budget();
    let found = state.query.compare(&grant, &selection, with, most, &budget).await;
    let (grant, found) = answered(grant, found, &budget).await?;
    let body = json!({
        "with": name,
        "from_ns": range.start_ns().to_string(),
        "to_ns": range.end_ns().to_string(),
        "other_from_ns": other.start_ns().to_string(),
        "other_to_ns": other.end_ns().to_string(),
        "total": found.totals[0],
        "other_total": found.totals[1],
        "fields": found.fields.iter().map(field).collect::<Vec<_>>(),
        "more": found.more,
        "compared": found.compared,
        "left_out": {"fields": found.left_out, "records_with_more_fields": found.with_more_fields},
        "stats": stats(&budget),
    });
    release(grant, body.to_string(), JSON, found.fields.len() as u64).await
}
