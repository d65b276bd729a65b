//! Everything that is left to chance comes from one number.

use std::fmt;

use logkeep_cipher::hmac_sha256;
use logkeep_store::Random;
use parking_lot::Mutex;

/// SplitMix64: small, fast, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True `percent` times in a hundred.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(self.below(of.len() as u64) as usize) }
    }

    /// Another source whose numbers tell nothing of this one's.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

/// Keys and seeds that are the same in every run of a seed.
pub(crate) struct SimRandom(Mutex<Rng>);

impl SimRandom {
    pub(crate) fn new(rng: Rng) -> Self {
        Self(Mutex::new(rng))
    }
}

impl fmt::Debug for SimRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimRandom")
    }
}

impl Random for SimRandom {
    fn secret(&self) -> [u8; 32] {
        hmac_sha256(b"logkeep-sim", &self.0.lock().next().to_le_bytes())
    }
}
