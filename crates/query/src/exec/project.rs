//! Stored columns to the columns users know.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanBuilder, FixedSizeBinaryArray, Float64Builder, Int64Array, Int64Builder,
    StringArray, StringBuilder, TimestampNanosecondArray, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Float64Type, Int64Type, SchemaRef, UInt8Type, UInt32Type, UInt64Type};
use logkeep_record::{Resource, Severity, Value, json, span};
use logkeep_segment::{AttributeColumn, Segment, ValueType, fixed};

use super::QueryError;
use super::calls::{self, Calls};
use super::chunk::{Chunk, Source, Wanted, attribute_columns, overflows};
use super::filter::value_at;
use super::naming::Part;
use super::scan::arrow_error;
use super::schema::{Column, Fixed};
use crate::kql::find;

/// Adds the stored columns that `column` is made from.
pub(crate) fn want(
    column: &Column,
    source: &Source,
    schema: &SchemaRef,
    wanted: &mut Wanted,
) -> Result<(), QueryError> {
    let names: &[&str] = match column {
        Column::Fixed(column) => match column {
            Fixed::Id => &[fixed::BATCH, fixed::INDEX],
            Fixed::Time => &[fixed::TIME],
            Fixed::Received => &[fixed::RECEIVED],
            Fixed::Observed => &[fixed::OBSERVED],
            Fixed::Severity | Fixed::SeverityNumber => &[fixed::SEVERITY],
            Fixed::SeverityText => &[fixed::SEVERITY_TEXT],
            Fixed::Body => &[fixed::BODY, fixed::BODY_VALUE],
            Fixed::Original => {
                // Most are written anew from the other columns.
                wanted.extend(schema.fields().iter().map(|field| field.name().clone()));
                &[]
            }
            Fixed::TraceId | Fixed::TraceIdBytes => &[fixed::TRACE_ID],
            Fixed::SpanId | Fixed::SpanIdBytes => &[fixed::SPAN_ID],
            Fixed::Flags => &[fixed::FLAGS],
            Fixed::EventName => &[fixed::EVENT_NAME],
            Fixed::ScopeName => &[fixed::STREAM],
            // Which column says it, if any does, the names of the source know; this one makes that rows are read.
            Fixed::TemplateId | Fixed::Template => &[fixed::SEVERITY],
            Fixed::End | Fixed::DurationMs => {
                want_attribute(span::name::DURATION_NS, source, schema, wanted)?;
                &[fixed::TIME]
            }
        },
        Column::Attribute { key, .. } => return want_attribute(key, source, schema, wanted),
        Column::Call(part) => return calls::want(*part, source, schema, wanted),
    };
    wanted.extend(names.iter().map(|name| (*name).to_owned()));
    Ok(())
}

/// Likewise for an attribute.
pub(super) fn want_attribute(
    key: &str,
    source: &Source,
    schema: &SchemaRef,
    wanted: &mut Wanted,
) -> Result<(), QueryError> {
    if overflows(&*source.overflow_keys()?, key) {
        wanted.extend(schema.fields().iter().map(|field| field.name().clone()));
    }
    wanted.extend(attribute_columns(schema, key).map(str::to_owned));
    wanted.insert(fixed::STREAM.to_owned());
    Ok(())
}

/// The values of `column` for the rows of a chunk.
pub(crate) fn project(column: &Column, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    match column {
        Column::Fixed(column) => project_fixed(*column, chunk),
        Column::Attribute { key, data_type } => project_attribute(key, data_type, chunk),
        Column::Call(part) => Calls::of(chunk)?.project(*part, chunk),
    }
}

fn project_fixed(column: Fixed, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    let timestamps = |name: &str| -> Result<ArrayRef, QueryError> {
        let stored: &Int64Array = chunk.column(name)?.as_primitive::<Int64Type>();
        let times = TimestampNanosecondArray::new(stored.values().clone(), stored.nulls().cloned());
        Ok(Arc::new(times.with_timezone("UTC")))
    };
    Ok(match column {
        Fixed::Id => Arc::new(ids(chunk)?),
        Fixed::Time => timestamps(fixed::TIME)?,
        Fixed::Received => timestamps(fixed::RECEIVED)?,
        Fixed::Observed => timestamps(fixed::OBSERVED)?,
        Fixed::Severity => {
            let numbers = chunk.column(fixed::SEVERITY)?.as_primitive::<UInt8Type>();
            let names = numbers.values().iter().map(|number| Severity::from_number((*number).into()).name());
            Arc::new(StringArray::from_iter_values(names))
        }
        Fixed::SeverityNumber => chunk.column(fixed::SEVERITY)?.clone(),
        Fixed::SeverityText => chunk.column(fixed::SEVERITY_TEXT)?.clone(),
        Fixed::Body => body(chunk)?,
        Fixed::Original => {
            let texts = (0..chunk.len()).map(|row| chunk.rows.original(row)).collect::<Result<Vec<_>, _>>()?;
            Arc::new(StringArray::from_iter(texts))
        }
        Fixed::TraceId => Arc::new(hex(chunk.column(fixed::TRACE_ID)?)),
        Fixed::SpanId => Arc::new(hex(chunk.column(fixed::SPAN_ID)?)),
        Fixed::TraceIdBytes => chunk.column(fixed::TRACE_ID)?.clone(),
        Fixed::SpanIdBytes => chunk.column(fixed::SPAN_ID)?.clone(),
        Fixed::Flags => chunk.column(fixed::FLAGS)?.clone(),
        Fixed::EventName => chunk.column(fixed::EVENT_NAME)?.clone(),
        Fixed::ScopeName => {
            let names: StringArray =
                chunk.rows.streams().iter().map(|stream| Some(stream.scope().name.as_str())).collect();
            take(&names, chunk.column(fixed::STREAM)?, None).map_err(arrow_error)?
        }
        Fixed::TemplateId => template(Part::Id, chunk)?,
        Fixed::Template => template(Part::Text, chunk)?,
        Fixed::End => {
            let (starts, lasted) = (chunk.column(fixed::TIME)?.as_primitive::<Int64Type>(), durations(chunk)?);
            let ends = starts.iter().zip(lasted.as_primitive::<Int64Type>()).map(|(at, ns)| at?.checked_add(ns?));
            Arc::new(ends.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
        }
        Fixed::DurationMs => {
            let lasted = durations(chunk)?;
            Arc::new(lasted.as_primitive::<Int64Type>().unary::<_, Float64Type>(|ns| ns as f64 / 1e6))
        }
    })
}

fn template(part: Part, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    let names =
        chunk.names.as_ref().ok_or_else(|| QueryError::Internal("nobody asked what templates are called".into()))?;
    names.of_rows(part, chunk)
}

/// How long each span took, in nanoseconds.
fn durations(chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    project_attribute(span::name::DURATION_NS, &DataType::Int64, chunk)
}

fn ids(chunk: &Chunk<'_>) -> Result<StringArray, QueryError> {
    let batches = chunk.column(fixed::BATCH)?.as_primitive::<UInt64Type>().values();
    let indexes = chunk.column(fixed::INDEX)?.as_primitive::<UInt32Type>().values();
    let id = |(batch, index): (&u64, &u32)| format!("{}.{batch}.{index}", chunk.class);
    Ok(StringArray::from_iter_values(batches.iter().zip(indexes).map(id)))
}

fn body(chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    let (texts, values) = (chunk.column(fixed::BODY)?, chunk.column(fixed::BODY_VALUE)?);
    if values.null_count() == values.len() {
        return Ok(texts.clone());
    }
    let mut out = StringBuilder::new();
    for row in 0..chunk.len() {
        if texts.is_valid(row) {
            out.append_value(texts.as_string::<i32>().value(row));
            continue;
        }
        match values.is_valid(row).then(|| value_at(values, ValueType::Nested, row)).transpose()? {
            None | Some(Value::Null) => out.append_null(),
            Some(value) => out.append_value(text_of(&value)),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// Ids in base 16; null where there is none, or it is all zeroes.
fn hex(column: &ArrayRef) -> StringArray {
    let Some(ids) = column.as_any().downcast_ref::<FixedSizeBinaryArray>() else {
        return StringArray::new_null(column.len());
    };
    let mut texts = StringBuilder::with_capacity(ids.len(), ids.value_data().len() * 2);
    let mut text = String::new();
    for id in ids {
        let Some(id) = id.filter(|id| id.iter().any(|byte| *byte != 0)) else {
            texts.append_null();
            continue;
        };
        text.clear();
        for byte in id {
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        texts.append_value(&text);
    }
    texts.finish()
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The record's value, else the resource's, else the scope's; the first of a key that repeats.
fn project_attribute(key: &str, data_type: &DataType, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    let schema = chunk.rows.table().schema();
    let own: Vec<(&str, ValueType)> =
        attribute_columns(&schema, key).filter_map(|name| Some((name, AttributeColumn::parse(name)?.kind))).collect();
    let per_stream = stream_values(key, chunk)?;
    let in_streams = per_stream.iter().any(Option::is_some);
    if has_overflow(chunk) {
        return by_record(key, data_type, chunk, &per_stream);
    }
    match own.as_slice() {
        [] if !in_streams => return Ok(new_null_array(data_type, chunk.len())),
        [] => {
            let values = array_of(&per_stream, data_type);
            return take(&values, chunk.column(fixed::STREAM)?, None).map_err(arrow_error);
        }
        [(name, kind)] if !in_streams && kind.data_type().as_ref() == Some(data_type) && *kind != ValueType::Bytes => {
            return Ok(chunk.column(name)?.clone());
        }
        _ => {}
    }
    let columns =
        own.iter().map(|(name, kind)| Ok((chunk.column(name)?, *kind))).collect::<Result<Vec<_>, QueryError>>()?;
    let streams = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
    let mut out = Builder::new(data_type);
    for row in 0..chunk.len() {
        match columns.iter().find(|(column, _)| column.is_valid(row)) {
            Some((column, kind)) => out.push(Some(&value_at(column, *kind, row)?)),
            None => out.push(per_stream[streams[row] as usize]),
        }
    }
    Ok(out.finish())
}

/// An attribute that all records of a stream share.
pub(crate) struct StreamAttribute<'c> {
    key: &'c str,
    data_type: &'c DataType,
}

impl<'c> StreamAttribute<'c> {
    /// `None` if in these rows `column` is something else.
    pub(crate) fn of(column: &'c Column, chunk: &Chunk<'_>) -> Option<Self> {
        Self::unless(column, |key| {
            has_overflow(chunk) || attribute_columns(chunk.rows.table().schema_ref(), key).next().is_some()
        })
    }

    /// `None` if in some rows of the segment `column` may be something else.
    pub(crate) fn of_all(column: &'c Column, segment: &Segment) -> Option<Self> {
        Self::unless(column, |key| {
            overflows(segment.overflow_keys(), key) || attribute_columns(segment.schema(), key).next().is_some()
        })
    }

    fn unless(column: &'c Column, in_rows: impl FnOnce(&str) -> bool) -> Option<Self> {
        let Column::Attribute { key, data_type } = column else { return None };
        (!in_rows(key)).then_some(Self { key, data_type })
    }

    /// Its value for each of these streams.
    pub(crate) fn values<'s>(&self, streams: impl Iterator<Item = &'s Arc<Resource>>) -> ArrayRef {
        let mut array = Builder::new(self.data_type);
        streams.for_each(|stream| array.push(stream_value(self.key, stream)));
        array.finish()
    }
}

/// Whether a record here may have values outside the flat columns, of the fields that were asked for: where it has, records are put
/// together, and all columns were read. A search for text alone reads only the column of such values.
pub(super) fn has_overflow(chunk: &Chunk<'_>) -> bool {
    let is_whole = chunk.rows.column(fixed::SHAPE).is_some();
    is_whole && chunk.rows.column(fixed::OVERFLOW).is_some_and(|column| column.null_count() < column.len())
}

/// The value of the resource, else of the scope, of each stream that has rows here.
fn stream_values<'c>(key: &str, chunk: &'c Chunk<'_>) -> Result<Vec<Option<&'c Value<'static>>>, QueryError> {
    let streams = chunk.rows.streams();
    let mut used = vec![false; streams.len()];
    let numbers = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
    numbers.chunk_by(|a, b| a == b).for_each(|run| used[run[0] as usize] = true);
    let value = |(stream, used): (&'c Arc<Resource>, bool)| if used { stream_value(key, stream) } else { None };
    Ok(streams.iter().zip(used).map(value).collect())
}

fn stream_value<'s>(key: &str, stream: &'s Resource) -> Option<&'s Value<'static>> {
    let found = stream.attribute(key).filter(|value| !value.is_null());
    found.or_else(|| stream.scope().attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value))
}

/// The slow way, for rows with values outside the flat columns.
fn by_record(
    key: &str,
    data_type: &DataType,
    chunk: &Chunk<'_>,
    per_stream: &[Option<&Value<'_>>],
) -> Result<ArrayRef, QueryError> {
    let streams = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
    let mut out = Builder::new(data_type);
    for row in 0..chunk.len() {
        let record = chunk.rows.record(row)?;
        let mut own = None;
        find(&record.attributes, key, &mut |value| {
            own = (!value.is_null()).then(|| value.clone().into_owned());
            own.is_some()
        });
        match &own {
            Some(value) => out.push(Some(value)),
            None => out.push(per_stream[streams[row] as usize]),
        }
    }
    Ok(out.finish())
}

fn array_of(values: &[Option<&Value<'_>>], data_type: &DataType) -> ArrayRef {
    let mut array = Builder::new(data_type);
    values.iter().for_each(|value| array.push(*value));
    array.finish()
}

enum Builder {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Text(StringBuilder),
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Int64 => Self::Int(Int64Builder::new()),
            DataType::Float64 => Self::Double(Float64Builder::new()),
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Appends a value, null where it is none of the column's type.
    fn push(&mut self, value: Option<&Value<'_>>) {
        match (self, value) {
            (Self::Bool(out), Some(Value::Bool(value))) => out.append_value(*value),
            (Self::Int(out), Some(Value::Int(value))) => out.append_value(*value),
            (Self::Double(out), Some(Value::Double(value))) => out.append_value(*value),
            (Self::Double(out), Some(Value::Int(value))) => out.append_value(*value as f64),
            (Self::Text(out), Some(Value::Str(text))) => out.append_value(text),
            (Self::Text(out), Some(value)) if !value.is_null() => out.append_value(text_of(value)),
            (Self::Bool(out), _) => out.append_null(),
            (Self::Int(out), _) => out.append_null(),
            (Self::Double(out), _) => out.append_null(),
            (Self::Text(out), _) => out.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut out) => Arc::new(out.finish()),
            Self::Int(mut out) => Arc::new(out.finish()),
            Self::Double(mut out) => Arc::new(out.finish()),
            Self::Text(mut out) => Arc::new(out.finish()),
        }
    }
}

/// A value as text: text as it is, everything else as JSON.
pub(crate) fn text_of(value: &Value<'_>) -> String {
    match value {
        Value::Str(text) => text.clone().into_owned(),
        other => {
            let mut out = String::new();
            json::write(other, &mut out);
            out
        }
    }
}
