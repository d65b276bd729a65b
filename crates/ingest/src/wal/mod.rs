//! The write-ahead log: what makes an acknowledgement true.
//!
//! Files of frames, one writer, one `fdatasync` for all frames of a group. A frame holds one batch: its leaf, its seed,
//! its lines of the ledger and its rows, sealed under a key that this file and tenant have for themselves. Recovery reads, and never appends to
//! a file it did not create. The bytes are described in `docs/formats/wal.md`.

mod file;
mod frame;
mod recover;
mod wipe;

pub(crate) use file::WalFile;
pub(crate) use frame::{BatchFrame, BatchParts};
pub use recover::Fault;
pub(crate) use recover::{Recovered, keep_latest, list, recover};
pub(crate) use wipe::wipe_keys;
