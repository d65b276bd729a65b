//! A condition of SQL, asked of rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column as ColumnExpr, Literal};
use logkeep_record::Resource;
use logkeep_segment::{Segment, fixed};

use super::QueryError;
use super::calls::Calls;
use super::chunk::Chunk;
use super::project::{StreamAttribute, project};
use super::scan::arrow_error;
use super::schema::Column;
use super::table::plan_error;

/// A condition on the columns users know.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    expr: Arc<dyn PhysicalExpr>,
    /// What `schema` names.
    pub(crate) columns: Vec<Column>,
    schema: SchemaRef,
    /// It does nothing but compare.
    compares: bool,
}

impl Condition {
    /// `expr` is about the columns of `schema`, in this order.
    pub(crate) fn new(expr: Arc<dyn PhysicalExpr>, columns: Vec<Column>, schema: SchemaRef) -> Self {
        Self { compares: compares(&expr), expr, columns, schema }
    }

    /// Whether it may as well be asked of rows that are left out: that costs little and cannot fail.
    pub(crate) fn is_easy(&self, chunk: &Chunk<'_>) -> bool {
        let easy = |column: &Column| !column.data_type().is_string() || StreamAttribute::of(column, chunk).is_some();
        self.compares && self.columns.iter().all(easy)
    }

    /// Which rows it holds for.
    pub(crate) fn mask(&self, chunk: &Chunk<'_>) -> Result<BooleanArray, QueryError> {
        match self.mask_by_stream(chunk)? {
            Some(mask) => Ok(mask),
            None => self.evaluate(columns_of(&self.columns, &self.schema, chunk)?),
        }
    }

    /// A condition on what all records of a stream share is asked once for each stream.
    fn mask_by_stream(&self, chunk: &Chunk<'_>) -> Result<Option<BooleanArray>, QueryError> {
        let attributes: Option<Vec<_>> = self.columns.iter().map(|column| StreamAttribute::of(column, chunk)).collect();
        let Some(attributes) = attributes.filter(|attributes| !attributes.is_empty()) else { return Ok(None) };
        let stream_of = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
        let mut used: Vec<u32> = stream_of.chunk_by(|a, b| a == b).map(|run| run[0]).collect();
        used.sort_unstable();
        used.dedup();
        if used.len() >= chunk.len() {
            return Ok(None);
        }
        let streams = chunk.rows.streams();
        let holds = self.of_streams(&attributes, used.iter().map(|at| &streams[*at as usize]))?;
        let mut accepted = vec![false; streams.len()];
        used.iter().zip(holds).for_each(|(stream, holds)| accepted[*stream as usize] = holds);
        let mut mask = BooleanBufferBuilder::new(stream_of.len());
        stream_of.chunk_by(|a, b| a == b).for_each(|run| mask.append_n(run.len(), accepted[run[0] as usize]));
        Ok(Some(BooleanArray::new(mask.finish(), None)))
    }

    /// Of each stream of a segment whether its records can match; `None` if it takes a look at the records to tell.
    pub(crate) fn accepted_streams(&self, segment: &Segment) -> Result<Option<Vec<bool>>, QueryError> {
        let attributes: Option<Vec<_>> =
            self.columns.iter().map(|column| StreamAttribute::of_all(column, segment)).collect();
        let Some(attributes) = attributes.filter(|all| self.compares && !all.is_empty()) else { return Ok(None) };
        self.of_streams(&attributes, segment.streams().iter()).map(Some)
    }

    /// Of each of these streams whether it holds for its records; null is no.
    fn of_streams<'s>(
        &self,
        attributes: &[StreamAttribute<'_>],
        streams: impl ExactSizeIterator<Item = &'s Arc<Resource>> + Clone,
    ) -> Result<Vec<bool>, QueryError> {
        let arrays = attributes.iter().map(|attribute| attribute.values(streams.clone())).collect();
        let holds = self.evaluate(table(arrays, &self.schema, streams.len())?)?;
        Ok(holds.iter().map(|holds| holds == Some(true)).collect())
    }

    fn evaluate(&self, batch: RecordBatch) -> Result<BooleanArray, QueryError> {
        let result =
            self.expr.evaluate(&batch).and_then(|value| value.into_array(batch.num_rows())).map_err(plan_error)?;
        let mask = result.as_boolean_opt();
        Ok(mask.ok_or_else(|| QueryError::Internal("a condition that is not true or false".into()))?.clone())
    }
}

fn compares(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let is_leaf = expr.is::<ColumnExpr>() || expr.is::<Literal>();
    let is_comparison = expr.downcast_ref::<BinaryExpr>().is_some_and(|binary| {
        use Operator::{And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
        matches!(binary.op(), And | Or | Eq | NotEq | Lt | LtEq | Gt | GtEq)
            && [binary.left(), binary.right()].into_iter().all(compares)
    });
    is_leaf || is_comparison
}

/// Some columns of a chunk, as users know them.
pub(crate) fn columns_of(columns: &[Column], schema: &SchemaRef, chunk: &Chunk<'_>) -> Result<RecordBatch, QueryError> {
    let calls = columns.iter().any(Column::is_of_call).then(|| Calls::of(chunk)).transpose()?;
    let array = |column: &Column| match (column, &calls) {
        (Column::Call(part), Some(calls)) => calls.project(*part, chunk),
        _ => project(column, chunk),
    };
    let arrays = columns.iter().map(array).collect::<Result<Vec<_>, _>>()?;
    table(arrays, schema, chunk.len())
}

fn table(arrays: Vec<ArrayRef>, schema: &SchemaRef, rows: usize) -> Result<RecordBatch, QueryError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(arrow_error)
}
