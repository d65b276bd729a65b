//! Searching: pages of records, one record, its surroundings and fields.

use std::collections::HashMap;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use logkeep_access::{Action, Grant, Identity};
use logkeep_query::exec::{Dataset, FieldSummary, Found, QueryError, Search, ValueCount};
use logkeep_record::{Record, RecordId};
use serde_json::json;

use super::answer::{JSON, answered, outcome, release, stats};
use super::caller::Caller;
use super::params::Params;
use super::{ApiError, AppState, render};

pub(crate) type Parameters = Query<HashMap<String, String>>;

impl AppState {
    pub(crate) fn params(&self, Query(values): Parameters) -> Params {
        Params::new(values, self.ingest.clock().now_ns())
    }

    pub(crate) async fn grant(&self, who: &Identity, params: &Params, what: &str) -> Result<Grant, ApiError> {
        Ok(self.access.authorize(who, Action::Query, &params.subject(what)).await?)
    }
}

pub(crate) async fn logs(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    page(&state, &who, &state.params(query), Dataset::Logs).await
}

pub(crate) async fn spans(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    page(&state, &who, &state.params(query), Dataset::Spans).await
}

async fn page(state: &AppState, who: &Identity, params: &Params, dataset: Dataset) -> Result<Response, ApiError> {
    let selection = params.selection(dataset)?;
    let (what, name, list): (_, _, List) = match dataset {
        Dataset::Spans => ("spans", "spans", spans_json),
        Dataset::Logs | Dataset::Audit => ("logs", "records", records),
    };
    let search = Search { limit: params.count("limit", 100, 10_000)?, order: params.order()?, after: params.after()? };
    let grant = state.grant(who, params, what).await?;
    let budget = state.query.budget();
    let page = state.query.search(&grant, &selection, search, &budget).await;
    let (grant, page) = answered(grant, page, &budget).await?;
    let mut out = format!("{{\"{name}\":");
    let rows = page.records.len() as u64;
    let (grant, ()) = outcome(grant, list(&page.records, &mut out)).await?;
    let next = page.records.last().filter(|_| page.more).map(|found| render::cursor(&found.key));
    let rest = json!({"next": next, "partial": null, "stats": stats(&budget)}).to_string();
    out.push(',');
    out.push_str(&rest[1..]);
    release(grant, out, JSON, rows).await
}

/// Writes what was found as a list.
type List = fn(&[Found], &mut String) -> Result<(), QueryError>;

pub(crate) fn records(found: &[Found], out: &mut String) -> Result<(), QueryError> {
    list(found, out, |record, id, out| render::record(&record, id, out))
}

pub(crate) fn spans_json(found: &[Found], out: &mut String) -> Result<(), QueryError> {
    list(found, out, render::span)
}

fn list(
    found: &[Found],
    out: &mut String,
    render: impl Fn(Record<'_>, &RecordId, &mut String),
) -> Result<(), QueryError> {
    out.push('[');
    for (place, found) in found.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        render(found.record()?, &found.key.id(), out);
    }
    out.push(']');
    Ok(())
}

pub(crate) fn record_id(text: &str) -> Result<RecordId, ApiError> {
    text.parse().map_err(ApiError::bad_request)
}

/// What was found of a record; that there is none is an answer, too, and leaves as one.
pub(crate) async fn existing<T>((grant, found): (Grant, Option<T>), id: &str) -> Result<(Grant, T), ApiError> {
    match found {
        Some(found) => Ok((grant, found)),
        None => {
            grant.release().await?;
            Err(ApiError::not_found(format!("there is no record `{id}`, or it has been destroyed")))
        }
    }
}

pub(crate) async fn record(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let parsed = record_id(&id)?;
    let grant = state.grant(&who, &params, &format!("logs/{id}")).await?;
    let budget = state.query.budget();
    let found = state.query.record(&grant, &parsed, &budget).await;
    let (grant, found) = existing(answered(grant, found, &budget).await?, &id).await?;
    let mut out = String::new();
    let rendered = found.record().map(|record| render::record(&record, &parsed, &mut out));
    let (grant, ()) = outcome(grant, rendered).await?;
    release(grant, out, JSON, 1).await
}

pub(crate) async fn context(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let parsed = record_id(&id)?;
    let (before, after) = (params.count("before", 20, 1_000)?, params.count("after", 20, 1_000)?);
    let grant = state.grant(&who, &params, &format!("logs/{id}/context")).await?;
    let budget = state.query.budget();
    let context = state.query.context(&grant, &parsed, before, after, &budget).await;
    let (grant, context) = existing(answered(grant, context, &budget).await?, &id).await?;
    let mut out = String::from("{\"before\":");
    let rendered = (|| {
        records(&context.before, &mut out)?;
        out.push_str(",\"record\":");
        render::record(&context.record.record()?, &parsed, &mut out);
        out.push_str(",\"after\":");
        records(&context.after, &mut out)
    })();
    let (grant, ()) = outcome(grant, rendered).await?;
    let rest = json!({"by": context.by, "stats": stats(&budget)}).to_string();
    out.push(',');
    out.push_str(&rest[1..]);
    let rows = context.before.len() + context.after.len() + 1;
    release(grant, out, JSON, rows as u64).await
}

pub(crate) fn counts(values: &[ValueCount]) -> serde_json::Value {
    values.iter().map(|value| json!({"value": value.value, "count": value.count})).collect()
}

pub(crate) async fn fields(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let selection = params.selection(params.dataset()?)?;
    let grant = state.grant(&who, &params, "fields").await?;
    let budget = state.query.budget();
    let fields = state.query.fields(&grant, &selection, &budget).await;
    let (grant, fields) = answered(grant, fields, &budget).await?;
    let field = |field: &FieldSummary| json!({"name": field.name, "types": field.types, "count": field.count, "top": counts(&field.top)});
    let body = json!({
        "total": fields.total,
        "fields": fields.fields.iter().map(field).collect::<Vec<_>>(),
        "stats": stats(&budget),
    });
    release(grant, body.to_string(), JSON, fields.fields.len() as u64).await
}

pub(crate) async fn values(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(name): Path<String>,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (selection, limit) = (params.selection(params.dataset()?)?, params.count("limit", 20, 1_000)?);
    let grant = state.grant(&who, &params, &format!("fields/{name}/values")).await?;
    let budget = state.query.budget();
    let values = state.query.values(&grant, &selection, &name, limit, &budget).await;
    let (grant, values) = answered(grant, values, &budget).await?;
    let values = values.unwrap_or_default();
    let body = json!({
        "field": name,
        "values": counts(&values.values),
        "missing": values.missing,
        "total": values.total,
        "stats": stats(&budget),
    });
    release(grant, body.to_string(), JSON, values.values.len() as u64).await
}
