//! What can be asked of one tenant's data, given leave.

pub(crate) mod audit;
mod compare;
mod export;
mod follow;
mod patterns;
mod proof;
pub(crate) mod services;

pub use compare::compared_range;
pub use export::Export;
pub use follow::Follower;
pub use proof::Seal;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use logkeep_access::Grant;
use logkeep_ingest::{Ingest, Snapshot};
use logkeep_record::{Class, RecordId, TenantId, TimeRange, TraceId, Value};

use crate::exec::cache::BlockCache;
use crate::exec::scan::{Ask, Dataset, Scan};
use crate::exec::schema::{SchemaCache, TableSchema};
use crate::exec::sql;
use crate::exec::table::LogsTable;
use crate::exec::templates::TemplateFilter;
use crate::exec::view::View;
use crate::exec::{
    AskedTemplate, Budget, FieldValues, Fields, Found, Histogram, Order, Page, PageKey, QueryError, Search, Split,
    SqlAnswer, SqlOptions,
};
use crate::kql::{Expr, Predicate, Span};
use crate::mask::Mask;

/// Bounds on queries.
#[derive(Clone, Copy, Debug)]
pub struct QueryOptions {
    /// Time one query may take.
    pub timeout: Duration,
    /// SQL.
    pub sql: SqlOptions,
    /// Memory for decoded columns that may be asked for again, in bytes.
    pub cache_bytes: usize,
}

/// Which records a question is about.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Logs, spans or the audit trail.
    pub dataset: Dataset,
    /// Those that match it.
    pub filter: Expr,
    /// Those within it.
    pub range: TimeRange,
    /// Those of one message template.
    pub template: Option<AskedTemplate>,
}

impl Selection {
    /// All of a dataset.
    pub fn all(dataset: Dataset) -> Self {
        Self { dataset, filter: Expr::All, range: TimeRange::ALL, template: None }
    }
}

/// Records before and after one.
pub struct Context {
    /// Oldest first, ending just before the record.
    pub before: Vec<Found>,
    /// The record.
    pub record: Found,
    /// Oldest first, beginning just after the record.
    pub after: Vec<Found>,
    /// The fields that all of them share.
    pub by: Vec<&'static str>,
}

/// The spans and the records of logs of one trace.
pub struct Trace {
    /// Its spans, by their start.
    pub spans: Page,
    /// The records that carry its id.
    pub logs: Page,
}

/// Fields that tell which log a record stood in, most telling last.
const SAME_LOG: &[&str] = &["service.name", "k8s.namespace.name", "k8s.pod.name", "k8s.container.name", "host.name"];

/// Answers questions. Every one takes a grant, whose tenant is the only one it can see.
#[derive(Clone)]
pub struct QueryEngine {
    ingest: Ingest,
    timeout: Duration,
    sql: Arc<sql::SqlRoom>,
    cache: Arc<BlockCache>,
    schemas: Arc<SchemaCache>,
}

impl QueryEngine {
    /// Over what `ingest` stores.
    ///
    /// # Errors
    /// [`QueryError`], if SQL cannot be set up.
    pub fn new(ingest: Ingest, options: QueryOptions) -> Result<Self, QueryError> {
        let cache = Arc::new(BlockCache::new(options.cache_bytes));
        Ok(Self {
            ingest,
            timeout: options.timeout,
            sql: Arc::new(sql::SqlRoom::new(options.sql)?),
            cache,
            schemas: Arc::default(),
        })
    }

    /// A budget that begins now.
    pub fn budget(&self) -> Budget {
        Budget::new(self.timeout)
    }

    /// Gives back memory that was kept for questions that nobody has asked for that long.
    pub fn forget_unused(&self, after: Duration) {
        self.cache.forget_unused(after);
    }

    /// Drops all that was decoded or learnt for questions: what it came from was destroyed.
    pub fn forget_all(&self) {
        self.cache.forget_unused(Duration::ZERO);
        self.schemas.forget();
    }

    /// Whether there is something to ask about.
    ///
    /// # Errors
    /// [`QueryError::Destroyed`]: what the tenant had was destroyed, or is being.
    pub fn check_there(&self, tenant: &TenantId) -> Result<(), QueryError> {
        let Some(by) = self.ingest.destruction(tenant) else { return Ok(()) };
        let when = Timestamp::from_nanosecond(by.approved_ns.into())
            .map_err(|error| QueryError::Internal(error.to_string()))?;
        let (requester, approver) = (&by.requester, &by.approver);
        Err(QueryError::Destroyed(format!(
            "what the tenant `{tenant}` had was destroyed: its keys were, at {when:.0}, as `{requester}` asked for and `{approver}` approved; \
            the audit trail stays (`/api/v1/audit`)"
        )))
    }

    fn scan(&self, grant: &Grant, selection: &Selection, budget: &Budget) -> Result<Scan, QueryError> {
        let Selection { dataset, filter, range, template } = selection;
        if !reads(grant, *dataset) {
            return Err(QueryError::Denied(dataset.name()));
        }
        if *dataset != Dataset::Audit {
            self.check_there(grant.tenant())?;
        }
        let view = view(grant, *dataset)?;
        let by_lists = !view.is_limited();
        let ask = Ask { tenant: grant.tenant(), dataset: *dataset, range: *range, filter, view };
        let snapshot = self.snapshot();
        let mut scan = Scan::new(&snapshot, ask, budget.clone(), self.cache.clone())?;
        scan.threads = self.sql.threads();
        if let Some(asked) = template {
            if matches!(asked, AskedTemplate::Id(_)) && !by_lists {
                return Err(QueryError::NoTemplateIds);
            }
            let segments = patterns::segments(&snapshot, grant);
            scan.template = Some(Arc::new(TemplateFilter::new(asked.clone(), by_lists, segments)));
        }
        Ok(scan)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.ingest.snapshot()
    }

    /// A page of records.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn search(
        &self,
        grant: &Grant,
        selection: &Selection,
        search: Search,
        budget: &Budget,
    ) -> Result<Page, QueryError> {
        let scan = self.scan(grant, selection, budget)?;
        blocking(budget, move || scan.page(&search)).await
    }

    /// Counts over time.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn histogram(
        &self,
        grant: &Grant,
        selection: &Selection,
        buckets: usize,
        budget: &Budget,
    ) -> Result<Histogram, QueryError> {
        let scan = self.scan(grant, selection, budget)?;
        blocking(budget, move || scan.histogram(buckets)).await
    }

    /// As [`QueryEngine::histogram`], with the `most` most frequent values of a field.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn split(
        &self,
        grant: &Grant,
        selection: &Selection,
        field: &str,
        (buckets, most): (usize, usize),
        budget: &Budget,
    ) -> Result<Split, QueryError> {
        let (scan, field) = (self.scan(grant, selection, budget)?, field.to_owned());
        blocking(budget, move || scan.split(&field, buckets, most)).await
    }

    /// The fields of the matching records.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn fields(&self, grant: &Grant, selection: &Selection, budget: &Budget) -> Result<Fields, QueryError> {
        let scan = self.scan(grant, selection, budget)?;
        blocking(budget, move || scan.fields()).await
    }

    /// The values of one field; `None` if no record in the range has it.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn values(
        &self,
        grant: &Grant,
        selection: &Selection,
        name: &str,
        limit: usize,
        budget: &Budget,
    ) -> Result<Option<FieldValues>, QueryError> {
        let scan = self.scan(grant, selection, budget)?;
        let name = name.to_owned();
        blocking(budget, move || scan.values(&name, limit)).await
    }

    /// One record; `None` if there is none by this id.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn record(&self, grant: &Grant, id: &RecordId, budget: &Budget) -> Result<Option<Found>, QueryError> {
        let dataset = if id.class == Class::spans() { Dataset::Spans } else { Dataset::Logs };
        let scan = self.scan(grant, &Selection::all(dataset), budget)?;
        let id = id.clone();
        blocking(budget, move || scan.by_id(&id)).await
    }

    /// The records around one, of the same log as far as can be told.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn context(
        &self,
        grant: &Grant,
        id: &RecordId,
        before: usize,
        after: usize,
        budget: &Budget,
    ) -> Result<Option<Context>, QueryError> {
        let Some(found) = self.record(grant, id, budget).await? else { return Ok(None) };
        let (filter, by) = same_log(&found)?;
        let same_log = Selection { filter, ..Selection::all(Dataset::Logs) };
        let page = |order, limit, after: PageKey| {
            let search = Search { limit, order, after: Some(after) };
            self.search(grant, &same_log, search, budget)
        };
        let mut earlier = page(Order::Descending, before, found.key.clone()).await?.records;
        earlier.reverse();
        let later = page(Order::Ascending, after, found.key.clone()).await?.records;
        Ok(Some(Context { before: earlier, record: found, after: later, by }))
    }

    /// What is known of one trace, oldest first: at most so many spans, and so many records of logs that carry its id.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn trace(
        &self,
        grant: &Grant,
        id: TraceId,
        spans: usize,
        logs: usize,
        budget: &Budget,
    ) -> Result<Trace, QueryError> {
        let predicate = Predicate::Phrase(id.to_string());
        let filter = Expr::Field { name: "trace_id".into(), predicate, span: Span::default() };
        let page = async |dataset, limit| {
            let selection = Selection { filter: filter.clone(), ..Selection::all(dataset) };
            let search = Search { limit, order: Order::Ascending, after: None };
            self.search(grant, &selection, search, budget).await
        };
        Ok(Trace { spans: page(Dataset::Spans, spans).await?, logs: page(Dataset::Logs, logs).await? })
    }

    /// A SELECT over the tables `logs`, `spans` and `audit`.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn sql(&self, grant: &Grant, sql: &str, budget: &Budget) -> Result<SqlAnswer, QueryError> {
        let _turn = self.sql.turn(budget).await?;
        let mut tables = Vec::new();
        for dataset in [Dataset::Logs, Dataset::Spans, Dataset::Audit] {
            let name = dataset.name();
            // What may not be read is no table.
            if sql::may_name(sql, name) && reads(grant, dataset) {
                tables.push((name, self.table(grant, &Selection::all(dataset), budget).await?));
            }
        }
        self.select(sql, tables, budget).await
    }

    /// Runs a statement for a caller that has a turn.
    async fn select(&self, sql: &str, tables: sql::Tables, budget: &Budget) -> Result<SqlAnswer, QueryError> {
        let cancel = budget.cancel_on_drop();
        let answer = sql::run(sql, tables, &self.sql, budget).await;
        cancel.disarm();
        answer
    }

    /// What is selected, as a table.
    async fn table(&self, grant: &Grant, selection: &Selection, budget: &Budget) -> Result<LogsTable, QueryError> {
        let scan = self.scan(grant, selection, budget)?;
        let schema = self.schema(&scan, budget).await?;
        Ok(LogsTable::new(scan, schema, self.sql.threads()))
    }

    async fn schema(&self, scan: &Scan, budget: &Budget) -> Result<Arc<TableSchema>, QueryError> {
        if let Some(schema) = self.schemas.known(scan) {
            return Ok(schema);
        }
        let (schemas, scan) = (self.schemas.clone(), scan.clone());
        blocking(budget, move || schemas.schema(&scan)).await
    }

    /// Number of records of logs, and the earliest and latest time among them; `None` for those who may not see all.
    pub fn extent(&self, grant: &Grant) -> Option<(u64, Option<(i64, i64)>)> {
        if !grant.reach().scopes.is_empty() {
            return None;
        }
        let snapshot = self.snapshot();
        let (mut records, mut bounds) = (0, None::<(i64, i64)>);
        let mut add = |count: u64, (min, max): (i64, i64)| {
            records += count;
            let (low, high) = bounds.unwrap_or((min, max));
            bounds = Some((low.min(min), high.max(max)));
        };
        for view in snapshot.logs_of(grant.tenant()) {
            view.segments
                .iter()
                .for_each(|segment| add(segment.row().records, (segment.row().min_time_ns, segment.row().max_time_ns)));
            for rows in &view.live {
                let (min, max, _) = rows.time_bounds();
                add(rows.len() as u64, (min, max));
            }
        }
        Some((records, bounds))
    }
}

/// A filter for the records of the same log: same service, pod, container and host.
fn same_log(found: &Found) -> Result<(Expr, Vec<&'static str>), QueryError> {
    let record = found.record()?;
    let mut parts = Vec::new();
    let mut by = Vec::new();
    for name in SAME_LOG {
        if let Some(value) = record.resource.attribute(name).and_then(Value::as_str) {
            let predicate = Predicate::Phrase(value.to_owned());
            parts.push(Expr::Field { name: format!("resource.{name}"), predicate, span: Span::default() });
            by.push(*name);
        }
    }
    Ok((Expr::and(parts), by))
}

/// Runs blocking work, which is told to stop when nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    budget: &Budget,
    work: impl FnOnce() -> Result<T, QueryError> + Send + 'static,
) -> Result<T, QueryError> {
    let cancel = budget.cancel_on_drop();
    let done = tokio::task::spawn_blocking(work).await;
    cancel.disarm();
    match done {
        Ok(result) => result,
        Err(error) => Err(QueryError::Internal(format!("a query ended by a panic: {error}"))),
    }
}

/// Whether a grant is for this.
fn reads(grant: &Grant, dataset: Dataset) -> bool {
    match dataset {
        Dataset::Logs | Dataset::Spans => grant.reads_data(),
        Dataset::Audit => grant.reads_audit(),
    }
}

/// What a grant lets its holder see of a dataset. The audit trail is of no service, and has no field that is masked.
fn view(grant: &Grant, dataset: Dataset) -> Result<Arc<View>, QueryError> {
    if dataset == Dataset::Audit {
        return Ok(Arc::default());
    }
    let reach = grant.reach();
    let mask = Mask::new(reach.masked.iter().map(String::as_str)).map_err(QueryError::Internal)?;
    let mask = (!mask.is_empty()).then(|| Arc::new(mask));
    Ok(Arc::new(View { scopes: reach.scopes.clone(), mask }))
}
