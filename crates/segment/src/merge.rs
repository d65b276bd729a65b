//! Several sets of rows into one, in the order of stream and time.
//!
//! Neighbouring rows of one stream repeat each other, which is what makes the columns small and the search for one
//! service short. Flush and compaction both end here. Batches are kept whole: all rows of a batch come in together and
//! leave together, so that its root can be recomputed from one object.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Int64Type, UInt32Type, UInt64Type};
use logkeep_record::{Resource, Value, limits};

use crate::builder::{RowsBuilder, table};
use crate::columns::{AttributeColumn, fixed};
use crate::index::BLOCK_ROWS;
use crate::layout::Layout;
use crate::rows::{BatchInfo, RowError, Rows};
use crate::shape::{Forms, Shape};
use crate::templates::Templates;

/// Merges and sorts by stream (service name, then the rest of the resource), time, batch and index.
///
/// # Errors
/// [`RowError`] if some rows contradict themselves. Do not retry.
pub fn merge(inputs: Vec<Rows>) -> Result<Option<Rows>, RowError> {
    Merge::of(inputs)?.map(Merge::into_rows).transpose()
}

/// Rows that are about to be one, in the order of [`merge`]: all at once, or a stretch at a time where all of them
/// would take too much memory.
pub struct Merge {
    /// Of each column, its part in each input.
    columns: Vec<(String, Vec<ArrayRef>)>,
    /// (input, row) of every row, in the order of the result.
    order: Vec<(usize, usize)>,
    streams: Arc<Vec<Arc<Resource>>>,
    forms: Arc<Forms>,
    batches: Vec<BatchInfo>,
    templates: Option<Arc<Templates>>,
}

impl Merge {
    /// Rows a stretch: whole blocks, few enough to stay small and enough to make the columns worth their while.
    const STRETCH: usize = 2 * BLOCK_ROWS;

    /// Puts rows in order, without touching their columns yet. `None` if there are no rows.
    ///
    /// # Errors
    /// As [`merge`].
    pub fn of(mut inputs: Vec<Rows>) -> Result<Option<Self>, RowError> {
        inputs.retain(|rows| !rows.is_empty());
        if inputs.is_empty() {
            return Ok(None);
        }
        let names = column_names(&inputs);
        let attributes = names.iter().filter(|(name, _)| AttributeColumn::parse(name).is_some()).count();
        if attributes > limits::COLUMNS_PER_SEGMENT {
            return Self::of(vec![rebuild(&inputs)?]);
        }
        let (streams, stream_maps) = merge_streams(&inputs);
        let (shapes, shape_maps) = merge_table(&inputs, |forms| &forms.shapes, Shape::encode);
        let (layouts, layout_maps) = merge_table(&inputs, |forms| &forms.layouts, Layout::encode);
        let (templates, template_maps) = merge_templates(&inputs);
        let order = sorted_order(&inputs, &stream_maps);
        let batches = inputs.iter().flat_map(|rows| rows.batches().iter().cloned()).collect();
        let longest = inputs.iter().map(Rows::len).max().unwrap_or_default();
        let mut tables: Vec<Columns> = inputs.into_iter().map(Columns::of).collect();
        let mut columns = Vec::with_capacity(names.len());
        for (name, data_type) in names {
            let absent = new_null_array(&data_type, longest);
            let part = |(input, table): (usize, &mut Columns)| match (name.as_str(), table.by_name.remove(&name)) {
                (fixed::STREAM, Some(column)) => mapped(&column, &stream_maps[input]),
                (fixed::SHAPE, Some(column)) => mapped(&column, &shape_maps[input]),
                (fixed::LAYOUT, Some(column)) => mapped(&column, &layout_maps[input]),
                (fixed::TEMPLATE, Some(column)) => mapped(&column, &template_maps[input]),
                (_, Some(column)) => column,
                (_, None) => absent.clone(),
            };
            let parts = tables.iter_mut().enumerate().map(part).collect();
            columns.push((name, parts));
        }
        let forms = Arc::new(Forms { shapes, layouts });
        Ok(Some(Self { columns, order, streams: Arc::new(streams), forms, batches, templates }))
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Never true: there is no merge of nothing.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The rows in order, some blocks at a time.
    pub fn stretches(&self) -> impl Iterator<Item = Result<Rows, RowError>> {
        self.order.chunks(Self::STRETCH).map(|order| {
            let columns = self.columns.iter().map(|(name, parts)| Ok((name.clone(), in_order(parts, order)?)));
            Ok(self.rows(table(columns.collect::<Result<_, RowError>>()?)))
        })
    }

    /// All rows. Each column is freed when it is merged, so this takes the memory of the rows and of one column more,
    /// not of the rows twice.
    fn into_rows(mut self) -> Result<Rows, RowError> {
        let columns = std::mem::take(&mut self.columns);
        let columns = columns.into_iter().map(|(name, parts)| Ok((name, in_order(&parts, &self.order)?)));
        let table = table(columns.collect::<Result<_, RowError>>()?);
        Ok(self.rows(table))
    }

    fn rows(&self, table: RecordBatch) -> Rows {
        let rows = Rows::new(table, self.streams.clone(), self.forms.clone(), self.batches.clone());
        rows.with_templates(self.templates.clone())
    }
}

fn in_order(parts: &[ArrayRef], order: &[(usize, usize)]) -> Result<ArrayRef, RowError> {
    let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
    interleave(&parts, order).map_err(|_| Rows::fault(0, "cannot be merged, its columns differ in type"))
}

/// The columns of one input. Each is given away once.
struct Columns {
    by_name: HashMap<String, ArrayRef>,
}

impl Columns {
    fn of(rows: Rows) -> Self {
        let fields = rows.table().schema_ref().fields().iter().zip(rows.table().columns());
        Self { by_name: fields.map(|(field, column)| (field.name().clone(), column.clone())).collect() }
    }
}

/// Every column of any input, in order of first appearance.
fn column_names(inputs: &[Rows]) -> Vec<(String, DataType)> {
    let mut seen = std::collections::HashSet::new();
    let mut names = Vec::new();
    for rows in inputs {
        for field in rows.table().schema_ref().fields() {
            if seen.insert(field.name().clone()) {
                names.push((field.name().clone(), field.data_type().clone()));
            }
        }
    }
    names
}

/// All streams in their order, and for each input where its streams went.
fn merge_streams(inputs: &[Rows]) -> (Vec<Arc<Resource>>, Vec<Vec<u32>>) {
    let mut distinct: HashMap<[u8; 32], Arc<Resource>> = HashMap::new();
    for stream in inputs.iter().flat_map(|rows| rows.streams().iter()) {
        distinct.entry(*stream.digest()).or_insert_with(|| stream.clone());
    }
    let mut streams: Vec<Arc<Resource>> = distinct.into_values().collect();
    let service = |stream: &Arc<Resource>| {
        stream.attribute("service.name").and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    streams.sort_by_cached_key(|stream| (service(stream), stream.canonical().to_vec()));
    let place: HashMap<[u8; 32], u32> =
        streams.iter().zip(0..).map(|(stream, place)| (*stream.digest(), place)).collect();
    let maps = inputs.iter().map(|rows| rows.streams().iter().map(|stream| place[stream.digest()]).collect()).collect();
    (streams, maps)
}

/// The distinct items of a table, and for each input where its items went.
fn merge_table<T: Clone>(
    inputs: &[Rows],
    table: impl Fn(&Forms) -> &Vec<T>,
    encode: impl Fn(&T) -> Vec<u8>,
) -> (Vec<T>, Vec<Vec<u32>>) {
    let mut items: Vec<T> = Vec::new();
    let mut place: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut maps = Vec::with_capacity(inputs.len());
    for rows in inputs {
        let map = table(rows.forms()).iter().map(|item| {
            *place.entry(encode(item)).or_insert_with(|| {
                items.push(item.clone());
                (items.len() - 1) as u32
            })
        });
        maps.push(map.collect());
    }
    (items, maps)
}

/// The templates of those inputs that have some, and for each input what its numbers are now.
fn merge_templates(inputs: &[Rows]) -> (Option<Arc<Templates>>, Vec<Vec<u32>>) {
    if inputs.iter().all(|rows| rows.templates().is_none()) {
        return (None, vec![Vec::new(); inputs.len()]);
    }
    let none = Arc::default();
    let all: Vec<&Templates> = inputs.iter().map(|rows| &**rows.templates().unwrap_or(&none)).collect();
    let (templates, maps) = Templates::merged(&all);
    (Some(Arc::new(templates)), maps)
}

/// A number that points nowhere is none.
fn mapped(column: &ArrayRef, map: &[u32]) -> ArrayRef {
    let column = column.as_primitive::<UInt32Type>();
    Arc::new(column.iter().map(|id| map.get(id? as usize).copied()).collect::<UInt32Array>())
}

/// (input, row) of every row, in the order of the result.
fn sorted_order(inputs: &[Rows], stream_maps: &[Vec<u32>]) -> Vec<(usize, usize)> {
    let mut keyed = Vec::with_capacity(inputs.iter().map(Rows::len).sum());
    for (input, rows) in inputs.iter().enumerate() {
        let number = |name| rows.column(name).map(|column| column.as_primitive::<UInt32Type>().values().clone());
        let (Some(streams), Some(indexes)) = (number(fixed::STREAM), number(fixed::INDEX)) else { continue };
        let times = rows.column(fixed::TIME).map(|column| column.as_primitive::<Int64Type>().values().clone());
        let batches = rows.column(fixed::BATCH).map(|column| column.as_primitive::<UInt64Type>().values().clone());
        for row in 0..rows.len() {
            let stream = stream_maps[input][streams[row] as usize];
            let time = times.as_ref().map_or(0, |times| times[row]);
            let batch = batches.as_ref().map_or(0, |batches| batches[row]);
            keyed.push((stream, time, batch, indexes[row], input as u32, row as u32));
        }
    }
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, _, _, input, row)| (input as usize, row as usize)).collect()
}

/// The slow way, for rows that together have too many keys: record by record, the first keys winning the columns.
fn rebuild(inputs: &[Rows]) -> Result<Rows, RowError> {
    let mut builder = RowsBuilder::new();
    let mut places = Vec::new();
    for rows in inputs {
        for row in 0..rows.len() {
            builder.push(&rows.record(row)?);
            places.push(rows.place(row)?);
        }
    }
    let rows = builder.finish().ok_or_else(|| Rows::fault(0, "is missing"))?;
    let batches = inputs.iter().flat_map(|rows| rows.batches().iter().cloned()).collect();
    Ok(rows.with_places(&places, batches))
}
