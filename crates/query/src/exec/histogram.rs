//! Counts over time, by severity.

use std::ops::ControlFlow;

use arrow::array::AsArray as _;
use arrow::datatypes::{Int64Type, UInt8Type};
use logkeep_record::{Severity, TimeRange};
use logkeep_segment::fixed;

use super::QueryError;
use super::chunk::Wanted;
use super::scan::Scan;

/// Widths a person can read off an axis, in nanoseconds.
const WIDTHS_NS: &[i64] = &[
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    S,
    2 * S,
    5 * S,
    10 * S,
    15 * S,
    30 * S,
    M,
    2 * M,
    5 * M,
    10 * M,
    15 * M,
    30 * M,
    H,
    2 * H,
    3 * H,
    6 * H,
    12 * H,
    D,
    2 * D,
    7 * D,
    14 * D,
    30 * D,
    90 * D,
    365 * D,
];
const S: i64 = 1_000_000_000;
const M: i64 = 60 * S;
const H: i64 = 60 * M;
const D: i64 = 24 * H;

/// Buckets a histogram may have at most.
pub(super) const MOST_BUCKETS: usize = 2_000;

/// Counts in one bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Where it begins, nanoseconds.
    pub start_ns: i64,
    /// Records in it, by severity number 0 to 24.
    pub severity: [u64; 25],
}

impl Bucket {
    pub(super) fn add(&mut self, severity: u8) {
        self.severity[usize::from(severity).min(24)] += 1;
    }

    /// Records in it.
    pub fn total(&self) -> u64 {
        self.severity.iter().sum()
    }

    /// Records by family, those without any left out.
    pub fn families(&self) -> Vec<(&'static str, u64)> {
        let mut families: Vec<(&'static str, u64)> = Vec::new();
        for (number, count) in self.severity.iter().enumerate().filter(|(_, count)| **count > 0) {
            let name = Severity::from_number(number as i64).name();
            match families.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += count,
                None => families.push((name, *count)),
            }
        }
        families
    }
}

/// Counts over a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Width of a bucket, nanoseconds.
    pub bucket_ns: i64,
    /// Buckets in order, none left out.
    pub buckets: Vec<Bucket>,
}

impl Histogram {
    /// The bucket of a time, if there is one.
    pub(super) fn bucket_of(&self, time_ns: i64) -> Option<usize> {
        let first = self.buckets.first()?.start_ns;
        let place = usize::try_from(time_ns.saturating_sub(first) / self.bucket_ns).ok()?;
        (place < self.buckets.len()).then_some(place)
    }
}

impl Scan {
    /// About `wanted` buckets over the range of the scan.
    pub(crate) fn histogram(&self, wanted: usize) -> Result<Histogram, QueryError> {
        let mut histogram = empty(&self.range, wanted.clamp(1, MOST_BUCKETS / 2));
        let columns: Wanted = [fixed::TIME, fixed::SEVERITY].map(str::to_owned).into();
        self.each_source(&|_| Ok(columns.clone()), &mut |chunk| {
            let times = chunk.column(fixed::TIME)?.as_primitive::<Int64Type>().values();
            let severities = chunk.column(fixed::SEVERITY)?.as_primitive::<UInt8Type>().values();
            for (time, severity) in times.iter().zip(severities) {
                if let Some(bucket) = histogram.bucket_of(*time) {
                    histogram.buckets[bucket].add(*severity);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(histogram)
    }
}

/// Buckets without anything in them, about so many.
pub(super) fn empty(range: &TimeRange, wanted: usize) -> Histogram {
    let span = i128::from(range.end_ns()) - i128::from(range.start_ns());
    let fits = |width: &&i64| span / i128::from(**width) < wanted as i128 + 1;
    let last = WIDTHS_NS[WIDTHS_NS.len() - 1];
    let bucket_ns = WIDTHS_NS.iter().find(fits).copied().unwrap_or(last);
    let first = range.start_ns().div_euclid(bucket_ns).saturating_mul(bucket_ns);
    let count =
        ((i128::from(range.end_ns()) - i128::from(first)).max(1) + i128::from(bucket_ns) - 1) / i128::from(bucket_ns);
    let count = usize::try_from(count).unwrap_or(MOST_BUCKETS).min(MOST_BUCKETS);
    let start_of = |place: usize| {
        let start = i128::from(first) + i128::from(bucket_ns) * place as i128;
        start.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    };
    let bucket = |place: usize| Bucket { start_ns: start_of(place), ..Bucket::default() };
    Histogram { bucket_ns, buckets: (0..count).map(bucket).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_round_and_buckets_without_gaps() {
        let check = |start: i64, end: i64, wanted: usize, width: i64, count: usize| {
            let histogram = empty(&TimeRange::new(start, end).unwrap(), wanted);
            assert_eq!((histogram.bucket_ns, histogram.buckets.len()), (width, count), "{start}..{end}");
            assert!(histogram.buckets[0].start_ns <= start);
            let last = histogram.buckets[count - 1].start_ns;
            assert!(end == start || last < end && last + width >= end, "{last}");
        };
        check(0, 15 * M, 60, 15 * S, 60);
        check(7 * S, 15 * M + 7 * S, 60, 15 * S, 61);
        check(0, 24 * H, 60, 30 * M, 48);
        check(-3, 3, 60, 1_000_000, 2);
        check(5, 5, 10, 1_000_000, 1);
        let all = empty(&TimeRange::ALL, 10);
        assert_eq!(all.buckets.len(), 585);
    }
}
