//! The loss ledger: what each source sent in each minute, and what became of it.
//!
//! For every line, received = stored + deduplicated + rejected + deferred + dropped. What a batch stored is counted in the
//! frame that makes the batch durable, so no stop can part the two; the flush that takes the batch out of the log puts its
//! lines on a page of the catalog in the same transaction. What was counted beside any batch goes to a page of its own
//! within about a second.

mod bytes;
mod counts;
mod pages;
mod read;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use counts::{Counts, Reasons};
pub(crate) use pages::{Waiting, join_pages, next_page, store_waiting};
pub(crate) use read::stored_by_page;
pub use source::Source;

const MINUTE_NS: i64 = 60_000_000_000;
/// Lines between two flushes of a class. What does not fit is counted for all other sources of a protocol together.
const LINES: usize = 1_024;
/// Lines of a page of an hour, or of a day: a thousand sources in each minute.
pub(crate) const PAGE_LINES: usize = 61_440;

/// The minute of a time, since 1970.
pub fn minute(time_ns: i64) -> i64 {
    time_ns.div_euclid(MINUTE_NS)
}

/// A line for each minute and source, bounded in number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    lines: BTreeMap<(i64, Arc<Source>), Counts>,
    most: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::bounded(LINES)
    }
}

impl Ledger {
    /// One of at most so many lines, beside those of sources that found no room.
    pub fn bounded(most: usize) -> Self {
        Self { lines: BTreeMap::new(), most }
    }

    /// Counts what became of what a source sent in a minute.
    pub fn add(&mut self, minute: i64, source: &Arc<Source>, counts: &Counts) {
        if counts.is_zero() {
            return;
        }
        let full = self.lines.len() >= self.most;
        let mut place = (minute, source.clone());
        if full && !self.lines.contains_key(&place) {
            place.1 = Arc::new(source.others());
        }
        self.lines.entry(place).or_default().add(counts);
    }

    /// Adds all lines of another.
    pub fn merge(&mut self, other: &Self) {
        other.lines().for_each(|(minute, source, counts)| self.add(minute, source, counts));
    }

    /// Takes away lines that were added before and are counted elsewhere by now.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (place, counts) in &other.lines {
            if let Some(own) = self.lines.get_mut(place) {
                own.subtract(counts);
                if own.is_zero() {
                    self.lines.remove(place);
                }
            }
        }
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Minute, source and counts, in order.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (i64, &Arc<Source>, &Counts)> {
        self.lines.iter().map(|((minute, source), counts)| (*minute, source, counts))
    }

    /// Records stored, by all lines together.
    pub fn stored(&self) -> u64 {
        self.lines.values().map(|counts| counts.stored).sum()
    }

    /// The same with a line for `step` minutes, named by the first of them.
    fn coarser(&self, step: i64, most: usize) -> Self {
        let mut coarse = Self::bounded(most);
        for (minute, source, counts) in self.lines() {
            coarse.add(minute - minute.rem_euclid(step), source, counts);
        }
        coarse
    }
}

#[cfg(test)]
mod tests;
