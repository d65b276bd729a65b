//! What services do and whom they call, computed from spans and from access logs of meshes when it is asked for.
//!
//! Figures are SQL over the tables of spans and of calls in logs, so they have its bounds (time, memory, turns) and nothing is kept
//! beside the records that could differ from them.
//!
//! A call may be in a span of its caller, and in the access logs of the proxies on both sides. Each of these is counted for
//! itself, and the figures of an edge, or of a service, are those of one of them: no call is in them twice. Spans that are
//! sampled, and proxies that write only some of their requests, are outdone by whoever saw more.

pub mod overview;
mod rows;
#[cfg(test)]
mod tests;

use logkeep_access::Grant;
use logkeep_record::TimeRange;

use self::rows::{Row, most};
use super::{QueryEngine, Selection};
use crate::exec::table::LogsTable;
use crate::exec::{Budget, Dataset, QueryError};

/// How far the two halves of a call may lie apart, for clocks that differ and messages that wait.
const APART_NS: i64 = 300 * 1_000_000_000;
/// Where a caller says whom it calls, most telling first.
const PEERS: &[&str] = &["peer.service", "server.address", "net.peer.name", "messaging.destination.name"];

/// Who saw a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBy {
    /// A span: of the caller for an edge, of the service that was asked for a service.
    Spans,
    /// The caller's proxy, a request.
    CallerProxy,
    /// The proxy of the one that is called, a request.
    CalleeProxy,
    /// The caller's proxy, a connection of which it knows no requests.
    CallerConnections,
    /// The proxy of the one that is called, likewise.
    CalleeConnections,
}

impl SeenBy {
    /// All, by the number that SQL has for each.
    pub const ALL: [Self; 5] =
        [Self::Spans, Self::CallerProxy, Self::CalleeProxy, Self::CallerConnections, Self::CalleeConnections];
    /// Which of several that saw about as much figures are taken from, best first.
    const OF_EDGES: [Self; 5] = Self::ALL;
    const OF_SERVICES: [Self; 5] =
        [Self::Spans, Self::CalleeProxy, Self::CallerProxy, Self::CalleeConnections, Self::CallerConnections];

    /// As the API names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spans => "spans",
            Self::CallerProxy => "caller_proxy",
            Self::CalleeProxy => "callee_proxy",
            Self::CallerConnections => "caller_connections",
            Self::CalleeConnections => "callee_connections",
        }
    }
}

/// Rate, errors and durations of something that was done so often.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// How often.
    pub count: u64,
    /// How often it failed.
    pub errors: u64,
    /// 50th, 95th and 99th percentile of how long it took, in milliseconds; `None` if nothing says when it ended.
    pub duration_ms: [Option<f64>; 3],
    /// Whose figures these are.
    pub measured_by: SeenBy,
    /// What each saw, in the order of [`SeenBy::ALL`].
    pub seen_by: [u64; 5],
}

/// A service, and the requests that it served.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Of its spans of kind server or consumer and of those that begin a trace, or of the access logs of proxies.
    pub figures: Figures,
}

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Who calls.
    pub caller: String,
    /// Who is called; `None` if neither side says.
    pub callee: Option<String>,
    /// Whether that is known from a span of the one that was called, for some of the calls at least.
    pub traced: bool,
    /// As the caller sees them, unless only the other side tells.
    pub figures: Figures,
    /// The mesh of the caller's proxy, if it wrote of any.
    pub caller_mesh: Option<String>,
    /// The mesh of the proxy of the one that is called, if it wrote of any.
    pub callee_mesh: Option<String>,
    /// What the access logs say of mutual TLS; `None` if they say nothing.
    pub mtls: Option<Mtls>,
}

/// How many records of access logs say what of mutual TLS (`docs/normalization.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtls {
    /// In the order of [`Mtls::STATES`].
    pub counts: [u64; 4],
}

impl Mtls {
    /// What there is, weakest first.
    pub const STATES: [&str; 4] = ["plaintext", "unproven", "claimed", "proven"];

    /// The weakest that is said of any call.
    pub fn state(&self) -> &'static str {
        Self::STATES.into_iter().zip(self.counts).find(|(_, count)| *count > 0).map_or("", |(state, _)| state)
    }
}

/// What there is most of, and whether there is more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Most<T> {
    /// Most frequent first.
    pub items: Vec<T>,
    /// Whether there are others.
    pub more: bool,
}

impl QueryEngine {
    /// The services of the selected spans and records of access logs, `limit` at most.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn services(
        &self,
        grant: &Grant,
        selection: &Selection,
        limit: usize,
        budget: &Budget,
    ) -> Result<Most<Service>, QueryError> {
        let _turn = self.sql.turn(budget).await?;
        let (spans, logs) = self.both(grant, selection, budget).await?;
        let logged = logs.calls();
        let Some(served) = served(&spans, logged.as_ref()) else { return Ok(Most { items: Vec::new(), more: false }) };
        let text = format!(
            "with {served}, groups as (select service, seen_by, {FIGURES} from both_kinds group by service, seen_by), {} \
             select service, {CHOSEN} from ranked where place = 1 order by calls desc, service limit {}",
            ranked("groups", "service", SeenBy::OF_SERVICES),
            limit + 1
        );
        let answer = self.select(&text, named("spans", spans, logged), budget).await?;
        let service = |row: &Row<'_>| Service { name: row.text(0).unwrap_or_default(), figures: row.figures(1) };
        most(&answer, limit, service)
    }

    /// Who calls whom, by the selected spans of callers and records of access logs, `limit` edges at most.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn graph(
        &self,
        grant: &Grant,
        selection: &Selection,
        limit: usize,
        budget: &Budget,
    ) -> Result<Most<Edge>, QueryError> {
        let _turn = self.sql.turn(budget).await?;
        let (spans, logs) = self.both(grant, selection, budget).await?;
        let served = self.table(grant, &other_half(selection), budget).await?;
        let traced = spans.has("service.name").then(|| traced(&spans, &served));
        let logged = logs.calls();
        let of_logs = logged.is_some().then_some(
            "select caller, callee, false as traced, seen_by, failed, duration_ms, mesh, mtls from access_logs \
             where caller is not null",
        );
        let traced = traced
            .map(|with| (with, "select *, cast(null as varchar) as mesh, cast(null as varchar) as mtls from traced"));
        let Some(calls) = union(traced, of_logs) else {
            return Ok(Most { items: Vec::new(), more: false });
        };
        let text = format!(
            "with {calls}, groups as (select caller, callee, seen_by, {FIGURES}, bool_or(traced) as traced, \
                 max(mesh) as mesh, {} from both_kinds group by caller, callee, seen_by), {} \
             select caller, callee, any_traced, caller_mesh, callee_mesh, {}, {CHOSEN} from ranked where place = 1 \
             order by calls desc, caller, callee limit {}",
            Mtls::STATES.map(|state| format!("{} as {state}", sum_if(&format!("mtls = '{state}'"), "1"))).join(", "),
            ranked_edges(),
            Mtls::STATES.map(|state| format!("callee_{state}, caller_{state}")).join(", "),
            limit + 1
        );
        let mut tables = named("calls", spans, logged);
        tables.push(("served", served));
        let answer = self.select(&text, tables, budget).await?;
        let edge = |row: &Row<'_>| Edge {
            caller: row.text(0).unwrap_or_default(),
            callee: row.text(1),
            traced: row.is_true(2),
            caller_mesh: row.text(3),
            callee_mesh: row.text(4),
            mtls: row.mtls(5),
            figures: row.figures(5 + 2 * Mtls::STATES.len()),
        };
        most(&answer, limit, edge)
    }

    /// What is selected of spans, and of logs.
    async fn both(
        &self,
        grant: &Grant,
        selection: &Selection,
        budget: &Budget,
    ) -> Result<(LogsTable, LogsTable), QueryError> {
        let of = |dataset| Selection { dataset, ..selection.clone() };
        let spans = self.table(grant, &of(Dataset::Spans), budget).await?;
        Ok((spans, self.table(grant, &of(Dataset::Logs), budget).await?))
    }
}

/// The tables of a statement.
fn named(of_spans: &'static str, spans: LogsTable, logged: Option<LogsTable>) -> Vec<(&'static str, LogsTable)> {
    [(of_spans, spans)].into_iter().chain(logged.map(|logged| ("access_logs", logged))).collect()
}

/// The requests that services served, as expressions for `with`, the last of which, `both_kinds`, has a row for each:
/// `service`, `seen_by`, `failed`, `duration_ms`, `time`. `None` if there can be none.
fn served(spans: &LogsTable, logged: Option<&LogsTable>) -> Option<String> {
    let traced = spans.has("service.name").then(|| {
        let with = format!(
            "traced as (select {SERVICE} as service, cast(0 as bigint) as seen_by, status_code = 'error' as failed, \
             duration_ms, time from spans where kind in ('server', 'consumer') or parent_span_id is null)"
        );
        (with, "select service, seen_by, failed, duration_ms, time from traced")
    });
    let of_logs = logged.map(
        |_| "select callee as service, seen_by, failed, duration_ms, time from access_logs where callee is not null",
    );
    union(traced, of_logs)
}

/// Calls that spans of callers tell: whom, by the span of the one that was called, else by what the caller says.
fn traced(calls: &LogsTable, served: &LogsTable) -> String {
    let peers: Vec<String> = PEERS.iter().map(|name| quoted(calls, name)).collect();
    // Where both halves share one id, as Zipkin allows, the parent is the caller's own.
    let shared = quoted(served, "zipkin.shared");
    format!(
        "made as (select trace_id, span_id, {SERVICE} as caller, coalesce({}) as peer, status_code = 'error' as failed, \
             duration_ms from calls where kind in ('client', 'producer')), \
         taken as (select distinct trace_id, case when {shared} = 'true' then span_id else parent_span_id end as span_id, \
             {SERVICE} as service from served where kind in ('server', 'consumer')), \
         traced as (select caller, coalesce(service, mesh_service(peer), peer) as callee, service is not null as traced, \
             cast(0 as bigint) as seen_by, failed, duration_ms \
             from made left join taken on made.trace_id = taken.trace_id and made.span_id = taken.span_id)",
        peers.join(", ")
    )
}

/// Expressions for `with`, the last of which, `both_kinds`, has the rows of spans, with what they need, and those of access logs.
fn union(traced: Option<(String, &str)>, logged: Option<&str>) -> Option<String> {
    let (with, traced) = traced.map_or((None, None), |(with, rows)| (Some(with + ", "), Some(rows)));
    let rows: Vec<&str> = [traced, logged].into_iter().flatten().collect();
    (!rows.is_empty()).then(|| format!("{}both_kinds as ({})", with.unwrap_or_default(), rows.join(" union all ")))
}

const FIGURES: &str = "count(*) as calls, sum(case when failed then 1 else 0 end) as errors, \
    percentile_cont(0.5) within group (order by duration_ms) as p50, \
    percentile_cont(0.95) within group (order by duration_ms) as p95, \
    percentile_cont(0.99) within group (order by duration_ms) as p99";
/// What [`Row::figures`] reads.
const CHOSEN: &str = "calls, errors, p50, p95, p99, seen_by, seen_0, seen_1, seen_2, seen_3, seen_4";

/// The rows of `groups` as `ranked`, with the `place` of each among those with the same `key`, by whose figures are taken:
/// requests before connections; of those who saw at least nine tenths of what the one did that saw most the first in
/// `order`. Beside it, what each of them saw.
fn ranked(groups: &str, key: &str, order: [SeenBy; 5]) -> String {
    let order: String = order.iter().zip(0..).map(|(by, at)| format!(" when {} then {at}", *by as u8)).collect();
    let seen = [0, 1, 2, 3, 4]
        .map(|by| format!("{} over (partition by {key}) as seen_{by}", sum_if(&format!("seen_by = {by}"), "calls")));
    format!(
        "compared as (select *, max(calls) over (partition by {key}, seen_by >= 3) as most, {} from {groups}), \
         ranked as (select *, row_number() over (partition by {key} \
             order by seen_by >= 3, calls * 10 >= most * 9 desc, case seen_by{order} end) as place from compared)",
        seen.join(", ")
    )
}

/// The same for edges, with what all that saw an edge say of it together.
fn ranked_edges() -> String {
    const PAIR: &str = "over (partition by caller, callee)";
    let said = [("caller", "seen_by in (1, 3)"), ("callee", "seen_by in (2, 4)")].map(|(side, by_side)| {
        let counts = Mtls::STATES.map(|state| format!("{} {PAIR} as {side}_{state}", sum_if(by_side, state)));
        format!("max(case when {by_side} then mesh end) {PAIR} as {side}_mesh, {}", counts.join(", "))
    });
    let ranked = ranked("told", "caller, callee", SeenBy::OF_EDGES);
    format!("told as (select *, bool_or(traced) {PAIR} as any_traced, {} from groups), {ranked}", said.join(", "))
}

fn sum_if(condition: &str, value: &str) -> String {
    format!("sum(case when {condition} then {value} else 0 end)")
}

/// An attribute as text, null if there is none of the name.
fn quoted(table: &LogsTable, attribute: &str) -> String {
    match table.has(attribute) {
        true => format!("cast(\"{attribute}\" as varchar)"),
        false => "cast(null as varchar)".to_owned(),
    }
}

/// A sender may give a number as the name.
const SERVICE: &str = "cast(\"service.name\" as varchar)";

/// All spans of about the same time.
fn other_half(selection: &Selection) -> Selection {
    let (start, end) = (selection.range.start_ns(), selection.range.end_ns());
    let range = TimeRange::new(start.saturating_sub(APART_NS), end.saturating_add(APART_NS));
    Selection { range: range.unwrap_or(selection.range), ..Selection::all(Dataset::Spans) }
}
