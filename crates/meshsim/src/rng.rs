//! Random numbers that are the same for a seed on every machine and for every version of every crate.
//!
//! Published figures name a seed, so the bytes behind that seed must not move when a dependency does. Hence our own
//! xoshiro256** (public domain algorithm by Blackman and Vigna), integers only: floating-point logarithms differ
//! between C libraries.

/// A xoshiro256** generator.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator whose whole sequence follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut word = seed;
        let state = std::array::from_fn(|_| split_mix(&mut word));
        Self { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// The next 128 bits.
    pub fn next_u128(&mut self) -> u128 {
        (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())
    }

    /// Evenly from `0..bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Evenly from `low..high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low))
    }

    /// True `per_million` times in a million.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// One of `items`, evenly.
    ///
    /// # Panics
    /// If `items` is empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// From `0..bound`, small numbers far more often: the smallest of three draws, as popular products are.
    pub fn skewed(&mut self, bound: u64) -> u64 {
        let (a, b, c) = (self.below(bound), self.below(bound), self.below(bound));
        a.min(b).min(c)
    }

    /// A latency around `typical` with the long tail that services have.
    pub fn latency(&mut self, typical: u64) -> u64 {
        let place = self.below(1_000_000);
        let after = LATENCY.partition_point(|(at, _)| *at <= place).clamp(1, LATENCY.len() - 1);
        let ((from, low), (to, high)) = (LATENCY[after - 1], LATENCY[after]);
        let factor = low + (high - low) * (place - from) / (to - from);
        (typical * factor / 1_000).max(1)
    }
}

/// Quantile (per million) against factor of the median (per thousand), read as straight lines between the points. The
/// shape is a log-normal body with a heavier tail beyond p99, as proxies report it.
const LATENCY: [(u64, u64); 9] = [
    (0, 280),
    (100_000, 520),
    (300_000, 770),
    (500_000, 1_000),
    (750_000, 1_560),
    (900_000, 2_400),
    (990_000, 6_200),
    (999_000, 19_000),
    (1_000_000, 48_000),
];

fn split_mix(word: &mut u64) -> u64 {
    *word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *word;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_seed_is_fixed() {
        let mut words = 1_234_567;
        assert_eq!(
            [split_mix(&mut words), split_mix(&mut words)],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973],
            "reference values published with splitmix64"
        );
        let mut rng = Rng { state: [1, 2, 3, 4] };
        let first: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(first, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240], "reference values of xoshiro256**");
    }

    #[test]
    fn draws_stay_in_their_bounds() {
        let mut rng = Rng::new(7);
        assert_eq!(rng.below(0), 0);
        assert!((0..10_000).all(|_| rng.below(3) < 3 && (5..9).contains(&rng.between(5, 9)) && rng.skewed(10) < 10));
        assert!((0..1_000).all(|_| rng.chance(1_000_000) && !rng.chance(0)));
    }

    #[test]
    fn latencies_have_their_median_and_tail() {
        let mut rng = Rng::new(7);
        let mut drawn: Vec<u64> = (0..100_000).map(|_| rng.latency(10_000)).collect();
        drawn.sort_unstable();
        assert!((9_500..10_500).contains(&drawn[50_000]), "median {}", drawn[50_000]);
        assert!((55_000..70_000).contains(&drawn[99_000]), "p99 {}", drawn[99_000]);
    }
}
