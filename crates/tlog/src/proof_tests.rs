//! Proofs against known RFC 6962 answers, and against everything they must not prove.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::hash::{EMPTY_ROOT, leaf_hash};
use crate::tree::Tree;

/// Tiles in a map, as a file system would hold them.
#[derive(Default)]
struct Files(HashMap<String, Vec<u8>>);

impl TileSource for Files {
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable> {
        Ok(self.0.get(&path.to_string()).cloned())
    }
}

fn tree_of(entries: &[Vec<u8>]) -> (Tree, Files) {
    let mut tree = Tree::new();
    for entry in entries {
        tree.append(entry).unwrap();
    }
    let written = tree.tiles(0, tree.size()).unwrap();
    (tree, Files(written.into_iter().map(|tile| (tile.path.to_string(), tile.bytes)).collect()))
}

fn numbered(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| n.to_string().into_bytes()).collect()
}

fn hash(hex: &str) -> Hash {
    let mut bytes = [0u8; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).unwrap();
    }
    Hash(bytes)
}

/// The eight leaves and the answers that the Certificate Transparency implementations test RFC 6962 with.
fn reference_leaves() -> Vec<Vec<u8>> {
    let texts = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let byte = |text: &str, at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    texts.iter().map(|text| (0..text.len()).step_by(2).map(|at| byte(text, at)).collect()).collect()
}

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

#[test]
fn roots_are_those_of_the_reference() {
    let mut tree = Tree::new();
    assert_eq!(tree.root(), EMPTY_ROOT);
    for (leaf, root) in reference_leaves().iter().zip(ROOTS) {
        tree.append(leaf).unwrap();
        assert_eq!(tree.root(), hash(root), "size {}", tree.size());
    }
}

#[test]
fn proofs_are_those_of_the_reference() {
    let leaves = reference_leaves();
    let inclusion = |index: u64, size: usize, expected: &[&str]| {
        let (tree, files) = tree_of(&leaves[..size]);
        let proof = inclusion_proof(&files, index, size as u64, tree.root()).unwrap();
        let expected: Vec<Hash> = expected.iter().map(|text| hash(text)).collect();
        assert_eq!(proof, expected, "entry {index} of {size}");
    };
    inclusion(0, 1, &[]);
    inclusion(
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    inclusion(2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]);
    let (tree, files) = tree_of(&leaves);
    let consistency = consistency_proof(&files, 6, 8, tree.root()).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(consistency, expected.map(hash));
}

#[test]
fn nothing_is_proven_beyond_the_tree() {
    let (tree, files) = tree_of(&numbered(5));
    assert!(matches!(inclusion_proof(&files, 5, 5, tree.root()), Err(ProofError::Outside { .. })));
    assert!(matches!(consistency_proof(&files, 6, 5, tree.root()), Err(ProofError::Outside { .. })));
    assert!(matches!(verify_inclusion(leaf_hash(b"0"), 5, 5, &[], tree.root()), Err(ProofError::Outside { .. })));
    let endless = vec![EMPTY_ROOT; 10_000];
    assert!(verify_inclusion(leaf_hash(b"0"), 0, 5, &endless, tree.root()).is_err());
    assert!(verify_inclusion(leaf_hash(b"0"), 0, u64::MAX, &endless, tree.root()).is_err());
    assert!(verify_consistency(3, EMPTY_ROOT, u64::MAX, tree.root(), &endless).is_err());
}

#[test]
fn every_tree_extends_the_empty_one_and_itself() {
    let (tree, files) = tree_of(&numbered(5));
    let root = tree.root();
    for (old_size, old_root) in [(0, EMPTY_ROOT), (5, root)] {
        let proof = consistency_proof(&files, old_size, 5, root).unwrap();
        verify_consistency(old_size, old_root, 5, root, &proof).unwrap();
    }
    assert!(verify_consistency(0, root, 5, root, &[]).is_err());
    assert!(verify_consistency(0, EMPTY_ROOT, 5, root, &[root]).is_err());
}

#[test]
fn damaged_and_missing_tiles_give_no_proof() {
    let (tree, files) = tree_of(&numbered(700));
    for damaged in files.0.keys().filter(|path| !path.contains("entries")) {
        let mut altered = Files(files.0.clone());
        altered.0.get_mut(damaged).unwrap()[5] ^= 1;
        let mut cut = Files(files.0.clone());
        cut.0.get_mut(damaged).unwrap().pop();
        let mut missing = Files(files.0.clone());
        missing.0.remove(damaged);
        // Entry 699 and 300 and 0 together read every hash tile of this tree.
        let answers = |files: &Files| [0, 300, 699].map(|index| inclusion_proof(files, index, 700, tree.root()));
        assert!(answers(&altered).iter().any(|a| matches!(a, Err(ProofError::Damaged { .. }))), "{damaged}");
        assert!(answers(&cut).iter().any(|a| matches!(a, Err(ProofError::Tile(_)))), "{damaged}");
        assert!(answers(&missing).iter().any(|a| matches!(a, Err(ProofError::Tile(_)))), "{damaged}");
        for (index, answer) in [0u64, 300, 699].into_iter().zip(answers(&altered)) {
            if let Ok(proof) = answer {
                let leaf = leaf_hash(index.to_string().as_bytes());
                verify_inclusion(leaf, index, 700, &proof, tree.root()).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn proofs_from_tiles_hold_and_nothing_else_does(size in 1usize..900, index in any::<prop::sample::Index>(),
                                                    old in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
        let entries = numbered(size);
        let (tree, files) = tree_of(&entries);
        let (index, old, size) = (index.index(size), old.index(size) + 1, size as u64);
        let root = tree.root();

        let proof = inclusion_proof(&files, index as u64, size, root).unwrap();
        let leaf = leaf_hash(&entries[index]);
        prop_assert!(verify_inclusion(leaf, index as u64, size, &proof, root).is_ok());
        prop_assert!(verify_inclusion(leaf_hash(b"other"), index as u64, size, &proof, root).is_err());
        prop_assert!(verify_inclusion(leaf, index as u64, size, &proof, leaf_hash(b"other")).is_err());

        let old_root = tree_of(&entries[..old]).0.root();
        let consistency = consistency_proof(&files, old as u64, size, root).unwrap();
        prop_assert!(verify_consistency(old as u64, old_root, size, root, &consistency).is_ok());
        prop_assert!(verify_consistency(old as u64, leaf_hash(b"x"), size, root, &consistency).is_err());

        for (mut proof, inclusion) in [(proof, true), (consistency, false)] {
            if proof.is_empty() { continue; }
            let place = flip.index(proof.len() * 32);
            proof[place / 32].0[place % 32] ^= 1;
            let answer = if inclusion {
                verify_inclusion(leaf, index as u64, size, &proof, root)
            } else {
                verify_consistency(old as u64, old_root, size, root, &proof)
            };
            prop_assert!(answer.is_err());
        }
    }
}
