//! Questions, as users ask them, and what the answers have to be.
//!
//! The engine answers from columns, leaving out what bounds and token index say cannot match. Here the same is decided
//! for one record after the other, from what its sender knows of it.

use std::collections::BTreeSet;
use std::time::Duration;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use logkeep_access::Grant;
use logkeep_ingest::Ingest;
use logkeep_query::exec::{Dataset, Order, PageKey, QueryError, Search, SqlOptions};
use logkeep_query::{QueryEngine, QueryOptions, Selection, kql};
use logkeep_record::{Class, TimeRange};
use tokio::runtime::Runtime;

use crate::model::{CANARY, Records, identify, note_of, service_of};
use crate::rng::Rng;

/// Longer than any run: what is asked may not depend on how fast the machine is.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Records of a SELECT for the last few.
const LAST: usize = 5;

/// Which records are asked for.
enum Condition {
    Everything,
    Batch(usize),
    BatchesFrom(usize),
    Service(usize),
    Note(usize),
    /// One record, by the words in it.
    Needle(usize, usize),
    Not(Box<Condition>),
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
}

use Condition::{BatchesFrom, Both, Either, Everything, Needle, Not, Note, Service};

impl Condition {
    /// Any one over about so many batches.
    fn any(rng: &mut Rng, batches: u64, depth: u64) -> Self {
        let inner = |rng: &mut Rng| Box::new(Self::any(rng, batches, depth - 1));
        // One more than there is: what is not there is asked for too.
        let batch = rng.below(batches + 1) as usize;
        match rng.below(if depth == 0 { 7 } else { 10 }) {
            0 => Everything,
            1 => Self::Batch(batch),
            2 => BatchesFrom(batch),
            3 => Service(batch),
            4 => Note(batch),
            5 | 6 => Needle(batch, rng.below(7) as usize),
            7 => Not(inner(rng)),
            8 => Both(inner(rng), inner(rng)),
            _ => Either(inner(rng), inner(rng)),
        }
    }

    /// In the filter language.
    fn text(&self) -> String {
        match self {
            Everything => "*".into(),
            Self::Batch(batch) => format!("batch:{batch}"),
            BatchesFrom(batch) => format!("batch>={batch}"),
            Service(batch) => format!("service:{}", service_of(*batch)),
            Note(batch) => format!("note:\"{}\"", note_of(*batch)),
            Needle(batch, index) => format!("\"{CANARY} {batch} {index}\""),
            Not(inner) => format!("not ({})", inner.text()),
            Both(one, other) => format!("({}) and ({})", one.text(), other.text()),
            Either(one, other) => format!("({}) or ({})", one.text(), other.text()),
        }
    }

    /// In SQL.
    fn sql(&self) -> String {
        match self {
            Everything => "true".into(),
            Self::Batch(batch) => format!("batch = {batch}"),
            BatchesFrom(batch) => format!("batch >= {batch}"),
            Service(batch) => format!("\"service.name\" = '{}'", service_of(*batch)),
            Note(batch) => format!("note = '{}'", note_of(*batch)),
            Needle(batch, index) => format!("body LIKE '{CANARY} {batch} {index} %'"),
            Not(inner) => format!("NOT ({})", inner.sql()),
            Both(one, other) => format!("({}) AND ({})", one.sql(), other.sql()),
            Either(one, other) => format!("({}) OR ({})", one.sql(), other.sql()),
        }
    }

    /// Whether the record is one of them.
    fn holds(&self, (batch, index): (usize, usize)) -> bool {
        match self {
            Everything => true,
            Self::Batch(wanted) => batch == *wanted,
            BatchesFrom(first) => batch >= *first,
            Service(wanted) => service_of(batch) == service_of(*wanted),
            Note(wanted) => note_of(batch) == note_of(*wanted),
            Needle(wanted, at) => (batch, index) == (*wanted, *at),
            Not(inner) => !inner.holds((batch, index)),
            Both(one, other) => one.holds((batch, index)) && other.holds((batch, index)),
            Either(one, other) => one.holds((batch, index)) || other.holds((batch, index)),
        }
    }
}

/// A record that is there: where it stands in the order of all, and which it is.
type Placed = (PageKey, (usize, usize));

/// Whoever asks one engine. It keeps the columns it has read, so that what it remembers is asked of too.
pub(crate) struct Asker<'a> {
    runtime: &'a Runtime,
    engine: QueryEngine,
}

impl<'a> Asker<'a> {
    pub(crate) fn new(runtime: &'a Runtime, ingest: Ingest, rng: &mut Rng) -> Result<Self, QueryError> {
        let sql = SqlOptions { memory_bytes: 16 << 20, rows: LAST, threads: 1 };
        let cache_bytes = [0, 20_000, 1 << 20][rng.below(3) as usize];
        let engine = QueryEngine::new(ingest, QueryOptions { timeout: TIMEOUT, sql, cache_bytes })?;
        Ok(Self { runtime, engine })
    }

    /// Asks something, and holds the answer against the records that are there.
    pub(crate) fn ask(&self, rng: &mut Rng, grant: &Grant, there: &Records, batches: usize) -> Result<(), String> {
        let condition = Condition::any(rng, batches as u64, 2);
        let there = of_tenant(there, grant);
        let range = any_range(rng, &there);
        let filter = kql::parse(&condition.text()).map_err(|error| error.to_string())?;
        let selection = Selection { filter, range, ..Selection::all(Dataset::Logs) };
        let matching = there.into_iter().filter(|(key, record)| {
            condition.holds(*record) && range.start_ns() <= key.time_ns && key.time_ns < range.end_ns()
        });
        let mut expected: Vec<Placed> = matching.collect();
        expected.sort_unstable();
        let asked = format!("`{}` of `{}` in {range:?}", condition.text(), grant.tenant());
        self.pages(rng, grant, &selection, expected.clone()).map_err(|what| format!("{asked}: {what}"))?;
        self.counts(grant, selection, &expected).map_err(|what| format!("{asked}: {what}"))
    }

    /// All pages, in one order or the other.
    fn pages(
        &self,
        rng: &mut Rng,
        grant: &Grant,
        selection: &Selection,
        mut expected: Vec<Placed>,
    ) -> Result<(), String> {
        let order = if rng.chance(50) { Order::Ascending } else { Order::Descending };
        if order == Order::Descending {
            expected.reverse();
        }
        let limit = [1, 7, 1_000][rng.below(3) as usize].max(expected.len() / 3);
        let mut search = Search { limit, order, after: None };
        let mut found: Vec<Placed> = Vec::new();
        loop {
            let budget = self.engine.budget();
            let page = self.engine.search(grant, selection, search.clone(), &budget);
            let page = self.runtime.block_on(page).map_err(|error| error.to_string())?;
            for record in &page.records {
                let which = identify(&record.record().map_err(|error| error.to_string())?)?;
                found.push((record.key.clone(), which));
            }
            search.after = page.records.last().map(|last| last.key.clone());
            if !page.more || page.records.is_empty() {
                break;
            }
        }
        same(&found, &expected)
    }

    /// Counts: by time, and of one record by its id.
    fn counts(&self, grant: &Grant, mut selection: Selection, expected: &[Placed]) -> Result<(), String> {
        let (Some((first, record)), Some((last, _))) = (expected.first(), expected.last()) else { return Ok(()) };
        let budget = self.engine.budget();
        let range = selection.range;
        selection.range = range.narrowed(first.time_ns, last.time_ns + 1).unwrap_or(range);
        let histogram = self.engine.histogram(grant, &selection, 10, &budget);
        let histogram = self.runtime.block_on(histogram).map_err(|error| error.to_string())?;
        let counted: u64 = histogram.buckets.iter().map(logkeep_query::exec::Bucket::total).sum();
        if counted != expected.len() as u64 {
            return Err(format!("a histogram counts {counted} records of {}", expected.len()));
        }
        let by_id = self.runtime.block_on(self.engine.record(grant, &first.id(), &budget));
        let by_id = by_id.map_err(|error| error.to_string())?.ok_or("a record is not found by its id")?;
        let which = identify(&by_id.record().map_err(|error| error.to_string())?)?;
        if which != *record { Err(format!("the id of record {record:?} gives {which:?}")) } else { Ok(()) }
    }

    /// Asks in SQL how many there are, and for the last few.
    pub(crate) fn ask_sql(&self, rng: &mut Rng, grant: &Grant, there: &Records, batches: usize) -> Result<(), String> {
        let there = of_tenant(there, grant);
        // Columns come with the first record.
        let depth = if there.is_empty() { None } else { Some(1) };
        let condition = depth.map_or(Everything, |depth| Condition::any(rng, batches as u64, depth));
        let matching = there.into_iter().filter(|(_, record)| condition.holds(*record));
        let mut expected: Vec<(i64, String)> = matching.map(|(key, _)| (key.time_ns, key.id().to_string())).collect();
        expected.sort_unstable_by(|one, other| other.cmp(one));
        let filter = condition.sql();
        let asked = |what: String| format!("SQL `{filter}` of `{}`: {what}", grant.tenant());
        let counted = self.sql(grant, &format!("SELECT count(*) FROM logs WHERE {filter}")).map_err(asked)?;
        let counted: i64 = counted.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values()).sum();
        if counted != expected.len() as i64 {
            return Err(asked(format!("counts {counted} records of {}", expected.len())));
        }
        let last = format!("SELECT id, time FROM logs WHERE {filter} ORDER BY time DESC LIMIT {LAST}");
        last_of(&self.sql(grant, &last).map_err(asked)?, &expected).map_err(asked)
    }

    fn sql(&self, grant: &Grant, text: &str) -> Result<Vec<RecordBatch>, String> {
        let answer = self.runtime.block_on(self.engine.sql(grant, text, &self.engine.budget()));
        answer.map(|answer| answer.batches).map_err(|error| error.to_string())
    }
}

/// Those found are the latest of all; which of several of one time is not said.
fn last_of(found: &[RecordBatch], expected: &[(i64, String)]) -> Result<(), String> {
    let mut last = Vec::new();
    for batch in found {
        let times = batch.column(1).as_primitive::<TimestampNanosecondType>().values().iter().copied();
        let ids = batch.column(0).as_string::<i32>().iter().map(|id| id.unwrap_or_default().to_owned());
        last.extend(times.zip(ids));
    }
    let times = |records: &[(i64, String)]| records.iter().take(LAST).map(|(time, _)| *time).collect::<Vec<_>>();
    let distinct: BTreeSet<_> = last.iter().collect();
    let real = distinct.len() == last.len() && distinct.iter().all(|record| expected.contains(record));
    if times(&last) != times(expected) || last.len() > LAST || !real {
        return Err(format!("the last are {last:?} and should be of {expected:?}"));
    }
    Ok(())
}

/// The tenant's records, but for those in the class of its audit trail.
fn of_tenant(there: &Records, grant: &Grant) -> Vec<Placed> {
    let records = there.iter().flat_map(|(record, copies)| copies.iter().map(move |copy| (copy, *record)));
    let own = records.filter(|(copy, _)| copy.class.0 == *grant.tenant() && copy.class.1 != Class::audit());
    let placed = own.map(|(copy, record)| {
        let ((batch, index), class) = (copy.place, copy.class.1.clone());
        (PageKey { time_ns: copy.time_ns, class, batch, index }, record)
    });
    placed.collect()
}

/// All of time, or from one record to before another.
fn any_range(rng: &mut Rng, there: &[Placed]) -> TimeRange {
    let mut time = || rng.pick(there).map(|(key, _)| key.time_ns);
    let (Some(one), Some(other)) = (time(), time()) else { return TimeRange::ALL };
    let range = TimeRange::new(one.min(other), one.max(other));
    range.filter(|_| rng.chance(50)).unwrap_or(TimeRange::ALL)
}

fn same(found: &[Placed], expected: &[Placed]) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    let at = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    Err(format!(
        "{} records are found and {} should be; number {at} is {:?} and should be {:?}",
        found.len(),
        expected.len(),
        found.get(at),
        expected.get(at)
    ))
}
