//! What the catalog keeps, as it is in files: JSON, sealed.

use std::fmt;

use logkeep_cipher::sha256;
use serde::{Deserialize, Serialize};

/// The name of a segment: the first and last batch in it, and a random part, so that a merge of the same batches has
/// another name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId(String);

impl SegmentId {
    /// A name for a segment that holds the batches `first` to `last`.
    pub fn new(first: u64, last: u64, random: [u8; 6]) -> Self {
        let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{first:012}-{last:012}-{random}"))
    }

    /// As text; fit for a file name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRow {
    /// Its name.
    pub id: SegmentId,
    /// Batches `first_batch` to `last_batch`, both inside and none missing between them.
    pub first_batch: u64,
    /// The last batch in it.
    pub last_batch: u64,
    /// Records in it.
    pub records: u64,
    /// Earliest time of a record, nanoseconds.
    pub min_time_ns: i64,
    /// Latest time of a record, nanoseconds.
    pub max_time_ns: i64,
    /// Latest arrival, nanoseconds: retention counts from here.
    pub max_received_ns: i64,
    /// Bytes of the object before sealing.
    pub plain_bytes: u64,
    /// Bytes of the object as it lies on the disk.
    pub sealed_bytes: u64,
    /// SHA-256 of the object as it lies on the disk.
    pub sha256: [u8; 32],
    /// Its data key, wrapped.
    pub wrapped_key: Vec<u8>,
}

/// What a class's rows must add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Batches `0..flushed` are in segments; later ones are in the write-ahead log.
    pub flushed: u64,
    /// SHA-256 over the ids and digests of the class's segments, in order.
    pub segments: [u8; 32],
    /// Root of the tree over the entries `0..flushed`.
    pub root: [u8; 32],
    /// The keys of batches `0..destroyed` were destroyed: no segment has them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub destroyed: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Head {
    /// The commitment to these segments, which must be in order of their first batch.
    pub fn commit_to(segments: &[SegmentRow]) -> [u8; 32] {
        let mut bytes = Vec::new();
        for segment in segments {
            bytes.extend_from_slice(segment.id.as_str().as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(&segment.sha256);
        }
        sha256(&bytes)
    }
}

/// A page of the ledger, without what is on it. Pages of a class follow each other without a gap up to its head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRow {
    /// The first batch that it counts.
    pub first: u64,
    /// The last batch that it counts, all between them included.
    pub last: u64,
    /// Its first minute, since 1970.
    pub from_minute: i64,
    /// Its last minute.
    pub to_minute: i64,
}
