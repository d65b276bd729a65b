//! Which blocks of rows may hold a token.
//!
//! One [`BlockFilter`] for each [`BLOCK_ROWS`] rows, over every word a search can find: body, original, attribute and
//! resource values (numbers as text too, bytes in base 16), severity text, event name, trace and span ids in hexadecimal.
//! Keys are not searched and so not indexed.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, BinaryArray, FixedSizeBinaryArray, StringArray};
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use logkeep_record::{Resource, Value, decode_value, decode_value_prefix};

use crate::columns::{AttributeColumn, ValueType, fixed};
use crate::filter::BlockFilter;
use crate::rows::Rows;
use crate::tokens::{for_each_token, token_hash};

/// Rows a block: also the rows of a Parquet page, so that a block is one page a column.
pub const BLOCK_ROWS: usize = 8_192;

/// The token index of a segment.
#[derive(Clone, Debug)]
pub struct TokenIndex {
    bytes: bytes::Bytes,
    ends: Vec<usize>,
}

impl TokenIndex {
    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.ends.len()
    }

    /// Bytes the index takes.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * 8
    }

    /// False only if no row of the block has the token.
    pub fn may_contain(&self, block: usize, token: u64) -> bool {
        let start = if block == 0 { 0 } else { self.ends[block - 1] };
        BlockFilter::new(&self.bytes[start..self.ends[block]]).is_none_or(|filter| filter.may_contain(token))
    }

    /// Number of blocks as u32 LE, the end of each block's filter as u64 LE, then the filters.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len_bytes() + 4);
        out.extend_from_slice(&(self.ends.len() as u32).to_le_bytes());
        self.ends.iter().for_each(|end| out.extend_from_slice(&(*end as u64).to_le_bytes()));
        out.extend_from_slice(&self.bytes);
        out
    }

    pub(crate) fn decode(bytes: bytes::Bytes) -> Option<Self> {
        let count = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
        let ends_len = count.checked_mul(8).filter(|len| *len <= bytes.len() - 4)?;
        let ends: Vec<usize> = bytes[4..4 + ends_len]
            .chunks_exact(8)
            .map(|end| u64::from_le_bytes(end.try_into().unwrap_or_default()) as usize)
            .collect();
        let bytes = bytes.slice(4 + ends_len..);
        let ordered = ends.is_sorted() && ends.last().is_none_or(|last| *last == bytes.len());
        ordered.then_some(Self { bytes, ends })
    }
}

/// Makes the index of a segment as its rows go by.
pub(crate) struct IndexBuilder {
    stream_tokens: Vec<Vec<u64>>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl IndexBuilder {
    /// For rows that all have this table of streams.
    pub(crate) fn new(streams: &[Arc<Resource>]) -> Self {
        let stream_tokens = streams.iter().map(|stream| stream_tokens(stream)).collect();
        Self { stream_tokens, bytes: Vec::new(), ends: Vec::new() }
    }

    /// Indexes the next rows, which begin a block.
    pub(crate) fn push(&mut self, rows: &Rows) {
        for start in (0..rows.len()).step_by(BLOCK_ROWS) {
            let len = BLOCK_ROWS.min(rows.len() - start);
            let tokens = block_tokens(rows, &self.stream_tokens, start, len);
            self.bytes.extend(BlockFilter::build(tokens.len(), tokens.into_iter()));
            self.ends.push(self.bytes.len());
        }
    }

    pub(crate) fn finish(self) -> TokenIndex {
        TokenIndex { bytes: self.bytes.into(), ends: self.ends }
    }
}

/// Hashes are already spread; hashing them again would only cost time.
#[derive(Default)]
struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

type Tokens = HashSet<u64, BuildHasherDefault<PassThrough>>;

fn stream_tokens(stream: &Resource) -> Vec<u64> {
    let mut tokens = Tokens::default();
    let values = stream.attributes().iter().chain(&stream.scope().attributes).map(|(_, value)| value);
    values.for_each(|value| add_value(value, &mut tokens));
    add_text(&stream.scope().name, &mut tokens);
    tokens.into_iter().collect()
}

fn block_tokens(rows: &Rows, stream_tokens: &[Vec<u64>], start: usize, len: usize) -> Tokens {
    let mut tokens = Tokens::default();
    for (field, column) in rows.table().schema_ref().fields().iter().zip(rows.table().columns()) {
        let column = column.slice(start, len);
        match AttributeColumn::parse(field.name()) {
            Some(AttributeColumn { kind, .. }) => add_column(&column, kind, &mut tokens),
            None => match field.name().as_str() {
                fixed::BODY | fixed::ORIGINAL | fixed::SEVERITY_TEXT | fixed::EVENT_NAME => {
                    add_column(&column, ValueType::Str, &mut tokens);
                }
                fixed::BODY_VALUE => add_column(&column, ValueType::Nested, &mut tokens),
                fixed::REST => add_column(&column, ValueType::Str, &mut tokens),
                fixed::LAYOUT => add_layouts(rows, start..start + len, &mut tokens),
                fixed::OVERFLOW => add_overflow(&column, &mut tokens),
                fixed::TRACE_ID | fixed::SPAN_ID => add_ids(&column, &mut tokens),
                fixed::STREAM => {
                    let streams: HashSet<u32> = column.as_primitive::<UInt32Type>().values().iter().copied().collect();
                    tokens
                        .extend(streams.into_iter().flat_map(|stream| stream_tokens[stream as usize].iter().copied()));
                }
                _ => {}
            },
        }
    }
    tokens
}

fn add_column(column: &ArrayRef, kind: ValueType, tokens: &mut Tokens) {
    match kind {
        ValueType::Str => {
            let Some(column) = column.as_any().downcast_ref::<StringArray>() else { return };
            let mut last = "";
            for text in column.iter().flatten() {
                // Neighbours are often equal, rows being in order of stream and time.
                if text != last {
                    add_text(text, tokens);
                    last = text;
                }
            }
        }
        ValueType::Int => {
            let mut last = None;
            for value in column.as_primitive::<Int64Type>().iter().flatten() {
                if last != Some(value) {
                    add_value(&Value::Int(value), tokens);
                    last = Some(value);
                }
            }
        }
        ValueType::Double => {
            let values = column.as_primitive::<Float64Type>().iter().flatten();
            values.for_each(|value| add_value(&Value::Double(value), tokens));
        }
        ValueType::Nested => {
            let Some(column) = column.as_any().downcast_ref::<BinaryArray>() else { return };
            column
                .iter()
                .flatten()
                .filter_map(|bytes| decode_value(bytes).ok())
                .for_each(|value| add_value(&value, tokens));
        }
        ValueType::Bool => {
            add_text("true", tokens);
            add_text("false", tokens);
        }
        ValueType::Bytes => {
            let Some(column) = column.as_any().downcast_ref::<BinaryArray>() else { return };
            column.iter().flatten().for_each(|bytes| add_value(&Value::Bytes(bytes.into()), tokens));
        }
        ValueType::Null => {}
    }
}

/// The words of originals that have a layout, where the fields do not have them.
fn add_layouts(rows: &Rows, block: Range<usize>, tokens: &mut Tokens) {
    let mut seen = HashSet::new();
    let mut timed = false;
    for row in block.clone() {
        let Ok(Some(layout)) = rows.layout(row) else { continue };
        if seen.insert(std::ptr::from_ref(layout)) {
            timed |= layout.has_time();
            layout.literals().for_each(|text| add_text(text, tokens));
        }
        if layout.rewords()
            && let Ok(record) = rows.fields(row)
        {
            layout.reworded(&record, &mut |text| add_text(text, tokens));
        }
    }
    if timed && let Some(times) = rows.column(fixed::TIME) {
        add_times(&times.slice(block.start, block.len()), tokens);
    }
}

/// The words of times as sources write them, but for the fractions of seconds: every row would have its own, and nobody
/// looks for them (see [`is_second_fraction`]). Every block has every minute and second.
fn add_times(times: &ArrayRef, tokens: &mut Tokens) {
    const HOUR_NS: i64 = 3_600_000_000_000;
    let mut last = None;
    for time in times.as_primitive::<Int64Type>().values() {
        let hour = time.div_euclid(HOUR_NS);
        if last != Some(hour) {
            last = Some(hour);
            let mut text = String::new();
            crate::layout::write_time(hour.saturating_mul(HOUR_NS), &mut text);
            add_text(&text, tokens);
        }
    }
    (0..60).for_each(|number| add_text(&format!("{number:02}"), tokens));
}

/// Whether a token may be the end of a time (`877581781z`). These are not indexed, so nothing follows from their absence.
pub fn is_second_fraction(token: &[u8]) -> bool {
    token.split_last().is_some_and(|(last, digits)| {
        *last == b'z' && (1..=9).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
    })
}

fn add_overflow(column: &ArrayRef, tokens: &mut Tokens) {
    let Some(column) = column.as_any().downcast_ref::<BinaryArray>() else { return };
    for mut bytes in column.iter().flatten() {
        while let Ok((value, rest)) = decode_value_prefix(bytes) {
            add_value(&value, tokens);
            bytes = rest;
            if rest.is_empty() {
                break;
            }
        }
    }
}

fn add_ids(column: &ArrayRef, tokens: &mut Tokens) {
    let Some(column) = column.as_any().downcast_ref::<FixedSizeBinaryArray>() else { return };
    let mut text = Vec::with_capacity(32);
    let mut last: &[u8] = &[];
    for id in column.iter().flatten() {
        if id == last {
            continue;
        }
        last = id;
        text.clear();
        for byte in id {
            text.push(b"0123456789abcdef"[usize::from(byte >> 4)]);
            text.push(b"0123456789abcdef"[usize::from(byte & 15)]);
        }
        tokens.insert(token_hash(&text));
    }
}

/// The words of a value as a search sees them.
fn add_value(value: &Value<'_>, tokens: &mut Tokens) {
    match value {
        Value::Str(text) => add_text(text, tokens),
        Value::Int(_) | Value::Double(_) | Value::Bool(_) | Value::Bytes(_) => {
            let mut text = String::new();
            logkeep_record::json::write(value, &mut text);
            add_text(&text, tokens);
        }
        Value::Array(values) => values.iter().for_each(|value| add_value(value, tokens)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| add_value(value, tokens)),
        Value::Null => {}
    }
}

fn add_text(text: &str, tokens: &mut Tokens) {
    for_each_token(text, |token| {
        tokens.insert(token_hash(token));
    });
}
