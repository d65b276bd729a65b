//! The scan as a node of a plan of DataFusion.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, DataFusionError, Result as PlanResult, ScalarValue, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{Column as ColumnExpr, Literal};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_expr_common::physical_expr::snapshot_physical_expr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::StreamExt as _;
use logkeep_record::TimeRange;

use super::QueryError;
use super::chunk::{Chunk, Source, Wanted};
use super::condition::{Condition, columns_of};
use super::project::want;
use super::scan::{self, Scan};
use super::schema::{Column, Fixed};

/// Reads the rows of one table that match, newest sources first.
#[derive(Clone, Debug)]
pub(crate) struct LogScan {
    partitions: Vec<Partition>,
    properties: Arc<PlanProperties>,
    statistics: Arc<Statistics>,
}

/// What one thread reads.
#[derive(Clone)]
struct Partition {
    scan: Scan,
    columns: Vec<Column>,
    conditions: Vec<Condition>,
    /// Conditions that an operator above makes stricter while it runs; it checks them itself.
    moving: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
    limit: Option<usize>,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sources", self.scan.sources.len())
    }
}

impl LogScan {
    pub(crate) fn new(
        scan: &Scan,
        partitions: usize,
        columns: Vec<Column>,
        schema: SchemaRef,
        conditions: Vec<Condition>,
        limit: Option<usize>,
    ) -> Self {
        let takes_all =
            conditions.is_empty() && scan.filter.is_none() && scan.range == TimeRange::ALL && limit.is_none();
        let statistics = match takes_all {
            true => Arc::new(statistics(&scan.sources, &columns, &schema)),
            false => Arc::new(Statistics::new_unknown(&schema)),
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let part = |sources| Partition {
            scan: Scan { sources, ..scan.clone() },
            columns: columns.clone(),
            conditions: conditions.clone(),
            moving: Vec::new(),
            schema: schema.clone(),
            limit,
        };
        let partitions = split(&scan.sources, partitions).into_iter().map(part).collect();
        Self { partitions, properties: Arc::new(properties), statistics }
    }

    /// The same, read from the other end of time.
    fn oldest_first(&self) -> Self {
        let mut turned = self.clone();
        turned.partitions.iter_mut().for_each(|part| part.scan.sources.reverse());
        turned
    }
}

/// What is known of all rows without looking at one.
fn statistics(sources: &[Source], columns: &[Column], schema: &SchemaRef) -> Statistics {
    let rows = sources.iter().map(|source| source.rows() as usize).sum();
    let bounds = sources.iter().map(Source::time_bounds_ns).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let at = |time: i64| Precision::Exact(ScalarValue::TimestampNanosecond(Some(time), Some("UTC".into())));
    let of_column = |column: &Column| match (column, bounds) {
        (Column::Fixed(Fixed::Time), Some((min, max))) => ColumnStatistics::new_unknown()
            .with_null_count(Precision::Exact(0))
            .with_min_value(at(min))
            .with_max_value(at(max)),
        _ => ColumnStatistics::new_unknown(),
    };
    let mut statistics = Statistics::new_unknown(schema).with_num_rows(Precision::Exact(rows));
    statistics.column_statistics = columns.iter().map(of_column).collect();
    statistics
}

/// Sources, newest first, dealt out so that each partition has about the same number of rows.
fn split(sources: &[Source], partitions: usize) -> Vec<Vec<Source>> {
    let mut sorted: Vec<&Source> = sources.iter().collect();
    sorted.sort_by_key(|source| std::cmp::Reverse(source.time_bounds_ns().1));
    let mut parts: Vec<(u64, Vec<Source>)> = vec![(0, Vec::new()); partitions];
    for source in sorted {
        if let Some(least) = parts.iter_mut().min_by_key(|(rows, _)| *rows) {
            least.0 += source.rows();
            least.1.push(source.clone());
        }
    }
    parts.into_iter().map(|(_, sources)| sources).collect()
}

impl DisplayAs for LogScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: usize = self.partitions.iter().map(|part| part.scan.sources.len()).sum();
        let names: Vec<&str> =
            self.properties.eq_properties.schema().fields().iter().map(|f| f.name().as_str()).collect();
        write!(f, "LogScan: sources={sources}, columns=[{}]", names.join(", "))
    }
}

impl ExecutionPlan for LogScan {
    fn name(&self) -> &'static str {
        "LogScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        tell: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        for filter in self.partitions.iter().flat_map(|part| &part.moving) {
            if tell(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let part = &self.partitions[partition];
        if part.moving.is_empty() {
            return Ok(part.clone().read());
        }
        // Each source waits until the operator above has seen all of the one before, and so knows better what it wants.
        let sources = part.scan.sources.clone();
        let alone = part.clone();
        let in_turn = futures::stream::iter(sources).flat_map(move |source| {
            let mut alone = alone.clone();
            alone.scan.sources = vec![source];
            alone.read()
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(part.schema.clone(), in_turn)))
    }

    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], args: &StatisticsArgs) -> PlanResult<Arc<Statistics>> {
        Ok(match args.partition() {
            None => self.statistics.clone(),
            Some(_) => Arc::new(Statistics::new_unknown(&self.schema())),
        })
    }

    fn handle_child_pushdown_result(
        &self,
        phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> PlanResult<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters = vec![PushedDown::No; result.parent_filters.len()];
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(filters);
        if phase != FilterPushdownPhase::Post || result.parent_filters.is_empty() {
            return Ok(propagation);
        }
        let mut stricter = self.clone();
        for part in &mut stricter.partitions {
            part.moving.extend(result.parent_filters.iter().map(|filter| filter.filter.clone()));
        }
        Ok(propagation.with_updated_node(Arc::new(stricter)))
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> PlanResult<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let by_time = order.first().filter(|sort| {
            sort.expr
                .downcast_ref::<ColumnExpr>()
                .is_some_and(|column| column.name() == TIME && !sort.options.descending)
        });
        Ok(match by_time {
            Some(_) => SortOrderPushdownResult::Inexact { inner: Arc::new(self.oldest_first()) },
            None => SortOrderPushdownResult::Unsupported,
        })
    }
}

/// Name of the column of [`Fixed::Time`].
const TIME: &str = "time";

impl Partition {
    /// The rows of all sources, read on a thread of its own a few batches ahead.
    fn read(self) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), 4);
        let sender = builder.tx();
        builder.spawn_blocking(move || {
            let send = |batch| match sender.blocking_send(Ok(batch)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            };
            self.run(send).map_err(|error| DataFusionError::External(Box::new(error)))
        });
        builder.build()
    }

    fn run(&self, mut send: impl FnMut(RecordBatch) -> ControlFlow<()>) -> Result<(), QueryError> {
        let mut left = self.limit.unwrap_or(usize::MAX);
        for source in &self.scan.sources {
            let moving = self.moving_now()?;
            if self.is_behind(&moving, source) {
                self.scan.budget.source(true);
                continue;
            }
            let schema = source.schema()?;
            let mut wanted = Wanted::new();
            self.columns.iter().try_for_each(|column| want(column, source, &schema, &mut wanted))?;
            let conditions = self.conditions.iter().chain(&moving);
            let mut tested = Wanted::new();
            let columns = conditions.clone().flat_map(|condition| &condition.columns);
            columns.into_iter().try_for_each(|column| want(column, source, &schema, &mut tested))?;
            let condition = scan::Conditions {
                columns: tested,
                masks: conditions.map(|condition| Box::new(|chunk: &Chunk<'_>| condition.mask(chunk)) as _).collect(),
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

    /// The moving conditions as they are at this moment.
    fn moving_now(&self) -> Result<Vec<Condition>, QueryError> {
        let now = |filter: &Arc<dyn PhysicalExpr>| {
            let filter = snapshot_physical_expr(filter.clone())?;
            // What a condition says before it knows anything.
            if filter.downcast_ref::<Literal>().is_some_and(|says| says.value() == &ScalarValue::Boolean(Some(true))) {
                return Ok(None);
            }
            let mut places: Vec<usize> = collect_columns(&filter).iter().map(ColumnExpr::index).collect();
            places.sort_unstable();
            let schema = Arc::new(self.schema.project(&places)?);
            let columns = places.iter().map(|place| self.columns[*place].clone()).collect();
            Ok(Some(Condition::new(reassign_expr_columns(filter, &schema)?, columns, schema)))
        };
        self.moving.iter().filter_map(|filter| now(filter).transpose()).collect::<PlanResult<_>>().map_err(super::table::plan_error)
    }

    /// Whether no time in the source can satisfy the moving conditions.
    fn is_behind(&self, moving: &[Condition], source: &Source) -> bool {
        let times = SourceTimes(source.time_bounds_ns());
        moving.iter().any(|condition| {
            let predicate = PruningPredicateBuilder::new()
                .with_file_schema(condition.schema().clone())
                .try_build(condition.expr().clone());
            predicate.and_then(|predicate| predicate.prune(&times)).is_ok_and(|kept| kept == [false])
        })
    }
}

/// What is known of one source, for pruning.
struct SourceTimes((i64, i64));

impl SourceTimes {
    fn if_time(column: &datafusion::common::Column, time: i64) -> Option<ArrayRef> {
        let times = || TimestampNanosecondArray::from(vec![time]).with_timezone("UTC");
        (column.name == TIME).then(|| Arc::new(times()) as ArrayRef)
    }
}

impl PruningStatistics for SourceTimes {
    fn min_values(&self, column: &datafusion::common::Column) -> Option<ArrayRef> {
        Self::if_time(column, self.0.0)
    }

    fn max_values(&self, column: &datafusion::common::Column) -> Option<ArrayRef> {
        Self::if_time(column, self.0.1)
    }

    fn num_containers(&self) -> usize {
        1
    }

    fn null_counts(&self, column: &datafusion::common::Column) -> Option<ArrayRef> {
        (column.name == TIME).then(|| Arc::new(UInt64Array::from(vec![0])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(
        &self,
        _: &datafusion::common::Column,
        _: &std::collections::HashSet<ScalarValue>,
    ) -> Option<arrow::array::BooleanArray> {
        None
    }
}
