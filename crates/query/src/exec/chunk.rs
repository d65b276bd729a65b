//! Some rows of one source, with the columns that were asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use logkeep_ingest::SegmentHandle;
use logkeep_record::Class;
use logkeep_segment::{AttributeColumn, AttributeTypes, OverflowKeys, Rows, Word};

use super::QueryError;
use super::naming::Names;

/// Live rows or a segment, of one class.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) class: Class,
    pub(crate) place: Place,
}

#[derive(Clone)]
pub(crate) enum Place {
    Live(Arc<Rows>),
    Segment(Arc<SegmentHandle>),
}

impl Source {
    /// Whether it has to be read, and decrypted.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self.place, Place::Segment(_))
    }

    /// Earliest and latest time in it, without opening it.
    pub(crate) fn time_bounds_ns(&self) -> (i64, i64) {
        match &self.place {
            Place::Live(rows) => {
                let (min, max, _) = rows.time_bounds();
                (min, max)
            }
            Place::Segment(handle) => (handle.row().min_time_ns, handle.row().max_time_ns),
        }
    }

    /// How many records are in it.
    pub(crate) fn rows(&self) -> u64 {
        match &self.place {
            Place::Live(rows) => rows.len() as u64,
            Place::Segment(handle) => handle.row().records,
        }
    }

    pub(crate) fn schema(&self) -> Result<SchemaRef, QueryError> {
        Ok(match &self.place {
            Place::Live(rows) => rows.table().schema(),
            Place::Segment(handle) => handle.segment()?.schema().clone(),
        })
    }

    /// Whether the batch of this number is in it.
    pub(crate) fn has_batch(&self, number: u64) -> Result<bool, QueryError> {
        Ok(match &self.place {
            Place::Live(rows) => rows.batches().iter().any(|batch| batch.number == number),
            Place::Segment(handle) => (handle.row().first_batch..=handle.row().last_batch).contains(&number),
        })
    }

    /// The keys of its attributes, with the types of their values.
    pub(crate) fn attribute_types(&self) -> Result<Arc<AttributeTypes>, QueryError> {
        Ok(match &self.place {
            Place::Live(rows) => rows.attribute_types().clone(),
            Place::Segment(handle) => handle.segment()?.attribute_types().clone(),
        })
    }

    /// Whether an original may write `word` where no field of its record has it.
    pub(crate) fn may_reword(&self, word: Word<'_>) -> Result<bool, QueryError> {
        Ok(match &self.place {
            Place::Live(rows) => rows.may_reword(word),
            Place::Segment(handle) => handle.segment()?.may_reword(word),
        })
    }

    /// The keys of which some row may have values outside the flat columns.
    pub(crate) fn overflow_keys(&self) -> Result<Arc<OverflowKeys>, QueryError> {
        Ok(match &self.place {
            Place::Live(rows) => Arc::new(rows.overflow_keys()),
            Place::Segment(handle) => handle.segment()?.overflow_keys().clone(),
        })
    }
}

/// Whether a value under `key`, or one around it, may lie outside the flat columns.
pub(crate) fn overflows(keys: &OverflowKeys, key: &str) -> bool {
    keys.iter().any(|outer| key.strip_prefix(&**outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The names of the physical columns that must be read.
pub(crate) type Wanted = BTreeSet<String>;

/// Which physical columns of `schema` hold the attribute `key`, or lead to it through a nested value.
pub(crate) fn attribute_columns<'a>(schema: &'a SchemaRef, key: &str) -> impl Iterator<Item = &'a str> {
    let fields = schema.fields().iter().map(|field| field.name().as_str());
    fields.filter(move |name| AttributeColumn::parse(name).is_some_and(|column| column.key == key))
}

/// Whether `key` may lie inside a nested value of another column.
pub(crate) fn may_be_nested(schema: &SchemaRef, key: &str) -> bool {
    schema.fields().iter().filter_map(|field| AttributeColumn::parse(field.name())).any(|column| {
        column.kind == logkeep_segment::ValueType::Nested
            && (column.key == key || key.strip_prefix(column.key).is_some_and(|rest| rest.starts_with('.')))
    })
}

/// Rows of one source that were read together.
pub(crate) struct Chunk<'a> {
    pub(crate) class: &'a Class,
    /// The columns that were asked for.
    pub(crate) rows: Rows,
    /// The row of the source that each row is.
    pub(crate) numbers: Vec<u32>,
    /// The templates of rows, where they are asked for.
    pub(crate) names: Option<Arc<Names>>,
}

impl Chunk<'_> {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn column(&self, name: &str) -> Result<&ArrayRef, QueryError> {
        self.rows.column(name).ok_or_else(|| QueryError::Internal(format!("column `{name}` was not read")))
    }
}
