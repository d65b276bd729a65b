//! One page of records, newest or oldest first.
//!
//! Two steps: the keys (time, batch, index) of the best rows are found from few columns, then only the winners are read
//! in full. Sources are visited in the order of their bounds, and left alone once no row of theirs could win.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::datatypes::{Int64Type, UInt32Type, UInt64Type};
use logkeep_record::{Class, Record, RecordId};
use logkeep_segment::{Rows, fixed};

use super::QueryError;
use super::at_once::at_once;
use super::chunk::{Chunk, Wanted};
use super::scan::{Conditions, Scan};

/// Which end of time comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// Newest first.
    #[default]
    Descending,
    /// Oldest first.
    Ascending,
}

/// Where a record stands in the order of all records: by time, then by place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageKey {
    /// Its time.
    pub time_ns: i64,
    /// The class of its batch.
    pub class: Class,
    /// Its batch.
    pub batch: u64,
    /// Its index in the batch.
    pub index: u32,
}

impl PageKey {
    /// The record's id.
    pub fn id(&self) -> RecordId {
        RecordId { class: self.class.clone(), batch: self.batch, index: self.index }
    }
}

/// What page to find.
#[derive(Clone, Debug)]
pub struct Search {
    /// Records at most.
    pub limit: usize,
    /// Which end first.
    pub order: Order,
    /// Only records behind this one in the order.
    pub after: Option<PageKey>,
}

impl Search {
    /// Whether all records of a source come before the page.
    fn is_behind(&self, (min, max): (i64, i64)) -> bool {
        self.after.as_ref().is_some_and(|after| match self.order {
            Order::Descending => min > after.time_ns,
            Order::Ascending => max < after.time_ns,
        })
    }
}

/// A record of a page, with its key.
pub struct Found {
    /// Its key, from which the next page goes on.
    pub key: PageKey,
    pub(crate) rows: Arc<Rows>,
    row: usize,
}

impl Found {
    /// The record.
    ///
    /// # Errors
    /// [`QueryError::Row`] if its columns contradict each other.
    pub fn record(&self) -> Result<Record<'_>, QueryError> {
        Ok(self.rows.record(self.row)?)
    }
}

/// A page.
pub struct Page {
    /// Its records, in order.
    pub records: Vec<Found>,
    /// Whether there are more behind them.
    pub more: bool,
}

/// A key that sorts the same way for both orders: smaller is earlier on the page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Ascending(PageKey),
    Descending(Reverse<PageKey>),
}

impl Rank {
    fn new(order: Order, key: PageKey) -> Self {
        match order {
            Order::Ascending => Self::Ascending(key),
            Order::Descending => Self::Descending(Reverse(key)),
        }
    }

    fn key(&self) -> &PageKey {
        match self {
            Self::Ascending(key) | Self::Descending(Reverse(key)) => key,
        }
    }
}

/// A row that may be on the page: its rank, its source, and its number there.
type Candidate = (Rank, usize, u32);

impl Scan {
    pub(crate) fn page(&self, search: &Search) -> Result<Page, QueryError> {
        // One more than asked for, to know whether there is a next page.
        let keep = search.limit.saturating_add(1);
        let mut best: BinaryHeap<Candidate> = BinaryHeap::new();
        let mut order: Vec<usize> = (0..self.sources.len()).collect();
        order.sort_by_key(|source| {
            let (min, max) = self.sources[*source].time_bounds_ns();
            if search.order == Order::Descending { max.saturating_neg() } else { min }
        });
        let wanted: Wanted = [fixed::TIME, fixed::BATCH, fixed::INDEX].map(str::to_owned).into();
        for place in order {
            let source = &self.sources[place];
            if search.is_behind(source.time_bounds_ns()) {
                continue;
            }
            if best.len() >= keep && self.cannot_win(source.time_bounds_ns(), &best, search.order) {
                continue;
            }
            let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
                self.add_candidates(&chunk, place, search, keep, &mut best)?;
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let mut winners = best.into_sorted_vec();
        let more = winners.len() > search.limit;
        winners.truncate(search.limit);
        Ok(Page { records: self.read(winners)?, more })
    }

    /// The record of this id, if a source has it.
    pub(crate) fn by_id(&self, id: &RecordId) -> Result<Option<Found>, QueryError> {
        let wanted: Wanted = [fixed::TIME, fixed::BATCH, fixed::INDEX].map(str::to_owned).into();
        for (place, source) in self.sources.iter().enumerate() {
            if source.class != id.class || !source.has_batch(id.batch)? {
                continue;
            }
            let mut winner = None;
            let _ = self.each(source, &wanted, Conditions::default(), &mut |chunk| {
                let batches = chunk.column(fixed::BATCH)?.as_primitive::<UInt64Type>().values();
                let indexes = chunk.column(fixed::INDEX)?.as_primitive::<UInt32Type>().values();
                let times = chunk.column(fixed::TIME)?.as_primitive::<Int64Type>().values();
                let row = (0..chunk.len()).find(|row| batches[*row] == id.batch && indexes[*row] == id.index);
                let Some(row) = row else { return Ok(ControlFlow::Continue(())) };
                let key = PageKey { time_ns: times[row], class: id.class.clone(), batch: id.batch, index: id.index };
                winner = Some((Rank::new(Order::Ascending, key), place, chunk.numbers[row]));
                Ok(ControlFlow::Break(()))
            })?;
            if let Some(winner) = winner {
                return Ok(self.read(vec![winner])?.pop());
            }
        }
        Ok(None)
    }

    fn cannot_win(&self, (min, max): (i64, i64), best: &BinaryHeap<Candidate>, order: Order) -> bool {
        best.peek().is_some_and(|(worst, _, _)| match order {
            Order::Descending => max < worst.key().time_ns,
            Order::Ascending => min > worst.key().time_ns,
        })
    }

    fn read(&self, winners: Vec<Candidate>) -> Result<Vec<Found>, QueryError> {
        let mut by_source: BTreeMap<usize, Vec<(usize, u32)>> = BTreeMap::new();
        for (place, (_, source, row)) in winners.iter().enumerate() {
            by_source.entry(*source).or_default().push((place, *row));
        }
        let by_source: Vec<_> = by_source.into_iter().collect();
        // Rows that are in memory are only copied.
        let to_read = by_source.iter().filter(|(source, _)| self.sources[*source].is_stored()).count();
        let read = at_once(self.threads.min(to_read), &by_source, |(source, places)| {
            let numbers: Vec<u32> = places.iter().map(|(_, row)| *row).collect();
            self.fetch(&self.sources[*source], &numbers).map(Arc::new)
        })?;
        let mut found: Vec<(usize, Found)> = Vec::with_capacity(winners.len());
        for ((_, places), rows) in by_source.into_iter().zip(read) {
            for (row, (place, _)) in places.into_iter().enumerate() {
                let key = winners[place].0.key().clone();
                found.push((place, Found { key, rows: rows.clone(), row }));
            }
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }

    fn add_candidates(
        &self,
        chunk: &Chunk<'_>,
        source: usize,
        search: &Search,
        keep: usize,
        best: &mut BinaryHeap<Candidate>,
    ) -> Result<(), QueryError> {
        let times = chunk.column(fixed::TIME)?.as_primitive::<Int64Type>().values();
        let batches = chunk.column(fixed::BATCH)?.as_primitive::<UInt64Type>().values();
        let indexes = chunk.column(fixed::INDEX)?.as_primitive::<UInt32Type>().values();
        let after = search.after.clone().map(|key| Rank::new(search.order, key));
        let end = self.as_of.as_ref().map_or(u64::MAX, |moment| moment.end(chunk.class));
        for row in 0..chunk.len() {
            if batches[row] >= end {
                continue;
            }
            if best.len() >= keep
                && let Some((worst, _, _)) = best.peek()
            {
                // Most rows lose by their time alone.
                let worst = worst.key().time_ns;
                let loses = if search.order == Order::Descending { times[row] < worst } else { times[row] > worst };
                if loses {
                    continue;
                }
            }
            let key =
                PageKey { time_ns: times[row], class: chunk.class.clone(), batch: batches[row], index: indexes[row] };
            let rank = Rank::new(search.order, key);
            if after.as_ref().is_some_and(|after| rank <= *after) {
                continue;
            }
            best.push((rank, source, chunk.numbers[row]));
            if best.len() > keep {
                best.pop();
            }
        }
        Ok(())
    }
}
