//! Columns of blocks that were read lately, decrypted and decoded.
//!
//! People ask about the same columns again and again: a console that refreshes, a dashboard, a filter that is being
//! narrowed. One column of one block is one entry, so that two questions share what they share. Entries are weighed by
//! the memory they hold; a scan of everything does not push out what is asked for often (S3-FIFO).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use logkeep_segment::{BLOCK_ROWS, Segment, Templates};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::QueryError;
use super::chunk::Wanted;
use super::matched::Matched;
use super::scan::{arrow_error, block_selection, read_error};

/// Bytes a usual entry takes: how many places the cache prepares.
const USUAL_BYTES: u64 = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    segment: u64,
    block: u32,
    /// Its place in the segment's schema.
    column: u32,
}

impl Key {
    fn of(segment: &Segment, block: usize, place: usize) -> Self {
        Self { segment: segment.serial(), block: block as u32, column: place as u32 }
    }
}

#[derive(Clone)]
pub(super) struct Memory;

impl quick_cache::Weighter<Key, ArrayRef> for Memory {
    fn weight(&self, _: &Key, column: &ArrayRef) -> u64 {
        column.get_array_memory_size().max(1) as u64
    }
}

impl quick_cache::Weighter<u64, Arc<Templates>> for Memory {
    fn weight(&self, _: &u64, templates: &Arc<Templates>) -> u64 {
        templates.memory_bytes().max(1) as u64
    }
}

impl quick_cache::Weighter<Filtered, Arc<Matched>> for Memory {
    fn weight(&self, (_, filter): &Filtered, matched: &Arc<Matched>) -> u64 {
        (filter.len() + matched.memory_bytes()).max(1) as u64
    }
}

/// A segment, and the canonical text of a filter.
pub(super) type Filtered = (u64, Arc<str>);
/// What filters match in each segment.
pub(super) type Matches = quick_cache::sync::Cache<Filtered, Arc<Matched>, Memory>;

/// What is kept of filters, in bytes, and what one usually takes in a segment.
const MATCHES_BYTES: u64 = 8 << 20;
const USUAL_MATCHED_BYTES: u64 = 8 << 10;

/// Lists of templates that are kept, in bytes, and what a usual one takes.
const LISTS_BYTES: u64 = 16 << 20;
const USUAL_LIST_BYTES: u64 = 32 << 10;

/// The cache, bounded in bytes.
pub(crate) struct BlockCache {
    columns: quick_cache::sync::Cache<Key, ArrayRef, Memory>,
    /// Lists of templates by segment.
    lists: quick_cache::sync::Cache<u64, Arc<Templates>, Memory>,
    matches: Matches,
    born: Instant,
    /// Milliseconds after `born` at which it was last asked.
    used_ms: AtomicU64,
}

impl BlockCache {
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes as u64;
        let columns = quick_cache::sync::Cache::with_weighter((bytes / USUAL_BYTES) as usize, bytes, Memory);
        let places = (LISTS_BYTES / USUAL_LIST_BYTES) as usize;
        let lists = quick_cache::sync::Cache::with_weighter(places, LISTS_BYTES, Memory);
        let places = (MATCHES_BYTES / USUAL_MATCHED_BYTES) as usize;
        let matches = quick_cache::sync::Cache::with_weighter(places, MATCHES_BYTES, Memory);
        Self { columns, lists, matches, born: Instant::now(), used_ms: AtomicU64::new(0) }
    }

    /// Gives the memory back if nobody has asked for that long.
    pub(crate) fn forget_unused(&self, after: Duration) {
        let used = Duration::from_millis(self.used_ms.load(Ordering::Relaxed));
        let is_empty = self.columns.is_empty() && self.lists.is_empty() && self.matches.is_empty();
        if !is_empty && self.born.elapsed().saturating_sub(used) >= after {
            self.columns.clear();
            self.lists.clear();
            self.matches.clear();
        }
    }

    /// What filters matched.
    pub(super) fn matches(&self) -> &Matches {
        self.note_use();
        &self.matches
    }

    /// The templates of a segment, if it lists some.
    pub(crate) fn templates(&self, segment: &Segment) -> Result<Option<Arc<Templates>>, QueryError> {
        self.note_use();
        if let Some(templates) = self.lists.get(&segment.serial()) {
            return Ok(Some(templates));
        }
        let Some(templates) = segment.templates()?.map(Arc::new) else { return Ok(None) };
        self.lists.insert(segment.serial(), templates.clone());
        Ok(Some(templates))
    }

    fn note_use(&self) {
        self.used_ms.store(self.born.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Whole blocks of some columns, in the order given. Columns the segment does not have are left out.
    pub(crate) fn read<'a>(
        &'a self,
        segment: &'a Segment,
        columns: &Wanted,
        blocks: &'a [usize],
    ) -> Result<Blocks<'a>, QueryError> {
        self.note_use();
        let fields = segment.schema().fields().iter().enumerate();
        let places: Vec<usize> =
            fields.filter(|(_, field)| columns.contains(field.name())).map(|(place, _)| place).collect();
        let known: Vec<Vec<Option<ArrayRef>>> = blocks
            .iter()
            .map(|block| places.iter().map(|place| self.columns.get(&Key::of(segment, *block, *place))).collect())
            .collect();
        let absent: Vec<usize> =
            (0..places.len()).filter(|at| known.iter().any(|block| block[*at].is_none())).collect();
        let to_read: Vec<usize> =
            blocks.iter().zip(&known).filter(|(_, known)| known.iter().any(Option::is_none)).map(|(b, _)| *b).collect();
        let reader = match to_read.is_empty() {
            true => None,
            false => {
                let schema = segment.schema();
                let names: Vec<&str> = absent.iter().map(|at| schema.field(places[*at]).name().as_str()).collect();
                let whole = to_read.len() == segment.index().blocks();
                let selection = (!whole).then(|| block_selection(segment, &to_read));
                Some(segment.read(&names, selection, BLOCK_ROWS)?)
            }
        };
        let schema = Arc::new(segment.schema().project(&places).map_err(arrow_error)?);
        Ok(Blocks { cache: self, segment, schema, places, absent, blocks: blocks.iter().zip(known), reader })
    }
}

type Known = std::vec::IntoIter<Vec<Option<ArrayRef>>>;

/// Blocks on their way from the cache or the disk.
pub(crate) struct Blocks<'a> {
    cache: &'a BlockCache,
    segment: &'a Segment,
    schema: SchemaRef,
    places: Vec<usize>,
    /// Which of `places` the reader reads.
    absent: Vec<usize>,
    blocks: std::iter::Zip<std::slice::Iter<'a, usize>, Known>,
    reader: Option<ParquetRecordBatchReader>,
}

impl Blocks<'_> {
    fn block(&mut self, block: usize, mut known: Vec<Option<ArrayRef>>) -> Result<RecordBatch, QueryError> {
        if known.iter().any(Option::is_none) {
            let missing = || QueryError::Internal("a segment has fewer rows than it says".into());
            // Selected blocks are whole, and only the last one of a segment is short: one batch is one block.
            let read = self.reader.as_mut().and_then(Iterator::next).ok_or_else(missing)?.map_err(read_error)?;
            for (at, column) in self.absent.iter().zip(read.columns()) {
                if known[*at].is_none() {
                    let key = Key::of(self.segment, block, self.places[*at]);
                    self.cache.columns.insert(key, column.clone());
                    known[*at] = Some(column.clone());
                }
            }
        }
        let rows = self.segment.rows_of_block(block);
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let columns = known.into_iter().flatten().collect();
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(arrow_error)
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<RecordBatch, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (block, known) = self.blocks.next()?;
        Some(self.block(*block, known))
    }
}
