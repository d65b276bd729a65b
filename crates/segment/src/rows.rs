//! Rows of records as columns, with the tables their numbers point into.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use arrow::array::{
    Array, ArrayRef, AsArray as _, BinaryArray, FixedSizeBinaryArray, RecordBatch, StringArray, UInt32Array,
    UInt64Array,
};
use arrow::compute::{max, min};
use arrow::datatypes::{Field, Float64Type, Int64Type, Schema, UInt8Type, UInt32Type, UInt64Type};
use logkeep_record::{
    Attributes, BatchNumber, BatchSeed, Record, Resource, Severity, SpanId, TraceId, Value, decode_value,
};

use crate::columns::{AttributeColumn, ValueType, fixed};
use crate::layout::{Layout, Word};
use crate::shape::{Forms, OverflowKeys, Shape, Slot, overflow_keys};
use crate::templates::Templates;
use crate::types::{AttributeTypes, attribute_types};

/// What rows keep about each batch they hold.
#[derive(Clone, Debug)]
pub struct BatchInfo {
    /// Leaf index.
    pub number: BatchNumber,
    /// Records in the batch; all of them are in the same rows.
    pub records: u32,
    /// The secret its salts come from.
    pub seed: BatchSeed,
}

/// Rows that do not fit together: corruption that no checksum caught, or a defect.
#[derive(Debug, thiserror::Error)]
#[error("row {row}: {what}; set the object aside unchanged and run `logkeep verify`")]
pub struct RowError {
    row: usize,
    what: &'static str,
}

/// Rows of records: columns, and the tables of streams and shapes that `stream` and `shape` point into.
#[derive(Clone, Debug)]
pub struct Rows {
    table: RecordBatch,
    streams: Arc<Vec<Arc<Resource>>>,
    forms: Arc<Forms>,
    batches: Vec<BatchInfo>,
    /// What the column `template` points into, where it was asked for.
    templates: Option<Arc<Templates>>,
    /// Made when a record is first put together; a scan, which makes rows for every block, never needs it.
    plan: OnceLock<Arc<Plan>>,
    attribute_types: OnceLock<Arc<AttributeTypes>>,
    time_bounds: OnceLock<(i64, i64, i64)>,
}

impl Rows {
    pub(crate) fn new(
        table: RecordBatch,
        streams: Arc<Vec<Arc<Resource>>>,
        forms: Arc<Forms>,
        batches: Vec<BatchInfo>,
    ) -> Self {
        Self {
            table,
            streams,
            forms,
            batches,
            templates: None,
            plan: OnceLock::new(),
            attribute_types: OnceLock::new(),
            time_bounds: OnceLock::new(),
        }
    }

    /// The columns (see [`fixed`] and [`AttributeColumn`]).
    pub fn table(&self) -> &RecordBatch {
        &self.table
    }

    /// Who emitted the records; the column `stream` points in here.
    pub fn streams(&self) -> &Arc<Vec<Arc<Resource>>> {
        &self.streams
    }

    pub(crate) fn forms(&self) -> &Arc<Forms> {
        &self.forms
    }

    /// What the column `template` points into, where it was asked for.
    pub(crate) fn templates(&self) -> Option<&Arc<Templates>> {
        self.templates.as_ref()
    }

    pub(crate) fn with_templates(self, templates: Option<Arc<Templates>>) -> Self {
        Self { templates, ..self }
    }

    /// The same rows with this column, in the place of the one that is called so.
    pub(crate) fn with_column(&self, name: &str, column: ArrayRef) -> Self {
        let kept = self.table.schema_ref().fields().iter().zip(self.table.columns());
        let kept = kept.filter(|(field, _)| field.name() != name);
        let mut columns: Vec<_> = kept.map(|(field, column)| (field.name().clone(), column.clone())).collect();
        columns.push((name.to_owned(), column));
        self.with_table(crate::builder::table(columns)).with_templates(self.templates.clone())
    }

    /// The batches whose records these are.
    pub fn batches(&self) -> &[BatchInfo] {
        &self.batches
    }

    /// The keys of their attributes, with the types of their values. All columns must be present.
    pub fn attribute_types(&self) -> &Arc<AttributeTypes> {
        self.attribute_types.get_or_init(|| Arc::new(attribute_types(self.table.schema_ref(), &self.streams)))
    }

    /// The keys of which a row may hold values outside the flat columns. All columns must be present.
    pub fn overflow_keys(&self) -> OverflowKeys {
        match self.column(fixed::OVERFLOW) {
            Some(column) if column.null_count() < column.len() => {
                overflow_keys(&self.forms.shapes, self.table.schema_ref())
            }
            _ => OverflowKeys::new(),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.table.num_rows()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory held by the columns, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.table.get_array_memory_size()
    }

    /// Earliest time, latest time and latest arrival, nanoseconds; zeroes without rows.
    pub fn time_bounds(&self) -> (i64, i64, i64) {
        *self.time_bounds.get_or_init(|| {
            let column = |name| self.column(name).and_then(|column| column.as_primitive_opt::<Int64Type>());
            let (time, received) = (column(fixed::TIME), column(fixed::RECEIVED));
            let bound = |found: Option<i64>| found.unwrap_or_default();
            (bound(time.and_then(min)), bound(time.and_then(max)), bound(received.and_then(max)))
        })
    }

    /// The rows of one freshly built batch, once its place in the tree is known.
    pub fn with_batch(self, number: BatchNumber, seed: BatchSeed) -> Self {
        let batch: ArrayRef = Arc::new(UInt64Array::from_value(number, self.len()));
        let info = BatchInfo { number, records: self.len() as u32, seed };
        let mut fields: Vec<_> = self.table.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(fixed::BATCH, batch.data_type().clone(), true)));
        let mut columns = self.table.columns().to_vec();
        columns.push(batch);
        let table =
            RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("one more column of the same length");
        Self::new(table, self.streams, self.forms, vec![info])
    }

    pub(crate) fn fault(row: usize, what: &'static str) -> RowError {
        RowError { row, what }
    }

    /// Freshly built rows that already have places in batches.
    pub fn with_places(&self, places: &[(BatchNumber, u32)], batches: Vec<BatchInfo>) -> Self {
        let keep = self.table.schema_ref().fields().iter().zip(self.table.columns());
        let mut columns: Vec<(String, ArrayRef)> = keep
            .filter(|(field, _)| field.name() != fixed::INDEX)
            .map(|(field, column)| (field.name().clone(), column.clone()))
            .collect();
        columns.push((fixed::INDEX.into(), Arc::new(UInt32Array::from_iter_values(places.iter().map(|p| p.1)))));
        columns.push((fixed::BATCH.into(), Arc::new(UInt64Array::from_iter_values(places.iter().map(|p| p.0)))));
        Self::new(crate::builder::table(columns), self.streams.clone(), self.forms.clone(), batches)
    }

    /// The table with these rows only, pointing into the same streams and shapes. The batches are those of `self`.
    pub fn with_table(&self, table: RecordBatch) -> Self {
        Self::new(table, self.streams.clone(), self.forms.clone(), self.batches.clone())
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.table.column_by_name(name)
    }

    /// (batch, index) of a row.
    ///
    /// # Errors
    /// [`RowError`] if the rows lack these columns.
    pub fn place(&self, row: usize) -> Result<(BatchNumber, u32), RowError> {
        let fault = || RowError { row, what: "has no place in a batch" };
        let batch = self.column(fixed::BATCH).and_then(|c| c.as_primitive_opt::<UInt64Type>()).ok_or_else(fault)?;
        let index = self.column(fixed::INDEX).and_then(|c| c.as_primitive_opt::<UInt32Type>()).ok_or_else(fault)?;
        Ok((batch.value(row), index.value(row)))
    }

    /// The record in a row, exactly as it was sealed. All columns must be present.
    ///
    /// # Errors
    /// [`RowError`] if the columns contradict each other. Do not retry.
    pub fn record(&self, row: usize) -> Result<Record<'_>, RowError> {
        let mut record = self.fields(row)?;
        record.original = self.original_of(row, &record)?;
        Ok(record)
    }

    /// The source form of a row. All columns must be present.
    ///
    /// # Errors
    /// As [`Rows::record`].
    pub fn original(&self, row: usize) -> Result<Option<Cow<'_, str>>, RowError> {
        match self.layout(row)? {
            Some(_) => self.original_of(row, &self.fields(row)?),
            None => Ok(self.text(self.plan().original, row)?.map(Cow::Borrowed)),
        }
    }

    /// The record in a row but for its source form.
    pub(crate) fn fields(&self, row: usize) -> Result<Record<'_>, RowError> {
        let plan = self.plan();
        let fault = |what| RowError { row, what };
        let time = self.int(plan.time, row)?.ok_or_else(|| fault("has no time"))?;
        let received_ns = self.int(plan.received, row)?.ok_or_else(|| fault("has no arrival time"))?;
        let stream = self.u32(plan.stream, row)? as usize;
        let resource = self.streams.get(stream).ok_or_else(|| fault("points to an unknown stream"))?.clone();
        let body = match self.text(plan.body, row)? {
            Some(text) => Value::str(text),
            None => match self.binary(plan.body_value, row)? {
                Some(bytes) => decode_value(bytes).map_err(|_| fault("has a body that is no value"))?,
                None => return Err(fault("has no body")),
            },
        };
        Ok(Record {
            time_ns: (self.u8(plan.time_from, row)? == 0).then_some(time),
            observed_ns: self.int(plan.observed, row)?,
            received_ns,
            severity: Severity::from_number(self.u8(plan.severity, row)?.into()),
            severity_text: Cow::Borrowed(self.text(plan.severity_text, row)?.unwrap_or_default()),
            body,
            original: None,
            attributes: self.attributes(plan, row)?,
            dropped_attributes: self.u32(plan.dropped, row)?,
            flags: self.u32(plan.flags, row)?,
            trace_id: self.id::<16>(plan.trace_id, row)?.and_then(TraceId::new),
            span_id: self.id::<8>(plan.span_id, row)?.and_then(SpanId::new),
            event_name: Cow::Borrowed(self.text(plan.event_name, row)?.unwrap_or_default()),
            resource,
        })
    }

    fn original_of(&self, row: usize, record: &Record<'_>) -> Result<Option<Cow<'_, str>>, RowError> {
        let fault = |what| RowError { row, what };
        let Some(layout) = self.layout(row)? else {
            return Ok(self.text(self.plan().original, row)?.map(Cow::Borrowed));
        };
        let rest = self.text(self.plan().rest, row)?.unwrap_or_default();
        let text = layout.write(record, rest).ok_or_else(|| fault("does not fit the layout of its original"))?;
        Ok(Some(Cow::Owned(text)))
    }

    /// The layout of a row's original.
    pub(crate) fn layout(&self, row: usize) -> Result<Option<&Layout>, RowError> {
        let fault = |what| RowError { row, what };
        let layouts = self.at(self.plan().layout).and_then(|column| column.as_primitive_opt::<UInt32Type>());
        let layouts = layouts.ok_or_else(|| fault("lacks the column of layouts"))?;
        if layouts.is_null(row) {
            return Ok(None);
        }
        let layout = self.forms.layouts.get(layouts.value(row) as usize);
        layout.map(Some).ok_or_else(|| fault("points to an unknown layout"))
    }

    /// Whether a literal of the layout of this number, from the column `layout`, has something: all originals of it have that too, if
    /// it is something that stands between the ends of tokens. `None` if there is no such layout.
    pub fn layout_has(&self, number: u32, has: &dyn Fn(&str) -> bool) -> Option<bool> {
        Some(self.forms.layouts.get(number as usize)?.literals().any(has))
    }

    /// Whether an original of the layout of this number may have `word` where no literal, field or `rest` has it.
    pub fn layout_may_reword(&self, number: u32, word: Word<'_>) -> Option<bool> {
        Some(self.forms.layouts.get(number as usize)?.may_reword(word, &|_| true))
    }

    /// As [`Segment::may_reword`](crate::Segment::may_reword).
    pub fn may_reword(&self, word: Word<'_>) -> bool {
        self.forms.may_reword(word, &|_| true)
    }

    fn attributes(&self, plan: &Plan, row: usize) -> Result<Attributes<'_>, RowError> {
        let fault = |what| RowError { row, what };
        let number = self.u32(plan.shape, row)? as usize;
        let shape = self.forms.shapes.get(number).ok_or_else(|| fault("points to an unknown shape"))?;
        let mut overflow = Overflow { bytes: self.binary(plan.overflow, row)?.unwrap_or_default() };
        let mut attributes: Attributes<'_> = Vec::with_capacity(shape.slots.len());
        for (slot, column) in shape.slots.iter().zip(plan.columns_of(number, shape)) {
            let column = column.map(|column| self.table.column(column)).filter(|column| column.is_valid(row));
            let value = match column {
                _ if slot.kind == ValueType::Null => Value::Null,
                Some(column) => column_value(column, slot.kind, row)
                    .ok_or_else(|| fault("has a value of another type than its shape says"))?,
                None => overflow.next().ok_or_else(|| fault("lacks a value that its shape names"))?,
            };
            attributes.push((Cow::Borrowed(&*slot.key), value));
        }
        if overflow.bytes.is_empty() { Ok(attributes) } else { Err(fault("has more values than its shape names")) }
    }

    fn plan(&self) -> &Plan {
        self.plan.get_or_init(|| Arc::new(Plan::new(&self.table, self.forms.shapes.len())))
    }

    fn at(&self, place: Option<usize>) -> Option<&ArrayRef> {
        place.map(|place| self.table.column(place))
    }

    fn int(&self, place: Option<usize>, row: usize) -> Result<Option<i64>, RowError> {
        let column = self.at(place).and_then(|c| c.as_primitive_opt::<Int64Type>());
        let column = column.ok_or(RowError { row, what: "lacks a time column" })?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn u32(&self, place: Option<usize>, row: usize) -> Result<u32, RowError> {
        let column = self.at(place).and_then(|c| c.as_primitive_opt::<UInt32Type>());
        column.map(|column| column.value(row)).ok_or(RowError { row, what: "lacks a number column" })
    }

    fn u8(&self, place: Option<usize>, row: usize) -> Result<u8, RowError> {
        let column = self.at(place).and_then(|c| c.as_primitive_opt::<UInt8Type>());
        column.map(|column| column.value(row)).ok_or(RowError { row, what: "lacks a small number column" })
    }

    fn text(&self, place: Option<usize>, row: usize) -> Result<Option<&str>, RowError> {
        let column = self.at(place).and_then(|c| c.as_any().downcast_ref::<StringArray>());
        let column = column.ok_or(RowError { row, what: "lacks a text column" })?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn binary(&self, place: Option<usize>, row: usize) -> Result<Option<&[u8]>, RowError> {
        let column = self.at(place).and_then(|c| c.as_any().downcast_ref::<BinaryArray>());
        let column = column.ok_or(RowError { row, what: "lacks a binary column" })?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    }

    fn id<const N: usize>(&self, place: Option<usize>, row: usize) -> Result<Option<[u8; N]>, RowError> {
        let column = self.at(place).and_then(|c| c.as_any().downcast_ref::<FixedSizeBinaryArray>());
        let column = column.ok_or(RowError { row, what: "lacks an id column" })?;
        Ok(if column.is_valid(row) { column.value(row).try_into().ok() } else { None })
    }
}

/// Where everything is in a table.
#[derive(Debug)]
struct Plan {
    time: Option<usize>,
    time_from: Option<usize>,
    observed: Option<usize>,
    received: Option<usize>,
    severity: Option<usize>,
    severity_text: Option<usize>,
    body: Option<usize>,
    body_value: Option<usize>,
    original: Option<usize>,
    layout: Option<usize>,
    rest: Option<usize>,
    trace_id: Option<usize>,
    span_id: Option<usize>,
    flags: Option<usize>,
    event_name: Option<usize>,
    dropped: Option<usize>,
    stream: Option<usize>,
    shape: Option<usize>,
    overflow: Option<usize>,
    attributes: HashMap<(ValueType, Arc<str>), usize>,
    /// For each slot of a shape its column, `None` if its values are in the overflow column.
    shapes: Vec<OnceLock<Vec<Option<usize>>>>,
}

impl Plan {
    fn new(table: &RecordBatch, shapes: usize) -> Self {
        let schema = table.schema_ref();
        let fields = schema.fields().iter().enumerate();
        let places: HashMap<&str, usize> = fields.map(|(place, field)| (field.name().as_str(), place)).collect();
        let fixed = |name| places.get(name).copied();
        let attribute = |(name, place): (&&str, &usize)| {
            AttributeColumn::parse(name).map(|column| ((column.kind, Arc::from(column.key)), *place))
        };
        Self {
            time: fixed(fixed::TIME),
            time_from: fixed(fixed::TIME_FROM),
            observed: fixed(fixed::OBSERVED),
            received: fixed(fixed::RECEIVED),
            severity: fixed(fixed::SEVERITY),
            severity_text: fixed(fixed::SEVERITY_TEXT),
            body: fixed(fixed::BODY),
            body_value: fixed(fixed::BODY_VALUE),
            original: fixed(fixed::ORIGINAL),
            layout: fixed(fixed::LAYOUT),
            rest: fixed(fixed::REST),
            trace_id: fixed(fixed::TRACE_ID),
            span_id: fixed(fixed::SPAN_ID),
            flags: fixed(fixed::FLAGS),
            event_name: fixed(fixed::EVENT_NAME),
            dropped: fixed(fixed::DROPPED),
            stream: fixed(fixed::STREAM),
            shape: fixed(fixed::SHAPE),
            overflow: fixed(fixed::OVERFLOW),
            attributes: places.iter().filter_map(attribute).collect(),
            shapes: (0..shapes).map(|_| OnceLock::new()).collect(),
        }
    }

    /// The column of each slot of shape `number`. Only the first of a key and type is in its column.
    fn columns_of(&self, number: usize, shape: &Shape) -> impl Iterator<Item = Option<usize>> {
        let columns = self.shapes[number].get_or_init(|| {
            let mut seen = HashSet::with_capacity(shape.slots.len());
            let column = |slot: &Slot| {
                let place = (slot.kind, slot.key.clone());
                let column = self.attributes.get(&place).copied();
                column.filter(|_| seen.insert(place))
            };
            shape.slots.iter().map(column).collect()
        });
        columns.iter().copied()
    }
}

/// The values of one row that have no column, one after the other.
struct Overflow<'a> {
    bytes: &'a [u8],
}

impl<'a> Overflow<'a> {
    fn next(&mut self) -> Option<Value<'a>> {
        let (value, rest) = logkeep_record::decode_value_prefix(self.bytes).ok()?;
        self.bytes = rest;
        Some(value)
    }
}

/// A non-null value of a column; `None` if the column holds other values than `kind`.
pub fn column_value(column: &ArrayRef, kind: ValueType, row: usize) -> Option<Value<'_>> {
    Some(match kind {
        ValueType::Null => Value::Null,
        ValueType::Bool => Value::Bool(column.as_boolean_opt()?.value(row)),
        ValueType::Int => Value::Int(column.as_primitive_opt::<Int64Type>()?.value(row)),
        ValueType::Double => Value::Double(column.as_primitive_opt::<Float64Type>()?.value(row)),
        ValueType::Str => Value::str(column.as_any().downcast_ref::<StringArray>()?.value(row)),
        ValueType::Bytes => Value::Bytes(Cow::Borrowed(column.as_any().downcast_ref::<BinaryArray>()?.value(row))),
        ValueType::Nested => decode_value(column.as_any().downcast_ref::<BinaryArray>()?.value(row)).ok()?,
    })
}
