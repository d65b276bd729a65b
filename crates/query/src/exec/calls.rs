//! Calls as the access logs of meshes tell them, as columns.
//!
//! What a line says of its call follows from some of its attributes alone, and most lines of a block have the same: it is found out
//! once for each combination of them.

mod alike;
mod line;

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::{cast, take, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use logkeep_segment::{AttributeColumn, ValueType, fixed};

use self::alike::Alike;
use self::line::{ATTRIBUTES, Call, Line, TOOK};
use super::QueryError;
use super::chunk::{Chunk, Source, Wanted, attribute_columns};
use super::project::{has_overflow, project, want_attribute};
use super::scan::arrow_error;
use super::schema::{Column, Fixed, TIME, TableSchema};

/// What is told of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Caller,
    Callee,
    SeenBy,
    Failed,
    Mesh,
    Mtls,
    DurationMs,
}

impl Part {
    const ALL: [(&'static str, Self); 7] = [
        ("caller", Self::Caller),
        ("callee", Self::Callee),
        ("seen_by", Self::SeenBy),
        ("failed", Self::Failed),
        ("mesh", Self::Mesh),
        ("mtls", Self::Mtls),
        ("duration_ms", Self::DurationMs),
    ];

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::SeenBy => DataType::Int64,
            Self::Failed => DataType::Boolean,
            Self::DurationMs => DataType::Float64,
            Self::Caller | Self::Callee | Self::Mesh | Self::Mtls => DataType::Utf8,
        }
    }
}

/// No record is of a call without this attribute.
pub(crate) const NEEDED: &str = ATTRIBUTES[0];

/// The time of a record, and what it says of a call: all null where it is of none.
pub(crate) fn schema() -> TableSchema {
    let of_calls = Part::ALL.map(|(name, part)| (name, Column::Call(part)));
    let columns = [(TIME, Column::Fixed(Fixed::Time))].into_iter().chain(of_calls);
    let (fields, columns): (Vec<Field>, Vec<Column>) =
        columns.map(|(name, column)| (Field::new(name, column.data_type(), true), column)).unzip();
    TableSchema { columns, arrow: Arc::new(Schema::new(fields)) }
}

/// Adds the stored columns that a part is made from.
pub(crate) fn want(part: Part, source: &Source, schema: &SchemaRef, wanted: &mut Wanted) -> Result<(), QueryError> {
    let attributes = if part == Part::DurationMs { &[TOOK][..] } else { ATTRIBUTES };
    attributes.iter().try_for_each(|key| want_attribute(key, source, schema, wanted))
}

/// What the lines of a chunk say.
pub(crate) struct Calls {
    /// The kind of each row.
    kinds: UInt32Array,
    /// What the lines of each kind say.
    of_kinds: RecordBatch,
}

impl Calls {
    pub(crate) fn of(chunk: &Chunk<'_>) -> Result<Self, QueryError> {
        let alike = if has_overflow(chunk) { Alike::none(chunk.len()) } else { alike(chunk)? };
        let examples = examples(chunk, alike.examples)?;
        let texts = ATTRIBUTES.iter().map(|key| text(key, &examples)).collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&StringArray> = texts.iter().map(|column| column.as_string::<i32>()).collect();
        let line = |row: usize| {
            Line::of(texts.iter().map(|column| if column.is_valid(row) { Some(column.value(row)) } else { None }))
        };
        let calls: Vec<Option<Call<'_>>> = (0..examples.len()).map(|row| line(row).call()).collect();
        Ok(Self { kinds: alike.kinds.into(), of_kinds: table(&calls)? })
    }

    pub(crate) fn project(&self, part: Part, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
        if part == Part::DurationMs {
            return duration_ms(chunk);
        }
        let of_kinds = Part::ALL.iter().zip(self.of_kinds.columns()).find(|((_, other), _)| *other == part);
        let (_, of_kinds) = of_kinds.ok_or_else(|| QueryError::Internal(format!("{part:?} of a call is unknown")))?;
        take(of_kinds, &self.kinds, None).map_err(arrow_error)
    }
}

/// Rows that say the same of their calls.
fn alike(chunk: &Chunk<'_>) -> Result<Alike, QueryError> {
    let schema = chunk.rows.table().schema();
    let names = ATTRIBUTES.iter().flat_map(|key| attribute_columns(&schema, key)).chain([fixed::STREAM]);
    let columns = names.map(|name| chunk.column(name)).collect::<Result<Vec<_>, _>>()?;
    Alike::by(chunk.len(), columns.into_iter())
}

/// These rows alone, with texts as texts.
fn examples<'a>(chunk: &Chunk<'a>, rows: Vec<u32>) -> Result<Chunk<'a>, QueryError> {
    let numbers = rows.iter().map(|row| chunk.numbers[*row as usize]).collect();
    let taken = take_record_batch(chunk.rows.table(), &UInt32Array::from(rows)).map_err(arrow_error)?;
    let plain = |column: &ArrayRef| match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values).map_err(arrow_error),
        _ => Ok(column.clone()),
    };
    let columns = taken.columns().iter().map(plain).collect::<Result<Vec<_>, _>>()?;
    let fields = taken.schema_ref().fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let table = RecordBatch::try_new(schema, columns).map_err(arrow_error)?;
    Ok(Chunk { class: chunk.class, rows: chunk.rows.with_table(table), numbers, names: None })
}

fn text(key: &str, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    project(&Column::Attribute { key: key.to_owned(), data_type: DataType::Utf8 }, chunk)
}

/// A sender may have given it as a text.
fn duration_ms(chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    let schema = chunk.rows.table().schema();
    let mut kinds = attribute_columns(&schema, TOOK).filter_map(AttributeColumn::parse).map(|column| column.kind);
    if kinds.all(|kind| matches!(kind, ValueType::Int | ValueType::Double)) && !has_overflow(chunk) {
        return project(&Column::Attribute { key: TOOK.to_owned(), data_type: DataType::Float64 }, chunk);
    }
    let plain = examples(chunk, (0..chunk.len() as u32).collect())?;
    // What is no number becomes none.
    cast(&text(TOOK, &plain)?, &DataType::Float64).map_err(arrow_error)
}

/// In the order of [`Part::ALL`], without the last.
fn table(calls: &[Option<Call<'_>>]) -> Result<RecordBatch, QueryError> {
    let columns: [ArrayRef; 6] = [
        Arc::new(calls.iter().map(|call| call.and_then(|call| call.caller)).collect::<StringArray>()),
        Arc::new(calls.iter().map(|call| call.and_then(|call| call.callee)).collect::<StringArray>()),
        Arc::new(calls.iter().map(|call| Some(call.as_ref()?.seen_by)).collect::<Int64Array>()),
        Arc::new(calls.iter().map(|call| Some(call.as_ref()?.failed)).collect::<BooleanArray>()),
        Arc::new(calls.iter().map(|call| Some(call.as_ref()?.mesh)).collect::<StringArray>()),
        Arc::new(calls.iter().map(|call| call.as_ref()?.mtls).collect::<StringArray>()),
    ];
    let fields = Part::ALL.iter().zip(&columns).map(|((name, part), _)| Field::new(*name, part.data_type(), true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns.to_vec()).map_err(arrow_error)
}
