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
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{FunctionRegistry as _, SessionState, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig};
use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::functions::match_phrase;
use super::metered::{MeterAndYield, count};
use super::named::{Named, asks_for_templates};
use super::percentiles::PercentilesTogether;
use super::table::{LogsTable, plan_error};
use super::{Budget, QueryError, allowed, bounds, mesh, place};
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
    let is_long = bounds::words(sql)? > SHORT;
    let state = room.lend();
    let answer = async {
        let (state, prepared) = prepare(sql, is_long, tables, state).await?;
        let task = task(&state);
        room.take_back(state);
        collect(prepared?, task, room.options.rows).await
    };
    tokio::time::timeout(budget.time(), answer).await.unwrap_or_else(|_| {
        budget.cancel();
        Err(QueryError::OverTime(budget.time()))
    })
}

/// A statement that can be run.
struct Prepared {
    schema: SchemaRef,
    plan: Arc<dyn ExecutionPlan>,
}

/// Words and signs up to which a statement is planned in no time.
const SHORT: usize = 200;

/// Plans a statement; a long one where nothing else waits.
async fn prepare(
    sql: &str,
    is_long: bool,
    tables: Tables,
    mut state: SessionState,
) -> Result<(SessionState, Result<Prepared, QueryError>), QueryError> {
    if !is_long {
        let prepared = prepared(sql, tables, &mut state).await;
        return Ok((state, prepared));
    }
    let (sql, runtime) = (sql.to_owned(), Handle::current());
    let planning = tokio::task::spawn_blocking(move || {
        let prepared = runtime.block_on(prepared(&sql, tables, &mut state));
        (state, prepared)
    });
    planning.await.map_err(|error| QueryError::Internal(format!("planning ended by a panic: {error}")))
}

async fn prepared(sql: &str, tables: Tables, state: &mut SessionState) -> Result<Prepared, QueryError> {
    let plan = plan(sql, tables, state).await?;
    let (schema, passes) = (plan.schema().inner().clone(), passes(&plan));
    if state.config_options().optimizer.max_passes != passes {
        state.config_mut().options_mut().optimizer.max_passes = passes;
    }
    let plan = state.optimize(&plan).map_err(plan_error)?;
    let rows = bounds::rows_at_a_time(&plan).map_err(plan_error)?;
    if state.config_options().execution.batch_size.get() != rows {
        let rows = ConfigNonZeroUsize::try_new(rows).map_err(plan_error)?;
        state.config_mut().options_mut().execution.batch_size = rows;
    }
    let plan = state.query_planner().create_physical_plan(&plan, state).await.map_err(plan_error)?;
    Ok(Prepared { schema, plan })
}

async fn collect(prepared: Prepared, task: Arc<TaskContext>, most_rows: usize) -> Result<SqlAnswer, QueryError> {
    let kept = MemoryConsumer::new("answer").register(task.memory_pool());
    let mut stream = execute_stream(prepared.plan, task).map_err(plan_error)?;
    let (mut batches, mut rows, mut truncated) = (Vec::new(), 0, false);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(plan_error)?;
        let room = most_rows - rows;
        truncated = batch.num_rows() > room;
        let batch = batch.slice(0, room.min(batch.num_rows()));
        rows += batch.num_rows();
        batches.push(count(&kept, batch).map_err(plan_error)?);
        if truncated {
            break;
        }
    }
    Ok(SqlAnswer { schema: prepared.schema, batches, truncated })
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
pub(super) async fn plan(sql: &str, tables: Tables, state: &mut SessionState) -> Result<LogicalPlan, QueryError> {
    let dialect = state.config_options().sql_parser.dialect;
    let statement = state.sql_to_statement(sql, &dialect).map_err(|error| explain(&error, sql))?;
    bounds::check_statement(&statement)?;
    let named = Named::by(&statement, sql);
    if let Some(named) = &named {
        show(tables.iter().map(|(name, table)| (*name, table.narrowed(named))), state).map_err(plan_error)?;
        if let Ok(plan) = state.statement_to_plan(statement.clone()).await {
            return allowed_plan(plan, sql);
        }
    }
    // What is wrong with a statement is told with all columns at hand. To say templates all of a range is read, which `*` does not ask.
    let with_templates = named.is_some() || asks_for_templates(&statement);
    let shown = |(name, table): (_, LogsTable)| (name, if with_templates { table } else { table.without_templates() });
    show(tables.into_iter().map(shown), state).map_err(plan_error)?;
    allowed_plan(state.statement_to_plan(statement).await.map_err(|error| explain(&error, sql))?, sql)
}

/// The plan, if it only reads, and is not too large to be looked at for that.
fn allowed_plan(plan: LogicalPlan, sql: &str) -> Result<LogicalPlan, QueryError> {
    bounds::check_plan(&plan)?;
    let read_only = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    read_only.verify_plan(&plan).map_err(|error| explain(&error, sql))?;
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
        .set_bool("datafusion.sql_parser.enable_ident_normalization", true)
        // Texts are no views where they are stored: to cast one to a text would copy it there and back.
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.memory_bytes)))
        // Spilling would put plain text on the disk.
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let builder = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime).with_default_features();
    let mut state = allowed::only_allowed(builder)
        .with_optimizer_rule(Arc::new(PercentilesTogether))
        .with_physical_optimizer_rule(Arc::new(MeterAndYield))
        .build();
    state.register_udf(Arc::new(match_phrase()))?;
    for function in mesh::functions() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(state)
}

/// What is wrong with the text and where, with the nearest name where a name is unknown.
fn explain(error: &DataFusionError, sql: &str) -> QueryError {
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
        _ => unknown_function(&message).and_then(|name| suggest_field(name, &allowed::names())).map(str::to_owned),
    };
    let position = position(root, &message, sql);
    // The list of every valid column is longer than anyone wants to read in an error. Of functions equally near one or the
    // other is named.
    let end = ["Valid fields are", "Did you mean"].iter().find_map(|rest| message.find(rest));
    let message = message[..end.unwrap_or(message.len())].trim().to_owned();
    QueryError::Sql { message, position, suggestion }
}

fn position(error: &DataFusionError, message: &str, sql: &str) -> Option<usize> {
    match error {
        DataFusionError::SQL(error, _) => place::of_parser(&error.to_string(), sql),
        DataFusionError::SchemaError(error, _) => match &**error {
            datafusion::common::SchemaError::FieldNotFound { field, .. } => place::of_name(&field.name, sql),
            _ => None,
        },
        _ => place::of_name(unknown_function(message)?, sql),
    }
}

fn unknown_function(message: &str) -> Option<&str> {
    message.split_once("Invalid function '")?.1.split_once('\'').map(|(name, _)| name)
}
