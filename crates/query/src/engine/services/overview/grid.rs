//! A range and the time of the same length before it, cut into slots.

use logkeep_record::TimeRange;

/// Slots of one period.
pub const SLOTS: usize = 30;
/// Slots of both periods: those before, then those of the range.
pub const ALL_SLOTS: usize = 2 * SLOTS;
/// A count for each slot.
pub type Counts = [u64; ALL_SLOTS];

/// Where the slots lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Where the first begins, nanoseconds.
    pub first_ns: i64,
    /// How long each is, nanoseconds.
    pub slot_ns: i64,
}

impl Grid {
    /// The last slot ends where the range does, and the range may begin some nanoseconds early. Slots are of an even length, so
    /// that their numbers can be computed from halves, which never overflow.
    pub fn over(range: &TimeRange) -> Self {
        let (start, end) = (i128::from(range.start_ns()), i128::from(range.end_ns()));
        let even = |length: i128| length / 2 * 2;
        // Of all time there is no time before.
        let most = even((end - i128::from(i64::MIN)) / ALL_SLOTS as i128).max(2);
        let slot = even((end - start + SLOTS as i128 - 1) / SLOTS as i128 + 1).clamp(2, most);
        let first = end - slot * ALL_SLOTS as i128;
        Self { first_ns: i64::try_from(first).unwrap_or(i64::MIN), slot_ns: slot as i64 }
    }

    /// Where a slot begins, nanoseconds.
    pub fn start_ns(&self, slot: usize) -> i64 {
        self.first_ns.saturating_add(self.slot_ns.saturating_mul(slot as i64))
    }

    /// Both periods.
    pub(super) fn whole(&self) -> TimeRange {
        TimeRange::new(self.first_ns, self.start_ns(ALL_SLOTS)).unwrap_or(TimeRange::ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_periods_are_covered() {
        let check = |start: i64, end: i64, first: i64, slot: i64| {
            let grid = Grid::over(&TimeRange::new(start, end).unwrap());
            assert_eq!((grid.first_ns, grid.slot_ns), (first, slot), "{start}..{end}");
            assert!(grid.start_ns(SLOTS) <= start && grid.whole().end_ns() == end, "{start}..{end}");
        };
        check(900, 1_800, 0, 30);
        check(901, 1_800, 0, 30);
        check(0, 0, -120, 2);
        check(-30, 0, -120, 2);
        check(0, 90, -150, 4);
        // The slots of all of time would not fit into it.
        let all = Grid::over(&TimeRange::ALL);
        assert!(all.slot_ns > 0 && all.whole().start_ns() < all.whole().end_ns());
    }
}
