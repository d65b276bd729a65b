//! All records of a selection, as they were when it began.
//!
//! They are found a window at a time, each behind the last record of the one before, so memory is bounded however many there are. No window
//! holds on to what the one before read: segments may be merged in between and live rows flushed. What makes all of them one answer is that
//! batches which came after the beginning are left out.

use std::collections::HashSet;
use std::sync::Arc;

use logkeep_access::Grant;

use super::{QueryEngine, Selection, blocking};
use crate::exec::{AsOf, Budget, Found, Order, Page, PageKey, QueryError, Search};

/// Records of the first window.
const FIRST: usize = 2_048;
/// Records of a window: at least, and at most.
const FEWEST: usize = 64;
const MOST: usize = 32_768;
/// What the records of a window should take in memory, in bytes.
const WINDOW_BYTES: usize = 16 << 20;
/// So many times more than the window before, at most: what comes may be larger than what came.
const GROWTH: usize = 4;

/// An export that goes on.
pub struct Export {
    engine: QueryEngine,
    selection: Selection,
    order: Order,
    as_of: Arc<AsOf>,
    after: Option<PageKey>,
    /// Records that may still come.
    left: u64,
    window: usize,
    budget: Budget,
}

impl QueryEngine {
    /// Begins to read all records that are there now, and at most `limit`.
    pub fn export(&self, grant: &Grant, selection: Selection, order: Order, limit: u64, budget: Budget) -> Export {
        let as_of = Arc::new(AsOf::now(&self.snapshot(), grant.tenant()));
        Export { engine: self.clone(), selection, order, as_of, after: None, left: limit, window: FIRST, budget }
    }
}

impl Export {
    /// The records that come next; none at the end.
    ///
    /// # Errors
    /// [`QueryError`]: what came so far is not all there is.
    pub async fn next(&mut self, grant: &Grant) -> Result<Vec<Found>, QueryError> {
        let limit = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.window);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut scan = self.engine.scan(grant, &self.selection, &self.budget)?;
        scan.as_of = Some(self.as_of.clone());
        let search = Search { limit, order: self.order, after: self.after.take() };
        let Page { records, more } = blocking(&self.budget, move || scan.page(&search)).await?;
        self.left = if more { self.left - records.len() as u64 } else { 0 };
        self.after = records.last().map(|found| found.key.clone());
        self.window = next_window(self.window, records.len(), memory_of(&records));
        Ok(records)
    }
}

fn memory_of(records: &[Found]) -> usize {
    let mut seen = HashSet::new();
    let tables = records.iter().filter(|found| seen.insert(Arc::as_ptr(&found.rows)));
    tables.map(|found| found.rows.table().get_array_memory_size()).sum()
}

/// How many records to read next, after so many that took so much.
fn next_window(window: usize, records: usize, bytes: usize) -> usize {
    let fitting = WINDOW_BYTES / (bytes / records.max(1)).max(1);
    fitting.min(window * GROWTH).clamp(FEWEST, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_suit_what_came() {
        assert_eq!(next_window(FIRST, FIRST, FIRST * 100), FIRST * GROWTH, "small records: more of them, in steps");
        assert_eq!(next_window(MOST, MOST, MOST * 1_000), WINDOW_BYTES / 1_000);
        assert_eq!(next_window(MOST, MOST, MOST * 100), MOST);
        assert_eq!(next_window(FIRST, FIRST, FIRST << 20), FEWEST, "large ones: few at once");
        assert_eq!(next_window(FIRST, 0, 0), FIRST * GROWTH);
    }
}
