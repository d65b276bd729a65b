//! Reading the rows that match, one block at a time.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{AsArray as _, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{Int64Type, Schema, UInt32Type};
use logkeep_ingest::{ClassView, Snapshot};
use logkeep_record::{Class, TenantId, TimeRange};
use logkeep_segment::{BLOCK_ROWS, RowSelection, RowSelector, Rows, Segment, fixed};

use super::cache::BlockCache;
use super::chunk::{Chunk, Place, Source, Wanted};
use super::condition::Condition;
use super::filter::Filter;
use super::matched::Matched;
use super::naming::{Names, Naming};
use super::prune::Needs;
use super::templates::{RowTest, TemplateFilter};
use super::view::View;
use super::{Budget, QueryError};
use crate::kql::{Compiled, Expr};

/// Which classes of a tenant a scan reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dataset {
    /// Records of all classes that hold logs.
    #[default]
    Logs,
    /// Trace spans.
    Spans,
    /// The audit trail.
    Audit,
}

impl Dataset {
    /// Its name as a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Audit => "audit",
        }
    }
}

/// What to read: one tenant's rows in a range of time that match a filter.
#[derive(Clone)]
pub(crate) struct Scan {
    pub(crate) dataset: Dataset,
    pub(crate) sources: Vec<Source>,
    pub(crate) range: TimeRange,
    pub(crate) budget: Budget,
    pub(crate) filter: Option<Arc<Compiled>>,
    /// Only records that were there then.
    pub(crate) as_of: Option<Arc<AsOf>>,
    /// Only records of one message template.
    pub(crate) template: Option<Arc<TemplateFilter>>,
    /// What templates are called, where that is asked for.
    pub(crate) naming: Option<Arc<Naming>>,
    pub(crate) needs: Arc<Needs>,
    pub(crate) cache: Arc<BlockCache>,
    pub(crate) view: Arc<View>,
    /// Sources that may be read at once.
    pub(crate) threads: usize,
    /// Texts that decide nothing may come as keys of a dictionary.
    pub(crate) as_keys: bool,
}

/// What a scan is of, and for whom.
pub(crate) struct Ask<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) dataset: Dataset,
    pub(crate) range: TimeRange,
    pub(crate) filter: &'a Expr,
    pub(crate) view: Arc<View>,
}

/// A moment: of each class the number of the first batch that came later.
#[derive(Debug)]
pub(crate) struct AsOf(HashMap<Class, u64>);

impl AsOf {
    /// What a tenant has in the snapshot was there.
    pub(crate) fn now(snapshot: &Snapshot, tenant: &TenantId) -> Self {
        Self(snapshot.logs_of(tenant).map(|view| (view.class.clone(), next_batch(view))).collect())
    }

    /// Where what came later begins. All of a class that is not known did.
    pub(crate) fn end(&self, class: &Class) -> u64 {
        self.0.get(class).copied().unwrap_or_default()
    }
}

fn next_batch(view: &ClassView) -> u64 {
    let stored = view.segments.iter().map(|segment| segment.row().last_batch);
    let live = view.live.iter().flat_map(|rows| rows.batches().iter().map(|batch| batch.number));
    stored.chain(live).max().map_or(0, |last| last + 1)
}

/// Further conditions on rows, such as those from SQL. All must hold.
#[derive(Default)]
pub(crate) struct Conditions<'a> {
    /// The physical columns they look at.
    pub(crate) columns: Wanted,
    pub(crate) all: Vec<&'a Condition>,
    /// The templates of the source's rows, if they, or the columns, are about them.
    pub(crate) names: Option<Arc<Names>>,
    /// The rows of the source that are read; all in their order if `None`.
    pub(crate) numbers: Option<&'a [u32]>,
}

impl Scan {
    pub(crate) fn new(
        snapshot: &Snapshot,
        ask: Ask<'_>,
        budget: Budget,
        cache: Arc<BlockCache>,
    ) -> Result<Self, QueryError> {
        let Ask { tenant, dataset, range, filter, view } = ask;
        let only = |class| snapshot.class(tenant, &class).cloned().into_iter().collect();
        let views: Vec<Arc<ClassView>> = match dataset {
            Dataset::Logs => snapshot.logs_of(tenant).cloned().collect(),
            Dataset::Spans => only(Class::spans()),
            Dataset::Audit => only(Class::audit()),
        };
        let mut sources = Vec::new();
        for of_class in views {
            let segments = of_class.segments.iter().cloned().map(Place::Segment);
            let live = of_class.live.iter().cloned().map(Place::Live);
            for place in segments.chain(live) {
                let source = Source { class: of_class.class.clone(), place };
                let (min, max) = source.time_bounds_ns();
                let inside = range.overlaps(min, max);
                budget.source(!inside);
                if inside {
                    sources.push(source);
                }
            }
        }
        if view.is_limited() {
            budget.conceal();
        }
        let filter_all = *filter == Expr::All;
        let needs = if view.mask.is_some() { Needs::of_ids(filter) } else { Needs::of(filter) };
        Ok(Self {
            dataset,
            sources,
            range,
            budget,
            filter: if filter_all { None } else { Some(Arc::new(Compiled::new(filter)?)) },
            as_of: None,
            template: None,
            naming: None,
            needs: Arc::new(needs),
            cache,
            view,
            threads: 1,
            as_keys: false,
        })
    }

    /// Narrows the scan by what must be among the tokens of a row.
    pub(crate) fn also_needs(&mut self, needs: Needs) {
        let both = vec![(*self.needs).clone(), needs];
        self.needs = Arc::new(Needs::All(both));
    }

    /// Whether it is of all rows, as they are stored.
    pub(crate) fn takes_all(&self) -> bool {
        let is_all = self.filter.is_none() && self.template.is_none() && self.range == TimeRange::ALL;
        is_all && !self.view.is_limited()
    }

    /// False only if bounds and index say that nothing in the source matches.
    pub(crate) fn may_match(&self, source: &Source) -> Result<bool, QueryError> {
        Ok(match &source.place {
            Place::Live(_) => true,
            Place::Segment(handle) => !self.blocks(handle.segment()?.as_ref()).is_empty(),
        })
    }

    /// Hands the matching rows of one source to `sink`, block by block, with the columns of `wanted` and those that
    /// were needed to decide. Columns a source does not have are left out.
    pub(crate) fn each(
        &self,
        source: &Source,
        wanted: &Wanted,
        conditions: Conditions<'_>,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let (min, max) = source.time_bounds_ns();
        let whole = self.range.start_ns() <= min && max < self.range.end_ns();
        match &self.view.mask {
            Some(mask) if self.tells_masked(mask, source, wanted, &conditions)? => {
                self.each_masked(mask, source, &conditions, whole, sink)
            }
            _ => self.each_stored(source, wanted, &conditions, whole, self.view.admitted(source)?, sink),
        }
    }

    /// The same of rows as they are stored; `admitted` says whose records may be seen at all.
    pub(super) fn each_stored(
        &self,
        source: &Source,
        wanted: &Wanted,
        conditions: &Conditions<'_>,
        whole: bool,
        admitted: Option<Vec<bool>>,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let (mut tested, mut filtered) = (conditions.columns.clone(), Wanted::new());
        let filter =
            self.filter.as_deref().map(|compiled| Filter::prepare(compiled, source, &mut filtered)).transpose()?;
        if !whole {
            tested.insert(fixed::TIME.to_owned());
        }
        if admitted.is_some() {
            tested.insert(fixed::STREAM.to_owned());
        }
        let template =
            self.template.as_deref().map(|template| template.prepare(source, &self.cache, &self.budget)).transpose()?;
        if let Some(template) = &self.template {
            tested.extend(template.columns(source)?);
        }
        if template.as_ref().is_some_and(RowTest::is_never) {
            return Ok(ControlFlow::Continue(()));
        }
        let mut pass = Pass {
            scan: self,
            class: &source.class,
            filter,
            matched: None,
            template,
            conditions: conditions.all.clone(),
            names: conditions.names.clone(),
            numbers: conditions.numbers,
            whole,
            admitted,
            as_keys: self.as_keys,
        };
        let segment = match &source.place {
            Place::Live(rows) => {
                tested.extend(filtered);
                return pass.live(rows, &wanted.union(&tested).cloned().collect(), sink);
            }
            Place::Segment(handle) => handle.segment()?,
        };
        let segment = &*segment;
        let mut blocks = pass.with_streams(segment, self.blocks(segment))?;
        if let Some(filter) = filter.filter(|_| conditions.numbers.is_none() && !blocks.is_empty()) {
            pass.matched = self.matched((source, segment), (&filter, &filtered), &blocks)?;
        }
        match &pass.matched {
            Some(matched) => {
                pass.filter = None;
                blocks.retain(|block| matched.is_in(*block));
            }
            None => tested.extend(filtered),
        }
        let all: Wanted = wanted.union(&tested).cloned().collect();
        // Where a filter leaves few rows, only they are read.
        let takes_blocks = tested.is_empty() && pass.matched.is_none();
        match blocks.is_empty() {
            true => Ok(ControlFlow::Continue(())),
            false if all.is_empty() && pass.takes_all() => pass.count(segment, &blocks, sink),
            false if self.as_keys && takes_blocks => pass.segment_keys(segment, &blocks, &all, sink),
            false if takes_blocks || all == tested => pass.segment(segment, &blocks, &all, sink),
            false => pass.segment_late(segment, &blocks, &tested, wanted, sink),
        }
    }

    /// All columns of the rows that lie in the range and that may be seen at all.
    pub(super) fn each_admitted(
        &self,
        source: &Source,
        whole: bool,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let all: Wanted = source.schema()?.fields().iter().map(|field| field.name().clone()).collect();
        let admitted = self.view.admitted(source)?;
        let pass = Pass {
            scan: self,
            class: &source.class,
            filter: None,
            matched: None,
            template: None,
            conditions: Vec::new(),
            names: None,
            numbers: None,
            whole,
            admitted,
            as_keys: false,
        };
        match &source.place {
            Place::Live(rows) => pass.live(rows, &all, sink),
            Place::Segment(handle) => {
                let segment = &*handle.segment()?;
                let blocks = pass.with_streams(segment, self.blocks(segment))?;
                pass.segment(segment, &blocks, &all, sink)
            }
        }
    }

    /// The blocks of a segment that may hold a match.
    fn blocks(&self, segment: &Segment) -> Vec<usize> {
        let (min, max) = segment.time_bounds_ns();
        let whole = self.range.start_ns() <= min && max < self.range.end_ns();
        let times = if whole { None } else { segment.block_times_ns() };
        let in_range = |block: usize| {
            times.as_ref().and_then(|times| times.get(block)).is_none_or(|(min, max)| self.range.overlaps(*min, *max))
        };
        let index = segment.index();
        (0..index.blocks()).filter(|block| in_range(*block) && self.needs.allows(index, *block)).collect()
    }
}

/// Rows are taken out before the filter looks at them where less than one in so many is left.
const MOSTLY: usize = 2;
/// Up to so many columns that are shown, but decide nothing, are read by the block.
const CACHED_LATE_COLUMNS: usize = 8;

/// Takes rows that match.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Chunk<'_>) -> Result<ControlFlow<()>, QueryError>;

/// One scan over one source.
struct Pass<'a> {
    scan: &'a Scan,
    class: &'a Class,
    filter: Option<Filter<'a>>,
    /// What the filter matches, where that is known already.
    matched: Option<Arc<Matched>>,
    template: Option<RowTest<'a>>,
    conditions: Vec<&'a Condition>,
    /// See [`Conditions::names`].
    names: Option<Arc<Names>>,
    /// See [`Conditions::numbers`].
    numbers: Option<&'a [u32]>,
    /// Every row is in the range of time.
    whole: bool,
    /// Of each stream whether its records may be seen; `None` if all may.
    admitted: Option<Vec<bool>>,
    /// See [`Scan::as_keys`].
    as_keys: bool,
}

impl Pass<'_> {
    /// Whether every row matches.
    fn takes_all(&self) -> bool {
        let is_filtered = self.filter.is_some() || self.matched.is_some();
        let is_asked = is_filtered || self.template.is_some() || !self.conditions.is_empty();
        self.whole && !is_asked && self.admitted.is_none()
    }

    /// Those of the blocks that have a stream of which the conditions accept records. Rows lie in the order of their
    /// streams, so one stream is in few blocks.
    fn with_streams(&self, segment: &Segment, mut blocks: Vec<usize>) -> Result<Vec<usize>, QueryError> {
        let mut keep = |accepted: &[bool]| {
            let Some(bounds) = segment.block_streams() else { return };
            let has_any = |(min, max): (u32, u32)| accepted[min as usize..=max as usize].contains(&true);
            blocks.retain(|block| has_any(bounds[*block]));
        };
        if let Some(admitted) = &self.admitted {
            keep(admitted);
        }
        for condition in &self.conditions {
            if let Some(accepted) = condition.accepted_streams(segment)? {
                keep(&accepted);
            }
        }
        Ok(blocks)
    }

    /// The rows that match, of those that follow row `first`.
    fn select(&self, rows: Rows, first: usize) -> Result<Chunk<'_>, QueryError> {
        self.scan.budget.check()?;
        // Those of a filter that was asked of whole blocks are counted there.
        let looked_at = if self.matched.is_some() { 0 } else { rows.len() };
        self.scan.budget.scanned(looked_at, rows.memory_bytes());
        let numbers = match self.numbers {
            Some(all) => all[first..first + rows.len()].to_vec(),
            None => (first as u32..(first + rows.len()) as u32).collect(),
        };
        let mut chunk = Chunk { class: self.class, rows, numbers, names: self.names.clone() };
        if self.takes_all() {
            return Ok(chunk);
        }
        let mut kept = (!self.whole).then(|| within(&self.scan.range, &chunk)).transpose()?;
        if let Some(matched) = self.matched.as_ref().and_then(|matched| matched.rows(first / BLOCK_ROWS)) {
            kept = Some(kept.map_or_else(|| matched.clone(), |kept| &kept & matched));
        }
        if let Some(admitted) = &self.admitted {
            // What may not be seen is not asked about either: an error of a later condition would tell.
            let admitted = of_streams(admitted, &chunk)?;
            chunk.retain(Some(kept.take().map_or(admitted.clone(), |kept| &kept & &admitted)))?;
        }
        if let Some(template) = &self.template {
            chunk.retain(kept.take())?;
            let of_template = template.mask(&chunk)?;
            chunk.retain(Some(of_template))?;
        }
        if let Some(filter) = &self.filter {
            // Few rows are quicker to copy than many to pass over.
            if kept.as_ref().is_some_and(|kept| kept.count_set_bits() * MOSTLY < kept.len()) {
                chunk.retain(kept.take())?;
            }
            let mut alive = kept.take().map_or_else(|| vec![true; chunk.len()], |kept| kept.iter().collect());
            filter.apply(&chunk, &mut alive)?;
            chunk.retain(Some(BooleanBuffer::from(alive)))?;
        }
        for condition in &self.conditions {
            if !condition.is_easy(&chunk) {
                chunk.retain(kept.take())?;
            }
            if chunk.len() == 0 {
                return Ok(chunk);
            }
            let mask = holds(condition.mask(&chunk)?);
            kept = Some(match kept {
                Some(kept) => &kept & &mask,
                None => mask,
            });
        }
        chunk.retain(kept)?;
        Ok(chunk)
    }

    fn live(&self, rows: &Rows, columns: &Wanted, sink: Sink<'_>) -> Result<ControlFlow<()>, QueryError> {
        let fields = rows.table().schema_ref().fields().iter().enumerate();
        let places: Vec<usize> =
            fields.filter(|(_, field)| columns.contains(field.name())).map(|(place, _)| place).collect();
        let table = rows.table().project(&places).map_err(arrow_error)?;
        for start in (0..rows.len()).step_by(BLOCK_ROWS) {
            let block = table.slice(start, BLOCK_ROWS.min(rows.len() - start));
            let chunk = self.select(rows.with_table(block), start)?;
            if chunk.len() > 0 && sink(chunk)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Rows of which nobody wants to know more than that they are there.
    fn count(&self, segment: &Segment, blocks: &[usize], sink: Sink<'_>) -> Result<ControlFlow<()>, QueryError> {
        self.scan.budget.check()?;
        let count = blocks.iter().map(|block| segment.rows_of_block(*block).len()).sum();
        let rows = RecordBatchOptions::new().with_row_count(Some(count));
        let table = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rows).map_err(arrow_error)?;
        sink(Chunk { class: self.class, rows: segment.rows_of(table), numbers: Vec::new(), names: None })
    }

    /// Reads all columns at once.
    fn segment(
        &self,
        segment: &Segment,
        blocks: &[usize],
        columns: &Wanted,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        for (batch, block) in self.scan.cache.read(segment, columns, blocks)?.zip(blocks) {
            let chunk = self.select(segment.rows_of(batch?), block * BLOCK_ROWS)?;
            if chunk.len() > 0 && sink(chunk)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The same with keys for texts. It is of so much that none of it is kept for the next question.
    fn segment_keys(
        &self,
        segment: &Segment,
        blocks: &[usize],
        columns: &Wanted,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let selection = (blocks.len() < segment.index().blocks()).then(|| block_selection(segment, blocks));
        for (batch, block) in segment.read_keys(&names, selection, BLOCK_ROWS)?.zip(blocks) {
            let chunk = self.select(segment.rows_of(batch.map_err(read_error)?), block * BLOCK_ROWS)?;
            if chunk.len() > 0 && sink(chunk)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads what decides, and then the rest of the columns for the rows that are left.
    fn segment_late(
        &self,
        segment: &Segment,
        blocks: &[usize],
        tested: &Wanted,
        wanted: &Wanted,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let (mut numbers, mut tables) = (Vec::new(), Vec::new());
        for (batch, block) in self.scan.cache.read(segment, tested, blocks)?.zip(blocks) {
            let chunk = self.select(segment.rows_of(batch?), block * BLOCK_ROWS)?;
            if chunk.len() > 0 {
                numbers.extend_from_slice(&chunk.numbers);
                tables.push(chunk.rows.table().clone());
            }
        }
        let Some(schema) = tables.first().map(|table| table.schema()) else { return Ok(ControlFlow::Continue(())) };
        let decided = concat_batches(&schema, &tables).map_err(arrow_error)?;
        drop(tables);
        let late: Wanted = wanted.difference(tested).cloned().collect();
        if late.len() <= CACHED_LATE_COLUMNS && !self.as_keys {
            return self.late_blocks(segment, &numbers, &decided, &late, sink);
        }
        let names: Vec<&str> = late.iter().map(String::as_str).collect();
        let plan = LateRead::new(&numbers, segment.rows());
        let (mut read_rows, mut done) = (0, 0);
        let read = if self.as_keys { Segment::read_keys } else { Segment::read };
        for batch in read(segment, &names, Some(plan.selection), BLOCK_ROWS)? {
            let batch = batch.map_err(read_error)?;
            self.scan.budget.check()?;
            self.scan.budget.scanned(0, batch.get_array_memory_size());
            let kept = BooleanArray::from(plan.kept[read_rows..read_rows + batch.num_rows()].to_vec());
            read_rows += batch.num_rows();
            let batch = if kept.true_count() == kept.len() {
                batch
            } else {
                filter_record_batch(&batch, &kept).map_err(arrow_error)?
            };
            let here = done..done + batch.num_rows();
            done = here.end;
            if here.is_empty() {
                continue;
            }
            let rows = segment.rows_of(beside(&decided.slice(here.start, here.len()), &batch)?);
            let names = self.names.clone();
            let chunk = Chunk { class: self.class, rows, numbers: numbers[here].to_vec(), names };
            if sink(chunk)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The rest of a few columns: whole blocks, which are kept for the next question.
    fn late_blocks(
        &self,
        segment: &Segment,
        numbers: &[u32],
        decided: &RecordBatch,
        late: &Wanted,
        sink: Sink<'_>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let by_block: Vec<&[u32]> =
            numbers.chunk_by(|a, b| *a as usize / BLOCK_ROWS == *b as usize / BLOCK_ROWS).collect();
        let blocks: Vec<usize> = by_block.iter().map(|rows| rows[0] as usize / BLOCK_ROWS).collect();
        let mut done = 0;
        for ((batch, block), rows) in self.scan.cache.read(segment, late, &blocks)?.zip(&blocks).zip(by_block) {
            self.scan.budget.check()?;
            let mut batch = batch?;
            self.scan.budget.scanned(0, batch.get_array_memory_size());
            if rows.len() < batch.num_rows() {
                let places: UInt32Array = rows.iter().map(|row| row - (block * BLOCK_ROWS) as u32).collect();
                batch = take_record_batch(&batch, &places).map_err(arrow_error)?;
            }
            let table = beside(&decided.slice(done, rows.len()), &batch)?;
            done += rows.len();
            let (rows, numbers) = (segment.rows_of(table), rows.to_vec());
            let chunk = Chunk { class: self.class, rows, numbers, names: self.names.clone() };
            if sink(chunk)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

pub(crate) fn read_error(error: arrow::error::ArrowError) -> QueryError {
    QueryError::Segment(parquet::errors::ParquetError::from(error).into())
}

/// The columns of both.
fn beside(left: &RecordBatch, right: &RecordBatch) -> Result<RecordBatch, QueryError> {
    let fields = left.schema_ref().fields().iter().chain(right.schema_ref().fields()).cloned();
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let columns = left.columns().iter().chain(right.columns()).cloned().collect();
    RecordBatch::try_new(Arc::new(schema), columns).map_err(arrow_error)
}

/// How to read some rows of a segment: by themselves where few of a block are wanted, else the block and throw away.
struct LateRead {
    selection: RowSelection,
    /// Of each row that is read, whether it is wanted.
    kept: Vec<bool>,
}

impl LateRead {
    /// A run of rows that is skipped costs about as much as this many that are read.
    const RUN_COST: usize = 8;

    fn new(sorted: &[u32], rows: usize) -> Self {
        let (mut ranges, mut kept) = (Vec::new(), Vec::new());
        for wanted in sorted.chunk_by(|a, b| *a as usize / BLOCK_ROWS == *b as usize / BLOCK_ROWS) {
            let block = wanted[0] as usize / BLOCK_ROWS * BLOCK_ROWS;
            let block = block..rows.min(block + BLOCK_ROWS);
            if wanted.len() * Self::RUN_COST < block.len() {
                let runs = wanted.chunk_by(|a, b| a + 1 == *b);
                ranges.extend(runs.map(|run| run[0] as usize..run[0] as usize + run.len()));
                kept.resize(kept.len() + wanted.len(), true);
            } else {
                let first = kept.len();
                kept.resize(first + block.len(), false);
                wanted.iter().for_each(|row| kept[first + *row as usize - block.start] = true);
                ranges.push(block);
            }
        }
        Self { selection: selection(ranges.into_iter(), rows), kept }
    }
}

impl Chunk<'_> {
    /// Keeps these rows; all of them if there is nothing to say about any.
    fn retain(&mut self, kept: Option<BooleanBuffer>) -> Result<(), QueryError> {
        let Some(kept) = kept.filter(|kept| kept.count_set_bits() < kept.len()) else { return Ok(()) };
        if self.numbers.len() == kept.len() {
            self.numbers = kept.set_indices().map(|row| self.numbers[row]).collect();
        }
        let table = filter_record_batch(self.rows.table(), &BooleanArray::new(kept, None)).map_err(arrow_error)?;
        self.rows = self.rows.with_table(table);
        Ok(())
    }
}

/// Where a mask is true; null is no.
fn holds(mask: BooleanArray) -> BooleanBuffer {
    let (values, nulls) = mask.into_parts();
    match nulls {
        Some(nulls) => &values & nulls.inner(),
        None => values,
    }
}

fn within(range: &TimeRange, chunk: &Chunk<'_>) -> Result<BooleanBuffer, QueryError> {
    let times = chunk.column(fixed::TIME)?.as_primitive::<Int64Type>().values();
    let (start, end) = (range.start_ns(), range.end_ns());
    Ok(BooleanBuffer::collect_bool(times.len(), |row| start <= times[row] && times[row] < end))
}

/// Which rows are of one of these streams.
fn of_streams(accepted: &[bool], chunk: &Chunk<'_>) -> Result<BooleanBuffer, QueryError> {
    let streams = chunk.column(fixed::STREAM)?.as_primitive::<UInt32Type>().values();
    Ok(BooleanBuffer::collect_bool(streams.len(), |row| accepted[streams[row] as usize]))
}

/// A column of texts of some rows of a source, in the order given, as they are stored.
pub(crate) fn texts(source: &Source, column: &str, rows: &[u32]) -> Result<Vec<Option<String>>, QueryError> {
    let table = match &source.place {
        Place::Live(all) => {
            let place = all.table().schema_ref().index_of(column).map_err(arrow_error)?;
            let table = all.table().project(&[place]).map_err(arrow_error)?;
            take_record_batch(&table, &UInt32Array::from(rows.to_vec())).map_err(arrow_error)?
        }
        Place::Segment(handle) => {
            let segment = handle.segment()?;
            let (sorted, order) = sorted_rows(rows);
            let read = segment.read(&[column], Some(row_selection(&sorted, segment.rows())), sorted.len().max(1))?;
            let tables = read.collect::<Result<Vec<_>, _>>().map_err(read_error)?;
            let Some(schema) = tables.first().map(RecordBatch::schema) else { return Ok(vec![None; rows.len()]) };
            let table = concat_batches(&schema, &tables).map_err(arrow_error)?;
            take_record_batch(&table, &order).map_err(arrow_error)?
        }
    };
    let texts = table.column(0).as_string_opt::<i32>();
    let texts = texts.ok_or_else(|| QueryError::Internal(format!("column `{column}` is not of texts")))?;
    Ok(texts.iter().map(|text| text.map(str::to_owned)).collect())
}

/// Each of these rows once, in order, and where each of those given is among them.
fn sorted_rows(rows: &[u32]) -> (Vec<u32>, UInt32Array) {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let place = |row: &u32| sorted.binary_search(row).unwrap_or_default() as u32;
    let order = rows.iter().map(place).collect();
    (sorted, order)
}

/// All columns of some rows of a source, in the order given, as they are stored.
pub(crate) fn fetch(source: &Source, rows: &[u32]) -> Result<Rows, QueryError> {
    match &source.place {
        Place::Live(all) => {
            let table = take_record_batch(all.table(), &UInt32Array::from(rows.to_vec())).map_err(arrow_error)?;
            Ok(all.with_table(table))
        }
        Place::Segment(handle) => {
            let segment = handle.segment()?;
            let (sorted, order) = sorted_rows(rows);
            let found = segment.rows_where(Some(row_selection(&sorted, segment.rows())))?;
            Ok(found.with_table(take_record_batch(found.table(), &order).map_err(arrow_error)?))
        }
    }
}

pub(crate) fn block_selection(segment: &Segment, blocks: &[usize]) -> RowSelection {
    selection(blocks.iter().map(|block| segment.rows_of_block(*block)), segment.rows())
}

fn row_selection(sorted: &[u32], rows: usize) -> RowSelection {
    selection(sorted.iter().map(|row| *row as usize..*row as usize + 1), rows)
}

/// Ascending ranges that do not overlap, as Parquet wants them: so many rows to skip, so many to take.
fn selection(ranges: impl Iterator<Item = std::ops::Range<usize>>, rows: usize) -> RowSelection {
    let mut selectors = Vec::new();
    let mut at = 0;
    for range in ranges {
        if range.start > at {
            selectors.push(RowSelector::skip(range.start - at));
        }
        selectors.push(RowSelector::select(range.len()));
        at = range.end;
    }
    if at < rows {
        selectors.push(RowSelector::skip(rows - at));
    }
    selectors.into()
}

pub(crate) fn arrow_error(error: arrow::error::ArrowError) -> QueryError {
    QueryError::Internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections() {
        let check = |ranges: &[(usize, usize)], rows, expected: &[(usize, bool)]| {
            let ranges = ranges.iter().map(|(start, end)| *start..*end);
            let selectors: Vec<RowSelector> = selection(ranges, rows).into();
            let found: Vec<_> = selectors.iter().map(|selector| (selector.row_count, selector.skip)).collect();
            assert_eq!(found, expected);
        };
        check(&[(0, 2), (2, 3)], 5, &[(3, false), (2, true)]);
        check(&[(1, 2)], 2, &[(1, true), (1, false)]);
        check(&[], 2, &[(2, true)]);
    }

    #[test]
    fn few_rows_are_read_alone_and_many_with_their_block() {
        let read = |sorted: &[u32], rows| {
            let plan = LateRead::new(sorted, rows);
            let selectors: Vec<RowSelector> = plan.selection.into();
            let read: usize = selectors.iter().filter(|selector| !selector.skip).map(|s| s.row_count).sum();
            assert_eq!(read, plan.kept.len());
            assert_eq!(selectors.iter().map(|selector| selector.row_count).sum::<usize>(), rows);
            assert_eq!(plan.kept.iter().filter(|kept| **kept).count(), sorted.len());
            read
        };
        assert_eq!(read(&[3, 4, 9], 20_000), 3);
        assert_eq!(read(&(0..8_192).step_by(2).collect::<Vec<_>>(), 20_000), 8_192);
        assert_eq!(read(&[1, 16_385, 16_386, 16_400], 16_404), 1 + 20);
    }
}
