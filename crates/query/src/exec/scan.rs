//! Reading the rows that match, one block at a time.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{AsArray as _, BooleanArray, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::Int64Type;
use logkeep_ingest::{ClassView, SegmentHandle, Snapshot};
use logkeep_record::{Class, TenantId, TimeRange};
use logkeep_segment::{BLOCK_ROWS, RowSelection, RowSelector, Rows, fixed};

use super::chunk::{Chunk, Place, Source, Wanted};
use super::filter::Filter;
use super::prune::Needs;
use super::{Budget, QueryError};
use crate::kql::{Compiled, Expr};

/// Which classes of a tenant a scan reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dataset {
    /// Records of all classes but the audit trail.
    Logs,
    /// The audit trail.
    Audit,
}

/// What to read: one tenant's rows in a range of time that match a filter.
#[derive(Clone)]
pub(crate) struct Scan {
    pub(crate) sources: Vec<Source>,
    pub(crate) range: TimeRange,
    pub(crate) budget: Budget,
    pub(crate) filter: Option<Arc<Compiled>>,
    pub(crate) needs: Arc<Needs>,
}

/// A further condition on rows, such as one from SQL.
pub(crate) type Condition<'a> = &'a (dyn Fn(&Chunk<'_>, &mut [bool]) -> Result<(), QueryError> + 'a);

impl Scan {
    pub(crate) fn new(
        snapshot: &Snapshot,
        tenant: &TenantId,
        dataset: Dataset,
        range: TimeRange,
        filter: &Expr,
        budget: Budget,
    ) -> Result<Self, QueryError> {
        let views: Vec<Arc<ClassView>> = match dataset {
            Dataset::Logs => snapshot.data_of(tenant).cloned().collect(),
            Dataset::Audit => snapshot.class(tenant, &Class::audit()).cloned().into_iter().collect(),
        };
        let mut sources = Vec::new();
        for view in views {
            let segments = view.segments.iter().cloned().map(Place::Segment);
            let live = view.live.iter().cloned().map(Place::Live);
            for place in segments.chain(live) {
                let source = Source { class: view.class.clone(), place };
                let (min, max) = source.time_bounds_ns();
                let inside = range.overlaps(min, max);
                budget.source(!inside);
                if inside {
                    sources.push(source);
                }
            }
        }
        let filter_all = *filter == Expr::All;
        Ok(Self {
            sources,
            range,
            budget,
            filter: if filter_all { None } else { Some(Arc::new(Compiled::new(filter)?)) },
            needs: Arc::new(Needs::of(filter)),
        })
    }

    /// Narrows the scan by what must be among the tokens of a row.
    pub(crate) fn also_needs(&mut self, needs: Needs) {
        let both = vec![(*self.needs).clone(), needs];
        self.needs = Arc::new(Needs::All(both));
    }

    /// Hands the matching rows of one source to `sink`, block by block, with the columns of `wanted` and those the
    /// filter needed. Columns a source does not have are left out.
    pub(crate) fn each(
        &self,
        source: &Source,
        wanted: &Wanted,
        condition: Option<Condition<'_>>,
        sink: &mut dyn FnMut(Chunk<'_>) -> Result<ControlFlow<()>, QueryError>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let mut wanted = wanted.clone();
        let filter =
            self.filter.as_deref().map(|compiled| Filter::prepare(compiled, source, &mut wanted)).transpose()?;
        let (min, max) = source.time_bounds_ns();
        let whole = self.range.start_ns() <= min && max < self.range.end_ns();
        if !whole {
            wanted.insert(fixed::TIME.to_owned());
        }
        let select = |rows: Rows, first: usize| -> Result<Option<Chunk<'_>>, QueryError> {
            self.budget.check()?;
            self.budget.scanned(rows.len(), rows.memory_bytes());
            let numbers = (first as u32..(first + rows.len()) as u32).collect();
            let mut chunk = Chunk { class: &source.class, rows, numbers };
            let mut alive = vec![true; chunk.len()];
            if !whole {
                within(&self.range, &chunk, &mut alive)?;
            }
            if let Some(filter) = &filter {
                filter.apply(&chunk, &mut alive)?;
            }
            if let Some(condition) = condition {
                condition(&chunk, &mut alive)?;
            }
            chunk.retain(alive)?;
            Ok((chunk.len() > 0).then_some(chunk))
        };
        match &source.place {
            Place::Live(rows) => each_live(rows, &wanted, &select, sink),
            Place::Segment(handle) => self.each_segment(handle, &wanted, &select, sink),
        }
    }

    fn each_segment<'s>(
        &self,
        handle: &SegmentHandle,
        wanted: &Wanted,
        select: &dyn Fn(Rows, usize) -> Result<Option<Chunk<'s>>, QueryError>,
        sink: &mut dyn FnMut(Chunk<'_>) -> Result<ControlFlow<()>, QueryError>,
    ) -> Result<ControlFlow<()>, QueryError> {
        let segment = handle.segment()?;
        let times = segment.block_times_ns();
        let in_range = |block: usize| {
            times.as_ref().and_then(|times| times.get(block)).is_none_or(|(min, max)| self.range.overlaps(*min, *max))
        };
        let index = segment.index();
        let blocks: Vec<usize> =
            (0..index.blocks()).filter(|block| in_range(*block) && self.needs.allows(index, *block)).collect();
        if blocks.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let selection = (blocks.len() < index.blocks()).then(|| block_selection(&blocks, segment.rows()));
        let reader = segment.read(&names, selection, BLOCK_ROWS)?;
        // Selected blocks are whole, and only the last one of a segment is short: one batch is one block.
        for (batch, block) in reader.zip(blocks) {
            let batch =
                batch.map_err(|error| QueryError::Segment(parquet::errors::ParquetError::from(error).into()))?;
            if let Some(chunk) = select(segment.rows_of(batch), block * BLOCK_ROWS)?
                && sink(chunk)?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn each_live<'s>(
    rows: &Rows,
    wanted: &Wanted,
    select: &dyn Fn(Rows, usize) -> Result<Option<Chunk<'s>>, QueryError>,
    sink: &mut dyn FnMut(Chunk<'_>) -> Result<ControlFlow<()>, QueryError>,
) -> Result<ControlFlow<()>, QueryError> {
    let fields = rows.table().schema_ref().fields().iter().enumerate();
    let places: Vec<usize> =
        fields.filter(|(_, field)| wanted.contains(field.name())).map(|(place, _)| place).collect();
    let table = rows.table().project(&places).map_err(arrow_error)?;
    for start in (0..rows.len()).step_by(BLOCK_ROWS) {
        let block = table.slice(start, BLOCK_ROWS.min(rows.len() - start));
        if let Some(chunk) = select(rows.with_table(block), start)?
            && sink(chunk)?.is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

impl Chunk<'_> {
    /// Keeps the rows that are alive.
    fn retain(&mut self, alive: Vec<bool>) -> Result<(), QueryError> {
        if alive.iter().all(|alive| *alive) {
            return Ok(());
        }
        let mut kept = alive.iter();
        self.numbers.retain(|_| kept.next().copied().unwrap_or_default());
        let table = filter_record_batch(self.rows.table(), &BooleanArray::from(alive)).map_err(arrow_error)?;
        self.rows = self.rows.with_table(table);
        Ok(())
    }
}

fn within(range: &TimeRange, chunk: &Chunk<'_>, alive: &mut [bool]) -> Result<(), QueryError> {
    let times = chunk.column(fixed::TIME)?.as_primitive::<Int64Type>();
    alive.iter_mut().zip(times.values()).for_each(|(alive, time)| *alive &= range.overlaps(*time, *time));
    Ok(())
}

/// All columns of some rows of a source, in the order given.
pub(crate) fn fetch(source: &Source, rows: &[u32]) -> Result<Rows, QueryError> {
    match &source.place {
        Place::Live(all) => {
            let table = take_record_batch(all.table(), &UInt32Array::from(rows.to_vec())).map_err(arrow_error)?;
            Ok(all.with_table(table))
        }
        Place::Segment(handle) => {
            let segment = handle.segment()?;
            let mut sorted = rows.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            let found = segment.rows_where(Some(row_selection(&sorted, segment.rows())))?;
            let place = |row: &u32| sorted.binary_search(row).unwrap_or_default() as u32;
            let order: UInt32Array = rows.iter().map(place).collect();
            Ok(found.with_table(take_record_batch(found.table(), &order).map_err(arrow_error)?))
        }
    }
}

fn block_selection(blocks: &[usize], rows: usize) -> RowSelection {
    selection(blocks.iter().map(|block| block * BLOCK_ROWS..rows.min((block + 1) * BLOCK_ROWS)), rows)
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
}
