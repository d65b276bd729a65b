//! Tiles: how a tree lies in files (C2SP tlog-tiles, <https://c2sp.org/tlog-tiles>).
//!
//! A hash tile of level `L` holds up to 256 hashes of complete subtrees of 256^L entries; an entry bundle holds the
//! bytes of up to 256 entries. Full tiles never change. A partial tile has its width in its name, and a wider one
//! beside it says the same about its first hashes, so any of them may be deleted once a wider one is durable.

use std::fmt;
use std::str::FromStr;

use crate::hash::Hash;

/// Hashes or entries of a full tile.
pub(crate) const TILE_WIDTH: u64 = 256;
const HASH_BYTES: usize = 32;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TileKind {
    /// Hashes of subtrees of 256^level entries.
    Hashes {
        /// 0 for the hashes of entries.
        level: u8,
    },
    /// The entries themselves, each after its length in 2 bytes.
    Entries,
}

/// The name of a tile: what it holds, its index among tiles of that kind, and how many hashes or entries it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// A text that names no tile.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not the path of a tile; one looks like `tile/0/x001/234.p/17` or `tile/entries/005`")]
pub struct TilePathError(String);

impl TilePath {
    /// A hash tile; a width outside 1 to 256 is brought inside.
    pub fn hashes(level: u8, index: u64, width: u16) -> Self {
        Self { kind: TileKind::Hashes { level }, index, width: width.clamp(1, TILE_WIDTH as u16) }
    }

    /// An entry bundle; a width outside 1 to 256 is brought inside.
    pub fn entries(index: u64, width: u16) -> Self {
        Self { kind: TileKind::Entries, index, width: width.clamp(1, TILE_WIDTH as u16) }
    }

    /// What it holds.
    pub fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its index among the tiles of its kind, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has fewer than 256.
    pub fn is_partial(&self) -> bool {
        u64::from(self.width) < TILE_WIDTH
    }

    /// The same tile once it is full.
    pub fn full(&self) -> Self {
        Self { width: TILE_WIDTH as u16, ..*self }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes { level } => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_partial() { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(text: &str) -> Result<Self, TilePathError> {
        // Printing what was read catches every second way of writing the same tile.
        parse(text)
            .filter(|path| path.to_string() == text)
            .ok_or_else(|| TilePathError(text.chars().take(100).collect()))
    }
}

fn parse(text: &str) -> Option<TilePath> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes { level: level.parse().ok().filter(|level| *level < 8)? },
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| (1..TILE_WIDTH as u16).contains(width))?),
        None => (rest, TILE_WIDTH as u16),
    };
    let index = index.split('/').try_fold(0u64, |sum, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        sum.checked_mul(1000)?.checked_add(digits.parse::<u16>().ok().filter(|n| *n < 1000)?.into())
    })?;
    Some(TilePath { kind, index, width })
}

/// A tile could not be read, or has another length than its name says.
#[derive(Debug, thiserror::Error)]
#[error("tile `{path}` cannot be read: {reason}")]
pub struct TileUnavailable {
    /// The tile.
    pub path: TilePath,
    /// Why, as the storage said it.
    pub reason: String,
}

/// Where tiles are read from.
pub trait TileSource {
    /// The bytes of the tile with this path, or of any wider version of it, whose first hashes or entries are the
    /// same; `None` if there is neither. Readers try the full tile themselves.
    ///
    /// # Errors
    /// The storage did not answer, or gave bytes that were not what was written.
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable> {
        (**self).read(path)
    }
}

/// The first `path.width()` hashes of a hash tile, from the partial tile itself or from the full one that replaced it.
pub(crate) fn read_whole(source: &dyn TileSource, path: &TilePath) -> Result<Vec<u8>, TileUnavailable> {
    let (found, mut bytes) = read_either(source, path)?;
    let (least, most) = (usize::from(found.width) * HASH_BYTES, TILE_WIDTH as usize * HASH_BYTES);
    if !(least..=most).contains(&bytes.len()) || bytes.len() % HASH_BYTES != 0 {
        let reason = format!("it has {} bytes, expected {least} or a multiple of 32 up to {most}", bytes.len());
        return Err(TileUnavailable { path: found, reason });
    }
    bytes.truncate(usize::from(path.width) * HASH_BYTES);
    Ok(bytes)
}

/// The first `path.width()` entries of a bundle.
pub(crate) fn read_bundle(source: &dyn TileSource, path: &TilePath) -> Result<Vec<Vec<u8>>, TileUnavailable> {
    let (found, bytes) = read_either(source, path)?;
    let damaged = |reason: &str| TileUnavailable { path: found, reason: reason.to_owned() };
    let mut entries = Vec::with_capacity(usize::from(found.width));
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && entries.len() < TILE_WIDTH as usize {
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(|| damaged("it ends within a length"))?;
        let (entry, after) = after
            .split_at_checked(u16::from_be_bytes(*length).into())
            .ok_or_else(|| damaged("it ends within an entry"))?;
        entries.push(entry.to_vec());
        rest = after;
    }
    if !rest.is_empty() || entries.len() < usize::from(found.width) {
        return Err(damaged("it has another number of entries than its name says"));
    }
    entries.truncate(path.width.into());
    Ok(entries)
}

fn read_either(source: &dyn TileSource, path: &TilePath) -> Result<(TilePath, Vec<u8>), TileUnavailable> {
    for candidate in [*path, path.full()] {
        if let Some(bytes) = source.read(&candidate)? {
            return Ok((candidate, bytes));
        }
    }
    Err(TileUnavailable { path: *path, reason: "it does not exist".to_owned() })
}

/// The bytes of a tile as it is at its own width, also if only a wider version of it is there.
///
/// # Errors
/// It is missing, unreadable, or not a tile.
pub fn read_tile(source: &dyn TileSource, path: &TilePath) -> Result<Vec<u8>, TileUnavailable> {
    match path.kind {
        TileKind::Hashes { .. } => read_whole(source, path),
        TileKind::Entries => Ok(read_bundle(source, path)?.iter().flat_map(|entry| bundled(entry)).collect()),
    }
}

/// An entry as it is in a bundle.
pub(crate) fn bundled(entry: &[u8]) -> Vec<u8> {
    [&(entry.len() as u16).to_be_bytes(), entry].concat()
}

/// Entry `index` of a tree of `size` entries; `None` beyond it. The bytes are unproven: check their [`crate::leaf_hash`]
/// by an inclusion proof.
///
/// # Errors
/// The bundle is missing, unreadable, or not a bundle.
pub fn read_entry(source: &dyn TileSource, index: u64, size: u64) -> Result<Option<Vec<u8>>, TileUnavailable> {
    Ok(read_entries(source, index, size)?.into_iter().next())
}

/// The entries from `index` to the end of its bundle, at most 256, of a tree of `size` entries; none beyond it. They are
/// unproven, as with [`read_entry`].
///
/// # Errors
/// The bundle is missing, unreadable, or not a bundle.
pub fn read_entries(source: &dyn TileSource, index: u64, size: u64) -> Result<Vec<Vec<u8>>, TileUnavailable> {
    if index >= size {
        return Ok(Vec::new());
    }
    let tile = index / TILE_WIDTH;
    let width = (size - tile * TILE_WIDTH).min(TILE_WIDTH) as u16;
    let mut entries = read_bundle(source, &TilePath::entries(tile, width))?;
    Ok(entries.split_off((index % TILE_WIDTH) as usize))
}

/// The hashes in a hash tile's bytes.
pub(crate) fn hashes(bytes: &[u8]) -> impl Iterator<Item = Hash> {
    bytes.as_chunks::<HASH_BYTES>().0.iter().map(|chunk| Hash(*chunk))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let check = |path: TilePath, text: &str| {
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        };
        check(TilePath::hashes(0, 0, 256), "tile/0/000");
        check(TilePath::hashes(1, 1_234_067, 8), "tile/1/x001/x234/067.p/8");
        check(TilePath::entries(999, 255), "tile/entries/999.p/255");
        check(TilePath::entries(1000, 256), "tile/entries/x001/000");
        check(TilePath::hashes(0, u64::MAX, 256), "tile/0/x018/x446/x744/x073/x709/x551/615");
    }

    #[test]
    fn other_paths_are_refused() {
        for text in [
            "",
            "tile/0",
            "tile/8/000",
            "tile/00/000",
            "tile/0/0",
            "tile/0/1000",
            "tile/0/001/002",
            "tile/0/x000/001",
            "tile/0/x001",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/data/000",
            "/tile/0/000",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
            "tile/0/+01",
            "tile/0/../000",
        ] {
            assert!(text.parse::<TilePath>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_path_reads_back(level in 0u8..8, index in any::<u64>(), width in 1u16..=256, entries in any::<bool>()) {
            let path = if entries { TilePath::entries(index, width) } else { TilePath::hashes(level, index, width) };
            prop_assert_eq!(path.to_string().parse(), Ok(path));
        }

        #[test]
        fn no_text_panics(text in "(tile/)?[a-z0-9/.]{0,60}") {
            let _ = text.parse::<TilePath>();
        }
    }
}
