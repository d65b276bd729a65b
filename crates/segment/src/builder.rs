//! Records to columns, one record at a time.
//!
//! This is the hottest code of intake. Senders repeat themselves, so the last shape and the last stream are tried
//! first: the usual record costs one comparison of its keys and one append per value.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Capacities, FixedSizeBinaryBuilder, Float64Builder, Int64Array,
    Int64Builder, MutableArrayData, StringBuilder, UInt8Array, UInt32Array, UInt32Builder, make_array,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use logkeep_record::{Attributes, Record, Resource, Value, encode_value, limits};

use crate::columns::{AttributeColumn, ValueType, fixed};
use crate::layout::Layout;
use crate::rows::Rows;
use crate::shape::{Forms, Shape};

/// How many of the latest shapes are compared before a shape is looked up by its bytes.
const RECENT_SHAPES: usize = 4;

/// Layouts of one shape that are tried; a source has one for each way of leaving things out.
const LAYOUTS_PER_SHAPE: usize = 16;
/// Layouts in all. Originals beyond them are stored as they are.
const MAX_LAYOUTS: usize = 4_096;

/// Collects records into [`Rows`].
pub struct RowsBuilder {
    time: Vec<i64>,
    time_from: Vec<u8>,
    observed: Int64Builder,
    received: Vec<i64>,
    severity: Vec<u8>,
    severity_text: StringBuilder,
    body: StringBuilder,
    body_value: BinaryBuilder,
    original: StringBuilder,
    layout: UInt32Builder,
    rest: StringBuilder,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    flags: Vec<u32>,
    event_name: StringBuilder,
    dropped: Vec<u32>,
    stream: Vec<u32>,
    shape: Vec<u32>,
    overflow: BinaryBuilder,
    streams: Vec<Arc<Resource>>,
    stream_ids: HashMap<[u8; 32], u32>,
    shapes: Vec<Placed>,
    shape_ids: HashMap<Vec<u8>, u32>,
    layouts: Vec<Layout>,
    layout_ids: HashMap<Vec<u8>, u32>,
    recent_shapes: [u32; RECENT_SHAPES],
    columns: Vec<Column>,
    column_ids: HashMap<(ValueType, Arc<str>), usize>,
    max_columns: usize,
    scratch: Vec<u8>,
    pieces: String,
    text: String,
    bytes: usize,
}

/// A shape, and for each slot the column its value goes to; `None` is the overflow column.
struct Placed {
    shape: Shape,
    columns: Vec<Option<usize>>,
    /// Layouts of originals that such records had, the latest first.
    layouts: Vec<u32>,
}

struct Column {
    kind: ValueType,
    key: Arc<str>,
    values: Values,
}

enum Values {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Str(StringBuilder),
    Binary(BinaryBuilder),
}

impl Default for RowsBuilder {
    fn default() -> Self {
        Self::with_max_columns(limits::COLUMNS_PER_SEGMENT)
    }
}

impl RowsBuilder {
    /// A builder that gives at most `max_columns` attributes a column of their own.
    pub fn with_max_columns(max_columns: usize) -> Self {
        Self {
            time: Vec::new(),
            time_from: Vec::new(),
            observed: Int64Builder::new(),
            received: Vec::new(),
            severity: Vec::new(),
            severity_text: StringBuilder::new(),
            body: StringBuilder::new(),
            body_value: BinaryBuilder::new(),
            original: StringBuilder::new(),
            layout: UInt32Builder::new(),
            rest: StringBuilder::new(),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            flags: Vec::new(),
            event_name: StringBuilder::new(),
            dropped: Vec::new(),
            stream: Vec::new(),
            shape: Vec::new(),
            overflow: BinaryBuilder::new(),
            streams: Vec::new(),
            stream_ids: HashMap::new(),
            shapes: Vec::new(),
            shape_ids: HashMap::new(),
            layouts: Vec::new(),
            layout_ids: HashMap::new(),
            recent_shapes: [0; RECENT_SHAPES],
            columns: Vec::new(),
            column_ids: HashMap::new(),
            max_columns,
            scratch: Vec::new(),
            pieces: String::new(),
            text: String::new(),
            bytes: 0,
        }
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// True before the first record.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    /// About the bytes of text and values so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends one record.
    pub fn push(&mut self, record: &Record<'_>) {
        self.push_times(record);
        self.severity.push(record.severity.number());
        self.severity_text.append_value(&record.severity_text);
        self.push_body(record);
        match &record.trace_id {
            // The builder refuses only values of another length than its own.
            Some(id) => self.trace_id.append_value(id.as_bytes()).unwrap_or_default(),
            None => self.trace_id.append_null(),
        }
        match &record.span_id {
            Some(id) => self.span_id.append_value(id.as_bytes()).unwrap_or_default(),
            None => self.span_id.append_null(),
        }
        self.flags.push(record.flags);
        self.event_name.append_value(&record.event_name);
        self.dropped.push(record.dropped_attributes);
        let stream = self.stream_id(&record.resource);
        self.stream.push(stream);
        self.push_attributes(&record.attributes);
        self.push_original(record);
        self.bytes += 96;
    }

    fn push_times(&mut self, record: &Record<'_>) {
        self.time.push(record.effective_time_ns());
        self.time_from.push(match (record.time_ns, record.observed_ns) {
            (Some(_), _) => 0,
            (None, Some(_)) => 1,
            (None, None) => 2,
        });
        self.observed.append_option(record.observed_ns);
        self.received.push(record.received_ns);
    }

    fn push_body(&mut self, record: &Record<'_>) {
        if let Value::Str(text) = &record.body {
            self.body.append_value(text);
            self.body_value.append_null();
            self.bytes += text.len();
        } else {
            self.scratch.clear();
            encode_value(&record.body, &mut self.scratch);
            self.body.append_null();
            self.body_value.append_value(&self.scratch);
            self.bytes += self.scratch.len();
        }
    }

    fn stream_id(&mut self, resource: &Arc<Resource>) -> u32 {
        if let (Some(last), Some(known)) =
            (self.stream.last(), self.stream.last().map(|id| &self.streams[*id as usize]))
            && Arc::ptr_eq(known, resource)
        {
            return *last;
        }
        *self.stream_ids.entry(*resource.digest()).or_insert_with(|| {
            self.streams.push(resource.clone());
            (self.streams.len() - 1) as u32
        })
    }

    fn push_attributes(&mut self, attributes: &Attributes<'_>) {
        let shape = self.shape_id(attributes);
        self.shape.push(shape);
        let row = self.time.len() - 1;
        self.scratch.clear();
        let placed = &self.shapes[shape as usize];
        for ((_, value), column) in attributes.iter().zip(&placed.columns) {
            self.bytes += match column {
                Some(column) => self.columns[*column].values.push(value, row),
                None if value.is_null() => 0,
                None => {
                    let before = self.scratch.len();
                    encode_value(value, &mut self.scratch);
                    self.scratch.len() - before
                }
            };
        }
        if self.scratch.is_empty() {
            self.overflow.append_null();
        } else {
            self.overflow.append_value(&self.scratch);
        }
    }

    /// The source form: as a layout where one gives it back, else as it is.
    fn push_original(&mut self, record: &Record<'_>) {
        let Some(text) = record.original.as_deref() else {
            self.original.append_null();
            self.layout.append_null();
            return self.rest.append_null();
        };
        let layout = self.layout_id(record, text);
        self.layout.append_option(layout);
        if layout.is_none() {
            self.original.append_value(text);
            self.rest.append_null();
            self.bytes += text.len();
            return;
        }
        self.original.append_null();
        self.bytes += self.pieces.len();
        self.rest.append_option((!self.pieces.is_empty()).then_some(&self.pieces));
    }

    /// The layout of an original; `pieces` is then what it leaves over.
    fn layout_id(&mut self, record: &Record<'_>, text: &str) -> Option<u32> {
        let placed = &mut self.shapes[*self.shape.last()? as usize];
        for place in 0..placed.layouts.len() {
            let id = placed.layouts[place];
            if self.layouts[id as usize].fits(record, text, &mut self.pieces, &mut self.text) {
                placed.layouts[..=place].rotate_right(1);
                return Some(id);
            }
        }
        if placed.layouts.len() >= LAYOUTS_PER_SHAPE || self.layouts.len() >= MAX_LAYOUTS {
            return None;
        }
        let layout = Layout::derive(record, text)?;
        if !layout.fits(record, text, &mut self.pieces, &mut self.text) {
            return None;
        }
        let id = *self.layout_ids.entry(layout.encode()).or_insert(self.layouts.len() as u32);
        if id as usize == self.layouts.len() {
            self.layouts.push(layout);
        }
        placed.layouts.insert(0, id);
        Some(id)
    }

    fn shape_id(&mut self, attributes: &Attributes<'_>) -> u32 {
        for (place, id) in self.recent_shapes.into_iter().enumerate() {
            if self.shapes.get(id as usize).is_some_and(|placed| placed.shape.fits(attributes)) {
                self.recent_shapes[..=place].rotate_right(1);
                return id;
            }
        }
        let shape = Shape::of(attributes);
        let bytes = shape.encode();
        let id = match self.shape_ids.get(&bytes) {
            Some(id) => *id,
            None => {
                let placed = self.place(shape);
                self.shapes.push(placed);
                let id = (self.shapes.len() - 1) as u32;
                self.shape_ids.insert(bytes, id);
                id
            }
        };
        self.recent_shapes.rotate_right(1);
        self.recent_shapes[0] = id;
        id
    }

    /// Gives each slot its column: the first of a key and type gets one while there are columns left.
    fn place(&mut self, shape: Shape) -> Placed {
        let mut columns: Vec<Option<usize>> = Vec::with_capacity(shape.slots.len());
        let mut taken = std::collections::HashSet::new();
        for slot in &shape.slots {
            let column = self.column(slot.kind, &slot.key).filter(|column| taken.insert(*column));
            columns.push(column);
        }
        Placed { shape, columns, layouts: Vec::new() }
    }

    fn column(&mut self, kind: ValueType, key: &Arc<str>) -> Option<usize> {
        if kind == ValueType::Null {
            return None;
        }
        if let Some(column) = self.column_ids.get(&(kind, key.clone())) {
            return Some(*column);
        }
        if self.columns.len() >= self.max_columns {
            return None;
        }
        self.columns.push(Column { kind, key: key.clone(), values: Values::new(kind) });
        self.column_ids.insert((kind, key.clone()), self.columns.len() - 1);
        Some(self.columns.len() - 1)
    }

    /// The rows, with `index` counted from 0. `None` if there are none.
    pub fn finish(mut self) -> Option<Rows> {
        let rows = self.len();
        if rows == 0 {
            return None;
        }
        let index: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..rows as u32));
        let mut columns: Vec<(String, ArrayRef)> = vec![
            (fixed::TIME.into(), Arc::new(Int64Array::from(self.time))),
            (fixed::TIME_FROM.into(), Arc::new(UInt8Array::from(self.time_from))),
            (fixed::OBSERVED.into(), Arc::new(self.observed.finish())),
            (fixed::RECEIVED.into(), Arc::new(Int64Array::from(self.received))),
            (fixed::SEVERITY.into(), Arc::new(UInt8Array::from(self.severity))),
            (fixed::SEVERITY_TEXT.into(), Arc::new(self.severity_text.finish())),
            (fixed::BODY.into(), Arc::new(self.body.finish())),
            (fixed::BODY_VALUE.into(), Arc::new(self.body_value.finish())),
            (fixed::ORIGINAL.into(), Arc::new(self.original.finish())),
            (fixed::LAYOUT.into(), Arc::new(self.layout.finish())),
            (fixed::REST.into(), Arc::new(self.rest.finish())),
            (fixed::TRACE_ID.into(), Arc::new(self.trace_id.finish())),
            (fixed::SPAN_ID.into(), Arc::new(self.span_id.finish())),
            (fixed::FLAGS.into(), Arc::new(UInt32Array::from(self.flags))),
            (fixed::EVENT_NAME.into(), Arc::new(self.event_name.finish())),
            (fixed::DROPPED.into(), Arc::new(UInt32Array::from(self.dropped))),
            (fixed::STREAM.into(), Arc::new(UInt32Array::from(self.stream))),
            (fixed::SHAPE.into(), Arc::new(UInt32Array::from(self.shape))),
            (fixed::OVERFLOW.into(), Arc::new(self.overflow.finish())),
            (fixed::INDEX.into(), index),
        ];
        for column in self.columns {
            let name = AttributeColumn { key: &column.key, kind: column.kind }.name();
            columns.push((name, column.values.finish(rows)));
        }
        columns.iter_mut().for_each(|(_, column)| *column = exact(column));
        let shapes = self.shapes.into_iter().map(|placed| placed.shape).collect();
        Some(Rows::new(
            table(columns),
            Arc::new(self.streams),
            Arc::new(Forms { shapes, layouts: self.layouts }),
            Vec::new(),
        ))
    }
}

/// The same column in buffers of just its size. Builders grow by doubling, and rows may stay in memory for a minute.
fn exact(column: &ArrayRef) -> ArrayRef {
    let data = column.to_data();
    let capacity = match data.data_type() {
        DataType::Utf8 | DataType::Binary => {
            let bytes = data.buffers().get(1).map_or(0, |values| values.len());
            Capacities::Binary(data.len(), Some(bytes))
        }
        _ => Capacities::Array(data.len()),
    };
    let mut copy = MutableArrayData::with_capacities(vec![&data], false, capacity);
    match copy.try_extend(0, 0, data.len()) {
        Ok(()) => make_array(copy.freeze()),
        Err(_) => column.clone(),
    }
}

/// A table of nullable columns. The columns all have one length: the builder and the merge see to that.
pub(crate) fn table(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let field = |(name, array): &(String, ArrayRef)| Field::new(name.as_str(), array.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect())
        .expect("columns of one length under a schema made from them")
}

impl Values {
    fn new(kind: ValueType) -> Self {
        match kind.data_type() {
            Some(DataType::Boolean) => Self::Bool(BooleanBuilder::new()),
            Some(DataType::Int64) => Self::Int(Int64Builder::new()),
            Some(DataType::Float64) => Self::Double(Float64Builder::new()),
            Some(DataType::Utf8) => Self::Str(StringBuilder::new()),
            _ => Self::Binary(BinaryBuilder::new()),
        }
    }

    /// Appends `value` as that of `row`, after nulls for the rows in between; gives about the bytes it takes.
    fn push(&mut self, value: &Value<'_>, row: usize) -> usize {
        self.pad(row);
        match (self, value) {
            (Self::Bool(builder), Value::Bool(value)) => builder.append_value(*value),
            (Self::Int(builder), Value::Int(value)) => builder.append_value(*value),
            (Self::Double(builder), Value::Double(value)) => builder.append_value(*value),
            (Self::Str(builder), Value::Str(text)) => {
                builder.append_value(text);
                return text.len() + 4;
            }
            (Self::Binary(builder), Value::Bytes(bytes)) => {
                builder.append_value(bytes);
                return bytes.len() + 4;
            }
            (Self::Binary(builder), nested) => {
                let mut bytes = Vec::new();
                encode_value(nested, &mut bytes);
                builder.append_value(&bytes);
                return bytes.len() + 4;
            }
            // The shape gave the column by the value's own type.
            (other, _) => other.pad(row + 1),
        }
        8
    }

    fn pad(&mut self, rows: usize) {
        use arrow::array::ArrayBuilder as _;
        match self {
            Self::Bool(builder) => builder.append_nulls(rows - builder.len()),
            Self::Int(builder) => builder.append_nulls(rows - builder.len()),
            Self::Double(builder) => builder.append_nulls(rows - builder.len()),
            Self::Str(builder) => (builder.len()..rows).for_each(|_| builder.append_null()),
            Self::Binary(builder) => (builder.len()..rows).for_each(|_| builder.append_null()),
        }
    }

    fn finish(mut self, rows: usize) -> ArrayRef {
        self.pad(rows);
        match self {
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Double(mut builder) => Arc::new(builder.finish()),
            Self::Str(mut builder) => Arc::new(builder.finish()),
            Self::Binary(mut builder) => Arc::new(builder.finish()),
        }
    }
}
