//! The hashes of RFC 6962, section 2.1.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};

/// A SHA-256 hash: of a leaf, of a node, or of a tree. Prints as the standard base64 of checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The root of a tree without leaves: the hash of nothing.
pub const EMPTY_ROOT: Hash = Hash(tlog_tiles::EMPTY_HASH.0);

/// A text that is no hash.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a hash: 44 characters of standard base64 were expected")]
pub struct HashError(String);

/// `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(data).finalize().into())
}

/// `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut block = [1u8; 65];
    block[1..33].copy_from_slice(&left.0);
    block[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(block).into())
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let refused = || HashError(text.chars().take(100).collect());
        if text.len() != 44 {
            return Err(refused());
        }
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| refused())?;
        Ok(Self(bytes.try_into().map_err(|_| refused())?))
    }
}

impl From<Hash> for tlog_tiles::Hash {
    fn from(hash: Hash) -> Self {
        Self(hash.0)
    }
}

impl From<tlog_tiles::Hash> for Hash {
    fn from(hash: tlog_tiles::Hash) -> Self {
        Self(hash.0)
    }
}

/// Complete subtrees waiting for their right sibling, largest first: all that appending and the root need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and tells every complete subtree that this completes, as its height and hash, lowest first.
    pub(crate) fn push(&mut self, leaf: Hash, mut completed: impl FnMut(u8, Hash)) {
        let mut hash = leaf;
        let mut height = 0u8;
        completed(height, hash);
        while self.size >> height & 1 == 1 {
            let left = self.roots.pop().expect("there is one root for every bit that is set in the size");
            hash = node_hash(&left, &hash);
            height += 1;
            completed(height, hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// A frontier of `size` leaves with these subtree roots, largest first; `None` if their number is wrong.
    pub(crate) fn from_roots(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    pub(crate) fn into_roots(self) -> Vec<Hash> {
        self.roots
    }

    pub(crate) fn root(&self) -> Hash {
        let mut smallest_first = self.roots.iter().rev();
        let Some(last) = smallest_first.next() else { return EMPTY_ROOT };
        smallest_first.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let hash = leaf_hash(b"");
        assert_eq!(hash.to_string(), "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in
            ["", "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0", &"=".repeat(44), &"A".repeat(44), &"A".repeat(45)]
        {
            assert!(text.parse::<Hash>().is_err(), "{text}");
        }
    }
}
