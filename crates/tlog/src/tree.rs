//! The append-only tree of one tenant and class.
//!
//! Appending is on the way to every acknowledgement, so it hashes at most one path and reads nothing: the tree keeps the
//! roots of its complete subtrees (a few dozen hashes), and of the tiles only those that are not full or not yet
//! written. The caller writes what [`Tree::tiles`] lists, then lets the tree [`Tree::forget`] it.

use crate::hash::{Frontier, Hash, leaf_hash};
use crate::tiles::{self, TILE_WIDTH, TileKind, TilePath, TileSource, TileUnavailable, read_bundle, read_whole};

/// Entries a tree may have: far more than a batch every millisecond for a thousand years.
pub const MAX_TREE_SIZE: u64 = 1 << 48;

/// Why the tree could not do it. Do not retry.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// An entry longer than its length field can say.
    #[error("entry of {0} bytes is longer than the 65,535 an entry bundle can hold")]
    EntryTooLong(usize),
    /// No more entries fit.
    #[error("the tree has {MAX_TREE_SIZE} entries and is full; open a new log that commits to this one")]
    Full,
    /// Tiles were asked for that the tree has forgotten or does not have yet.
    #[error(
        "tiles from size {old_size} to {new_size} are not in memory, which holds the tree from about {kept_from} to {size}"
    )]
    NotKept {
        /// The smaller size asked for.
        old_size: u64,
        /// The larger size asked for.
        new_size: u64,
        /// First entry whose bytes are kept.
        kept_from: u64,
        /// Size of the tree.
        size: u64,
    },
    /// A tile is missing or unreadable.
    #[error(transparent)]
    Tile(#[from] TileUnavailable),
    /// The tiles of the right edge do not add up to the root they should have.
    #[error("tiles of size {size} add up to root `{found}`, expected `{expected}`; `verify` names the damaged tile")]
    RootDiffers {
        /// Size of the tree.
        size: u64,
        /// The root of its checkpoint.
        expected: Hash,
        /// What the tiles add up to.
        found: Hash,
    },
    /// The entries of the last bundle are not those whose hashes are in the tree.
    #[error("entry {index} in `{bundle}` is not the one whose hash is in the tree")]
    EntryDiffers {
        /// Index of the entry.
        index: u64,
        /// The entry bundle.
        bundle: TilePath,
    },
}

/// One tile to write: a name that is a relative path, and the whole content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileWrite {
    /// Its name.
    pub path: TilePath,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The items of one kind that are kept, beginning at a full tile's end.
#[derive(Clone, Debug)]
struct Row<T> {
    base: u64,
    items: Vec<T>,
}

impl<T> Row<T> {
    fn starting_at(base: u64) -> Self {
        Self { base, items: Vec::new() }
    }

    fn end(&self) -> u64 {
        self.base + self.items.len() as u64
    }

    /// Items `start..start + width`, if all of them are kept.
    fn slice(&self, start: u64, width: u64) -> Option<&[T]> {
        let from = usize::try_from(start.checked_sub(self.base)?).ok()?;
        self.items.get(from..from.checked_add(width as usize)?)
    }

    /// Drops the full tiles before item `written`.
    fn forget(&mut self, written: u64) {
        let base = written.min(self.end()) / TILE_WIDTH * TILE_WIDTH;
        if base > self.base {
            self.items.drain(..(base - self.base) as usize);
            self.base = base;
        }
    }
}

/// An append-only Merkle tree (RFC 6962) that can be written as tiles.
#[derive(Clone, Debug)]
pub struct Tree {
    frontier: Frontier,
    /// Hashes of each tile level.
    levels: Vec<Row<Hash>>,
    entries: Row<Vec<u8>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// A tree without entries.
    pub fn new() -> Self {
        Self { frontier: Frontier::default(), levels: Vec::new(), entries: Row::starting_at(0) }
    }

    /// The tree of the first `size` entries, read back from its tiles: at most one hash tile per level and one bundle.
    ///
    /// # Errors
    /// A tile is missing, or the tiles do not have the `root` that the signed checkpoint says.
    pub fn load(source: &dyn TileSource, size: u64, root: Hash) -> Result<Self, TreeError> {
        if size > MAX_TREE_SIZE {
            return Err(TreeError::Full);
        }
        let mut levels = Vec::new();
        let mut roots = Vec::new();
        for level in (0..8u8).take_while(|level| size >> (8 * level) > 0) {
            levels.push(load_level(source, level, size >> (8 * level))?);
        }
        for row in levels.iter().rev() {
            let mut within = Frontier::default();
            row.items.iter().for_each(|hash| within.push(*hash, |_, _| ()));
            roots.extend(within.into_roots());
        }
        let frontier = Frontier::from_roots(size, roots).expect("each level gave one root for each bit of its width");
        if frontier.root() != root {
            return Err(TreeError::RootDiffers { size, expected: root, found: frontier.root() });
        }
        let entries = load_entries(source, levels.first(), size)?;
        Ok(Self { frontier, levels, entries })
    }

    /// Entries in the tree.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The root over all entries.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Appends an entry and returns its index.
    ///
    /// # Errors
    /// [`TreeError::EntryTooLong`] or [`TreeError::Full`]; the tree is as before.
    pub fn append(&mut self, entry: &[u8]) -> Result<u64, TreeError> {
        if entry.len() > usize::from(u16::MAX) {
            return Err(TreeError::EntryTooLong(entry.len()));
        }
        let index = self.size();
        if index >= MAX_TREE_SIZE {
            return Err(TreeError::Full);
        }
        let levels = &mut self.levels;
        self.frontier.push(leaf_hash(entry), |height, hash| {
            if height % 8 == 0 {
                let level = usize::from(height / 8);
                if levels.len() == level {
                    levels.push(Row::starting_at(0));
                }
                levels[level].items.push(hash);
            }
        });
        self.entries.items.push(entry.to_vec());
        Ok(index)
    }

    /// The tiles to write so that a storage that has the tree of `old_size` has the tree of `new_size`. Write all of
    /// them durably before the checkpoint of `new_size` is published; bundles come last.
    ///
    /// # Errors
    /// [`TreeError::NotKept`] if the tree forgot some of it or is not that large.
    pub fn tiles(&self, old_size: u64, new_size: u64) -> Result<Vec<TileWrite>, TreeError> {
        let (kept_from, size) = (self.entries.base, self.size());
        let not_kept = || TreeError::NotKept { old_size, new_size, kept_from, size };
        if new_size > size || old_size > new_size {
            return Err(not_kept());
        }
        tile_paths(old_size, new_size)
            .map(|path| Ok(TileWrite { path, bytes: self.kept(&path).ok_or_else(not_kept)? }))
            .collect()
    }

    /// Drops the tiles that are full and lie before `written_size`, which must be durable.
    pub fn forget(&mut self, written_size: u64) {
        for (level, row) in self.levels.iter_mut().enumerate() {
            row.forget(written_size >> (8 * level));
        }
        self.entries.forget(written_size);
    }

    /// A source that has what is in memory, and `written` for the rest, so that proofs need not wait for tiles.
    pub fn over<S: TileSource>(&self, written: S) -> impl TileSource {
        Over { tree: self, written }
    }

    /// The bytes of a tile that is still in memory.
    fn kept(&self, path: &TilePath) -> Option<Vec<u8>> {
        let (start, width) = (path.index().checked_mul(TILE_WIDTH)?, u64::from(path.width()));
        match path.kind() {
            TileKind::Hashes { level } => {
                let hashes = self.levels.get(usize::from(level))?.slice(start, width)?;
                Some(hashes.iter().flat_map(|hash| hash.0).collect())
            }
            TileKind::Entries => {
                let mut bytes = Vec::new();
                for entry in self.entries.slice(start, width)? {
                    bytes.extend_from_slice(&tiles::bundled(entry));
                }
                Some(bytes)
            }
        }
    }
}

/// The tiles that differ between the trees of `old_size` and `new_size`; bundles come last, in order.
pub fn tile_paths(old_size: u64, new_size: u64) -> impl Iterator<Item = TilePath> {
    let levels = (0..8u8).take_while(move |level| new_size >> (8 * level) > 0);
    let hashes = levels.flat_map(move |level| {
        let (old, new) = (old_size >> (8 * level), new_size >> (8 * level));
        changed(old, new).map(move |(index, width)| TilePath::hashes(level, index, width))
    });
    hashes.chain(changed(old_size, new_size).map(|(index, width)| TilePath::entries(index, width)))
}

struct Over<'a, S> {
    tree: &'a Tree,
    written: S,
}

impl<S: TileSource> TileSource for Over<'_, S> {
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable> {
        match self.tree.kept(path) {
            Some(bytes) => Ok(Some(bytes)),
            None => self.written.read(path),
        }
    }
}

/// Index and width of every tile that differs between `old` and `new` items.
fn changed(old: u64, new: u64) -> impl Iterator<Item = (u64, u16)> {
    let tiles = if old == new { 0..0 } else { old / TILE_WIDTH..new.div_ceil(TILE_WIDTH) };
    tiles.map(move |index| (index, (new - index * TILE_WIDTH).min(TILE_WIDTH) as u16))
}

/// The hashes of a level's last tile, none if it is full.
fn load_level(source: &dyn TileSource, level: u8, hashes: u64) -> Result<Row<Hash>, TreeError> {
    let mut row = Row::starting_at(hashes / TILE_WIDTH * TILE_WIDTH);
    let width = (hashes % TILE_WIDTH) as u16;
    if width > 0 {
        let path = TilePath::hashes(level, hashes / TILE_WIDTH, width);
        row.items = tiles::hashes(&read_whole(source, &path)?).collect();
    }
    Ok(row)
}

/// The entries of the last bundle, none if it is full.
fn load_entries(source: &dyn TileSource, leaves: Option<&Row<Hash>>, size: u64) -> Result<Row<Vec<u8>>, TreeError> {
    let mut row = Row::starting_at(size / TILE_WIDTH * TILE_WIDTH);
    let width = (size % TILE_WIDTH) as u16;
    if width > 0 {
        let bundle = TilePath::entries(size / TILE_WIDTH, width);
        row.items = read_bundle(source, &bundle)?;
        let leaves = leaves.map(|row| row.items.as_slice()).unwrap_or_default();
        let differs = row.items.iter().zip(leaves).position(|(entry, leaf)| leaf_hash(entry) != *leaf);
        if let Some(place) = differs {
            return Err(TreeError::EntryDiffers { index: row.base + place as u64, bundle });
        }
    }
    Ok(row)
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
