//! The scan as a table of DataFusion.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result as PlanResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::prelude::{col, lit};
use logkeep_record::Severity;

use super::QueryError;
use super::chunk::{Chunk, Source, Wanted};
use super::functions::MATCH_PHRASE;
use super::project::{project, want};
use super::prune::Needs;
use super::scan::{self, Scan};
use super::schema::{Column, TableSchema};

/// The table `logs` or `audit` of one tenant, at one instant.
pub(crate) struct LogsTable {
    scan: Scan,
    schema: TableSchema,
    partitions: usize,
}

impl fmt::Debug for LogsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogsTable({} sources)", self.scan.sources.len())
    }
}

impl LogsTable {
    pub(crate) fn new(scan: Scan, partitions: usize) -> Result<Self, QueryError> {
        let schema = TableSchema::of(&scan.sources)?;
        Ok(Self { scan, schema, partitions: partitions.max(1) })
    }
}

#[async_trait]
impl TableProvider for LogsTable {
    fn schema(&self) -> SchemaRef {
        self.schema.arrow.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Every filter is evaluated in the scan, before the other columns are read.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Exact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let places: Vec<usize> = match projection {
            Some(places) => places.clone(),
            None => (0..self.schema.columns.len()).collect(),
        };
        let mut scan = self.scan.clone();
        if let Some(range) = time_bounds(filters).and_then(|(from, to)| scan.range.narrowed(from, to)) {
            scan.range = range;
        }
        scan.also_needs(Needs::All(filters.iter().map(needs).collect()));
        let condition =
            filters.iter().cloned().reduce(Expr::and).map(|filter| self.condition(state, filter)).transpose()?;
        let output = Arc::new(self.schema.arrow.project(&places)?);
        let columns: Vec<Column> = places.iter().map(|place| self.schema.columns[*place].clone()).collect();
        let partitions = split(&scan.sources, self.partitions)
            .into_iter()
            .map(|sources| {
                let scan = Scan { sources, ..scan.clone() };
                let part = Partition {
                    scan,
                    columns: columns.clone(),
                    condition: condition.clone(),
                    schema: output.clone(),
                    limit,
                };
                Arc::new(part) as Arc<dyn PartitionStream>
            })
            .collect();
        Ok(Arc::new(StreamingTableExec::try_new(output, partitions, None, None, false, limit)?))
    }
}

impl LogsTable {
    fn condition(&self, state: &dyn Session, filter: Expr) -> PlanResult<Condition> {
        // Inside a plan columns are named with their table; the condition knows only one.
        let filter = by_severity_number(unqualified(filter)?)?;
        let mut names: Vec<String> = filter.column_refs().into_iter().map(|column| column.name.clone()).collect();
        names.sort();
        let places = names.iter().map(|name| self.schema.arrow.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(self.schema.arrow.project(&places)?);
        let expr = state.create_physical_expr(filter, &DFSchema::try_from(schema.as_ref().clone())?)?;
        let columns = places.into_iter().map(|place| self.schema.columns[place].clone()).collect();
        Ok(Condition { expr, columns, schema })
    }
}

fn unqualified(filter: Expr) -> PlanResult<Expr> {
    use datafusion::common::tree_node::{Transformed, TreeNode as _};
    let strip = |expr: Expr| {
        Ok(match expr {
            Expr::Column(mut column) => {
                column.relation = None;
                Transformed::yes(Expr::Column(column))
            }
            other => Transformed::no(other),
        })
    };
    Ok(filter.transform(strip)?.data)
}

/// `severity = 'error'` asked of the numbers that are stored, so that no names need be made to compare.
fn by_severity_number(filter: Expr) -> PlanResult<Expr> {
    use datafusion::common::tree_node::{Transformed, TreeNode as _};
    let range = |expr: Expr| {
        let Expr::BinaryExpr(binary) = &expr else { return Ok(Transformed::no(expr)) };
        let (Operator::Eq, Some("severity"), Some(name)) =
            (binary.op, column_name(&binary.left), text_of(&binary.right))
        else {
            return Ok(Transformed::no(expr));
        };
        let numbers: Vec<u8> = (0..=u8::MAX).filter(|n| Severity::from_number((*n).into()).name() == name).collect();
        Ok(match numbers.as_slice() {
            [first, .., last] if usize::from(last - first) + 1 == numbers.len() => {
                Transformed::yes(col("severity_number").between(lit(*first), lit(*last)))
            }
            _ => Transformed::no(expr),
        })
    };
    Ok(filter.transform(range)?.data)
}

/// A condition of SQL on the columns users know.
#[derive(Clone, Debug)]
struct Condition {
    expr: Arc<dyn PhysicalExpr>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl Condition {
    /// Which rows it holds for.
    fn mask(&self, chunk: &Chunk<'_>) -> Result<BooleanArray, QueryError> {
        let batch = columns_of(&self.columns, &self.schema, chunk)?;
        let result = self.expr.evaluate(&batch).and_then(|value| value.into_array(chunk.len())).map_err(plan_error)?;
        let mask = result.as_boolean_opt();
        Ok(mask.ok_or_else(|| QueryError::Internal("a condition that is not true or false".into()))?.clone())
    }
}

pub(crate) fn plan_error(error: DataFusionError) -> QueryError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => QueryError::OverMemory,
        DataFusionError::External(inner) => match inner.downcast_ref::<QueryError>() {
            Some(QueryError::OverTime(time)) => QueryError::OverTime(*time),
            Some(QueryError::Cancelled) => QueryError::Cancelled,
            _ => QueryError::Internal(inner.to_string()),
        },
        root => QueryError::Sql { message: root.strip_backtrace(), position: None, suggestion: None },
    }
}

fn columns_of(columns: &[Column], schema: &SchemaRef, chunk: &Chunk<'_>) -> Result<RecordBatch, QueryError> {
    let arrays = columns.iter().map(|column| project(column, chunk)).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(chunk.len()));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(scan::arrow_error)
}

/// Sources dealt out so that each partition has about the same number of rows.
fn split(sources: &[Source], partitions: usize) -> Vec<Vec<Source>> {
    let rows = |source: &Source| match &source.place {
        super::chunk::Place::Live(rows) => rows.len() as u64,
        super::chunk::Place::Segment(handle) => handle.row().records,
    };
    let mut sorted: Vec<&Source> = sources.iter().collect();
    sorted.sort_by_key(|source| std::cmp::Reverse(rows(source)));
    let mut parts: Vec<(u64, Vec<Source>)> = vec![(0, Vec::new()); partitions];
    for source in sorted {
        if let Some(least) = parts.iter_mut().min_by_key(|(rows, _)| *rows) {
            least.0 += rows(source);
            least.1.push(source.clone());
        }
    }
    parts.into_iter().map(|(_, sources)| sources).collect()
}

struct Partition {
    scan: Scan,
    columns: Vec<Column>,
    condition: Option<Condition>,
    schema: SchemaRef,
    limit: Option<usize>,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogScan({} sources)", self.scan.sources.len())
    }
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), 4);
        let sender = builder.tx();
        let part = Self {
            scan: self.scan.clone(),
            columns: self.columns.clone(),
            condition: self.condition.clone(),
            schema: self.schema.clone(),
            limit: self.limit,
        };
        builder.spawn_blocking(move || {
            let send = |batch| match sender.blocking_send(Ok(batch)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            part.run(send).map_err(|error| DataFusionError::External(Box::new(error)))
        });
        builder.build()
    }
}

impl Partition {
    fn run(&self, mut send: impl FnMut(RecordBatch) -> ControlFlow<()>) -> Result<(), QueryError> {
        let mut left = self.limit.unwrap_or(usize::MAX);
        for source in &self.scan.sources {
            let schema = source.schema()?;
            let physical = |columns: &[Column]| -> Result<Wanted, QueryError> {
                let mut wanted = Wanted::new();
                columns.iter().try_for_each(|column| want(column, source, &schema, &mut wanted))?;
                Ok(wanted)
            };
            let wanted = physical(&self.columns)?;
            let mask = self.condition.as_ref().map(|condition| |chunk: &Chunk<'_>| condition.mask(chunk));
            let condition = match (&self.condition, &mask) {
                (Some(condition), Some(mask)) => Some(scan::Condition { columns: physical(&condition.columns)?, mask }),
                _ => None,
            };
            let flow = self.scan.each(source, &wanted, condition, &mut |chunk| {
                let batch = columns_of(&self.columns, &self.schema, &chunk)?;
                let batch = batch.slice(0, left.min(batch.num_rows()));
                left -= batch.num_rows();
                let flow = send(batch);
                Ok(if left == 0 { ControlFlow::Break(()) } else { flow })
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// What a condition of SQL says about the tokens of a row: equality with a text and a phrase do, the rest does not.
fn needs(filter: &Expr) -> Needs {
    match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And => Needs::All(vec![needs(&binary.left), needs(&binary.right)]),
            Operator::Or => Needs::Any(vec![needs(&binary.left), needs(&binary.right)]),
            Operator::Eq => match (column_name(&binary.left), text_of(&binary.right)) {
                (Some(name), Some(text)) if !DERIVED.contains(&name) => Needs::tokens(text),
                _ => Needs::Anything,
            },
            _ => Needs::Anything,
        },
        Expr::ScalarFunction(call) if call.name() == MATCH_PHRASE => match call.args.as_slice() {
            [text, phrase] => match (column_name(text), text_of(phrase)) {
                (Some(name), Some(phrase)) if !DERIVED.contains(&name) => Needs::tokens(phrase),
                _ => Needs::Anything,
            },
            _ => Needs::Anything,
        },
        _ => Needs::Anything,
    }
}

/// Columns whose values are computed and so not among the tokens.
const DERIVED: &[&str] = &["id", "severity", "scope_name", "event_name"];

fn column_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Column(column) => Some(&column.name),
        _ => None,
    }
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// The half-open range of `time` that the conditions leave, if they say anything.
fn time_bounds(filters: &[Expr]) -> Option<(i64, i64)> {
    let mut bounds: (i64, i64) = (i64::MIN, i64::MAX);
    let mut seen = false;
    for filter in filters {
        let Expr::BinaryExpr(binary) = filter else { continue };
        if column_name(&binary.left) != Some("time") {
            continue;
        }
        let Expr::Literal(datafusion::common::ScalarValue::TimestampNanosecond(Some(at), _), _) = &*binary.right else {
            continue;
        };
        seen = true;
        match binary.op {
            Operator::GtEq => bounds.0 = bounds.0.max(*at),
            Operator::Gt => bounds.0 = bounds.0.max(at.saturating_add(1)),
            Operator::Lt => bounds.1 = bounds.1.min(*at),
            Operator::LtEq => bounds.1 = bounds.1.min(at.saturating_add(1)),
            Operator::Eq => bounds = (bounds.0.max(*at), bounds.1.min(at.saturating_add(1))),
            _ => {}
        }
    }
    seen.then_some(bounds)
}
