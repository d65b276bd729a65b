//! Records to columns, one record at a time.
//!
//! This is the hottest code of intake. Senders repeat themselves, so the last shape and the last stream are tried
//! first: the usual record costs one comparison of its keys and one append per value.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::{Field, Int64Type, Schema, UInt8Type, UInt32Type};
use arrow::record_batch::RecordBatch;
use logkeep_record::{Attributes, Record, Resource, SpanId, TraceId, Value, encode_value, limits};

use crate::columns::{AttributeColumn, ValueType, fixed};
use crate::growing::{Ids, Numbers, Pieces, Values, take_all};
use crate::layout::Layout;
use crate::rows::Rows;
use crate::shape::{Forms, Shape};

/// How many of the latest shapes are compared before a shape is looked up by its bytes.
const RECENT_SHAPES: usize = 4;

/// Layouts of one shape that are tried; a source has one for each way of leaving things out.
const LAYOUTS_PER_SHAPE: usize = 16;
/// Layouts in all. Originals beyond them are stored as they are.
const MAX_LAYOUTS: usize = 4_096;
/// Buffers that a thread keeps for its next rows are given up beyond so many bytes, or columns.
const KEPT_BYTES: usize = 8 << 20;
const KEPT_COLUMNS: usize = 1_024;

thread_local! {
    /// The builder of the thread's last rows, emptied.
    static EMPTIED: RefCell<Option<Box<RowsBuilder>>> = const { RefCell::new(None) };
}

/// Collects records into [`Rows`].
#[derive(Default)]
pub struct RowsBuilder {
    time: Vec<i64>,
    time_from: Vec<u8>,
    observed: Numbers<i64>,
    received: Vec<i64>,
    severity: Vec<u8>,
    severity_text: Pieces,
    body: Pieces,
    body_value: Pieces,
    original: Pieces,
    layout: Numbers<u32>,
    rest: Pieces,
    trace_id: Ids<16>,
    span_id: Ids<8>,
    flags: Vec<u32>,
    event_name: Pieces,
    dropped: Vec<u32>,
    stream: Vec<u32>,
    shape: Vec<u32>,
    overflow: Pieces,
    streams: Vec<Arc<Resource>>,
    stream_ids: HashMap<[u8; 32], u32>,
    shapes: Vec<Placed>,
    shape_ids: HashMap<Vec<u8>, u32>,
    layouts: Vec<Layout>,
    layout_ids: HashMap<Vec<u8>, u32>,
    recent_shapes: [u32; RECENT_SHAPES],
    columns: Vec<Column>,
    /// Emptied columns of earlier rows.
    spare: HashMap<(ValueType, Arc<str>), Values>,
    column_ids: HashMap<(ValueType, Arc<str>), usize>,
    max_columns: Option<usize>,
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

impl RowsBuilder {
    /// An empty one, with the buffers of the last that this thread finished.
    pub fn new() -> Self {
        EMPTIED.take().map(|builder| *builder).unwrap_or_default()
    }

    /// Lets go of the buffers that this thread keeps for its next rows.
    pub(crate) fn forget_buffers() {
        drop(EMPTIED.take());
    }

    /// A builder that gives at most `max_columns` attributes a column of their own, instead of
    /// [`limits::COLUMNS_PER_SEGMENT`].
    pub fn with_max_columns(max_columns: usize) -> Self {
        Self { max_columns: Some(max_columns), ..Self::default() }
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
        self.severity_text.push(record.severity_text.as_ref());
        self.push_body(record);
        self.trace_id.push(record.trace_id.as_ref().map(TraceId::as_bytes));
        self.span_id.push(record.span_id.as_ref().map(SpanId::as_bytes));
        self.flags.push(record.flags);
        self.event_name.push(record.event_name.as_ref());
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
        self.observed.push(record.observed_ns);
        self.received.push(record.received_ns);
    }

    fn push_body(&mut self, record: &Record<'_>) {
        if let Value::Str(text) = &record.body {
            self.body.push(text.as_ref());
            self.body_value.push_null();
            self.bytes += text.len();
        } else {
            self.scratch.clear();
            encode_value(&record.body, &mut self.scratch);
            self.body.push_null();
            self.body_value.push(&self.scratch);
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
            self.overflow.push_null();
        } else {
            self.overflow.push(&self.scratch);
        }
    }

    /// The source form: as a layout where one gives it back, else as it is.
    fn push_original(&mut self, record: &Record<'_>) {
        let Some(text) = record.original.as_deref() else {
            self.original.push_null();
            self.layout.push(None);
            return self.rest.push_null();
        };
        let layout = self.layout_id(record, text);
        self.layout.push(layout);
        if layout.is_none() {
            self.original.push(text);
            self.rest.push_null();
            self.bytes += text.len();
            return;
        }
        self.original.push_null();
        self.bytes += self.pieces.len();
        self.rest.push_option((!self.pieces.is_empty()).then_some(&self.pieces));
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
        if self.columns.len() >= self.max_columns.unwrap_or(limits::COLUMNS_PER_SEGMENT) {
            return None;
        }
        let values = self.spare.remove(&(kind, key.clone())).unwrap_or_else(|| Values::new(kind));
        self.columns.push(Column { kind, key: key.clone(), values });
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
            (fixed::TIME.into(), take_all::<Int64Type>(&mut self.time)),
            (fixed::TIME_FROM.into(), take_all::<UInt8Type>(&mut self.time_from)),
            (fixed::OBSERVED.into(), self.observed.take::<Int64Type>()),
            (fixed::RECEIVED.into(), take_all::<Int64Type>(&mut self.received)),
            (fixed::SEVERITY.into(), take_all::<UInt8Type>(&mut self.severity)),
            (fixed::SEVERITY_TEXT.into(), self.severity_text.take_text()),
            (fixed::BODY.into(), self.body.take_text()),
            (fixed::BODY_VALUE.into(), self.body_value.take_binary()),
            (fixed::ORIGINAL.into(), self.original.take_text()),
            (fixed::LAYOUT.into(), self.layout.take::<UInt32Type>()),
            (fixed::REST.into(), self.rest.take_text()),
            (fixed::TRACE_ID.into(), self.trace_id.take()),
            (fixed::SPAN_ID.into(), self.span_id.take()),
            (fixed::FLAGS.into(), take_all::<UInt32Type>(&mut self.flags)),
            (fixed::EVENT_NAME.into(), self.event_name.take_text()),
            (fixed::DROPPED.into(), take_all::<UInt32Type>(&mut self.dropped)),
            (fixed::STREAM.into(), take_all::<UInt32Type>(&mut self.stream)),
            (fixed::SHAPE.into(), take_all::<UInt32Type>(&mut self.shape)),
            (fixed::OVERFLOW.into(), self.overflow.take_binary()),
            (fixed::INDEX.into(), index),
        ];
        for column in &mut self.columns {
            let name = AttributeColumn { key: &column.key, kind: column.kind }.name();
            columns.push((name, column.values.take(rows)));
        }
        let shapes = self.shapes.drain(..).map(|placed| placed.shape).collect();
        let forms = Forms { shapes, layouts: std::mem::take(&mut self.layouts) };
        let streams = std::mem::take(&mut self.streams);
        self.leave_buffers();
        Some(Rows::new(table(columns), Arc::new(streams), Arc::new(forms), Vec::new()))
    }

    /// Leaves the emptied columns to the thread's next builder, unless they have grown large.
    fn leave_buffers(mut self) {
        self.spare.extend(self.columns.drain(..).map(|column| ((column.kind, column.key), column.values)));
        let kept = self.spare.values().map(Values::capacity_bytes).sum::<usize>() + self.fixed_capacity_bytes();
        if kept > KEPT_BYTES || self.spare.len() > KEPT_COLUMNS {
            return;
        }
        self.stream_ids.clear();
        self.shape_ids.clear();
        self.layout_ids.clear();
        self.column_ids.clear();
        self.recent_shapes = Default::default();
        self.max_columns = None;
        self.bytes = 0;
        EMPTIED.set(Some(Box::new(self)));
    }

    /// Of those fixed columns that can be large.
    fn fixed_capacity_bytes(&self) -> usize {
        let pieces = [&self.body, &self.body_value, &self.original, &self.rest, &self.overflow, &self.severity_text];
        pieces.into_iter().chain([&self.event_name]).map(Pieces::capacity_bytes).sum()
    }
}

/// A table of nullable columns. The columns all have one length: the builder and the merge see to that.
pub(crate) fn table(columns: Vec<(String, ArrayRef)>) -> RecordBatch {
    let field = |(name, array): &(String, ArrayRef)| Field::new(name.as_str(), array.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, array)| array).collect())
        .expect("columns of one length under a schema made from them")
}
