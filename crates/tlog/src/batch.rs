//! The tree over the records of one batch.
//!
//! Its leaves are record hashes, up to 65,536 of them, and it is computed on the way to every acknowledgement: one pass,
//! no recursion, 2 hashes a record. It is never stored; a proof computes it again from the batch.

use crate::hash::{Frontier, Hash, leaf_hash, node_hash};

/// The RFC 6962 tree hash whose leaf data are the 32-byte record hashes, in their order.
pub fn batch_root(record_hashes: &[[u8; 32]]) -> Hash {
    let mut frontier = Frontier::default();
    for hash in record_hashes {
        frontier.push(leaf_hash(hash), |_, _| ());
    }
    frontier.root()
}

/// The audit path of record `index` (RFC 6962, 2.1.1), lowest sibling first; `None` if there is no such record.
/// [`crate::verify_inclusion`] checks it, with the [`leaf_hash`] of the record hash.
pub fn batch_inclusion(record_hashes: &[[u8; 32]], index: usize) -> Option<Vec<Hash>> {
    if index >= record_hashes.len() {
        return None;
    }
    let mut level: Vec<Hash> = record_hashes.iter().map(|hash| leaf_hash(hash)).collect();
    let mut place = index;
    let mut path = Vec::new();
    while level.len() > 1 {
        if let Some(sibling) = level.get(place ^ 1) {
            path.push(*sibling);
        }
        // An odd hash at the end has no sibling on this level and rises as it is.
        level = level.chunks(2).map(|pair| if let [l, r] = pair { node_hash(l, r) } else { pair[0] }).collect();
        place /= 2;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::EMPTY_ROOT;
    use crate::proof::verify_inclusion;

    fn hashes(count: usize) -> Vec<[u8; 32]> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes()).0).collect()
    }

    /// RFC 6962, 2.1, word for word.
    fn naive(leaves: &[[u8; 32]]) -> Hash {
        match leaves {
            [] => EMPTY_ROOT,
            [one] => leaf_hash(one),
            many => {
                let (left, right) = many.split_at(1 << (many.len() - 1).ilog2());
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    #[test]
    fn agrees_with_the_definition() {
        for count in (0..70).chain([127, 128, 129, 1000]) {
            assert_eq!(batch_root(&hashes(count)), naive(&hashes(count)), "{count}");
        }
    }

    #[test]
    fn no_proof_of_what_is_not_there() {
        assert_eq!(batch_inclusion(&[], 0), None);
        assert_eq!(batch_inclusion(&hashes(5), 5), None);
        assert_eq!(batch_inclusion(&hashes(1), 0), Some(vec![]));
    }

    proptest! {
        #[test]
        fn proofs_hold_for_their_record_only(count in 1usize..200, index in any::<prop::sample::Index>(),
                                             other in any::<prop::sample::Index>()) {
            let hashes = hashes(count);
            let (index, other) = (index.index(count), other.index(count));
            let (root, path) = (batch_root(&hashes), batch_inclusion(&hashes, index).unwrap());
            let holds = |at: usize, size: usize, leaf: usize| {
                verify_inclusion(leaf_hash(&hashes[leaf]), at as u64, size as u64, &path, root).is_ok()
            };
            prop_assert!(holds(index, count, index));
            prop_assert_eq!(holds(index, count, other), index == other);
            prop_assert_eq!(holds(other, count, index), index == other);
        }
    }
}
