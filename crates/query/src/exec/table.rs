//! The scan as a table of DataFusion.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, DataFusionError, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::{self as physical, Column as ColumnExpr, Literal};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{col, lit};
use logkeep_record::{Severity, SpanId, TimeRange, TraceId};
use parking_lot::Mutex;

use super::QueryError;
use super::calls;
use super::condition::Condition;
use super::functions::{MATCH_PHRASE, text_search};
use super::named::Named;
use super::naming::Naming;
use super::plan::LogScan;
use super::prune::Needs;
use super::scan::Scan;
use super::schema::{Column, Fixed, TIME, TableSchema};
use crate::kql::TextPattern;

/// What templates are called in a range.
type Ranged = (TimeRange, Arc<Naming>);

/// The table `logs`, `spans` or `audit` of one tenant, at one instant.
#[derive(Clone)]
pub(crate) struct LogsTable {
    scan: Scan,
    schema: Arc<TableSchema>,
    /// What a statement can see of it.
    shown: Arc<TableSchema>,
    partitions: usize,
    /// What templates are called in the ranges that were asked for so far: a statement may name the table more than once.
    namings: Arc<Mutex<Vec<Ranged>>>,
}

impl fmt::Debug for LogsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogsTable({} sources)", self.scan.sources.len())
    }
}

impl LogsTable {
    pub(crate) fn new(scan: Scan, schema: Arc<TableSchema>, partitions: usize) -> Self {
        Self { scan, shown: schema.clone(), schema, partitions: partitions.max(1), namings: Arc::default() }
    }

    /// The same table with no more columns than a statement can be about.
    pub(super) fn narrowed(&self, named: &Named) -> Self {
        Self { shown: Arc::new(self.schema.narrowed(named)), ..self.clone() }
    }

    /// The same table without the columns of message templates.
    pub(super) fn without_templates(&self) -> Self {
        let schema = Arc::new(self.schema.without_templates());
        Self { shown: schema.clone(), schema, ..self.clone() }
    }

    /// What its records say of calls; `None` if none of them can say anything.
    pub(crate) fn calls(&self) -> Option<Self> {
        let as_keys = || Scan { as_keys: true, ..self.scan.clone() };
        self.has(calls::NEEDED).then(|| Self::new(as_keys(), Arc::new(calls::schema()), self.partitions))
    }

    /// Whether there is a column of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.schema.arrow.column_with_name(name).is_some()
    }
}

#[async_trait]
impl TableProvider for LogsTable {
    fn schema(&self) -> SchemaRef {
        self.shown.arrow.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Every filter is evaluated in the scan, before the other columns are read; but all columns of calls are made at once.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        use TableProviderFilterPushDown::{Exact, Unsupported};
        let is_of_calls = self.schema.columns.iter().any(Column::is_of_call);
        Ok(vec![if is_of_calls { Unsupported } else { Exact }; filters.len()])
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
            None => (0..self.shown.columns.len()).collect(),
        };
        let mut scan = self.scan.clone();
        let (range, filters) = split_time_bounds(scan.range, filters);
        scan.range = range;
        let ranged = scan.clone();
        let only_ids = scan.view.mask.is_some();
        scan.also_needs(Needs::All(filters.iter().map(|filter| needs(filter, only_ids)).collect()));
        let conditions = filters.into_iter().map(|filter| self.condition(state, filter.clone()));
        let conditions = conditions.collect::<PlanResult<Vec<_>>>()?;
        let columns: Vec<Column> = places.iter().map(|place| self.shown.columns[*place].clone()).collect();
        let mut asked = columns.iter().chain(conditions.iter().flat_map(|condition: &Condition| &condition.columns));
        if asked.any(Column::is_of_template) {
            scan.naming = Some(self.naming(&ranged));
        }
        let output = Arc::new(self.shown.arrow.project(&places)?);
        Ok(Arc::new(LogScan::new(&scan, self.partitions, columns, output, conditions, limit)))
    }
}

impl LogsTable {
    fn naming(&self, scan: &Scan) -> Arc<Naming> {
        let mut known = self.namings.lock();
        if let Some((_, naming)) = known.iter().find(|(range, _)| *range == scan.range) {
            return naming.clone();
        }
        let naming = Arc::new(Naming::new(scan));
        known.push((scan.range, naming.clone()));
        naming
    }

    fn condition(&self, state: &dyn Session, filter: Expr) -> PlanResult<Condition> {
        // Inside a plan columns are named with their table; the condition knows only one.
        let filter = unqualified(filter)?;
        if let Some(condition) = on_stored_id(&filter) {
            return Ok(condition);
        }
        let filter = by_own_search(filter)?;
        let filter = if self.schema.has(Fixed::Severity) { by_severity_number(filter)? } else { filter };
        let mut names: Vec<String> = filter.column_refs().into_iter().map(|column| column.name.clone()).collect();
        names.sort();
        let places = names.iter().map(|name| self.schema.arrow.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(self.schema.arrow.project(&places)?);
        let expr = state.create_physical_expr(filter, &DFSchema::try_from(schema.as_ref().clone())?)?;
        let columns = places.into_iter().map(|place| self.schema.columns[place].clone()).collect();
        Ok(Condition::new(expr, columns, schema))
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

/// `trace_id = '…'` asked of the bytes that are stored, so that no texts need be made to compare.
fn on_stored_id(filter: &Expr) -> Option<Condition> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return None };
    let (name, text) = (column_name(left)?, text_of(right)?);
    let (column, id) = match name {
        "trace_id" => {
            (Fixed::TraceIdBytes, TraceId::from_hex(text).filter(|id| id.to_string() == text)?.as_bytes().to_vec())
        }
        "span_id" => {
            (Fixed::SpanIdBytes, SpanId::from_hex(text).filter(|id| id.to_string() == text)?.as_bytes().to_vec())
        }
        _ => return None,
    };
    let id = ScalarValue::FixedSizeBinary(id.len() as i32, Some(id));
    let schema = Arc::new(Schema::new(vec![Field::new(name, column.data_type(), true)]));
    let (stored, id) = (Arc::new(ColumnExpr::new(name, 0)), Arc::new(Literal::new(id)));
    let is_equal = Arc::new(physical::BinaryExpr::new(stored, Operator::Eq, id));
    Some(Condition::new(is_equal, vec![Column::Fixed(column)], schema))
}

/// Phrases and regular expressions by a search made ready for the whole scan, which looks for what every match has in many
/// rows at once.
fn by_own_search(filter: Expr) -> PlanResult<Expr> {
    use datafusion::common::tree_node::{Transformed, TreeNode as _};
    let search = |expr: Expr| {
        let found = match &expr {
            Expr::BinaryExpr(binary) if binary.op == Operator::RegexMatch && column_name(&binary.left).is_some() => {
                text_of(&binary.right).map(|regex| (&*binary.left, TextPattern::Regex(regex.to_owned())))
            }
            Expr::ScalarFunction(call) if call.name() == MATCH_PHRASE => match call.args.as_slice() {
                [text, phrase] => text_of(phrase).map(|phrase| (text, TextPattern::Phrase(phrase.to_owned()))),
                _ => None,
            },
            _ => None,
        };
        Ok(match found {
            Some((text, pattern)) => Transformed::yes(text_search(pattern)?.call(vec![text.clone()])),
            None => Transformed::no(expr),
        })
    };
    Ok(filter.transform(search)?.data)
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

pub(crate) fn plan_error(error: DataFusionError) -> QueryError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => QueryError::OverMemory,
        DataFusionError::External(inner) => match inner.downcast_ref::<QueryError>() {
            Some(QueryError::OverTime(time)) => QueryError::OverTime(*time),
            Some(QueryError::Cancelled) => QueryError::Cancelled,
            Some(QueryError::OverMemory) => QueryError::OverMemory,
            _ => QueryError::Internal(inner.to_string()),
        },
        root => QueryError::Sql { message: root.strip_backtrace(), position: None, suggestion: None },
    }
}

/// What a condition of SQL says about the tokens of a row: equality with a text and a phrase do, the rest does not. Of those
/// who may not see every field only what it says of ids ([`Needs::of_ids`]).
fn needs(filter: &Expr, only_ids: bool) -> Needs {
    let tokens = |name: &str, text: &str| match (only_ids, name) {
        (true, "trace_id" | "span_id") => Needs::id(text),
        (false, name) if !DERIVED.contains(&name) => Needs::tokens(text),
        _ => Needs::Anything,
    };
    let needs = |filter: &Expr| needs(filter, only_ids);
    match filter {
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::And => Needs::All(vec![needs(&binary.left), needs(&binary.right)]),
            Operator::Or => Needs::Any(vec![needs(&binary.left), needs(&binary.right)]),
            Operator::Eq => match (column_name(&binary.left), text_of(&binary.right)) {
                (Some(name), Some(text)) => tokens(name, text),
                _ => Needs::Anything,
            },
            _ => Needs::Anything,
        },
        Expr::ScalarFunction(call) if call.name() == MATCH_PHRASE => match call.args.as_slice() {
            [text, phrase] => match (column_name(text), text_of(phrase)) {
                (Some(name), Some(phrase)) => tokens(name, phrase),
                _ => Needs::Anything,
            },
            _ => Needs::Anything,
        },
        _ => Needs::Anything,
    }
}

/// Columns whose values are computed and so not among the tokens.
const DERIVED: &[&str] = &["id", "severity", "scope_name", "event_name", "events", "links", "template_id", "template"];

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

/// The part of `range` that the filters leave, and the filters that it does not say already.
fn split_time_bounds(range: TimeRange, filters: &[Expr]) -> (TimeRange, Vec<&Expr>) {
    let mut bounds: (i64, i64) = (i64::MIN, i64::MAX);
    let (said, others): (Vec<&Expr>, Vec<&Expr>) = filters.iter().partition(|filter| match time_bound(filter) {
        Some((from, to)) => {
            bounds = (bounds.0.max(from), bounds.1.min(to));
            true
        }
        None => false,
    });
    match (said.is_empty(), range.narrowed(bounds.0, bounds.1)) {
        (false, Some(narrowed)) => (narrowed, others),
        // A range that is empty cannot be said; the filters can.
        _ => (range, filters.iter().collect()),
    }
}

/// The half-open range that a comparison of `time` with an instant means.
fn time_bound(filter: &Expr) -> Option<(i64, i64)> {
    let Expr::BinaryExpr(binary) = filter else { return None };
    if column_name(&binary.left) != Some(TIME) {
        return None;
    }
    let Expr::Literal(ScalarValue::TimestampNanosecond(Some(at), _), _) = &*binary.right else { return None };
    let next = at.checked_add(1)?;
    match binary.op {
        Operator::GtEq => Some((*at, i64::MAX)),
        Operator::Gt => Some((next, i64::MAX)),
        Operator::Lt => Some((i64::MIN, *at)),
        Operator::LtEq => Some((i64::MIN, next)),
        Operator::Eq => Some((*at, next)),
        _ => None,
    }
}
