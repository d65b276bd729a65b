//! Reading one segment.
//!
//! What every query needs of a segment (Parquet footer, streams, shapes, layouts, batches, token index) is read once and kept;
//! columns are read page by page for the rows asked for. Reads go through [`RangeReader`], which decrypts and verifies.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use bytes::Bytes;
use logkeep_record::{BatchSeed, Resource};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::{Encoding, EncodingMask};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::{ColumnIndexMetaData, PrimitiveColumnIndex};
use parquet::file::reader::{ChunkReader, Length};

use crate::columns::fixed;
use crate::index::{BLOCK_ROWS, TokenIndex, is_second_fraction};
use crate::interned;
use crate::layout::{Layout, Word};
use crate::payload::take_list;
use crate::rows::{BatchInfo, Rows};
use crate::shape::{Forms, OverflowKeys, Shape, overflow_keys};
use crate::templates::Templates;
use crate::tokens::token_hash;
use crate::types::{AttributeTypes, attribute_types};

const MAGIC: &[u8; 4] = b"LKS1";
const VERSION: u32 = 3;
const TRAILER_BYTES: usize = 7 * 8 + 4 + 4;
/// Before version 3 there were no templates, and no length of them in the trailer.
const BEFORE_TEMPLATES: u32 = 2;
const TRAILER_BYTES_BEFORE: usize = TRAILER_BYTES - 8;

/// Why a segment cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The object could not be read, or its seal does not fit: the cause says which.
    #[error("segment cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// What was read is no segment of this format.
    #[error("not a segment: {0}; set it aside unchanged and run `logkeep verify`")]
    Format(&'static str),
    /// Written by a later version.
    #[error("segment has format version {0}, this program reads up to {VERSION}: use a newer logkeep")]
    Version(u32),
    /// The Parquet part.
    #[error("segment's columns: {0}")]
    Parquet(Arc<parquet::errors::ParquetError>),
    /// Its rows contradict each other.
    #[error(transparent)]
    Row(#[from] crate::RowError),
    /// It could not be made.
    #[error("segment cannot be written: {0}")]
    Write(String),
}

/// An object that can be read from any place, blocking.
pub trait RangeReader: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Whether it has no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of `range`.
    ///
    /// # Errors
    /// Any fault of the medium, or a seal that does not fit (`InvalidData`).
    fn read(&self, range: Range<u64>) -> std::io::Result<Bytes>;
}

impl RangeReader for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read(&self, range: Range<u64>) -> std::io::Result<Bytes> {
        if range.start <= range.end && range.end <= RangeReader::len(self) {
            Ok(self.slice(range.start as usize..range.end as usize))
        } else {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// The last bytes of a segment: seven u64 LE, the version as u32 LE and the magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) parquet_bytes: u64,
    pub(crate) tables_bytes: u64,
    /// 0 where the rows have no templates.
    pub(crate) templates_bytes: u64,
    pub(crate) index_bytes: u64,
    pub(crate) rows: u64,
    pub(crate) min_time_ns: i64,
    pub(crate) max_time_ns: i64,
}

impl Trailer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TRAILER_BYTES);
        let lengths = [self.parquet_bytes, self.tables_bytes, self.templates_bytes, self.index_bytes];
        for number in lengths.into_iter().chain([self.rows, self.min_time_ns as u64, self.max_time_ns as u64]) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(MAGIC);
        out
    }

    /// The trailer at the end of these bytes, and how long it is.
    fn decode(bytes: &[u8]) -> Result<(Self, usize), SegmentError> {
        let no_end = SegmentError::Format("it does not end as one");
        let Some((rest, [a, b, c, d, magic @ ..])) = bytes.split_last_chunk::<8>() else { return Err(no_end) };
        if magic != MAGIC {
            return Err(no_end);
        }
        let length = match u32::from_le_bytes([*a, *b, *c, *d]) {
            VERSION => TRAILER_BYTES,
            BEFORE_TEMPLATES => TRAILER_BYTES_BEFORE,
            other => return Err(SegmentError::Version(other)),
        };
        let start = bytes.len().checked_sub(length).ok_or(SegmentError::Format("it is too short"))?;
        let (numbers, _) = rest[start..].as_chunks::<8>();
        let mut numbers = numbers.iter().map(|eight| u64::from_le_bytes(*eight));
        let mut number = || numbers.next().unwrap_or_default();
        let trailer = Self {
            parquet_bytes: number(),
            tables_bytes: number(),
            templates_bytes: if length == TRAILER_BYTES { number() } else { 0 },
            index_bytes: number(),
            rows: number(),
            min_time_ns: number() as i64,
            max_time_ns: number() as i64,
        };
        Ok((trailer, length))
    }
}

static OPENED: AtomicU64 = AtomicU64::new(0);

/// What a name in a table takes beside its bytes, about.
const NAME_BYTES: usize = 64;

/// An open segment.
#[derive(Clone)]
pub struct Segment {
    serial: u64,
    object: Arc<dyn RangeReader>,
    metadata: ArrowReaderMetadata,
    trailer: Trailer,
    streams: Arc<Vec<Arc<Resource>>>,
    forms: Arc<Forms>,
    batches: Vec<BatchInfo>,
    index: TokenIndex,
    overflow_keys: Arc<OverflowKeys>,
    attribute_types: Arc<AttributeTypes>,
}

impl Segment {
    /// Reads what every query needs.
    ///
    /// # Errors
    /// [`SegmentError`]; only `Read` may pass by itself.
    pub fn open(object: Arc<dyn RangeReader>) -> Result<Self, SegmentError> {
        let len = object.len();
        let end = object.read(len.saturating_sub(TRAILER_BYTES as u64)..len)?;
        let (trailer, trailer_bytes) = Trailer::decode(&end)?;
        let start = len - trailer_bytes as u64;
        let parts = [trailer.parquet_bytes, trailer.tables_bytes, trailer.templates_bytes, trailer.index_bytes];
        let sum = parts.iter().try_fold(0u64, |sum, part| sum.checked_add(*part));
        if sum != Some(start) {
            return Err(SegmentError::Format("its parts do not add up to its length"));
        }
        let tables_end = trailer.parquet_bytes + trailer.tables_bytes;
        let (streams, forms, batches) = read_tables(&object.read(trailer.parquet_bytes..tables_end)?)?;
        let templates_end = tables_end + trailer.templates_bytes;
        let index =
            TokenIndex::decode(object.read(templates_end..start)?).ok_or(SegmentError::Format("token index"))?;
        let parquet = ParquetPart { object: object.clone(), len: trailer.parquet_bytes };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&parquet, options)?;
        let overflow_keys = Arc::new(overflow_keys(&forms.shapes, metadata.schema()));
        let attribute_types = Arc::new(attribute_types(metadata.schema(), &streams));
        let (streams, forms) = (Arc::new(streams), Arc::new(forms));
        let serial = OPENED.fetch_add(1, Ordering::Relaxed);
        Ok(Self { serial, object, metadata, trailer, streams, forms, batches, index, overflow_keys, attribute_types })
    }

    /// Bytes that it holds in memory while it is open, about, without the streams that it shares with others.
    pub fn memory_bytes(&self) -> usize {
        let names: usize = self.attribute_types.keys().map(|key| key.len() + NAME_BYTES).sum();
        self.parquet().memory_size() + self.index.len_bytes() + names
    }

    /// A number that no other segment opened by this process has.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The rows of a block.
    pub fn rows_of_block(&self, block: usize) -> Range<usize> {
        block * BLOCK_ROWS..self.rows().min((block + 1) * BLOCK_ROWS)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.trailer.rows as usize
    }

    /// Earliest and latest time, nanoseconds, both inside.
    pub fn time_bounds_ns(&self) -> (i64, i64) {
        (self.trailer.min_time_ns, self.trailer.max_time_ns)
    }

    /// Who emitted the records.
    pub fn streams(&self) -> &Arc<Vec<Arc<Resource>>> {
        &self.streams
    }

    /// The batches in it, each whole.
    pub fn batches(&self) -> &[BatchInfo] {
        &self.batches
    }

    /// Whether its rows have templates: those of an older segment, or of records that are no logs, have none.
    pub fn has_templates(&self) -> bool {
        self.trailer.templates_bytes > 0
    }

    /// What the column `template` points into, read anew each time: it is seldom asked for, and may be large.
    ///
    /// # Errors
    /// [`SegmentError`]; only `Read` may pass by itself.
    pub fn templates(&self) -> Result<Option<Templates>, SegmentError> {
        if !self.has_templates() {
            return Ok(None);
        }
        let start = self.trailer.parquet_bytes + self.trailer.tables_bytes;
        let bytes = self.object.read(start..start + self.trailer.templates_bytes)?;
        Templates::decode(&bytes).map(Some).ok_or(SegmentError::Format("templates"))
    }

    /// Its token index.
    pub fn index(&self) -> &TokenIndex {
        &self.index
    }

    /// The keys of which it may hold values outside the flat columns.
    pub fn overflow_keys(&self) -> &Arc<OverflowKeys> {
        &self.overflow_keys
    }

    /// The keys of its attributes, with the types of their values.
    pub fn attribute_types(&self) -> &Arc<AttributeTypes> {
        &self.attribute_types
    }

    /// Its columns.
    pub fn schema(&self) -> &arrow::datatypes::SchemaRef {
        self.metadata.schema()
    }

    /// The Parquet metadata, for statistics.
    pub fn parquet(&self) -> &Arc<parquet::file::metadata::ParquetMetaData> {
        self.metadata.metadata()
    }

    /// Earliest and latest time in each block; `None` if the pages of the column are not its blocks.
    pub fn block_times_ns(&self) -> Option<Vec<(i64, i64)>> {
        match self.pages(fixed::TIME)? {
            ColumnIndexMetaData::INT64(pages) => self.bounds(pages, |time| time),
            _ => None,
        }
    }

    /// First and last stream in each block, likewise.
    pub fn block_streams(&self) -> Option<Vec<(u32, u32)>> {
        let streams = self.streams().len();
        let bounds = match self.pages(fixed::STREAM)? {
            ColumnIndexMetaData::INT32(pages) => self.bounds(pages, |stream| stream as u32)?,
            _ => return None,
        };
        bounds.iter().all(|(first, last)| first <= last && (*last as usize) < streams).then_some(bounds)
    }

    fn pages(&self, column: &str) -> Option<&ColumnIndexMetaData> {
        let place = self.schema().fields().iter().position(|field| field.name() == column)?;
        self.parquet().column_index()?.first()?.get(place)
    }

    fn bounds<T: Copy, B>(&self, pages: &PrimitiveColumnIndex<T>, bound: impl Fn(T) -> B) -> Option<Vec<(B, B)>> {
        let (min, max) = (pages.min_values(), pages.max_values());
        let bounds = min.iter().zip(max).map(|(min, max)| (bound(*min), bound(*max)));
        (min.len() == self.index.blocks()).then(|| bounds.collect())
    }

    /// Reads columns by name (unknown names are left out) for the rows of `selection`, or all rows, in batches of at
    /// most `batch_rows` rows. Columns come in the segment's order.
    ///
    /// # Errors
    /// [`SegmentError`] from the reader or from its batches.
    pub fn read(
        &self,
        columns: &[&str],
        selection: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, SegmentError> {
        self.read_as(self.metadata.clone(), columns, selection, batch_rows)
    }

    /// As [`Segment::read`], but texts of columns that are stored as keys of a dictionary stay so: `Dictionary(UInt32, Utf8)`. Who
    /// counts values has less to do then.
    ///
    /// # Errors
    /// As [`Segment::read`].
    pub fn read_keys(
        &self,
        columns: &[&str],
        selection: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, SegmentError> {
        let stored = self.parquet().row_groups().first().map_or(&[][..], |group| group.columns());
        let fields = self.schema().fields().iter().enumerate().map(|(place, field)| {
            let has_keys = *field.data_type() == DataType::Utf8
                && columns.contains(&field.name().as_str())
                && stored.get(place).and_then(|column| column.page_encoding_stats_mask()).is_some_and(is_of_keys);
            if !has_keys {
                return field.clone();
            }
            let keyed = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
            Arc::new(field.as_ref().clone().with_data_type(keyed))
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = ArrowReaderOptions::new().with_schema(schema);
        self.read_as(ArrowReaderMetadata::try_new(self.parquet().clone(), options)?, columns, selection, batch_rows)
    }

    fn read_as(
        &self,
        metadata: ArrowReaderMetadata,
        columns: &[&str],
        selection: Option<RowSelection>,
        batch_rows: usize,
    ) -> Result<ParquetRecordBatchReader, SegmentError> {
        let parquet = ParquetPart { object: self.object.clone(), len: self.trailer.parquet_bytes };
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(parquet, metadata).with_batch_size(batch_rows);
        let fields = self.schema().fields();
        let roots = fields.iter().enumerate().filter(|(_, field)| columns.contains(&field.name().as_str()));
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots.map(|(place, _)| place));
        builder = builder.with_projection(mask);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        Ok(builder.build()?)
    }

    /// All columns of the rows of `selection`, or of all rows.
    ///
    /// # Errors
    /// As [`Segment::read`].
    pub fn rows_where(&self, selection: Option<RowSelection>) -> Result<Rows, SegmentError> {
        let names: Vec<&str> = self.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let batches = self.read(&names, selection, self.rows().max(1))?.collect::<Result<Vec<RecordBatch>, _>>();
        let batches = batches.map_err(parquet::errors::ParquetError::from)?;
        let table =
            arrow::compute::concat_batches(self.schema(), &batches).map_err(parquet::errors::ParquetError::from)?;
        Ok(self.rows_of(table))
    }

    /// All rows with all that a merge needs of them.
    ///
    /// # Errors
    /// As [`Segment::read`].
    pub fn rows_to_merge(&self) -> Result<Rows, SegmentError> {
        Ok(self.rows_where(None)?.with_templates(self.templates()?.map(Arc::new)))
    }

    /// Whether an original may write `word` where no field of its record has it.
    pub fn may_reword(&self, word: Word<'_>) -> bool {
        let has_token = |token: &str| {
            let (hash, mut blocks) = (token_hash(token.as_bytes()), 0..self.index.blocks());
            is_second_fraction(token.as_bytes()) || blocks.any(|block| self.index.may_contain(block, hash))
        };
        self.forms.may_reword(word, &has_token)
    }

    /// A table read from this segment, with what its numbers point into.
    pub fn rows_of(&self, table: RecordBatch) -> Rows {
        Rows::new(table, self.streams.clone(), self.forms.clone(), self.batches.clone())
    }
}

/// Whether pages of these encodings hold keys of a dictionary and nothing else.
fn is_of_keys(encodings: &EncodingMask) -> bool {
    encodings.is_only(Encoding::RLE_DICTIONARY)
}

type Tables = (Vec<Arc<Resource>>, Forms, Vec<BatchInfo>);

fn read_tables(bytes: &[u8]) -> Result<Tables, SegmentError> {
    let bad = SegmentError::Format;
    let plain = zstd::stream::decode_all(bytes).map_err(|_| bad("tables"))?;
    let mut rest = plain.as_slice();
    let mut list = |what| take_list(&mut rest).map_err(|_| bad(what));
    let (streams, shapes, layouts, batches) = (list("streams")?, list("shapes")?, list("layouts")?, list("batches")?);
    let streams = streams.into_iter().map(|bytes| interned::stream(bytes).map_err(|_| bad("a stream")));
    let shapes = shapes.into_iter().map(|bytes| Shape::decode(bytes).ok_or(bad("a shape")));
    let layouts = layouts.into_iter().map(|bytes| Layout::decode(bytes).ok_or(bad("a layout")));
    let batches = batches.into_iter().map(|bytes| decode_batch(bytes).ok_or(bad("a batch")));
    let forms = Forms { shapes: shapes.collect::<Result<_, _>>()?, layouts: layouts.collect::<Result<_, _>>()? };
    Ok((streams.collect::<Result<_, _>>()?, forms, batches.collect::<Result<_, _>>()?))
}

fn decode_batch(bytes: &[u8]) -> Option<BatchInfo> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    let (records, seed) = rest.split_first_chunk::<4>()?;
    Some(BatchInfo {
        number: u64::from_le_bytes(*number),
        records: u32::from_le_bytes(*records),
        seed: BatchSeed::new(seed.try_into().ok()?),
    })
}

/// The Parquet part of the object, as the Parquet reader wants it.
#[derive(Clone)]
struct ParquetPart {
    object: Arc<dyn RangeReader>,
    len: u64,
}

impl Length for ParquetPart {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for ParquetPart {
    type T = bytes::buf::Reader<Bytes>;

    /// The reader of page headers asks for "from here on"; pages are found by the offset index, so this stays small.
    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        use bytes::Buf as _;
        Ok(self.object.read(start..self.len)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        Ok(self.object.read(start..start + length as u64)?)
    }
}
