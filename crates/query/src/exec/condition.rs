//! A condition of SQL, asked of rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::physical_expr::PhysicalExpr;
use logkeep_segment::fixed;

use super::QueryError;
use super::chunk::Chunk;
use super::project::{project, values_of_streams};
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
}

impl Condition {
    /// `expr` is about the columns of `schema`, in this order.
    pub(crate) fn new(expr: Arc<dyn PhysicalExpr>, columns: Vec<Column>, schema: SchemaRef) -> Self {
        Self { expr, columns, schema }
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
        let streams = chunk.rows.streams().len();
        if self.columns.is_empty() || streams >= chunk.len() {
            return Ok(None);
        }
        let arrays: Option<Vec<ArrayRef>> =
            self.columns.iter().map(|column| values_of_streams(column, chunk)).collect::<Result<_, _>>()?;
        let Some(arrays) = arrays else { return Ok(None) };
        let accepted = self.evaluate(table(arrays, &self.schema, streams)?)?;
        let accepted: Vec<bool> = accepted.iter().map(|accepted| accepted == Some(true)).collect();
        let stream_of = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
        let mask = BooleanBuffer::collect_bool(stream_of.len(), |row| accepted[stream_of[row] as usize]);
        Ok(Some(BooleanArray::new(mask, None)))
    }

    fn evaluate(&self, batch: RecordBatch) -> Result<BooleanArray, QueryError> {
        let result =
            self.expr.evaluate(&batch).and_then(|value| value.into_array(batch.num_rows())).map_err(plan_error)?;
        let mask = result.as_boolean_opt();
        Ok(mask.ok_or_else(|| QueryError::Internal("a condition that is not true or false".into()))?.clone())
    }
}

/// Some columns of a chunk, as users know them.
pub(crate) fn columns_of(columns: &[Column], schema: &SchemaRef, chunk: &Chunk<'_>) -> Result<RecordBatch, QueryError> {
    let arrays = columns.iter().map(|column| project(column, chunk)).collect::<Result<Vec<_>, _>>()?;
    table(arrays, schema, chunk.len())
}

fn table(arrays: Vec<ArrayRef>, schema: &SchemaRef, rows: usize) -> Result<RecordBatch, QueryError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(arrow_error)
}
