//! What is more than chance.
//!
//! Counts of what happens by chance differ from one time, or one part of all records, to the next, the more the fewer there are.
//! So of two counts, or two shares, not the values are compared but the ranges in which the true ones lie as good as certainly.

/// Standard deviations: fewer than one false alarm in a thousand comparisons,
const SURE: f64 = 3.3;
/// and this ratio, at least, for counts, shares and durations.
pub(crate) const RATIO: f64 = 2.0;
/// How much more of all a share must be, at least, to speak of it.
pub(crate) const LEAST_SHARE: f64 = 0.01;

/// The range in which the mean lies of which this many came by chance (Anscombe's root of a Poisson count).
pub(crate) fn poisson(count: u64) -> (f64, f64) {
    let root = (count as f64 + 0.375).sqrt();
    ((root - SURE / 2.0).max(0.0).powi(2), (root + SURE / 2.0).powi(2))
}

/// The range in which the true share lies of which this one, `count` of `of`, was seen (Wilson's interval): wide for few, and sound
/// for none at all.
pub(crate) fn wilson(count: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let (n, p, z2) = (of as f64, count as f64 / of as f64, SURE * SURE);
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = SURE / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}

/// By how much two shares differ at least, each a count and of how many; `None` where that may be chance, or is too little to speak of.
pub(crate) fn sure_difference(one: (u64, u64), other: (u64, u64)) -> Option<f64> {
    let share = |(count, of): (u64, u64)| if of == 0 { 0.0 } else { count as f64 / of as f64 };
    let (low, high) = if share(one) < share(other) { (one, other) } else { (other, one) };
    let apart = wilson(high.0, high.1).0 - wilson(low.0, low.1).1;
    let is_large = share(high) - share(low) >= LEAST_SHARE || share(high) >= share(low) * RATIO;
    (apart > 0.0 && is_large).then_some(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_books() {
        // For z = 3.3: exact ranges of the Poisson distribution hold about these.
        let (low, high) = poisson(0);
        assert!(low == 0.0 && (5.0..7.0).contains(&high), "{low} {high}");
        let (low, high) = poisson(100);
        assert!((68.0..73.0).contains(&low) && (134.0..140.0).contains(&high), "{low} {high}");
        let (low, high) = wilson(0, 100);
        assert!(low.abs() < 1e-9 && (0.09..0.11).contains(&high), "{low} {high}");
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn few_say_nothing_and_many_do() {
        let check =
            |one, other, expected| assert_eq!(sure_difference(one, other).is_some(), expected, "{one:?} {other:?}");
        check((3, 4), (0, 4), false);
        check((30, 40), (0, 40), true);
        check((0, 40), (30, 40), true);
        check((30, 40), (30, 40), false);
        // A share of nothing is anything.
        check((10, 10), (0, 0), false);
        // Certain, but neither a hundredth of all nor twice as much.
        check((505_000, 1_000_000), (500_000, 1_000_000), false);
        check((2_000, 1_000_000), (900, 1_000_000), true);
    }

    #[test]
    fn the_surest_difference_is_the_largest() {
        let of = |count| sure_difference((count, 1_000), (100, 1_000));
        assert!(of(900) > of(500) && of(500) > of(200), "{:?} {:?} {:?}", of(900), of(500), of(200));
        assert!(sure_difference((9_000, 10_000), (1_000, 10_000)) > of(900), "more records make it surer");
    }
}
