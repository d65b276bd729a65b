//! The audit trail: who asked for what, what was decided, and what came of it, each request a row.

use axum::extract::State;
use axum::response::Response;
use logkeep_access::{AUDIT_ID, Action};
use logkeep_query::AuditEntry;
use logkeep_query::exec::{Order, QueryError, Search};
use logkeep_query::kql::{Expr, Predicate, Span, Wildcard, WildcardItem};
use logkeep_record::{Record, Value as Held, json as text};
use serde_json::{Map, Value, json};

use super::answer::{JSON, answered, outcome, release, stats};
use super::caller::Caller;
use super::params::Params;
use super::search::Parameters;
use super::{ApiError, AppState, render};

/// Rows of a page at most.
const MOST: usize = 1_000;

/// What of a record stands under a name of its own, and under which. Whatever else it says stands in `more`.
const NAMED: [(&str, &str); 17] = [
    ("user", "enduser.id"),
    ("owner", "audit.owner"),
    ("claimed", "audit.claimed"),
    ("address", "client.address"),
    ("action", "audit.action"),
    ("decision", "audit.decision"),
    ("reason", "audit.reason"),
    ("purpose", "audit.purpose"),
    ("object", "audit.object"),
    ("query", "audit.query"),
    ("from", "audit.from"),
    ("to", "audit.to"),
    ("dataset", "audit.dataset"),
    ("scope", "audit.scope"),
    ("masked", "audit.masked"),
    ("unmasked", "audit.unmasked"),
    ("id", AUDIT_ID),
];

/// `GET /api/v1/audit?q=&user=&action=&decision=&object=&from=-24h&to=&limit=100&after=`, newest first.
pub(crate) async fn audit(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (filter, range) = (filter(&params)?, params.range_since("-24h")?);
    let search = Search { limit: params.count("limit", 100, MOST)?, order: Order::Descending, after: params.after()? };
    let asked = if filter == Expr::All { String::new() } else { filter.to_string() };
    let grant = state.access.authorize(&who, Action::QueryAudit, &params.subject_of("audit", asked)).await?;
    let budget = state.query.budget();
    let page = state.query.audit(&grant, &filter, range, search, &budget).await;
    let (grant, page) = answered(grant, page, &budget).await?;
    let rows: Result<Vec<Value>, QueryError> = page.entries.iter().map(row).collect();
    let (grant, rows) = outcome(grant, rows).await?;
    let next = page.entries.last().filter(|_| page.more).map(|entry| render::cursor(&entry.opened.key));
    let count = rows.len() as u64;
    let body = json!({"rows": rows, "next": next, "partial": null, "stats": stats(&budget)});
    release(grant, body.to_string(), JSON, count).await
}

/// Everything that is asked for together.
fn filter(params: &Params) -> Result<Expr, ApiError> {
    let mut parts = vec![params.filter()?].into_iter().filter(|part| *part != Expr::All).collect::<Vec<_>>();
    let given = |name| Some(params.text(name)).filter(|text| !text.is_empty());
    if let Some(user) = given("user") {
        // By whatever of it somebody is named: as themselves, by a token of theirs, or as who they said they were.
        parts.push(Expr::or(["enduser.id", "audit.owner", "audit.claimed"].map(|name| field(name, is(user))).into()));
    }
    parts.extend(given("action").map(|action| field("audit.action", is(action))));
    match params.text("decision") {
        "" => {}
        decision @ ("allow" | "deny") => parts.push(field("audit.decision", is(decision))),
        other => {
            return Err(ApiError::bad_request(format!("`decision` is `{other}`; it must be `allow` or `deny`")));
        }
    }
    if let Some(object) = given("object") {
        parts.push(field("audit.object", fits(object)?));
    }
    Ok(Expr::and(parts))
}

fn field(name: &str, predicate: Predicate) -> Expr {
    Expr::Field { name: name.to_owned(), predicate, span: Span::default() }
}

fn is(text: &str) -> Predicate {
    Predicate::Phrase(text.to_owned())
}

/// The text itself, or any that fits where it has a `*`.
fn fits(text: &str) -> Result<Predicate, ApiError> {
    if !text.contains('*') {
        return Ok(is(text));
    }
    let items = text.chars().map(|c| if c == '*' { WildcardItem::Many } else { WildcardItem::Char(c) });
    let pattern = Wildcard::new(items).ok_or_else(|| ApiError::bad_request("`object` is too long for a pattern"))?;
    Ok(Predicate::Pattern(pattern))
}

fn row(entry: &AuditEntry) -> Result<Value, QueryError> {
    let opened = entry.opened.record()?;
    let time_ns = opened.effective_time_ns();
    let mut row = Map::new();
    row.insert("time".into(), render::time(time_ns).into());
    row.insert("time_ns".into(), time_ns.to_string().into());
    row.insert("event".into(), Value::from(&*opened.event_name));
    row.insert("text".into(), said(&opened.body).into());
    for (name, key) in NAMED {
        row.insert(name.into(), value(&opened, key).map_or(Value::Null, Value::from));
    }
    let is_other = |key: &str| !NAMED.iter().any(|(_, named)| *named == key);
    let others = opened.attributes.iter().filter(|(key, _)| is_other(key));
    let more: Map<String, Value> = others.map(|(key, value)| (key.to_string(), said(value).into())).collect();
    row.insert("more".into(), more.into());
    let closed = entry.closed.as_ref().map(|closed| closed.record()).transpose()?;
    row.extend(outcome_of(time_ns, closed.as_ref()));
    Ok(row.into())
}

/// What came of it; all null where nothing is known of that.
fn outcome_of(since_ns: i64, closed: Option<&Record<'_>>) -> [(String, Value); 4] {
    let count =
        |key| closed.and_then(|closed| value(closed, key)?.parse::<u64>().ok()).map_or(Value::Null, Value::from);
    let lasted = closed.map(|closed| closed.effective_time_ns().saturating_sub(since_ns).max(0) as f64 / 1e6);
    [
        ("outcome".into(), closed.and_then(|closed| value(closed, "audit.outcome")).map_or(Value::Null, Value::from)),
        ("rows".into(), count("audit.rows")),
        ("bytes".into(), count("audit.bytes")),
        ("duration_ms".into(), lasted.map_or(Value::Null, Value::from)),
    ]
}

fn value(record: &Record<'_>, wanted: &str) -> Option<String> {
    record.attributes.iter().find(|(key, _)| key == wanted).map(|(_, value)| said(value))
}

/// A value as text.
fn said(value: &Held<'_>) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let mut out = String::new();
    text::write(value, &mut out);
    out
}
