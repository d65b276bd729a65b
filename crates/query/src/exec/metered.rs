//! Memory and time that operators take without asking.
//!
//! DataFusion's operators ask the pool for what they keep, with one exception: a window function keeps every row it is given.
//! So what goes into one is counted, until the one above has been answered. And they give way to others when they read, but a
//! join may make rows for hours of what it has read: it is made to give way when it hands them on.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array as _, RecordBatch};
use datafusion::common::Result as PlanResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt as _;

/// Puts a meter below each operator that keeps rows without asking, and a place to give way above each that joins.
#[derive(Debug)]
pub(super) struct MeterAndYield;

impl PhysicalOptimizerRule for MeterAndYield {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let metered = plan.transform_up(|node| {
            if joins(&*node) {
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node))));
            }
            if !(node.is::<WindowAggExec>() || node.is::<BoundedWindowAggExec>()) {
                return Ok(Transformed::no(node));
            }
            let children = node.children().into_iter().map(|child| Arc::new(Metered { input: child.clone() }) as _);
            let children = children.collect();
            let same = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            Ok(Transformed::yes(node.replace_children(children, same)?))
        })?;
        Ok(metered.data)
    }

    fn name(&self) -> &str {
        "meter_and_yield"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn joins(node: &dyn ExecutionPlan) -> bool {
    node.is::<CrossJoinExec>()
        || node.is::<NestedLoopJoinExec>()
        || node.is::<HashJoinExec>()
        || node.is::<SortMergeJoinExec>()
        || node.is::<PiecewiseMergeJoinExec>()
}

/// Hands on what it is given, and has the pool account for it until it is dropped.
#[derive(Debug)]
struct Metered {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Metered {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metered")
    }
}

impl ExecutionPlan for Metered {
    fn name(&self) -> &'static str {
        "Metered"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(match children.pop() {
            Some(input) => Arc::new(Self { input }),
            None => self,
        })
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> PlanResult<SendableRecordBatchStream> {
        let kept = MemoryConsumer::new("window").register(task.memory_pool());
        let input = self.input.execute(partition, task)?;
        let counted = input.map(move |batch| batch.and_then(|batch| count(&kept, batch)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }
}

/// The same batch, if there is room for it.
pub(super) fn count(kept: &MemoryReservation, batch: RecordBatch) -> PlanResult<RecordBatch> {
    for column in batch.columns() {
        kept.try_grow(column.to_data().get_slice_memory_size()?)?;
    }
    Ok(batch)
}
