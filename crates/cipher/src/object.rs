//! Objects in chunks of 64 KiB, each sealed on its own.
//!
//! A query reads a few ranges of a segment, so a range must open without the rest; and nobody may swap, cut or move
//! chunks unseen. Each chunk is AES-256-GCM with its index as nonce (the key seals one object only) and with version,
//! path, index and "is the last" as associated data. A whole object costs 16 bytes per 64 KiB more than its content.
//!
//! Not here: reading and writing the bytes (`store`).

use std::ops::Range;

use crate::gcm::{CounterGcm, TAG_BYTES};
use crate::keys::DataKey;

/// Content bytes of every chunk but the last.
pub const CHUNK_BYTES: u64 = 64 << 10;
/// Bytes before the first chunk: `LKO1`, version, three zeroes.
pub const HEADER_BYTES: u64 = 8;
const VERSION: u8 = 1;
const HEADER: [u8; 8] = [b'L', b'K', b'O', b'1', VERSION, 0, 0, 0];
const SEALED_CHUNK_BYTES: u64 = CHUNK_BYTES + TAG_BYTES as u64;
/// Far above any object and far below where sums overflow or GCM's counters end.
const MAX_PLAIN_BYTES: u64 = 1 << 48;

/// Why sealed bytes were not opened. None of them gets better by trying again with the same bytes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ObjectError {
    /// The first bytes are not those of a sealed object of a known version.
    #[error("object `{path}`: does not begin with the header of a sealed object of version 1")]
    Header {
        /// The object.
        path: String,
    },
    /// Written by another version of this program.
    #[error(
        "object `{path}` is a sealed object of version {found}, this program knows version 1: use the logkeep that wrote it"
    )]
    Version {
        /// The object.
        path: String,
        /// The version in its header.
        found: u8,
    },
    /// A chunk is altered, moved, of another object, or sealed under another key.
    #[error("object `{path}`: chunk {chunk} does not open: altered, moved, or of another object or key")]
    Refused {
        /// The object.
        path: String,
        /// Index of the chunk, from 0.
        chunk: u64,
    },
    /// The bytes end early.
    #[error("object `{path}`: chunk {chunk} has {found} bytes, expected {expected}; the object is cut")]
    Cut {
        /// The object.
        path: String,
        /// Index of the chunk, from 0.
        chunk: u64,
        /// Sealed bytes given.
        found: u64,
        /// Sealed bytes of that chunk.
        expected: u64,
    },
    /// There is more than the object holds.
    #[error("object `{path}`: {surplus} bytes follow chunk {chunk}, where the object ends")]
    Trailing {
        /// The object.
        path: String,
        /// Index of the last chunk.
        chunk: u64,
        /// How many bytes too many.
        surplus: u64,
    },
    /// A mistake of the caller, or of the place from which the length came.
    #[error("object `{path}`: range {start}..{end} is not within its {len} bytes")]
    Range {
        /// The object.
        path: String,
        /// First byte asked for.
        start: u64,
        /// First byte not asked for.
        end: u64,
        /// Content bytes of the object.
        len: u64,
    },
}

/// Which sealed bytes hold a range of content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkSpan {
    /// Index of the first chunk in it.
    pub first_chunk: u64,
    /// The bytes of the sealed object to read; with the header if the first chunk is chunk 0.
    pub sealed: Range<u64>,
}

/// Seals a whole object. `key` must be new: one key seals one object, once.
pub fn seal_object(key: &DataKey, path: &str, plain: &[u8]) -> Vec<u8> {
    let cipher = ObjectCipher::new(key, path);
    let total = plain.len() as u64;
    let mut sealed = Vec::with_capacity(ObjectCipher::sealed_len(total) as usize);
    sealed.extend_from_slice(&HEADER);
    for chunk in 0..chunk_count(total) {
        let content = chunk_content(chunk, total);
        let start = sealed.len();
        sealed.extend_from_slice(&plain[content.start as usize..content.end as usize]);
        let tag = cipher.gcm.seal(chunk, &cipher.aad(chunk, total), &mut sealed[start..]);
        sealed.extend_from_slice(&tag);
    }
    sealed
}

/// Opens ranges of one object.
pub struct ObjectCipher {
    gcm: CounterGcm,
    path: Box<str>,
}

impl ObjectCipher {
    /// For the object at `path`, which was sealed under `key`.
    pub fn new(key: &DataKey, path: &str) -> Self {
        Self { gcm: CounterGcm::new(key), path: path.into() }
    }

    /// Bytes of the sealed object with `plain_len` bytes of content.
    pub const fn sealed_len(plain_len: u64) -> u64 {
        HEADER_BYTES + plain_len + chunk_count(plain_len) * TAG_BYTES as u64
    }

    /// Bytes of content in a sealed object of `sealed_len` bytes; `None` if no object has that length.
    pub fn plain_len(sealed_len: u64) -> Option<u64> {
        let body = sealed_len.checked_sub(HEADER_BYTES)?;
        let chunks = body.div_ceil(SEALED_CHUNK_BYTES).max(1);
        let plain = body.checked_sub(chunks * TAG_BYTES as u64)?;
        (Self::sealed_len(plain) == sealed_len).then_some(plain)
    }

    /// Which sealed bytes to read for `range` of an object with `total_plain_len` bytes of content.
    ///
    /// # Errors
    /// [`ObjectError::Range`] if the range is not within the object.
    pub fn chunk_range(&self, range: &Range<u64>, total_plain_len: u64) -> Result<ChunkSpan, ObjectError> {
        self.check_range(range, total_plain_len)?;
        let last_chunk = chunk_count(total_plain_len) - 1;
        let first_chunk = (range.start / CHUNK_BYTES).min(last_chunk);
        let end_chunk = range.end.div_ceil(CHUNK_BYTES).max(first_chunk + 1);
        let start = if first_chunk == 0 { 0 } else { HEADER_BYTES + first_chunk * SEALED_CHUNK_BYTES };
        let end = Self::sealed_len(total_plain_len).min(HEADER_BYTES + end_chunk * SEALED_CHUNK_BYTES);
        Ok(ChunkSpan { first_chunk, sealed: start..end })
    }

    /// The content of `range`, out of the sealed bytes that [`ObjectCipher::chunk_range`] named for it.
    ///
    /// # Errors
    /// [`ObjectError`], which names the first chunk that is at fault; do not retry with the same bytes.
    pub fn open_range(
        &self,
        sealed: &[u8],
        first_chunk: u64,
        total_plain_len: u64,
        range: &Range<u64>,
    ) -> Result<Vec<u8>, ObjectError> {
        if self.chunk_range(range, total_plain_len)?.first_chunk != first_chunk {
            return Err(self.range_error(range, total_plain_len));
        }
        let mut rest = if first_chunk == 0 { self.strip_header(sealed)? } else { sealed };
        // The lengths are claims until the chunks open, so memory follows the bytes that are there.
        let mut plain = Vec::with_capacity(rest.len());
        let end_chunk = range.end.div_ceil(CHUNK_BYTES).max(first_chunk + 1);
        for chunk in first_chunk..end_chunk {
            rest = self.open_chunk(rest, chunk, total_plain_len, range.start, &mut plain)?;
        }
        if !rest.is_empty() {
            let surplus = rest.len() as u64;
            return Err(ObjectError::Trailing { path: self.path(), chunk: end_chunk - 1, surplus });
        }
        plain.truncate((range.end - range.start) as usize);
        Ok(plain)
    }

    /// Appends one chunk's content, from `from` on, to `plain` and returns the bytes after the chunk.
    fn open_chunk<'a>(
        &self,
        sealed: &'a [u8],
        chunk: u64,
        total: u64,
        from: u64,
        plain: &mut Vec<u8>,
    ) -> Result<&'a [u8], ObjectError> {
        let content = chunk_content(chunk, total);
        let plain_bytes = (content.end - content.start) as usize;
        let expected = plain_bytes + TAG_BYTES;
        let Some((this, rest)) = sealed.split_at_checked(expected) else {
            let (found, expected) = (sealed.len() as u64, expected as u64);
            return Err(ObjectError::Cut { path: self.path(), chunk, found, expected });
        };
        let aad = self.aad(chunk, total);
        let refused = |_| ObjectError::Refused { path: self.path(), chunk };
        let skip = from.clamp(content.start, content.end) - content.start;
        if skip == 0 {
            let start = plain.len();
            plain.resize(start + plain_bytes, 0);
            self.gcm.open_into(chunk, &aad, this, &mut plain[start..]).map_err(refused)?;
        } else {
            let mut whole = vec![0u8; plain_bytes];
            self.gcm.open_into(chunk, &aad, this, &mut whole).map_err(refused)?;
            plain.extend_from_slice(&whole[skip as usize..]);
        }
        Ok(rest)
    }

    fn strip_header<'a>(&self, sealed: &'a [u8]) -> Result<&'a [u8], ObjectError> {
        sealed.strip_prefix(HEADER.as_slice()).ok_or_else(|| match sealed.get(..HEADER.len()) {
            Some([b'L', b'K', b'O', b'1', found, 0, 0, 0]) => ObjectError::Version { path: self.path(), found: *found },
            _ => ObjectError::Header { path: self.path() },
        })
    }

    fn check_range(&self, range: &Range<u64>, total: u64) -> Result<(), ObjectError> {
        let fits = range.start <= range.end && range.end <= total && total <= MAX_PLAIN_BYTES;
        if fits { Ok(()) } else { Err(self.range_error(range, total)) }
    }

    fn range_error(&self, range: &Range<u64>, len: u64) -> ObjectError {
        ObjectError::Range { path: self.path(), start: range.start, end: range.end, len }
    }

    fn path(&self) -> String {
        self.path.to_string()
    }

    /// Version, last flag, chunk index, path: fixed widths first, so that no two differ only in where they are split.
    fn aad(&self, chunk: u64, total: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(10 + self.path.len());
        bytes.push(VERSION);
        bytes.push(u8::from(chunk + 1 == chunk_count(total)));
        bytes.extend_from_slice(&chunk.to_be_bytes());
        bytes.extend_from_slice(self.path.as_bytes());
        bytes
    }
}

/// An empty object has one chunk, so that its emptiness is authenticated too.
const fn chunk_count(plain_len: u64) -> u64 {
    if plain_len == 0 { 1 } else { plain_len.div_ceil(CHUNK_BYTES) }
}

fn chunk_content(chunk: u64, total: u64) -> Range<u64> {
    let start = (chunk * CHUNK_BYTES).min(total);
    start..(start + CHUNK_BYTES).min(total)
}

#[cfg(test)]
#[path = "object_tests.rs"]
mod tests;
