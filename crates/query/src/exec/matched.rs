//! Which rows of a segment match a filter: found out once, and kept for the next question.
//!
//! A page of the console asks several questions of one filter at once, for the records, their histogram and their fields, and
//! asks again whenever its reader turns a page or moves the range. In a segment the answer depends on nothing but the
//! filter, as long as one may see every record: so the first to come looks, the others wait for it, and blocks without a
//! match need not be read again. A block costs a bit a row, or nothing where none matches.

use std::sync::Arc;
use std::time::Duration;

use arrow::buffer::BooleanBuffer;
use logkeep_record::TimeRange;
use logkeep_segment::Segment;
use quick_cache::sync::GuardResult;

use super::QueryError;
use super::chunk::{Chunk, Source, Wanted};
use super::filter::Filter;
use super::scan::Scan;

/// Whoever has waited for so long for another's work does it for themselves.
const WAIT: Duration = Duration::from_secs(1);
/// All rows of a block are looked at where at least one in so many is within the range.
const MOSTLY: i128 = 4;

/// What one filter matches in one segment.
pub(crate) struct Matched(Vec<OfBlock>);

#[derive(Clone)]
enum OfBlock {
    /// Nobody has looked.
    Unknown,
    None,
    Some(BooleanBuffer),
}

impl Matched {
    fn unknown(blocks: usize) -> Self {
        Self(vec![OfBlock::Unknown; blocks])
    }

    fn knows(&self, blocks: &[usize]) -> bool {
        !blocks.iter().any(|block| matches!(self.0[*block], OfBlock::Unknown))
    }

    /// Whether a row of the block matches.
    pub(super) fn is_in(&self, block: usize) -> bool {
        !matches!(self.0[block], OfBlock::None)
    }

    /// The rows of a block that match.
    pub(super) fn rows(&self, block: usize) -> Option<&BooleanBuffer> {
        match &self.0[block] {
            OfBlock::Some(rows) => Some(rows),
            OfBlock::Unknown | OfBlock::None => None,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let of_rows = |block: &OfBlock| match block {
            OfBlock::Some(rows) => rows.inner().len(),
            OfBlock::Unknown | OfBlock::None => 0,
        };
        size_of::<OfBlock>() * self.0.len() + self.0.iter().map(of_rows).sum::<usize>()
    }
}

impl Scan {
    /// What the filter matches in some blocks of a segment; `None` where that is not for everybody to know, or
    /// where so little of the segment is asked for that it is quicker to look at that alone.
    pub(super) fn matched(
        &self,
        (source, segment): (&Source, &Segment),
        (filter, columns): (&Filter<'_>, &Wanted),
        blocks: &[usize],
    ) -> Result<Option<Arc<Matched>>, QueryError> {
        let Some(text) = self.filter.as_ref().and_then(|compiled| compiled.text()) else { return Ok(None) };
        if self.view.is_limited() || !is_mostly_in(&self.range, source.time_bounds_ns()) {
            return Ok(None);
        }
        // The same whether others have asked before or not.
        self.budget.scanned(blocks.iter().map(|block| segment.rows_of_block(*block).len()).sum(), 0);
        let key = (segment.serial(), text.clone());
        let look = |known: &Matched| self.look((source, segment), (filter, columns), blocks, known).map(Arc::new);
        let all = match self.cache.matches().get_value_or_guard(&key, Some(WAIT)) {
            GuardResult::Value(known) if known.knows(blocks) => known,
            GuardResult::Value(known) => {
                let all = look(&known)?;
                self.cache.matches().insert(key, all.clone());
                all
            }
            GuardResult::Guard(guard) => {
                let all = look(&Matched::unknown(segment.index().blocks()))?;
                // Whoever cleared the cache meanwhile wants it empty.
                let _ = guard.insert(all.clone());
                all
            }
            GuardResult::Timeout => look(&Matched::unknown(segment.index().blocks()))?,
        };
        Ok(Some(all))
    }

    /// What is known, and what is found in the other blocks.
    fn look(
        &self,
        (source, segment): (&Source, &Segment),
        (filter, columns): (&Filter<'_>, &Wanted),
        blocks: &[usize],
        known: &Matched,
    ) -> Result<Matched, QueryError> {
        let open: Vec<usize> =
            blocks.iter().copied().filter(|block| matches!(known.0[*block], OfBlock::Unknown)).collect();
        let mut all = known.0.clone();
        for (batch, block) in self.cache.read(segment, columns, &open)?.zip(&open) {
            self.budget.check()?;
            let rows = segment.rows_of(batch?);
            self.budget.scanned(0, rows.memory_bytes());
            let mut alive = vec![true; rows.len()];
            let numbers = segment.rows_of_block(*block).map(|row| row as u32).collect();
            filter.apply(&Chunk { class: &source.class, rows, numbers, names: None }, &mut alive)?;
            all[*block] = if alive.contains(&true) { OfBlock::Some(BooleanBuffer::from(alive)) } else { OfBlock::None };
        }
        Ok(Matched(all))
    }
}

/// Whether so much of what lies between two times is in a range that all of it may as well be looked at.
fn is_mostly_in(range: &TimeRange, (min, max): (i64, i64)) -> bool {
    let inside = i128::from(range.end_ns().min(max)) - i128::from(range.start_ns().max(min));
    inside * MOSTLY >= i128::from(max) - i128::from(min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_of_a_segment_is_looked_at_alone() {
        let check = |(start, end): (i64, i64), bounds: (i64, i64), expected: bool| {
            let range = TimeRange::new(start, end).unwrap();
            assert_eq!(is_mostly_in(&range, bounds), expected, "{range:?} of {bounds:?}");
        };
        check((0, 100), (0, 100), true);
        check((75, 100), (0, 100), true);
        check((76, 100), (0, 100), false);
        check((i64::MIN, i64::MAX), (i64::MIN, i64::MAX), true);
        check((0, 10), (5, 5), true);
    }
}
