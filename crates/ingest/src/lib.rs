//! Durable, sealed, searchable: what stands between a decoded record and its acknowledgement, and what becomes of it.
//!
//! A [`Batch`] is made in the thread of its connection (columns, hashes, compression). [`Ingest::commit`] hands it to the
//! one writer of the write-ahead log, which gives it the next leaf of its tree, syncs it together with its neighbours,
//! shows it to queries and answers. A flusher turns live rows into segments and segments into larger ones, publishes
//! checkpoints, and removes files of the log that are no longer needed.
//!
//! Not here: which protocol it came over (`intake`), who may read it (`access`), what a query means (`query`).

pub mod backup;
mod batch;
mod batch_keys;
mod compact;
mod destroy;
mod documents;
mod engine;
mod files;
mod flush;
mod ledger;
mod log_keys;
mod miners;
mod open_segments;
mod order;
mod published;
mod recovery;
mod replace;
mod reserve;
mod retention;
mod rewrap;
mod sealed;
mod signing;
mod state;
mod steps;
mod succession;
mod tiles;
mod verify;
mod wal;
mod writer;

#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod rewrap_tests;
#[cfg(test)]
mod tests;

pub use batch::{Batch, BatchBuilder};
pub use batch_keys::Dedupe;
pub use destroy::DESTRUCTION_ORDERS;
pub use documents::Document;
pub use engine::{Arrived, Ingest, IngestConfig, OpenError, Parts};
pub use flush::FlushError;
pub use ledger::{Counts, Ledger, Reasons, Source, minute};
pub use logkeep_segment::forget_buffers;
pub use order::{APPROVAL_KEYS, Approval, Order};
pub use reserve::release_reserve;
pub use retention::{AUDIT_DAYS, Expired, HOLDS, HoldRow, RETENTION, RetentionRow};
pub use rewrap::RotationStep;
pub use sealed::{SealDamaged, Sealed};
pub use state::{ClassView, SegmentHandle, Snapshot};
pub use steps::{CompactorStep, FlusherStep, Steps, WriterStep};
pub use tiles::write_durably;
pub use verify::{ClassReport, DestroyedBy, DestroyedReport, Finding, Report, Verification, verify};
pub use wal::Fault;
pub use writer::{CommitError, Committed, Part};
