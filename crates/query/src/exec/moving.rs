//! Conditions that an operator above makes stricter while it runs.
//!
//! "The last hundred" finds a hundred, and from then on wants nothing older than the oldest of them. It says so in an
//! expression that changes; sources that cannot hold anything newer need not be opened.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampNanosecondArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column as ColumnExpr, Literal};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr_common::physical_expr::{snapshot_generation, snapshot_physical_expr};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};

use super::QueryError;
use super::chunk::Source;
use super::condition::Condition;
use super::schema::{Column, TIME};
use super::table::plan_error;

/// The conditions as they were when last looked at.
pub(crate) struct Moving<'a> {
    filters: &'a [Arc<dyn PhysicalExpr>],
    /// What the filters are about.
    columns: &'a [Column],
    schema: &'a SchemaRef,
    generation: Option<u64>,
    conditions: Vec<Condition>,
    pruners: Vec<PruningPredicate>,
}

impl<'a> Moving<'a> {
    pub(crate) fn new(filters: &'a [Arc<dyn PhysicalExpr>], columns: &'a [Column], schema: &'a SchemaRef) -> Self {
        Self { filters, columns, schema, generation: None, conditions: Vec::new(), pruners: Vec::new() }
    }

    /// Looks at them again.
    pub(crate) fn refresh(&mut self) -> Result<(), QueryError> {
        let generation = self.filters.iter().map(snapshot_generation).fold(0, u64::wrapping_add);
        if self.generation.replace(generation) == Some(generation) {
            return Ok(());
        }
        (self.conditions, self.pruners) = (Vec::new(), Vec::new());
        self.filters.iter().try_for_each(|filter| self.add(filter)).map_err(plan_error)
    }

    fn add(&mut self, filter: &Arc<dyn PhysicalExpr>) -> PlanResult<()> {
        let filter = snapshot_physical_expr(filter.clone())?;
        // What it says before it knows anything.
        if filter.downcast_ref::<Literal>().is_some_and(|says| says.value() == &ScalarValue::Boolean(Some(true))) {
            return Ok(());
        }
        let mut places: Vec<usize> = collect_columns(&filter).iter().map(ColumnExpr::index).collect();
        places.sort_unstable();
        let schema = Arc::new(self.schema.project(&places)?);
        let columns = places.iter().map(|place| self.columns[*place].clone()).collect();
        let filter = reassign_expr_columns(filter, &schema)?;
        // One that cannot be decided by bounds prunes nothing.
        self.pruners.extend(PruningPredicateBuilder::new().with_file_schema(schema.clone()).try_build(filter.clone()));
        self.conditions.push(Condition::new(filter, columns, schema));
        Ok(())
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Whether no time in the source can satisfy them.
    pub(crate) fn excludes(&self, source: &Source) -> bool {
        let times = SourceTimes(source.time_bounds_ns());
        self.pruners.iter().any(|pruner| pruner.prune(&times).is_ok_and(|kept| kept == [false]))
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
