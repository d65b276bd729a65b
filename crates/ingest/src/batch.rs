//! Records to a batch that only lacks its place in the tree.
//!
//! All of it happens in the thread of the connection: hashing, columns, compression. The one writer of the log is left
//! with a number, a cipher and a write.

use logkeep_cipher::random_bytes;
use logkeep_record::{BatchSeed, Record, RecordHasher, limits};
use logkeep_segment::{PayloadError, Rows, RowsBuilder};
use logkeep_tlog::{Hash, batch_root};

use crate::ledger::{Counts, Ledger, Source, minute};

/// Collects the records of one request for one tenant and class.
pub struct BatchBuilder {
    rows: RowsBuilder,
    hasher: RecordHasher,
    seed: BatchSeed,
    hashes: Vec<[u8; 32]>,
    bounds: Bounds,
}

/// Earliest and latest times in a batch, nanoseconds, all inside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: (i64, i64),
    pub(crate) received: (i64, i64),
}

impl Bounds {
    const NONE: Self = Self { time: (i64::MAX, i64::MIN), received: (i64::MAX, i64::MIN) };

    fn add(&mut self, record: &Record<'_>) {
        let widen = |bounds: &mut (i64, i64), at: i64| *bounds = (bounds.0.min(at), bounds.1.max(at));
        widen(&mut self.time, record.effective_time_ns());
        widen(&mut self.received, record.received_ns);
    }
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::with_seed(random_bytes())
    }
}

impl BatchBuilder {
    /// With a seed that nobody can guess and no other batch has.
    pub fn with_seed(seed: [u8; 32]) -> Self {
        Self {
            rows: RowsBuilder::new(),
            hasher: RecordHasher::default(),
            seed: BatchSeed::new(seed),
            hashes: Vec::new(),
            bounds: Bounds::NONE,
        }
    }

    /// Adds a record.
    pub fn push(&mut self, record: &Record<'_>) {
        self.hashes.push(self.hasher.record_hash(record, &self.seed, self.hashes.len() as u32));
        self.bounds.add(record);
        self.rows.push(record);
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether it should be finished and another begun.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= limits::RECORDS_PER_BATCH || self.rows.bytes() >= limits::REQUEST_DECOMPRESSED_BYTES
    }

    /// The batch; `None` without records.
    ///
    /// # Errors
    /// [`PayloadError`] only for a defect: the caller answers "try again later" and nothing has been stored.
    pub fn finish(self) -> Result<Option<Batch>, PayloadError> {
        let Some(rows) = self.rows.finish() else { return Ok(None) };
        let payload = rows.to_payload()?;
        let root = batch_root(&self.hashes);
        let ledger = Ledger::default();
        Ok(Some(Batch { rows, payload, seed: self.seed, root, bounds: self.bounds, ledger }))
    }
}

/// The records of one tenant and class that become durable together.
pub struct Batch {
    pub(crate) rows: Rows,
    pub(crate) payload: Vec<u8>,
    pub(crate) seed: BatchSeed,
    pub(crate) root: Hash,
    pub(crate) bounds: Bounds,
    /// What it will have brought once it is stored.
    pub(crate) ledger: Ledger,
}

impl Batch {
    /// Records in it.
    pub fn records(&self) -> usize {
        self.rows.len()
    }

    /// Latest time that a record of it says of itself, nanoseconds.
    pub fn newest_ns(&self) -> i64 {
        self.bounds.time.1
    }

    /// When its records arrived, nanoseconds.
    pub fn received_ns(&self) -> i64 {
        self.bounds.received.1
    }

    /// With the lines of the ledger that become true if it is stored, and count its records as stored.
    #[must_use]
    pub fn counted(self, ledger: Ledger) -> Self {
        Self { ledger, ..self }
    }

    /// Counts what nobody has counted as our own, so that stored records and the ledger never differ.
    pub(crate) fn count_rest(&mut self) {
        let records = (self.records() as u64).saturating_sub(self.ledger.stored());
        let (newest_ns, last_ns) = (Some(self.newest_ns()), Some(self.received_ns()));
        let counts = Counts { received: records, stored: records, newest_ns, last_ns, ..Counts::default() };
        self.ledger.add(minute(self.received_ns()), &Source::own(), &counts);
    }
}

/// The root over the records of one batch among `rows`, computed anew from the rows themselves. `places` are (index in
/// batch, row) in order of index.
pub(crate) fn recompute_root(
    rows: &Rows,
    places: &[(u32, usize)],
    seed: &BatchSeed,
) -> Result<Hash, logkeep_segment::RowError> {
    let mut hasher = RecordHasher::default();
    let mut hashes = Vec::with_capacity(places.len());
    for (index, row) in places {
        hashes.push(hasher.record_hash(&rows.record(*row)?, seed, *index));
    }
    Ok(batch_root(&hashes))
}
