//! Rows of an answer of SQL as what they mean.

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::{Figures, Most, Mtls, SeenBy};
use crate::exec::scan::arrow_error;
use crate::exec::{QueryError, SqlAnswer};

pub(super) fn most<T>(answer: &SqlAnswer, limit: usize, item: impl Fn(&Row<'_>) -> T) -> Result<Most<T>, QueryError> {
    let mut items = Vec::new();
    for batch in &answer.batches {
        let columns = Columns::of(batch)?;
        items.extend((0..batch.num_rows()).map(|place| item(&Row { columns: &columns, place })));
    }
    let more = answer.truncated || items.len() > limit;
    items.truncate(limit);
    Ok(Most { items, more })
}

/// The columns of a batch by their types.
struct Columns(Vec<Column>);

enum Column {
    Text(StringArray),
    Bool(BooleanArray),
    Integer(Int64Array),
    Number(Float64Array),
}

impl Columns {
    fn of(batch: &RecordBatch) -> Result<Self, QueryError> {
        let column = |array: &ArrayRef| -> Result<Column, QueryError> {
            let to = |data_type| cast(array, &data_type).map_err(arrow_error);
            Ok(match array.data_type() {
                DataType::Boolean => Column::Bool(array.as_boolean().clone()),
                data_type if data_type.is_integer() => {
                    Column::Integer(to(DataType::Int64)?.as_primitive::<Int64Type>().clone())
                }
                data_type if data_type.is_floating() => {
                    Column::Number(to(DataType::Float64)?.as_primitive::<Float64Type>().clone())
                }
                _ => Column::Text(to(DataType::Utf8)?.as_string::<i32>().clone()),
            })
        };
        Ok(Self(batch.columns().iter().map(column).collect::<Result<_, _>>()?))
    }
}

pub(super) struct Row<'c> {
    columns: &'c Columns,
    place: usize,
}

impl Row<'_> {
    pub(super) fn text(&self, column: usize) -> Option<String> {
        match &self.columns.0[column] {
            Column::Text(texts) if texts.is_valid(self.place) => Some(texts.value(self.place).to_owned()),
            _ => None,
        }
    }

    pub(super) fn is_true(&self, column: usize) -> bool {
        matches!(&self.columns.0[column], Column::Bool(values) if values.value(self.place))
    }

    pub(super) fn count(&self, column: usize) -> u64 {
        self.counted(column).unwrap_or_default()
    }

    /// A count where there is one.
    pub(super) fn counted(&self, column: usize) -> Option<u64> {
        self.integer(column).map(i64::unsigned_abs)
    }

    pub(super) fn integer(&self, column: usize) -> Option<i64> {
        match &self.columns.0[column] {
            Column::Integer(numbers) if numbers.is_valid(self.place) => Some(numbers.value(self.place)),
            _ => None,
        }
    }

    pub(super) fn number(&self, column: usize) -> Option<f64> {
        match &self.columns.0[column] {
            Column::Number(numbers) if numbers.is_valid(self.place) => Some(numbers.value(self.place)),
            _ => None,
        }
    }

    pub(super) fn figures(&self, first: usize) -> Figures {
        let by = usize::try_from(self.count(first + 5)).ok().and_then(|by| SeenBy::ALL.get(by));
        Figures {
            count: self.count(first),
            errors: self.count(first + 1),
            duration_ms: [2, 3, 4].map(|place| self.number(first + place)),
            measured_by: by.copied().unwrap_or(SeenBy::Spans),
            seen_by: [6, 7, 8, 9, 10].map(|place| self.count(first + place)),
        }
    }

    /// Of pairs of counts, by the proxy of the one that is called and by the caller's. The former knows both ends of the
    /// connection between them, so it is asked first.
    pub(super) fn mtls(&self, first: usize) -> Option<Mtls> {
        let of = |side: usize| Mtls { counts: [0, 1, 2, 3].map(|state| self.count(first + 2 * state + side)) };
        [of(0), of(1)].into_iter().find(|mtls| mtls.counts.iter().any(|count| *count > 0))
    }
}
