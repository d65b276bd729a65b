//! A set of token hashes that may say "perhaps" wrongly, never "no".
//!
//! The split block Bloom filter of the Parquet specification
//! (<https://github.com/apache/parquet-format/blob/master/BloomFilter.md>): a look-up touches 32 bytes, and the format is
//! frozen and described by others than us. Only the hash is another: XXH3-64 instead of XXH64.

/// Bits a distinct token: about 0.4 % wrong "perhaps".
const BITS_PER_TOKEN: usize = 12;
const WORDS: usize = 8;
const BLOCK_BYTES: usize = WORDS * 4;
const SALT: [u32; WORDS] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// A filter over the tokens of one block of rows, as bytes of a segment.
#[derive(Clone, Copy, Debug)]
pub struct BlockFilter<'a> {
    bytes: &'a [u8],
}

impl<'a> BlockFilter<'a> {
    /// Over bytes that [`BlockFilter::build`] made; `None` if the length is not a multiple of 32.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        bytes.len().is_multiple_of(BLOCK_BYTES).then_some(Self { bytes })
    }

    /// False only if the token is certainly not in the block.
    pub fn may_contain(&self, hash: u64) -> bool {
        let blocks = self.bytes.len() / BLOCK_BYTES;
        if blocks == 0 {
            return false;
        }
        let at = place(hash, blocks);
        let block = &self.bytes[at..at + BLOCK_BYTES];
        block.chunks_exact(4).zip(masks(hash)).all(|(word, mask)| {
            let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            word & mask != 0
        })
    }

    /// The filter's bytes for these hashes.
    pub fn build(count: usize, hashes: impl Iterator<Item = u64>) -> Vec<u8> {
        let blocks = (count * BITS_PER_TOKEN).div_ceil(BLOCK_BYTES * 8);
        let mut bytes = vec![0; blocks * BLOCK_BYTES];
        for hash in hashes {
            let at = place(hash, blocks);
            for (word, mask) in bytes[at..at + BLOCK_BYTES].chunks_exact_mut(4).zip(masks(hash)) {
                let set = u32::from_le_bytes([word[0], word[1], word[2], word[3]]) | mask;
                word.copy_from_slice(&set.to_le_bytes());
            }
        }
        bytes
    }
}

fn place(hash: u64, blocks: usize) -> usize {
    (((hash >> 32) * blocks as u64) >> 32) as usize * BLOCK_BYTES
}

fn masks(hash: u64) -> impl Iterator<Item = u32> {
    SALT.iter().map(move |salt| 1 << ((hash as u32).wrapping_mul(*salt) >> 27))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_a_wrong_no_and_few_wrong_perhaps() {
        let hash = |n: u64| crate::token_hash(&n.to_le_bytes());
        let bytes = BlockFilter::build(10_000, (0..10_000).map(hash));
        let filter = BlockFilter::new(&bytes).unwrap();
        assert!((0..10_000).all(|n| filter.may_contain(hash(n))));
        let wrong = (10_000..110_000).filter(|n| filter.may_contain(hash(*n))).count();
        assert!(wrong < 800, "{wrong} of 100,000");
        assert!(!BlockFilter::new(&[]).unwrap().may_contain(1));
        assert!(BlockFilter::new(&[0; 31]).is_none());
    }
}
