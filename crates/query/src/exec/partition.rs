//! What one thread reads of a table, and hands to the plan.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use tokio::sync::mpsc::Sender;

use super::QueryError;
use super::chunk::{Source, Wanted};
use super::condition::{Condition, columns_of};
use super::moving::Moving;
use super::naming::Names;
use super::project::want;
use super::scan::{self, Scan};
use super::schema::Column;

/// Batches that are read ahead.
const AHEAD: usize = 4;

/// Some of the sources of a scan.
#[derive(Clone)]
pub(crate) struct Partition {
    pub(crate) scan: Scan,
    pub(crate) columns: Vec<Column>,
    pub(crate) conditions: Vec<Condition>,
    /// Conditions that an operator above makes stricter while it runs; it checks them itself.
    pub(crate) moving: Vec<Arc<dyn PhysicalExpr>>,
    pub(crate) schema: SchemaRef,
    pub(crate) limit: Option<usize>,
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sources", self.scan.sources.len())
    }
}

impl Partition {
    /// The rows of all sources, so many at a time, read on a thread of its own a few batches ahead.
    pub(crate) fn read(self, rows: usize, pool: Arc<dyn MemoryPool>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(self.schema.clone(), AHEAD);
        let outlet = Outlet { sender: builder.tx(), rows, unseen: false };
        builder.spawn_blocking(move || {
            self.run(outlet, &pool).map_err(|error| DataFusionError::External(Box::new(error)))
        });
        builder.build()
    }

    fn run(&self, mut outlet: Outlet, pool: &Arc<dyn MemoryPool>) -> Result<(), QueryError> {
        let mut moving = Moving::new(&self.moving, &self.columns, &self.schema);
        let mut left = self.limit.unwrap_or(usize::MAX);
        for source in &self.scan.sources {
            if !self.moving.is_empty() {
                // What this source is asked depends on what was found in those before.
                if outlet.catch_up(&self.schema).is_break() {
                    break;
                }
                moving.refresh()?;
            }
            if moving.excludes(source) {
                self.scan.budget.source(true);
                continue;
            }
            // Most segments have none of the tokens of a rare word, and need not be looked at any further.
            if !self.scan.may_match(source)? {
                continue;
            }
            let names = match &self.scan.naming {
                Some(naming) => match naming.of(source, pool)? {
                    None => continue,
                    names => names,
                },
                None => None,
            };
            let wanted = wanted(source, &self.columns, names.as_deref())?;
            let conditions = self.conditions.iter().chain(moving.conditions());
            let columns = conditions.clone().flat_map(|condition| &condition.columns);
            let tested = self::wanted(source, columns, names.as_deref())?;
            let conditions = scan::Conditions { columns: tested, all: conditions.collect(), names, numbers: None };
            let flow = self.scan.each(source, &wanted, conditions, &mut |chunk| {
                let batch = columns_of(&self.columns, &self.schema, &chunk)?;
                let batch = batch.slice(0, left.min(batch.num_rows()));
                left -= batch.num_rows();
                let flow = outlet.send(batch);
                Ok(if left == 0 { ControlFlow::Break(()) } else { flow })
            })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// The stored columns that these are made from.
fn wanted<'c>(
    source: &Source,
    columns: impl IntoIterator<Item = &'c Column>,
    names: Option<&Names>,
) -> Result<Wanted, QueryError> {
    let (schema, mut wanted) = (source.schema()?, Wanted::new());
    for column in columns {
        want(column, source, &schema, &mut wanted)?;
        if column.is_of_template() {
            wanted.extend(names.and_then(Names::column).map(str::to_owned));
        }
    }
    Ok(wanted)
}

/// Where batches go.
struct Outlet {
    sender: Sender<PlanResult<RecordBatch>>,
    /// At a time.
    rows: usize,
    /// Something was sent that may not have been looked at.
    unseen: bool,
}

impl Outlet {
    fn send(&mut self, batch: RecordBatch) -> ControlFlow<()> {
        self.unseen = true;
        // One without rows is sent as well: it is waited for.
        for from in (0..batch.num_rows().max(1)).step_by(self.rows.max(1)) {
            let part = batch.slice(from, self.rows.max(1).min(batch.num_rows() - from));
            if self.sender.blocking_send(Ok(part)).is_err() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Waits until whoever takes the batches has looked at all of them: it takes an empty one only after that.
    fn catch_up(&mut self, schema: &SchemaRef) -> ControlFlow<()> {
        if !self.unseen {
            return ControlFlow::Continue(());
        }
        let flow = self.send(RecordBatch::new_empty(schema.clone()));
        self.unseen = false;
        match futures::executor::block_on(self.sender.reserve_many(AHEAD)) {
            Ok(_) => flow,
            Err(_) => ControlFlow::Break(()),
        }
    }
}
