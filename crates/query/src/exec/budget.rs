//! What a query may cost, and what it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::kql::KqlError;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The filter is wrong: its text, and where. Do not retry.
    #[error(transparent)]
    Kql(#[from] KqlError),
    /// The SQL is wrong. Do not retry.
    #[error("{message}")]
    Sql {
        /// What is wrong.
        message: String,
        /// Where, in characters, if known.
        position: Option<usize>,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// The grant is not for this. Do not retry.
    #[error("the grant of this request is not for {0}")]
    Denied(&'static str),
    /// What it is about was destroyed. Do not retry.
    #[error("{0}")]
    Destroyed(String),
    /// Ids of templates tell of records that this reader may not see. Ask by text.
    #[error(
        "templates have ids for those only who may see every record and field; give the template's text as `template` instead"
    )]
    NoTemplateIds,
    /// It ran out of time or was cancelled. Ask for less.
    #[error("the query took longer than its {} s; narrow the time range or the filter", .0.as_secs())]
    OverTime(Duration),
    /// It ran out of memory. Ask for less.
    #[error("the query needs more memory than its budget; narrow it, or group by fewer values")]
    OverMemory,
    /// The asker has gone.
    #[error("the query was cancelled")]
    Cancelled,
    /// The answer would tell what this reader may not see. Do not retry.
    #[error("{0}")]
    Withheld(&'static str),
    /// What is stored does not prove what was asked for. Do not retry.
    #[error("{0}")]
    Damaged(String),
    /// A segment cannot be read. Retrying helps only if the disk recovers.
    #[error(transparent)]
    Segment(#[from] logkeep_segment::SegmentError),
    /// Rows contradict each other.
    #[error(transparent)]
    Row(#[from] logkeep_segment::RowError),
    /// A defect.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What a query did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows whose columns were looked at.
    pub scanned_rows: u64,
    /// Bytes of columns in memory that were looked at.
    pub scanned_bytes: u64,
    /// Segments and live row sets there were.
    pub segments: u64,
    /// Those left out by bounds or index.
    pub segments_pruned: u64,
}

#[derive(Debug, Default)]
struct Counters {
    rows: AtomicU64,
    bytes: AtomicU64,
    segments: AtomicU64,
    pruned: AtomicU64,
    cancelled: AtomicBool,
    concealed: AtomicBool,
}

/// Time a query may take, and counters of what it did. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Budget {
    started: Instant,
    time: Duration,
    counters: Arc<Counters>,
}

impl Budget {
    /// A budget that begins now.
    pub fn new(time: Duration) -> Self {
        Self { started: Instant::now(), time, counters: Arc::default() }
    }

    /// Stops the query at its next step.
    pub fn cancel(&self) {
        self.counters.cancelled.store(true, Ordering::Relaxed);
    }

    /// Cancels when dropped: for the task that waits for the answer.
    pub fn cancel_on_drop(&self) -> CancelOnDrop {
        CancelOnDrop(Some(self.clone()))
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.counters.cancelled.load(Ordering::Relaxed) {
            return Err(QueryError::Cancelled);
        }
        if self.started.elapsed() > self.time { Err(QueryError::OverTime(self.time)) } else { Ok(()) }
    }

    pub(crate) fn time(&self) -> Duration {
        self.time
    }

    pub(crate) fn scanned(&self, rows: usize, bytes: usize) {
        self.counters.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn source(&self, pruned: bool) {
        self.counters.segments.fetch_add(1, Ordering::Relaxed);
        self.counters.pruned.fetch_add(pruned.into(), Ordering::Relaxed);
    }

    /// What was done may not be told: how much was read tells of what the asker may not see.
    pub(crate) fn conceal(&self) {
        self.counters.concealed.store(true, Ordering::Relaxed);
    }

    /// What was done so far; `None` if that may not be told.
    pub fn stats(&self) -> Option<Stats> {
        if self.counters.concealed.load(Ordering::Relaxed) {
            return None;
        }
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Some(Stats {
            scanned_rows: read(&self.counters.rows),
            scanned_bytes: read(&self.counters.bytes),
            segments: read(&self.counters.segments),
            segments_pruned: read(&self.counters.pruned),
        })
    }

    /// Time since it began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

/// See [`Budget::cancel_on_drop`].
pub struct CancelOnDrop(Option<Budget>);

impl CancelOnDrop {
    /// The answer is there: the budget may be used for the next step.
    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(budget) = &self.0 {
            budget.cancel();
        }
    }
}
