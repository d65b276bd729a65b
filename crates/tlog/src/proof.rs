//! Inclusion and consistency: making proofs from tiles, checking them from nothing.
//!
//! The algorithms are those of `tlog_tiles`. A proof made from tiles is verified against the root before it is given
//! out, so a damaged tile gives an error, never a wrong proof.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use tlog_tiles::{HashReader, Tile, check_record, check_tree, prove_record, prove_tree, stored_hash_index, tree_hash};

use crate::hash::Hash;
use crate::tiles::{TILE_WIDTH, TilePath, TileSource, TileUnavailable, read_whole};
use crate::tree::MAX_TREE_SIZE;

/// Why a proof could not be made, or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The question has no answer: an entry beyond the tree, or an older tree that is larger.
    #[error("no proof of {what} in a tree of size {size}")]
    Outside {
        /// What was asked about.
        what: String,
        /// Size of the tree.
        size: u64,
    },
    /// The proof is for something else, or what it is about was altered. Do not retry.
    #[error("the proof of {what} in a tree of size {size} does not lead to its root `{root}`")]
    Broken {
        /// What was to be proven.
        what: String,
        /// Size of the tree.
        size: u64,
        /// Root of the tree.
        root: Hash,
    },
    /// A tile is missing or unreadable; retry if its cause may pass.
    #[error(transparent)]
    Tile(#[from] TileUnavailable),
    /// The tiles do not add up to the root they belong to. Do not retry.
    #[error("tiles do not add up to root `{root}` of size {size}: `{cause}`; `verify` names the damaged tile")]
    Damaged {
        /// Size of the tree.
        size: u64,
        /// Root of the tree.
        root: Hash,
        /// What was found.
        cause: String,
    },
}

/// The audit path of entry `index` in the tree of `size` entries with this root (RFC 6962, 2.1.1).
///
/// # Errors
/// [`ProofError::Outside`], [`ProofError::Tile`] or [`ProofError::Damaged`].
pub fn inclusion_proof(source: &dyn TileSource, index: u64, size: u64, root: Hash) -> Result<Vec<Hash>, ProofError> {
    if index >= size || size > MAX_TREE_SIZE {
        return Err(ProofError::Outside { what: format!("entry {index}"), size });
    }
    let tiles = Tiles::new(source, size);
    let explain = |cause| tiles.explain(&cause, root);
    let leaf = tiles.hash(stored_hash_index(0, index)).map_err(explain)?.into();
    let proof = ours(prove_record(size, index, &tiles).map_err(explain)?);
    verify_inclusion(leaf, index, size, &proof, root).map_err(|broken| tiles.damaged(root, &broken))?;
    Ok(proof)
}

/// The proof that the tree of `size` entries extends its own first `old_size` entries (RFC 6962, 2.1.2).
///
/// # Errors
/// As [`inclusion_proof`].
pub fn consistency_proof(
    source: &dyn TileSource,
    old_size: u64,
    size: u64,
    root: Hash,
) -> Result<Vec<Hash>, ProofError> {
    if old_size > size || size > MAX_TREE_SIZE {
        return Err(ProofError::Outside { what: format!("an earlier size {old_size}"), size });
    }
    if old_size == 0 {
        return Ok(Vec::new());
    }
    let tiles = Tiles::new(source, size);
    let explain = |cause| tiles.explain(&cause, root);
    let old_root = tree_hash(old_size, &tiles).map_err(explain)?.into();
    let proof = ours(prove_tree(size, old_size, &tiles).map_err(explain)?);
    verify_consistency(old_size, old_root, size, root, &proof).map_err(|broken| tiles.damaged(root, &broken))?;
    Ok(proof)
}

/// Whether the tree of `size` leaves with `root` has a leaf with `leaf_hash` at `index`.
///
/// # Errors
/// [`ProofError::Outside`] or [`ProofError::Broken`].
pub fn verify_inclusion(leaf_hash: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> Result<(), ProofError> {
    let what = || format!("entry {index}");
    if index >= size || size > MAX_TREE_SIZE {
        return Err(ProofError::Outside { what: what(), size });
    }
    let broken = || ProofError::Broken { what: what(), size, root };
    let proof = bounded(proof).ok_or_else(broken)?;
    check_record(&proof, size, root.into(), index, leaf_hash.into()).map_err(|_| broken())
}

/// Whether the tree of `size` leaves with `root` extends the tree of `old_size` leaves with `old_root`.
///
/// # Errors
/// [`ProofError::Outside`] or [`ProofError::Broken`].
pub fn verify_consistency(
    old_size: u64,
    old_root: Hash,
    size: u64,
    root: Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let what = || format!("an earlier size {old_size}");
    if old_size > size || size > MAX_TREE_SIZE {
        return Err(ProofError::Outside { what: what(), size });
    }
    let broken = || ProofError::Broken { what: what(), size, root };
    if old_size == 0 {
        // Every tree extends the empty one, whose root is fixed and which needs no proof.
        let holds = proof.is_empty() && old_root == crate::hash::EMPTY_ROOT;
        return if holds { Ok(()) } else { Err(broken()) };
    }
    let proof = bounded(proof).ok_or_else(broken)?;
    check_tree(&proof, size, root.into(), old_size, old_root.into()).map_err(|_| broken())
}

fn ours(proof: Vec<tlog_tiles::Hash>) -> Vec<Hash> {
    proof.into_iter().map(Hash::from).collect()
}

/// No valid proof has more hashes than a tree of 2^64 leaves could need.
fn bounded(proof: &[Hash]) -> Option<Vec<tlog_tiles::Hash>> {
    (proof.len() <= 130).then(|| proof.iter().map(|hash| (*hash).into()).collect())
}

/// Reads hashes of the tree of `size` entries out of its tiles, each tile once.
///
/// `tlog_tiles` has such a reader too, but it leaves some tiles unchecked where several subtree roots share one tile
/// (0.2.0: its check of child tiles begins at the number of roots, not of tiles). So nothing is checked here, and
/// every proof is verified against the root before it is given out.
struct Tiles<'a> {
    source: &'a dyn TileSource,
    size: u64,
    read: RefCell<HashMap<(u8, u64), Vec<u8>>>,
    failed: RefCell<Option<TileUnavailable>>,
}

impl<'a> Tiles<'a> {
    fn new(source: &'a dyn TileSource, size: u64) -> Self {
        Self { source, size, read: RefCell::default(), failed: RefCell::default() }
    }

    fn hash(&self, index: u64) -> Result<tlog_tiles::Hash, tlog_tiles::Error> {
        let tile = Tile::from_index(8, index);
        let (level, place) = (tile.level(), tile.level_index());
        let mut read = self.read.borrow_mut();
        let bytes = match read.entry((level, place)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let width = ((self.size >> (8 * level)) - place * TILE_WIDTH).min(TILE_WIDTH);
                let bytes = read_whole(self.source, &TilePath::hashes(level, place, width as u16));
                unknown.insert(bytes.map_err(|unavailable| {
                    *self.failed.borrow_mut() = Some(unavailable);
                    tlog_tiles::Error::InvalidTile
                })?)
            }
        };
        tile.hash_at_index(bytes, index)
    }

    /// Why reading failed, or else that the tiles make no sense.
    fn explain(&self, cause: &tlog_tiles::Error, root: Hash) -> ProofError {
        match self.failed.take() {
            Some(unavailable) => unavailable.into(),
            None => ProofError::Damaged { size: self.size, root, cause: cause.to_string() },
        }
    }

    fn damaged(&self, root: Hash, proof: &ProofError) -> ProofError {
        ProofError::Damaged { size: self.size, root, cause: proof.to_string() }
    }
}

impl HashReader for Tiles<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        indexes.iter().map(|index| self.hash(*index)).collect()
    }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
