//! Roots of batches computed anew, on all cores.
//!
//! Decoding segments and hashing records is nearly all of a verification's time, and no batch needs another's result.
//! Objects are taken in hand a few at a time, so that memory stays bounded by them, and their batches are hashed in parts
//! of about [`PART_RECORDS`], so that the last object keeps all cores busy too. Results come in the order in which the
//! work was given: what is found is reported the same way by one core and by many.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use logkeep_catalog::SegmentRow;
use logkeep_cipher::WrappedKey;
use logkeep_record::{BatchSeed, Class};
use logkeep_segment::{RowError, Rows, Segment};
use logkeep_store::{KeyProvider, ObjectPath, SealedObjects};
use logkeep_tlog::{Entry, Hash};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{Finding, held};
use crate::batch::recompute_root;
use crate::compact::batch_places;
use crate::state::ObjectReader;
use crate::wal::BatchFrame;

/// Records that are hashed in one go: a few hundredths of a second.
const PART_RECORDS: usize = 16_384;
/// Segments in memory at once, however many cores there are: one is decoded while the parts of another are hashed.
const MOST_SEGMENTS: usize = 2;

/// What the tree says of a batch.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    pub(super) root: Hash,
    pub(super) records: u32,
    pub(super) max_received_ns: i64,
}

impl From<&Entry> for Expected {
    fn from(entry: &Entry) -> Self {
        Self { root: entry.root, records: entry.records, max_received_ns: entry.max_received_ns }
    }
}

/// What was found of one object.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) segments: u64,
    pub(super) batches: u64,
    pub(super) records: u64,
    pub(super) findings: Vec<Finding>,
    /// Holds that its records tell of.
    pub(super) holds: Vec<String>,
}

impl Checked {
    pub(super) fn find(&mut self, object: impl ToString, batch: Option<u64>, what: impl ToString) {
        self.findings.push(Finding { object: object.to_string(), batch, what: what.to_string() });
    }

    fn add_holds(&mut self, object: &str, holds: Result<Vec<String>, RowError>) {
        match holds {
            Ok(holds) => self.holds.extend(holds),
            Err(error) => self.find(object, None, error),
        }
    }

    fn add(&mut self, part: Self) {
        self.segments += part.segments;
        self.batches += part.batches;
        self.records += part.records;
        self.findings.extend(part.findings);
        self.holds.extend(part.holds);
    }
}

/// Work under way, whose results are taken in the order in which it was begun.
pub(super) struct Ordered<T> {
    running: VecDeque<JoinHandle<T>>,
    most: usize,
}

impl<T: Send + 'static> Ordered<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { running: VecDeque::new(), most }
    }

    /// Begins the work, having waited for the oldest if there was enough under way; its result is given back.
    pub(super) async fn begin(&mut self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let oldest = if self.running.len() >= self.most { self.next().await } else { None };
        self.running.push_back(tokio::spawn(work));
        oldest
    }

    /// The result of the oldest; `None` when there is nothing under way.
    pub(super) async fn next(&mut self) -> Option<T> {
        let oldest = self.running.pop_front()?;
        // A panic goes on where one core would have had it.
        Some(oldest.await.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic())))
    }
}

/// What computes roots.
#[derive(Clone)]
pub(super) struct Checker {
    objects: SealedObjects,
    keys: Arc<dyn KeyProvider>,
    cores: Arc<Semaphore>,
    count: usize,
}

impl Checker {
    pub(super) fn new(objects: SealedObjects, keys: Arc<dyn KeyProvider>) -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        Self { objects, keys, cores: Arc::new(Semaphore::new(count)), count }
    }

    /// Room for segments under way.
    pub(super) fn segments(&self) -> Ordered<Checked> {
        Ordered::new(self.count.min(MOST_SEGMENTS))
    }

    /// Room for batches of the log under way.
    pub(super) fn frames(&self) -> Ordered<CheckedFrame> {
        Ordered::new(2 * self.count)
    }

    /// Runs `work` on a thread that may block, no more of it at once than there are cores.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _core = self.cores.acquire().await.expect("the semaphore is never closed");
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))
    }

    /// Checks one segment: its bytes, its batches, their roots.
    pub(super) async fn segment(self, path: ObjectPath, row: SegmentRow, expected: Arc<Vec<Expected>>) -> Checked {
        let mut checked = Checked::default();
        let rows = match self.read(&path, &row).await {
            Ok(rows) => Arc::new(rows),
            Err(what) => {
                checked.find(&path, Some(row.first_batch), what);
                return checked;
            }
        };
        let mut numbers: Vec<u64> = rows.batches().iter().map(|batch| batch.number).collect();
        numbers.sort_unstable();
        if numbers.into_iter().ne(row.first_batch..=row.last_batch) {
            checked.find(&path, Some(row.first_batch), "it does not hold the batches that the catalog says");
        }
        let places = match batch_places(&rows) {
            Ok(places) => Arc::new(places),
            Err(error) => {
                checked.find(&path, None, error);
                return checked;
            }
        };
        let object: Arc<str> = path.to_string().into();
        if path.as_str().split('/').nth(1) == Some(Class::audit().as_str()) {
            let told = rows.clone();
            checked.add_holds(&object, self.compute(move || held::placed(&told)).await);
        }
        let mut parts = Ordered::new(usize::MAX);
        for part in parts_of(&rows) {
            let (this, rows, places) = (self.clone(), rows.clone(), places.clone());
            let (object, expected) = (object.clone(), expected.clone());
            let check = move || check_part(&object, &rows, part, &places, &expected);
            parts.begin(async move { this.compute(check).await }).await;
        }
        while let Some(part) = parts.next().await {
            checked.add(part);
        }
        checked.segments = 1;
        checked
    }

    async fn read(&self, path: &ObjectPath, row: &SegmentRow) -> Result<Rows, String> {
        match self.objects.digest(path).await {
            Ok(digest) if digest == row.sha256 => {}
            Ok(_) => return Err("its bytes are not those that were written".to_owned()),
            Err(error) => return Err(error.to_string()),
        }
        let key = self.keys.unwrap(&WrappedKey(row.wrapped_key.clone()), path.as_str()).await;
        let key = key.map_err(|error| error.to_string())?;
        let object = self.objects.open(path, &key, row.plain_bytes).map_err(|error| error.to_string())?;
        let read = move || Segment::open(Arc::new(ObjectReader(object)))?.rows_where(None);
        self.compute(read).await.map_err(|error| error.to_string())
    }

    /// Checks one batch of the log.
    pub(super) async fn frame(self, file: PathBuf, frame: BatchFrame) -> CheckedFrame {
        let check = move || {
            let BatchFrame { entry, seed, payload, ledger, .. } = frame;
            let stored = ledger.stored();
            let checked = Rows::from_payload(&payload, entry.batch, seed.clone())
                .map_err(|error| error.to_string())
                .map(|rows| check_frame(&file, &rows, &seed, (&entry, stored)));
            CheckedFrame { file, entry, checked }
        };
        self.compute(check).await
    }
}

/// What was found of a batch of the log.
pub(super) struct CheckedFrame {
    pub(super) file: PathBuf,
    pub(super) entry: Entry,
    /// An error if the batch cannot be read.
    pub(super) checked: Result<Checked, String>,
}

fn check_frame(file: &std::path::Path, rows: &Rows, seed: &BatchSeed, (entry, stored): (&Entry, u64)) -> Checked {
    let places: Vec<(u32, usize)> = (0..rows.len()).map(|row| (row as u32, row)).collect();
    let mut checked = Checked::default();
    let object = file.display().to_string();
    check_batch(&mut checked, &object, rows, &places, (entry.batch, seed), &entry.into());
    if entry.class == Class::audit().as_str() {
        checked.add_holds(&object, held::placed(rows));
    }
    if stored != u64::from(entry.records) {
        checked.find(&object, Some(entry.batch), "its lines of the ledger count other records as stored than it has");
    }
    checked
}

/// Runs of batches with about [`PART_RECORDS`] records each.
fn parts_of(rows: &Rows) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut records) = (0, 0);
    for (place, batch) in rows.batches().iter().enumerate() {
        records += batch.records as usize;
        if records >= PART_RECORDS || place + 1 == rows.batches().len() {
            parts.push(start..place + 1);
            (start, records) = (place + 1, 0);
        }
    }
    parts
}

fn check_part(
    object: &str,
    rows: &Rows,
    part: std::ops::Range<usize>,
    places: &HashMap<u64, Vec<(u32, usize)>>,
    expected: &[Expected],
) -> Checked {
    let mut checked = Checked::default();
    for batch in &rows.batches()[part] {
        match (expected.get(batch.number as usize), places.get(&batch.number)) {
            (Some(expected), Some(places)) => {
                check_batch(&mut checked, object, rows, places, (batch.number, &batch.seed), expected);
            }
            _ => checked.find(object, Some(batch.number), "a batch without an entry in the tree, or without records"),
        }
    }
    checked
}

fn check_batch(
    checked: &mut Checked,
    object: &str,
    rows: &Rows,
    places: &[(u32, usize)],
    (number, seed): (u64, &BatchSeed),
    expected: &Expected,
) {
    checked.batches += 1;
    checked.records += places.len() as u64;
    let whole = places.iter().zip(0..).all(|((index, _), expected)| *index == expected);
    match recompute_root(rows, places, seed) {
        Ok(root) if root == expected.root && whole && places.len() == expected.records as usize => {}
        Ok(_) => checked.find(object, Some(number), "its records do not have the root that was acknowledged"),
        Err(error) => checked.find(object, Some(number), error),
    }
}
