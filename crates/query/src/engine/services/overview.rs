//! All services over a range and the time before it: how much, how much of it failed, and what has changed.
//!
//! What it costs is bounded by the range, twice its length, and by the budget of the question: the columns of time, service and
//! severity of all its logs, a statement over its access logs and spans, the newest errors, and the templates of its messages. Records of logs come first, so
//! that there is an answer, if a smaller one, where there is no time for the rest.

mod changes;
mod grid;

pub use changes::{Change, Compared, MOST_CHANGES, Share, What};
pub use grid::{ALL_SLOTS, Counts, Grid, SLOTS};

use std::collections::{BTreeMap, HashMap};

use logkeep_access::Grant;
use logkeep_record::{RecordId, SpanId, TimeRange, TraceId};

use self::changes::{Covered, Series, changes};
use super::rows::{Row, most};
use super::{FIGURES, SERVICE, SeenBy, named, served, sum_if};
use crate::engine::{QueryEngine, Selection};
use crate::exec::table::LogsTable;
use crate::exec::{Budget, Dataset, Pattern, PatternSearch, QueryError};

/// Newest errors, of logs and of spans, among which that of each service is looked for.
const ERRORS: usize = 500;
/// Characters of the text of an error.
const TEXT: usize = 300;

/// Everything that a first look needs.
#[derive(Debug)]
pub struct Overview {
    /// Where the slots of all counts lie.
    pub grid: Grid,
    /// How much of the time before could be compared with; `None` if too little.
    pub compared: Option<Compared>,
    /// Those of which there is most.
    pub services: Vec<ServiceOverview>,
    /// Whether there are other services.
    pub more: bool,
    /// The most important first.
    pub changes: Vec<Change>,
    /// What is not counted, as there was no time or memory for it.
    pub missing: Option<Missing>,
}

/// Something was not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Why.
    pub reason: String,
    /// `requests`, or only `patterns`.
    pub what: &'static str,
}

/// One service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceOverview {
    /// Its name.
    pub name: String,
    /// Its records of logs.
    pub records: Counts,
    /// Those of severity error or fatal.
    pub error_records: Counts,
    /// The requests that it served, if any are known of either period.
    pub requests: Option<Requests>,
    /// Its newest error in the range, if it is among the newest of all.
    pub newest_error: Option<NewestError>,
}

/// Requests, as one that saw them tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// Who.
    pub measured_by: SeenBy,
    /// How many in each slot.
    pub counts: Counts,
    /// How many of them failed.
    pub errors: Counts,
    /// 50th, 95th and 99th percentile of how long they took before the range, and in it, milliseconds.
    pub duration_ms: [[Option<f64>; 3]; 2],
}

/// A record of severity error or fatal, or a span of status error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestError {
    /// When, nanoseconds.
    pub time_ns: i64,
    /// The record's, or the span's.
    pub id: RecordId,
    /// What it says, if it is not masked, cut short.
    pub text: String,
    /// The trace that it is of.
    pub trace_id: Option<TraceId>,
    /// The span that it is, or was written in.
    pub span_id: Option<SpanId>,
    /// Whether it is a span.
    pub is_span: bool,
}

impl ServiceOverview {
    fn new(name: String) -> Self {
        let none = [0; ALL_SLOTS];
        Self { name, records: none, error_records: none, requests: None, newest_error: None }
    }

    /// What its volume and its errors are counted by, in the range.
    pub fn volume(&self) -> u64 {
        self.counted().0[SLOTS..].iter().sum()
    }

    /// Requests if any are known, else records; and the errors among them.
    pub fn counted(&self) -> (&Counts, &Counts) {
        match &self.requests {
            Some(requests) => (&requests.counts, &requests.errors),
            None => (&self.records, &self.error_records),
        }
    }

    fn series(&self) -> Series {
        let (counts, errors) = self.counted();
        let of = |place: usize| {
            self.requests.as_ref().map_or([None; 2], |requests| {
                let [p50, p95, _] = requests.duration_ms[place];
                [p50, p95]
            })
        };
        Series { counts: *counts, errors: *errors, activity: self.activity(), duration_ms: [of(0), of(1)] }
    }

    fn activity(&self) -> Counts {
        let requests = self.requests.as_ref().map_or([0; ALL_SLOTS], |requests| requests.counts);
        std::array::from_fn(|slot| self.records[slot] + requests[slot])
    }
}

impl QueryEngine {
    /// The services of a range, `limit` at most, and what has changed against the time of the same length before it.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn overview(
        &self,
        grant: &Grant,
        range: TimeRange,
        limit: usize,
        budget: &Budget,
    ) -> Result<Overview, QueryError> {
        let _turn = self.sql.turn(budget).await?;
        let grid = Grid::over(&range);
        let both = Selection { range: grid.whole(), ..Selection::all(Dataset::Spans) };
        let (spans, logs) = self.both(grant, &both, budget).await?;
        let mut services = BTreeMap::new();
        let mut more = self.count_records(&logs, grid, limit, &mut services, budget).await?;
        let errors = self.newest_errors(grant, range, budget).await?;
        let mut missing = match self.count_requests(spans, logs.calls(), grid, limit, &mut services, budget).await {
            Ok(others) => {
                more |= others;
                None
            }
            Err(error @ (QueryError::OverTime(_) | QueryError::OverMemory)) => {
                Some(Missing { reason: error.to_string(), what: "requests" })
            }
            Err(error) => return Err(error),
        };
        let mut services: Vec<ServiceOverview> = services.into_values().collect();
        let everything = total(&services);
        let compared = Covered::by(&everything).compared();
        let patterns = match self.new_messages(grant, range, compared, budget).await {
            Ok(patterns) => patterns,
            Err(error @ (QueryError::OverTime(_) | QueryError::OverMemory)) => {
                missing.get_or_insert(Missing { reason: error.to_string(), what: "patterns" });
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let series: Vec<(&str, Series)> = services.iter().map(|one| (one.name.as_str(), one.series())).collect();
        let changes =
            changes(series.iter().map(|(name, series)| (*name, series)), &everything, (&patterns, range.start_ns()));
        // Those of which there is nothing in the range are among the changes.
        services.retain(|one| one.activity()[SLOTS..].iter().any(|count| *count > 0));
        services.sort_by_key(|one| std::cmp::Reverse(one.volume()));
        more |= services.len() > limit;
        services.truncate(limit);
        for service in &mut services {
            service.newest_error = errors.get(&service.name).cloned();
        }
        Ok(Overview { grid, compared, services, more, changes, missing })
    }

    /// Whether there are more services than are counted.
    async fn count_records(
        &self,
        logs: &LogsTable,
        grid: Grid,
        limit: usize,
        services: &mut BTreeMap<String, ServiceOverview>,
        budget: &Budget,
    ) -> Result<bool, QueryError> {
        if !logs.has("service.name") {
            return Ok(false);
        }
        let text = format!(
            "with slotted as (select {SERVICE} as service, {} as slot, severity_number >= 17 as failed from logs), \
             groups as (select service, slot, count(*) as calls, {} as errors from slotted where service is not null \
                 group by service, slot), \
             whole as (select *, sum(calls) over (partition by service) as by_one from groups), \
             chosen as (select *, dense_rank() over (order by by_one desc, service) as nth from whole) \
             select service, slot, calls, errors, nth from chosen where nth <= {}",
            slot_of(grid),
            sum_if("failed", "1"),
            limit + 1
        );
        let answer = self.select(&text, vec![("logs", logs.clone())], budget).await?;
        let row = |row: &Row<'_>| (row.text(0), row.count(1), row.count(2), row.count(3), row.count(4));
        let mut more = false;
        for (service, slot, calls, errors, nth) in most(&answer, usize::MAX, row)?.items {
            let Some(name) = service else { continue };
            more |= nth > limit as u64;
            let one = services.entry(name.clone()).or_insert_with(|| ServiceOverview::new(name));
            put(&mut one.records, &mut one.error_records, slot, calls, errors);
        }
        Ok(more)
    }

    /// Likewise, by whoever of those who saw requests is believed.
    async fn count_requests(
        &self,
        spans: LogsTable,
        logged: Option<LogsTable>,
        grid: Grid,
        limit: usize,
        services: &mut BTreeMap<String, ServiceOverview>,
        budget: &Budget,
    ) -> Result<bool, QueryError> {
        let Some(served) = served(&spans, logged.as_ref()) else { return Ok(false) };
        // Both by slot and by period in one pass: to read what a line of an access log says takes most of the time.
        let text = format!(
            "with {served}, slotted as (select service, seen_by, failed, duration_ms, {} as slot from both_kinds \
                 where service is not null), \
             periods as (select *, slot >= {SLOTS} as is_now from slotted), \
             groups as (select service, seen_by, slot, is_now, {FIGURES} from periods \
                 group by grouping sets ((service, seen_by, slot), (service, seen_by, is_now))), {} \
             select service, seen_by, slot, is_now, calls, errors, p50, p95, p99, nth from chosen where nth <= {}",
            slot_of(grid),
            chosen(),
            limit + 1
        );
        let answer = self.select(&text, named("spans", spans, logged), budget).await?;
        let mut more = false;
        for counted in most(&answer, usize::MAX, Counted::read)?.items {
            let (Some(name), Some(seen_by)) = (counted.service, seen_by_number(counted.seen_by)) else { continue };
            more |= counted.nth > limit as u64;
            let one = services.entry(name.clone()).or_insert_with(|| ServiceOverview::new(name));
            let requests = one.requests.get_or_insert(Requests {
                measured_by: seen_by,
                counts: [0; ALL_SLOTS],
                errors: [0; ALL_SLOTS],
                duration_ms: [[None; 3]; 2],
            });
            match counted.of {
                Of::Slot { slot, calls, errors } => {
                    put(&mut requests.counts, &mut requests.errors, slot, calls, errors)
                }
                Of::Period { is_now, duration_ms } => requests.duration_ms[usize::from(is_now)] = duration_ms,
            }
        }
        Ok(more)
    }

    /// The templates of the range, if there is a time before in which they could have been.
    async fn new_messages(
        &self,
        grant: &Grant,
        range: TimeRange,
        compared: Option<Compared>,
        budget: &Budget,
    ) -> Result<Vec<Pattern>, QueryError> {
        if compared.is_none() {
            return Ok(Vec::new());
        }
        let messages = Selection { range, ..Selection::all(Dataset::Logs) };
        let search = PatternSearch { range, buckets: 1, examples: 0 };
        Ok(self.count_patterns(grant, &messages, search, true, budget).await?.patterns)
    }

    async fn newest_errors(
        &self,
        grant: &Grant,
        range: TimeRange,
        budget: &Budget,
    ) -> Result<HashMap<String, NewestError>, QueryError> {
        let mut newest: HashMap<String, NewestError> = HashMap::new();
        for (dataset, columns, condition) in [
            (Dataset::Logs, "body, null as status", "severity_number >= 17"),
            (Dataset::Spans, "name, status_message", "status_code = 'error'"),
        ] {
            let table = self.table(grant, &Selection { range, ..Selection::all(dataset) }, budget).await?;
            if !table.has("service.name") {
                continue;
            }
            let text = format!(
                "select {SERVICE} as service, cast(time as bigint) as at_ns, id, trace_id, span_id, {columns} from {} \
                 where {condition} order by time desc limit {ERRORS}",
                dataset.name()
            );
            let answer = self.select(&text, vec![(dataset.name(), table)], budget).await?;
            let errors = most(&answer, usize::MAX, |row| newest_error(row, dataset == Dataset::Spans))?.items;
            for (service, error) in errors.into_iter().flatten() {
                match newest.get(&service) {
                    Some(known) if known.time_ns >= error.time_ns => {}
                    _ => drop(newest.insert(service, error)),
                }
            }
        }
        Ok(newest)
    }
}

/// What was counted of a service, as one that saw it tells.
struct Counted {
    service: Option<String>,
    seen_by: u64,
    nth: u64,
    of: Of,
}

/// Of which time.
enum Of {
    Slot { slot: u64, calls: u64, errors: u64 },
    Period { is_now: bool, duration_ms: [Option<f64>; 3] },
}

impl Counted {
    fn read(row: &Row<'_>) -> Self {
        // A whole period is of no slot.
        let of = match row.counted(2) {
            Some(slot) => Of::Slot { slot, calls: row.count(4), errors: row.count(5) },
            None => Of::Period { is_now: row.is_true(3), duration_ms: [6, 7, 8].map(|place| row.number(place)) },
        };
        Self { service: row.text(0), seen_by: row.count(1), nth: row.count(9), of }
    }
}

/// As SQL has the number of the slot that `time` is in.
fn slot_of(grid: Grid) -> String {
    format!("(cast(time as bigint) / 2 - ({})) / {}", grid.first_ns / 2, grid.slot_ns / 2)
}

/// Of `groups` with `service`, `seen_by` and `calls`, those by whom figures are taken as [`super::ranked`] says, over all rows
/// of a service together, as `chosen`; `nth` is the service's place by how much there is. Where each is counted twice, by slot and by
/// period, all are.
fn chosen() -> String {
    let order: String =
        SeenBy::OF_SERVICES.iter().zip(0..).map(|(by, at)| format!(" when {} then {at}", *by as u8)).collect();
    format!(
        "whole as (select *, sum(calls) over (partition by service, seen_by) as by_one from groups), \
         compared as (select *, max(by_one) over (partition by service, seen_by >= 3) as most from whole), \
         ranked as (select *, dense_rank() over (partition by service \
             order by seen_by >= 3, by_one * 10 >= most * 9 desc, case seen_by{order} end) as place from compared), \
         chosen as (select *, dense_rank() over (order by by_one desc, service) as nth from ranked where place = 1)"
    )
}

fn seen_by_number(number: u64) -> Option<SeenBy> {
    usize::try_from(number).ok().and_then(|number| SeenBy::ALL.get(number)).copied()
}

fn put(counts: &mut Counts, errors: &mut Counts, slot: u64, count: u64, failed: u64) {
    // Of a range that is shorter than its slots are long, what is beyond its last one.
    let slot = usize::try_from(slot).unwrap_or(ALL_SLOTS).min(ALL_SLOTS - 1);
    counts[slot] += count;
    errors[slot] += failed;
}

fn total(services: &[ServiceOverview]) -> Counts {
    let mut sum = [0; ALL_SLOTS];
    for service in services {
        let activity = service.activity();
        sum.iter_mut().zip(activity).for_each(|(sum, count)| *sum += count);
    }
    sum
}

/// Whose error it is, and what is told of it: of a span what its status says, else its name.
fn newest_error(row: &Row<'_>, is_span: bool) -> Option<(String, NewestError)> {
    let text = row.text(6).filter(|text| !text.is_empty()).or_else(|| row.text(5)).unwrap_or_default();
    let error = NewestError {
        time_ns: row.integer(1)?,
        id: row.text(2)?.parse().ok()?,
        text: text.chars().take(TEXT).collect(),
        trace_id: row.text(3).and_then(|id| TraceId::from_hex(&id)),
        span_id: row.text(4).and_then(|id| SpanId::from_hex(&id)),
        is_span,
    };
    Some((row.text(0)?, error))
}

#[cfg(test)]
mod tests;
