//! Rows as the payload of a WAL frame.
//!
//! Arrow IPC, so that recovery re-encodes nothing, after the tables of streams, shapes and layouts. The whole is a frame of
//! zstd. A payload holds one batch; its number, which only the single writer of the WAL knows, is in the frame.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::ipc::MetadataVersion;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use logkeep_record::{BatchNumber, BatchSeed, decode_resource, limits};
use zstd::bulk::Compressor;

use crate::layout::Layout;
use crate::rows::Rows;
use crate::shape::{Forms, Shape};

/// Compression of payloads: they live for seconds, so speed counts and size hardly.
const ZSTD_LEVEL: i32 = 1;
/// A payload of up to so many bytes is compressed without entropy coding, whose tables take longer to make than to write
/// what they would save.
const SMALL_BYTES: usize = 16 << 10;
const SMALL_ZSTD_LEVEL: i32 = -3;
/// Buffers of a few rows would be mostly padding with Arrow's usual 64.
const ALIGNMENT: usize = 8;
/// A thread keeps a buffer of up to so many bytes for its next payload.
const KEPT_BYTES: usize = 8 << 20;

thread_local! {
    /// What the thread's last payload was before compression, emptied: to ask the system for the same memory again for
    /// every request costs more than to fill it.
    static PLAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static COMPRESSOR: RefCell<Compressor<'static>> = RefCell::new(Compressor::default());
}

/// Lets go of what this thread keeps for its next payload.
pub(crate) fn forget_buffers() {
    drop(PLAIN.take());
    COMPRESSOR.set(Compressor::default());
}

/// A payload that cannot be read: the frame's own checks passed, so this is a defect or another format.
#[derive(Debug, thiserror::Error)]
#[error("WAL payload cannot be read: {0}; keep the file and report this")]
pub struct PayloadError(String);

fn fault(error: impl ToString) -> PayloadError {
    PayloadError(error.to_string())
}

impl Rows {
    /// The payload for these rows, which must be fresh from the builder.
    ///
    /// # Errors
    /// Only if Arrow refuses its own arrays.
    pub fn to_payload(&self) -> Result<Vec<u8>, PayloadError> {
        let mut plain = PLAIN.take();
        plain.clear();
        let payload = self.write_plain(&mut plain).and_then(|()| compressed(&plain));
        if plain.capacity() <= KEPT_BYTES {
            PLAIN.set(plain);
        }
        payload
    }

    fn write_plain(&self, out: &mut Vec<u8>) -> Result<(), PayloadError> {
        put_list(out, self.streams().iter().map(|stream| stream.canonical()));
        put_list(out, self.forms().shapes.iter().map(Shape::encode));
        put_list(out, self.forms().layouts.iter().map(Layout::encode));
        let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5).map_err(fault)?;
        let mut writer =
            StreamWriter::try_new_with_options(&mut *out, self.table().schema_ref(), options).map_err(fault)?;
        writer.write(self.table()).map_err(fault)?;
        writer.finish().map_err(fault)
    }

    /// The rows of a payload as batch `number`.
    ///
    /// # Errors
    /// [`PayloadError`]: do not retry.
    pub fn from_payload(payload: &[u8], number: BatchNumber, seed: BatchSeed) -> Result<Self, PayloadError> {
        let plain = zstd::bulk::decompress(payload, 8 * limits::REQUEST_DECOMPRESSED_BYTES).map_err(fault)?;
        let mut rest = plain.as_slice();
        let streams = take_list(&mut rest)?;
        let streams =
            streams.into_iter().map(|bytes| decode_resource(bytes).map_err(fault)).collect::<Result<_, _>>()?;
        let shapes = take_list(&mut rest)?;
        let shapes = shapes.into_iter().map(|bytes| Shape::decode(bytes).ok_or_else(|| fault("a shape is cut short")));
        let shapes = shapes.collect::<Result<_, _>>()?;
        let layouts = take_list(&mut rest)?;
        let layouts =
            layouts.into_iter().map(|bytes| Layout::decode(bytes).ok_or_else(|| fault("a layout is damaged")));
        let forms = Forms { shapes, layouts: layouts.collect::<Result<_, _>>()? };
        let mut reader = StreamReader::try_new(rest, None).map_err(fault)?;
        let table = reader.next().ok_or_else(|| fault("no rows"))?.map_err(fault)?;
        Ok(Rows::new(table, Arc::new(streams), Arc::new(forms), Vec::new()).with_batch(number, seed))
    }
}

fn compressed(plain: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let level = if plain.len() <= SMALL_BYTES { SMALL_ZSTD_LEVEL } else { ZSTD_LEVEL };
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.set_compression_level(level).map_err(fault)?;
        compressor.compress(plain).map_err(fault)
    })
}

/// Number of items as u32 LE, then each with its length as u32 LE.
pub(crate) fn put_list<T: AsRef<[u8]>>(out: &mut Vec<u8>, items: impl ExactSizeIterator<Item = T>) {
    out.extend_from_slice(&(items.len() as u32).to_le_bytes());
    for item in items {
        out.extend_from_slice(&(item.as_ref().len() as u32).to_le_bytes());
        out.extend_from_slice(item.as_ref());
    }
}

pub(crate) fn take_list<'a>(bytes: &mut &'a [u8]) -> Result<Vec<&'a [u8]>, PayloadError> {
    let count = take_u32(bytes)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let len = take_u32(bytes)? as usize;
        let (item, rest) = bytes.split_at_checked(len).ok_or_else(|| fault("a table is cut short"))?;
        *bytes = rest;
        items.push(item);
    }
    Ok(items)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, PayloadError> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| fault("a table is cut short"))?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*number))
}
