//! What services do and whom they call, computed from spans when it is asked for.
//!
//! Figures are SQL over the table of spans, so they have its bounds (time, memory, turns) and nothing is kept beside the
//! spans that could differ from them.

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use logkeep_access::Grant;
use logkeep_record::TimeRange;

use super::{QueryEngine, Selection};
use crate::exec::scan::arrow_error;
use crate::exec::{Budget, QueryError, SqlAnswer};

/// How far the two halves of a call may lie apart, for clocks that differ and messages that wait.
const APART_NS: i64 = 300 * 1_000_000_000;
/// Where a caller says whom it calls, most telling first.
const PEERS: &[&str] = &["peer.service", "server.address", "net.peer.name", "messaging.destination.name"];

/// Rate, errors and durations of something that was done so often.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// How often.
    pub count: u64,
    /// How often it failed.
    pub errors: u64,
    /// 50th, 95th and 99th percentile of how long it took, in milliseconds; `None` if no span says when it ended.
    pub duration_ms: [Option<f64>; 3],
}

/// A service, and the requests that it served.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Of its spans of kind server or consumer, and of those that begin a trace.
    pub figures: Figures,
}

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Who calls.
    pub caller: String,
    /// Who is called; `None` if neither side says.
    pub callee: Option<String>,
    /// Whether that is known from a span of the one that was called.
    pub traced: bool,
    /// As the caller sees them.
    pub figures: Figures,
}

/// What there is most of, and whether there is more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Most<T> {
    /// Most frequent first.
    pub items: Vec<T>,
    /// Whether there are others.
    pub more: bool,
}

const FIGURES: &str = "count(*) as calls, sum(case when status_code = 'error' then 1 else 0 end), \
    percentile_cont(0.5) within group (order by duration_ms), \
    percentile_cont(0.95) within group (order by duration_ms), \
    percentile_cont(0.99) within group (order by duration_ms)";

impl QueryEngine {
    /// The services of the selected spans, `limit` at most.
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
        let spans = self.table(grant, selection, budget).await?;
        if !spans.has("service.name") {
            return Ok(Most { items: Vec::new(), more: false });
        }
        let text = format!(
            "select {SERVICE} as service, {FIGURES} from spans \
             where kind in ('server', 'consumer') or parent_span_id is null \
             group by service order by calls desc, service limit {}",
            limit + 1
        );
        let answer = self.select(&text, vec![("spans", spans)], budget).await?;
        let service = |row: &Row<'_>| Service { name: row.text(0).unwrap_or_default(), figures: row.figures(1) };
        most(&answer, limit, service)
    }

    /// Who calls whom, by the selected spans of callers, `limit` edges at most.
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
        let calls = self.table(grant, selection, budget).await?;
        let served = self.table(grant, &other_half(selection), budget).await?;
        if !calls.has("service.name") {
            return Ok(Most { items: Vec::new(), more: false });
        }
        let known: Vec<String> =
            PEERS.iter().filter(|name| calls.has(name)).map(|name| format!("cast(\"{name}\" as varchar)")).collect();
        let peer = if known.is_empty() {
            "cast(null as varchar)".to_owned()
        } else {
            format!("coalesce({})", known.join(", "))
        };
        // Where both halves share one id, as Zipkin allows, the parent is the caller's own.
        let caller_id = match served.has("zipkin.shared") {
            true => "case when cast(\"zipkin.shared\" as varchar) = 'true' then span_id else parent_span_id end",
            false => "parent_span_id",
        };
        let text = format!(
            "with made as (select trace_id, span_id, {SERVICE} as caller, {peer} as peer, status_code, duration_ms \
                 from calls where kind in ('client', 'producer')), \
             taken as (select distinct trace_id, {caller_id} as span_id, {SERVICE} as service \
                 from served where kind in ('server', 'consumer')) \
             select caller, coalesce(service, peer) as callee, service is not null as traced, {FIGURES} \
             from made left join taken on made.trace_id = taken.trace_id and made.span_id = taken.span_id \
             group by caller, callee, traced order by calls desc, caller, callee, traced limit {}",
            limit + 1
        );
        let answer = self.select(&text, vec![("calls", calls), ("served", served)], budget).await?;
        let edge = |row: &Row<'_>| Edge {
            caller: row.text(0).unwrap_or_default(),
            callee: row.text(1),
            traced: row.traced(2),
            figures: row.figures(3),
        };
        most(&answer, limit, edge)
    }
}

/// A sender may give a number as the name.
const SERVICE: &str = "cast(\"service.name\" as varchar)";

/// All spans of about the same time.
fn other_half(selection: &Selection) -> Selection {
    let (start, end) = (selection.range.start_ns(), selection.range.end_ns());
    let range = TimeRange::new(start.saturating_sub(APART_NS), end.saturating_add(APART_NS));
    Selection { range: range.unwrap_or(selection.range), ..Selection::all(selection.dataset) }
}

fn most<T>(answer: &SqlAnswer, limit: usize, item: impl Fn(&Row<'_>) -> T) -> Result<Most<T>, QueryError> {
    let mut items = Vec::new();
    for batch in &answer.batches {
        let columns = Columns::of(batch)?;
        items.extend((0..batch.num_rows()).map(|place| item(&Row { columns: &columns, place })));
    }
    let more = answer.truncated || items.len() > limit;
    items.truncate(limit);
    Ok(Most { items, more })
}

/// The columns of a batch by their types.
struct Columns(Vec<Column>);

enum Column {
    Text(StringArray),
    Bool(BooleanArray),
    Count(Int64Array),
    Number(Float64Array),
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, QueryError> {
        let column = |array: &ArrayRef| -> Result<Column, QueryError> {
            let to = |data_type| cast(array, &data_type).map_err(arrow_error);
            Ok(match array.data_type() {
                DataType::Boolean => Column::Bool(array.as_boolean().clone()),
                data_type if data_type.is_integer() => {
                    Column::Count(to(DataType::Int64)?.as_primitive::<Int64Type>().clone())
                }
                data_type if data_type.is_floating() => {
                    Column::Number(to(DataType::Float64)?.as_primitive::<Float64Type>().clone())
                }
                _ => Column::Text(to(DataType::Utf8)?.as_string::<i32>().clone()),
            })
        };
        Ok(Self(batch.columns().iter().map(column).collect::<Result<_, _>>()?))
    }
}

struct Row<'c> {
    columns: &'c Columns,
    place: usize,
}

impl Row<'_> {
    fn text(&self, column: usize) -> Option<String> {
        match &self.columns.0[column] {
            Column::Text(texts) if texts.is_valid(self.place) => Some(texts.value(self.place).to_owned()),
            _ => None,
        }
    }

    fn traced(&self, column: usize) -> bool {
        matches!(&self.columns.0[column], Column::Bool(values) if values.value(self.place))
    }

    fn count(&self, column: usize) -> u64 {
        match &self.columns.0[column] {
            Column::Count(counts) if counts.is_valid(self.place) => counts.value(self.place).unsigned_abs(),
            _ => 0,
        }
    }

    fn number(&self, column: usize) -> Option<f64> {
        match &self.columns.0[column] {
            Column::Number(numbers) if numbers.is_valid(self.place) => Some(numbers.value(self.place)),
            _ => None,
        }
    }

    fn figures(&self, first: usize) -> Figures {
        let duration_ms = [2, 3, 4].map(|place| self.number(first + place));
        Figures { count: self.count(first), errors: self.count(first + 1), duration_ms }
    }
}
