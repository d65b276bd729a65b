//! The tree against a plain recursion, and its tiles written, forgotten and read back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::hash::{EMPTY_ROOT, node_hash};
use crate::proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
use crate::tiles::read_entry;

#[derive(Default, Clone)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn write(&mut self, tiles: Vec<TileWrite>) {
        for tile in tiles {
            self.0.insert(tile.path.to_string(), tile.bytes);
        }
    }
}

impl TileSource for Files {
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable> {
        Ok(self.0.get(&path.to_string()).cloned())
    }
}

fn entry(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

fn naive_root(from: u64, to: u64) -> Hash {
    match to - from {
        0 => EMPTY_ROOT,
        1 => leaf_hash(&entry(from)),
        count => {
            let middle = from + (1 << (count - 1).ilog2());
            node_hash(&naive_root(from, middle), &naive_root(middle, to))
        }
    }
}

fn grown(size: u64) -> Tree {
    let mut tree = Tree::new();
    for n in 0..size {
        assert_eq!(tree.append(&entry(n)).unwrap(), n);
    }
    tree
}

#[test]
fn roots_follow_the_definition() {
    for size in [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 1000] {
        assert_eq!(grown(size).root(), naive_root(0, size), "{size}");
    }
}

#[test]
fn names_of_the_tiles_to_write() {
    let check = |old: u64, new: u64, expected: &[&str]| {
        let paths: Vec<_> = grown(new).tiles(old, new).unwrap().iter().map(|tile| tile.path.to_string()).collect();
        assert_eq!(paths, expected, "{old} to {new}");
    };
    check(0, 0, &[]);
    check(0, 1, &["tile/0/000.p/1", "tile/entries/000.p/1"]);
    check(3, 3, &[]);
    check(255, 256, &["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]);
    check(256, 257, &["tile/0/001.p/1", "tile/entries/001.p/1"]);
    check(
        200,
        520,
        &[
            "tile/0/000",
            "tile/0/001",
            "tile/0/002.p/8",
            "tile/1/000.p/2",
            "tile/entries/000",
            "tile/entries/001",
            "tile/entries/002.p/8",
        ],
    );
}

#[test]
fn what_was_forgotten_cannot_be_listed() {
    let mut tree = grown(600);
    tree.forget(520);
    assert!(tree.tiles(520, 600).is_ok());
    assert!(matches!(tree.tiles(500, 600), Err(TreeError::NotKept { kept_from: 512, .. })));
    assert!(matches!(tree.tiles(0, 601), Err(TreeError::NotKept { .. })));
    assert!(matches!(tree.tiles(5, 4), Err(TreeError::NotKept { .. })));
}

#[test]
fn entries_that_do_not_fit() {
    let mut tree = Tree::new();
    assert!(matches!(tree.append(&vec![0; 65_536]), Err(TreeError::EntryTooLong(65_536))));
    assert_eq!(tree.size(), 0);
    assert_eq!(tree.append(&vec![0; 65_535]).unwrap(), 0);
}

#[test]
fn a_damaged_right_edge_is_noticed_on_loading() {
    let tree = grown(600);
    let mut files = Files::default();
    files.write(tree.tiles(0, 600).unwrap());
    let check = |path: &str, place: usize, expected: fn(&TreeError) -> bool| {
        let mut altered = files.clone();
        altered.0.get_mut(path).unwrap()[place] ^= 1;
        let error = Tree::load(&altered, 600, tree.root()).unwrap_err();
        assert!(expected(&error), "{path}: {error}");
    };
    check("tile/0/002.p/88", 40, |e| matches!(e, TreeError::RootDiffers { .. }));
    check("tile/1/000.p/2", 0, |e| matches!(e, TreeError::RootDiffers { .. }));
    check("tile/entries/002.p/88", 5, |e| matches!(e, TreeError::EntryDiffers { index: 512, .. }));
    check("tile/entries/002.p/88", 1, |e| matches!(e, TreeError::Tile(_) | TreeError::EntryDiffers { .. }));
    assert!(matches!(Tree::load(&files, 599, tree.root()), Err(TreeError::Tile(_))));
    assert!(matches!(Tree::load(&files, u64::MAX, tree.root()), Err(TreeError::Full)));
}

#[test]
fn a_tree_of_three_levels_loads_and_proves() {
    let size = 65_536 + 300;
    let mut tree = Tree::new();
    let mut files = Files::default();
    let mut written = 0;
    for n in 0..size {
        tree.append(&entry(n)).unwrap();
        if n % 5_000 == 4_999 || n + 1 == size {
            files.write(tree.tiles(written, n + 1).unwrap());
            written = n + 1;
            tree.forget(written);
            assert!(tree.entries.items.len() < 256, "memory stays bounded");
        }
    }
    assert!(files.0.contains_key("tile/2/000.p/1"));
    let mut loaded = Tree::load(&files, size, tree.root()).unwrap();
    assert_eq!((loaded.size(), loaded.root()), (size, tree.root()));
    loaded.append(b"more").unwrap();
    tree.append(b"more").unwrap();
    assert_eq!(loaded.root(), tree.root());
    let view = loaded.over(&files);
    for index in [0, 65_535, 65_536, size - 1] {
        let proof = inclusion_proof(&view, index, size + 1, loaded.root()).unwrap();
        verify_inclusion(leaf_hash(&entry(index)), index, size + 1, &proof, loaded.root()).unwrap();
        assert_eq!(read_entry(&view, index, size + 1).unwrap(), Some(entry(index)));
    }
    assert_eq!(read_entry(&view, size, size + 1).unwrap(), Some(b"more".to_vec()));
    assert_eq!(read_entry(&view, size + 1, size + 1).unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Appends in steps, writes and forgets after each, loads the tree again from its tiles now and then.
    #[test]
    fn written_step_by_step_it_stays_the_same_tree(steps in prop::collection::vec((0u64..400, any::<bool>()), 1..6)) {
        let (mut tree, mut files) = (Tree::new(), Files::default());
        let mut earlier: Vec<(u64, Hash)> = Vec::new();
        for (count, reload) in steps {
            let old = tree.size();
            for n in old..old + count {
                tree.append(&entry(n)).unwrap();
            }
            files.write(tree.tiles(old, tree.size()).unwrap());
            tree.forget(tree.size());
            if reload {
                tree = Tree::load(&files, tree.size(), tree.root()).unwrap();
            }
            prop_assert_eq!(tree.root(), naive_root(0, tree.size()));
            for (size, root) in &earlier {
                let proof = consistency_proof(&files, *size, tree.size(), tree.root()).unwrap();
                prop_assert!(verify_consistency(*size, *root, tree.size(), tree.root(), &proof).is_ok());
            }
            earlier.push((tree.size(), tree.root()));
        }
    }
}
