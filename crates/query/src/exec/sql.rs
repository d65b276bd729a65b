//! SQL, read-only, over the tables of one tenant.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    CatalogProvider as _, CatalogProviderList as _, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider as _,
};
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{FunctionRegistry as _, SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SQLOptions, SessionConfig};
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::functions::match_phrase;
use super::named::Named;
use super::percentiles::PercentilesTogether;
use super::table::{LogsTable, plan_error};
use super::{Budget, QueryError, mesh};
use crate::kql::suggest_field;

/// Passes of the optimizer over a plan with joins, unions or queries within queries, at most.
const MANY_PASSES: usize = 3;

/// Tables by their names.
pub(crate) type Tables = Vec<(&'static str, LogsTable)>;

/// Bounds on SQL queries.
#[derive(Clone, Copy, Debug)]
pub struct SqlOptions {
    /// Memory that the operators of all queries together may hold, in bytes.
    pub memory_bytes: usize,
    /// Rows of an answer at most; one more means there were more.
    pub rows: usize,
    /// Threads that one may use, and queries that run at a time.
    pub threads: usize,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct SqlAnswer {
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub batches: Vec<RecordBatch>,
    /// Whether it was cut at the row limit.
    pub truncated: bool,
}

/// What all queries share: memory, and the turns in which they run.
///
/// Beside what the pool counts a query holds the batches that it is reading, so a pool without turns would not bound the
/// memory of many queries.
pub(crate) struct SqlRoom {
    options: SqlOptions,
    /// Functions, rules and settings, without tables.
    base: SessionState,
    /// Copies of it that no query uses now: to copy hundreds of functions takes longer than to plan a small query.
    idle: Mutex<Vec<SessionState>>,
    turns: Semaphore,
}

impl SqlRoom {
    pub(crate) fn new(options: SqlOptions) -> Result<Self, QueryError> {
        let base = base(&options).map_err(plan_error)?;
        Ok(Self { options, base, idle: Mutex::default(), turns: Semaphore::new(options.threads.max(1)) })
    }

    /// A state in which no table can be named yet.
    pub(super) fn lend(&self) -> SessionState {
        let mut state = self.idle.lock().pop().unwrap_or_else(|| self.base.clone());
        state.mark_start_execution();
        state
    }

    /// Keeps a state for the next query, without what the last could name.
    fn take_back(&self, mut state: SessionState) {
        state.register_catalog_list(self.base.catalog_list().clone());
        self.idle.lock().push(state);
    }

    pub(crate) fn threads(&self) -> usize {
        self.options.threads
    }

    /// Waits for a turn, as long as the query may take.
    pub(crate) async fn turn(&self, budget: &Budget) -> Result<SemaphorePermit<'_>, QueryError> {
        match tokio::time::timeout(budget.time(), self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // Turns are never closed.
            Ok(Err(_)) | Err(_) => Err(QueryError::OverTime(budget.time())),
        }
    }
}

/// Runs one SELECT. The tables are the only things it can name: no files, no settings, no writes.
pub(crate) async fn run(sql: &str, tables: Tables, room: &SqlRoom, budget: &Budget) -> Result<SqlAnswer, QueryError> {
    let mut state = room.lend();
    let answer = tokio::time::timeout(budget.time(), answer(sql, tables, &mut state, room.options.rows)).await;
    room.take_back(state);
    answer.unwrap_or_else(|_| {
        budget.cancel();
        Err(QueryError::OverTime(budget.time()))
    })
}

async fn answer(
    sql: &str,
    tables: Tables,
    state: &mut SessionState,
    most_rows: usize,
) -> Result<SqlAnswer, QueryError> {
    let plan = plan(sql, tables, state).await.map_err(|error| explain(&error))?;
    let passes = passes(&plan);
    if state.config_options().optimizer.max_passes != passes {
        state.config_mut().options_mut().optimizer.max_passes = passes;
    }
    let schema = plan.schema().inner().clone();
    let plan = state.create_physical_plan(&plan).await.map_err(plan_error)?;
    let mut stream = execute_stream(plan, task(state)).map_err(plan_error)?;
    let (mut batches, mut rows, mut truncated) = (Vec::new(), 0, false);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(plan_error)?;
        let room = most_rows - rows;
        truncated = batch.num_rows() > room;
        let batch = batch.slice(0, room.min(batch.num_rows()));
        rows += batch.num_rows();
        batches.push(batch);
        if truncated {
            break;
        }
    }
    Ok(SqlAnswer { schema, batches, truncated })
}

/// How often the rules go over a plan. The second time is for what the first has brought together, which takes parts to
/// bring together: over a plan that is a line it would find nothing, in as much time as all the rest of the planning takes.
pub(super) fn passes(plan: &LogicalPlan) -> usize {
    use LogicalPlan::{Aggregate, Filter, Limit, Projection, Sort, TableScan};
    let is_line = |node: &LogicalPlan| match node {
        // Several may be joined in one, which leaves columns that are asked for no more.
        Aggregate(node) => node.aggr_expr.len() <= 1,
        Projection(_) | Filter(_) | Sort(_) | Limit(_) | TableScan(_) => true,
        _ => false,
    };
    let mut scans = 0;
    let looked = plan.apply_with_subqueries(|node| {
        scans += usize::from(matches!(node, TableScan(_)));
        Ok(if is_line(node) { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    if scans == 1 && looked.is_ok_and(|seen| seen == TreeNodeRecursion::Continue) { 1 } else { MANY_PASSES }
}

/// The plan of a statement about these tables, of which it sees the columns that it names.
pub(super) async fn plan(sql: &str, tables: Tables, state: &mut SessionState) -> Result<LogicalPlan, DataFusionError> {
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect)?;
    if let Some(named) = Named::by(&statement, sql) {
        show(tables.iter().map(|(name, table)| (*name, table.narrowed(&named))), state)?;
        if let Ok(plan) = state.statement_to_plan(statement.clone()).await {
            return read_only(plan);
        }
    }
    // What is wrong with a statement is told with all columns at hand.
    show(tables.into_iter(), state)?;
    read_only(state.statement_to_plan(statement).await?)
}

fn read_only(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan)?;
    Ok(plan)
}

/// Makes these tables, and no others, what a statement can name.
fn show(
    tables: impl Iterator<Item = (&'static str, LogsTable)>,
    state: &mut SessionState,
) -> Result<(), DataFusionError> {
    let schema = MemorySchemaProvider::new();
    for (name, table) in tables {
        schema.register_table(name.to_owned(), Arc::new(table))?;
    }
    let (catalog, catalogs) = (MemoryCatalogProvider::new(), MemoryCatalogProviderList::new());
    let names = &state.config_options().catalog;
    catalog.register_schema(&names.default_schema, Arc::new(schema))?;
    catalogs.register_catalog(names.default_catalog.clone(), Arc::new(catalog));
    state.register_catalog_list(Arc::new(catalogs));
    Ok(())
}

/// What a plan runs in. The functions that it calls are in the plan already.
fn task(state: &SessionState) -> Arc<TaskContext> {
    let (id, config, runtime) = (state.session_id().to_owned(), state.config().clone(), state.runtime_env().clone());
    let none = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
    Arc::new(TaskContext::new(None, id, config, none.0, none.1, none.2, none.3, runtime))
}

/// False only if the text cannot be about this table, whose columns then need not be gathered.
pub(crate) fn may_name(sql: &str, table: &str) -> bool {
    let text = sql.to_ascii_lowercase();
    [table, "information_schema", "show"].iter().any(|word| text.contains(word))
}

fn base(options: &SqlOptions) -> Result<SessionState, DataFusionError> {
    let config = SessionConfig::new()
        .with_target_partitions(options.threads.max(1))
        .with_information_schema(true)
        .set_bool("datafusion.sql_parser.enable_ident_normalization", true);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.memory_bytes)))
        // Spilling would put plain text on the disk.
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_optimizer_rule(Arc::new(PercentilesTogether))
        .build();
    state.register_udf(Arc::new(match_phrase()))?;
    for function in mesh::functions() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(state)
}

/// What is wrong with the text, with the nearest name where a name is unknown.
fn explain(error: &DataFusionError) -> QueryError {
    let root = error.find_root();
    let message = root.strip_backtrace();
    let suggestion = match root {
        DataFusionError::SchemaError(schema_error, _) => match &**schema_error {
            datafusion::common::SchemaError::FieldNotFound { field, valid_fields } => {
                let known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
                suggest_field(&field.name, &known).map(|name| format!("\"{name}\""))
            }
            _ => None,
        },
        _ => None,
    };
    // The list of every valid column is longer than anyone wants to read in an error.
    let message = match message.find("Valid fields are") {
        Some(end) => message[..end].trim().to_owned(),
        None => message,
    };
    QueryError::Sql { message, position: None, suggestion }
}
