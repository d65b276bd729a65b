//! The fields that the records of a chunk have, each with its values and how many records have them.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray as _, DictionaryArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Float64Type, Int64Type, UInt8Type, UInt32Type};
use logkeep_record::{Severity, Value};
use logkeep_segment::{AttributeColumn, ValueType, fixed};

use super::QueryError;
use super::chunk::Chunk;
use super::filter::{other_values, value_at};
use crate::kql::fields::{Target, resolve};

/// Takes a value, and how many records have it. The same value may come again.
pub(super) type Take<'a> = &'a mut dyn FnMut(&Value<'_>, u64);
/// Hands over values of one field.
pub(super) type Values<'a> = &'a dyn Fn(Take<'_>) -> Result<(), QueryError>;
/// Takes a field as a filter finds it, and some of its values. The same field may come again.
type Sink<'a> = &'a mut dyn FnMut(&str, Values<'_>) -> Result<(), QueryError>;

/// Hands every field of every record to `sink`, with the values that a filter finds: the record's own if it has one, else that of its
/// resource, else that of its scope. The columns of all attributes, of streams and of severities must have been read.
pub(super) fn each_value(chunk: &Chunk<'_>, sink: Sink<'_>) -> Result<(), QueryError> {
    let own = own_attributes(chunk, sink)?;
    let streams = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
    let mut rows_of = vec![0u64; chunk.rows.streams().len()];
    streams.iter().for_each(|stream| rows_of[*stream as usize] += 1);
    for (number, (resource, rows)) in
        chunk.rows.streams().iter().zip(rows_of).enumerate().filter(|(_, (_, rows))| *rows > 0)
    {
        let hidden =
            |has: &BooleanBuffer| has.set_indices().filter(|row| streams[*row] as usize == number).count() as u64;
        let attributes = resource.attributes();
        let is_hidden = |key: &str| attributes.iter().any(|(other, value)| other == key && !value.is_null());
        let in_scope = resource.scope().attributes.iter().filter(|(key, _)| !is_hidden(key));
        let of_resource = attributes.iter().map(|pair| ("resource", pair));
        for (place, (key, value)) in of_resource.chain(in_scope.map(|pair| ("scope", pair))) {
            let name = name_of(place, key);
            let rows = rows - own.get(&name).map_or(0, hidden);
            if !value.is_null() && rows > 0 {
                sink(&name, &one(value, rows))?;
            }
        }
    }
    let mut counts = [0u64; 25];
    let severities = chunk.column(fixed::SEVERITY)?.as_primitive::<UInt8Type>();
    severities.values().iter().for_each(|number| counts[usize::from(*number).min(24)] += 1);
    for (number, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        let name = Value::str(Severity::from_number(number as i64).name());
        sink("severity", &one(&name, count))?;
    }
    Ok(())
}

/// A single value.
fn one<'v>(value: &'v Value<'v>, times: u64) -> impl Fn(Take<'_>) -> Result<(), QueryError> + 'v {
    move |take| {
        take(value, times);
        Ok(())
    }
}

/// Those of the records themselves; returns which rows have each.
fn own_attributes(chunk: &Chunk<'_>, sink: Sink<'_>) -> Result<BTreeMap<String, BooleanBuffer>, QueryError> {
    let mut own: BTreeMap<String, BooleanBuffer> = BTreeMap::new();
    for (field, column) in chunk.rows.table().schema_ref().fields().iter().zip(chunk.rows.table().columns()) {
        let Some(AttributeColumn { key, kind }) = AttributeColumn::parse(field.name()) else { continue };
        if column.null_count() == column.len() {
            continue;
        }
        let name = name_of("attributes", key);
        sink(&name, &|take| each_distinct(column, kind, take))?;
        let has = column.nulls().map_or_else(|| BooleanBuffer::new_set(column.len()), |nulls| nulls.inner().clone());
        own.entry(name).and_modify(|known| *known = &*known | &has).or_insert(has);
    }
    Ok(own)
}

/// By which a filter finds an attribute and nothing else: its own name, unless that means something else as well.
fn name_of(place: &str, key: &str) -> String {
    /// A name without an alias is looked for in the record, its resource and its scope.
    const PLACES: usize = 3;
    match resolve(key) {
        Target::Attribute(sources) if sources.len() == PLACES => key.to_owned(),
        _ => format!("{place}.{key}"),
    }
}

/// The values of a column. The same one may come several times.
pub(super) fn each_distinct(column: &ArrayRef, kind: ValueType, take: Take<'_>) -> Result<(), QueryError> {
    if let (ValueType::Str, Some(texts)) = (kind, column.as_dictionary_opt::<UInt32Type>()) {
        each_key(texts, take)?;
    } else if let (ValueType::Str, Some(texts)) = (kind, column.as_string_opt::<i32>()) {
        each_run(texts.iter().flatten(), |text, times| take(&Value::str(text), times));
    } else if let (ValueType::Int, Some(numbers)) = (kind, column.as_primitive_opt::<Int64Type>()) {
        each_run(numbers.iter().flatten(), |number, times| take(&Value::Int(number), times));
    } else if let (ValueType::Double, Some(numbers)) = (kind, column.as_primitive_opt::<Float64Type>()) {
        let bits = numbers.iter().flatten().map(f64::to_bits);
        each_run(bits, |bits, times| take(&Value::Double(f64::from_bits(bits)), times));
    } else if let (ValueType::Bool, Some(flags)) = (kind, column.as_boolean_opt()) {
        each_run(flags.iter().flatten(), |flag, times| take(&Value::Bool(flag), times));
    } else {
        for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
            take(&value_at(column, kind, row)?, 1);
        }
    }
    Ok(())
}

/// Counts keys in place of texts.
fn each_key(texts: &DictionaryArray<UInt32Type>, take: Take<'_>) -> Result<(), QueryError> {
    let values = texts.values().as_string_opt::<i32>().ok_or_else(other_values)?;
    let mut times = vec![0u32; values.len()];
    match texts.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => texts.keys().values().iter().for_each(|key| times[*key as usize] += 1),
        Some(nulls) => nulls.valid_indices().for_each(|row| times[texts.keys().value(row) as usize] += 1),
    }
    let found = times.into_iter().enumerate().filter(|(_, times)| *times > 0);
    found.for_each(|(key, times)| take(&Value::str(values.value(key)), times.into()));
    Ok(())
}

/// Neighbours are often equal, as rows are in the order of their streams.
fn each_run<T: Copy + PartialEq>(values: impl Iterator<Item = T>, mut take: impl FnMut(T, u64)) {
    let mut run: Option<(T, u64)> = None;
    for value in values {
        run = Some(match run {
            Some((same, times)) if same == value => (same, times + 1),
            other => {
                other.into_iter().for_each(|(value, times)| take(value, times));
                (value, 1)
            }
        });
    }
    run.into_iter().for_each(|(value, times)| take(value, times));
}
