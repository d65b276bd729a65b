//! The scan as a node of a plan of DataFusion.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Result as PlanResult, ScalarValue, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column as ColumnExpr;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::sort_pushdown::SortOrderPushdownResult;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};

use super::chunk::Source;
use super::condition::Condition;
use super::partition::Partition;
use super::scan::Scan;
use super::schema::{Column, Fixed, TIME};

/// Reads the rows of one table that match, newest sources first.
#[derive(Clone, Debug)]
pub(crate) struct LogScan {
    partitions: Vec<Partition>,
    properties: Arc<PlanProperties>,
    statistics: Arc<Statistics>,
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
        let takes_all = conditions.is_empty() && scan.takes_all() && limit.is_none();
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

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        Ok(self.partitions[partition].clone().read(task.session_config().batch_size(), task.memory_pool().clone()))
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
