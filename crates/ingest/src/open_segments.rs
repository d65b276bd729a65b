//! Which segments are open: as many as their memory allows.
//!
//! An open segment holds its footer and its token index, some megabytes, so that a query need not read them again. A log
//! of years has too many of them, so those that nobody has asked for lately are closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logkeep_segment::{Segment, SegmentError};

/// Bytes a usual segment holds: how many places are prepared.
const USUAL_BYTES: u64 = 2 << 20;

#[derive(Clone)]
struct Memory;

impl quick_cache::Weighter<u64, Arc<Segment>> for Memory {
    fn weight(&self, _: &u64, segment: &Arc<Segment>) -> u64 {
        segment.memory_bytes().max(1) as u64
    }
}

/// The open segments, bounded in bytes.
pub(crate) struct OpenSegments {
    segments: quick_cache::sync::Cache<u64, Arc<Segment>, Memory>,
    places: AtomicU64,
}

impl OpenSegments {
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = bytes as u64;
        let segments = quick_cache::sync::Cache::with_weighter((bytes / USUAL_BYTES).max(1) as usize, bytes, Memory);
        Self { segments, places: AtomicU64::new(0) }
    }

    /// A number for a segment of which there is one handle.
    pub(crate) fn new_place(&self) -> u64 {
        self.places.fetch_add(1, Ordering::Relaxed)
    }

    /// The segment at `place`. Whoever asks for it while it is being opened waits.
    pub(crate) fn get_or_open(
        &self,
        place: u64,
        open: impl FnOnce() -> Result<Segment, SegmentError>,
    ) -> Result<Arc<Segment>, SegmentError> {
        self.segments.get_or_insert_with(&place, || open().map(Arc::new))
    }

    pub(crate) fn forget(&self, place: u64) {
        self.segments.remove(&place);
    }
}
