//! Every bound on what a sender may give us, in one place.
//!
//! Each is a default that configuration may change where the name appears there; the type of thing it bounds and the
//! unit are in the name.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A request body as it arrives, before decompression.
pub const REQUEST_BYTES: usize = 16 << 20;
/// A request body after decompression.
pub const REQUEST_DECOMPRESSED_BYTES: usize = 64 << 20;
/// Records in one request; the smallest entries of some protocols are a hundredth of what a record takes in memory.
pub const RECORDS_PER_REQUEST: usize = 1 << 19;
/// One record in its source form, unless the configuration says otherwise. Longer lines are cut on a character boundary
/// and marked as cut.
pub const RECORD_BYTES: usize = 1 << 20;

static RECORD_BYTES_HERE: AtomicUsize = AtomicUsize::new(RECORD_BYTES);

/// One record in its source form, in this process.
pub fn record_bytes() -> usize {
    RECORD_BYTES_HERE.load(Ordering::Relaxed)
}

/// Sets [`record_bytes`]. For the start of a program: decoders read it at every record.
pub fn set_record_bytes(bytes: usize) {
    RECORD_BYTES_HERE.store(bytes, Ordering::Relaxed);
}

/// A value that a program of a pipeline makes of one record.
pub fn made_bytes() -> usize {
    4 * record_bytes()
}

/// Nesting of JSON documents and attribute values.
pub const VALUE_DEPTH: usize = 64;
/// Attributes of one record; those beyond it stay in the original and are counted as dropped.
pub const ATTRIBUTES_PER_RECORD: usize = 16_384;
/// Length of an attribute key; longer keys stay in the original only.
pub const KEY_BYTES: usize = 1_024;
/// Attribute columns of one segment; further keys go to the catch-all column and stay searchable.
pub const COLUMNS_PER_SEGMENT: usize = 1_000;
/// Records made durable together.
pub const RECORDS_PER_BATCH: usize = 65_536;
/// Characters of a tenant or class name.
pub const NAME_CHARS: usize = 64;
