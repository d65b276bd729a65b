//! Which fields the matching records have, and their most frequent values.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, UInt8Type, UInt32Type};
use logkeep_record::{Severity, Value};
use logkeep_segment::{AttributeColumn, ValueType, ValueTypes, fixed};

use super::QueryError;
use super::chunk::{Chunk, Source, Wanted};
use super::chunk_values::each_distinct;
use super::distinct::{Added, Distinct};
use super::project::{project, want};
use super::scan::{Scan, arrow_error};
use super::schema::{Column, TableSchema};

/// Distinct values counted for one field; a field with more shows the most frequent of the first ones.
pub(super) const DISTINCT: usize = 2_000;
/// Bytes of the values that are counted.
pub(super) const VALUES_BYTES: usize = 32 << 20;
/// Values shown for each field of the list.
const TOP: usize = 10;

/// A value and how many records have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// As text.
    pub value: String,
    /// Records.
    pub count: u64,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSummary {
    /// Its name in filters and SQL.
    pub name: String,
    /// The types of its values.
    pub types: Vec<&'static str>,
    /// Records that have it.
    pub count: u64,
    /// Its most frequent values.
    pub top: Vec<ValueCount>,
}

/// The fields of the matching records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// Records counted.
    pub total: u64,
    /// By name.
    pub fields: Vec<FieldSummary>,
}

/// The values of one field, over all matching records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldValues {
    /// Matching records.
    pub total: u64,
    /// Those without the field.
    pub missing: u64,
    /// Most frequent first.
    pub values: Vec<ValueCount>,
}

/// Bytes that counted values may still take, of all fields of a question together.
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(VALUES_BYTES)
    }
}

/// The values of a field, counted.
#[derive(Default)]
pub(super) struct Tally {
    types: ValueTypes,
    count: u64,
    values: Distinct<u64>,
    /// Whether some value is not counted.
    is_short: bool,
}

impl Tally {
    pub(super) fn add(&mut self, value: &Value<'_>, times: u64, room: &mut Room) {
        self.types.add(ValueType::of(value));
        self.count += times;
        let distinct = self.values.len();
        let has_room = |bytes| {
            let fits = distinct < DISTINCT && bytes <= room.0;
            room.0 -= if fits { bytes } else { 0 };
            fits
        };
        self.is_short |= self.values.add(value, has_room, |count| *count += times) == Added::Not;
    }

    /// Whether there may be more distinct values than are counted.
    pub(super) fn is_full(&self) -> bool {
        self.is_short || self.values.len() >= DISTINCT
    }

    pub(super) fn top(self, limit: usize) -> Vec<ValueCount> {
        let values = self.values.into_texts(|count, more| *count += more);
        let mut values: Vec<ValueCount> =
            values.into_iter().map(|(value, count)| ValueCount { value, count }).collect();
        values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        values.truncate(limit);
        values
    }
}

impl Scan {
    /// All fields of all matching records.
    pub(crate) fn fields(&self) -> Result<Fields, QueryError> {
        let (mut tallies, mut room) = (BTreeMap::new(), Room::default());
        let mut result = Fields::default();
        let mut newest_first = Self { as_keys: true, ..self.clone() };
        newest_first.sources.sort_by_key(|source| Reverse(source.time_bounds_ns().1));
        newest_first.each_source(&all_attributes, &mut |chunk| {
            tally(&chunk, &mut tallies, &mut room)?;
            result.total += chunk.len() as u64;
            Ok(ControlFlow::Continue(()))
        })?;
        result.fields = tallies.into_iter().map(|(name, tally)| summary(name, tally)).collect();
        Ok(result)
    }

    /// The values of one field, exactly; `None` if no record has such a field.
    pub(crate) fn values(&self, name: &str, limit: usize) -> Result<Option<FieldValues>, QueryError> {
        let table = TableSchema::of(self.dataset, &self.sources, self.view.mask.as_deref())?;
        let Some(column) = table.arrow.index_of(name).ok().map(|place| &table.columns[place]) else { return Ok(None) };
        let (mut tally, mut room) = (Tally::default(), Room::default());
        let mut result = FieldValues::default();
        let of_column = |source: &Source| {
            let mut wanted = Wanted::new();
            want(column, source, &source.schema()?, &mut wanted)?;
            Ok(wanted)
        };
        self.each_source(&of_column, &mut |chunk| {
            result.total += chunk.len() as u64;
            let texts = text_column(column, &chunk)?;
            let texts = texts.as_string::<i32>();
            result.missing += texts.null_count() as u64;
            texts.iter().flatten().for_each(|text| tally.add(&Value::str(text), 1, &mut room));
            Ok(ControlFlow::Continue(()))
        })?;
        result.values = tally.top(limit);
        Ok(Some(result))
    }
}

/// The values of a column as texts.
pub(super) fn text_column(column: &Column, chunk: &Chunk<'_>) -> Result<ArrayRef, QueryError> {
    arrow::compute::cast(&project(column, chunk)?, &DataType::Utf8).map_err(arrow_error)
}

/// The columns of all attributes, of streams and of severities.
pub(super) fn all_attributes(source: &Source) -> Result<Wanted, QueryError> {
    let schema = source.schema()?;
    let names = schema.fields().iter().map(|field| field.name());
    let mut wanted: Wanted = names.filter(|name| AttributeColumn::parse(name).is_some()).cloned().collect();
    wanted.extend([fixed::STREAM, fixed::SEVERITY].map(str::to_owned));
    Ok(wanted)
}

fn summary(name: String, tally: Tally) -> FieldSummary {
    let types = tally.types.iter().map(ValueType::name).collect();
    FieldSummary { name, types, count: tally.count, top: tally.top(TOP) }
}

fn tally(chunk: &Chunk<'_>, tallies: &mut BTreeMap<String, Tally>, room: &mut Room) -> Result<(), QueryError> {
    for (field, column) in chunk.rows.table().schema_ref().fields().iter().zip(chunk.rows.table().columns()) {
        let Some(AttributeColumn { key, kind }) = AttributeColumn::parse(field.name()) else { continue };
        if column.null_count() == column.len() {
            continue;
        }
        let tally = tallies.entry(key.to_owned()).or_default();
        each_distinct(column, kind, &mut |value, times| tally.add(value, times, room))?;
    }
    let mut rows_of = vec![0u64; chunk.rows.streams().len()];
    chunk
        .column(fixed::STREAM)?
        .as_primitive::<UInt32Type>()
        .values()
        .iter()
        .for_each(|stream| rows_of[*stream as usize] += 1);
    for (stream, rows) in chunk.rows.streams().iter().zip(rows_of).filter(|(_, rows)| *rows > 0) {
        for (key, value) in stream.attributes().iter().filter(|(_, value)| !value.is_null()) {
            tallies.entry(key.clone().into_owned()).or_default().add(value, rows, room);
        }
    }
    let severities = chunk.column(fixed::SEVERITY)?.as_primitive::<UInt8Type>();
    let tally = tallies.entry("severity".to_owned()).or_default();
    let mut counts = [0u64; 25];
    severities.values().iter().for_each(|number| counts[usize::from(*number).min(24)] += 1);
    for (number, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        tally.add(&Value::str(Severity::from_number(number as i64).name()), count, room);
    }
    Ok(())
}
