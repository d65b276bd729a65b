//! From live rows to segments.
//!
//! One thread does it, in an order a crash may cut anywhere: object, tiles and checkpoint, catalog, view, and only
//! then the log's files go. What comes before the catalog's transaction is litter; what comes after is found again.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use logkeep_catalog::{Change, Head, Pages, SegmentId, SegmentRow};
use logkeep_segment::{Encoded, Merge, merge, write_segment};
use logkeep_store::{ObjectKind, ObjectPath};
use logkeep_tlog::{Checkpoint, Hash};
use tracing::{debug, warn};

use crate::compact::{FULL_ZSTD_LEVEL, is_full_size};
use crate::engine::{IngestConfig, Shared, open_with};
use crate::ledger::{Ledger, join_pages, next_page, store_waiting};
use crate::log_keys::wrap_blocking;
use crate::miners::Miners;
use crate::reserve::is_full;
use crate::state::{ClassKey, Live, Partition, SegmentHandle, State};
use crate::wal;

/// How often the flusher looks around without being woken, and how often checkpoints are published under load.
const TICK: Duration = Duration::from_millis(250);
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// After a failure, how long until the next try.
const RETRY: Duration = Duration::from_secs(2);
/// What a burst left behind does not wait in memory for its age: where no more came for this part of the interval, and it
/// is at least this part of a full segment.
const QUIET_SHARE: u32 = 6;
const LEFT_OVER_SHARE: usize = 8;
/// Live rows of fewer rows than this are merged when there are many of them.
const SMALL_ROWS: usize = 4_096;
const MANY_SMALL: usize = 32;
/// Compression of a segment that will be merged with others, and written anew, before long.
const SMALL_ZSTD_LEVEL: i32 = 1;

/// Any fault on the way to a segment. Nothing is lost: the log still has the rows.
pub type FlushError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Flusher {
    shared: Arc<Shared>,
    last_checkpoint_ns: u64,
    miners: Miners,
}

impl Flusher {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { last_checkpoint_ns: shared.clock.elapsed_ns(), shared, miners: Miners::default() }
    }

    pub(crate) fn run(mut self) {
        loop {
            self.shared.sleep_flusher(TICK);
            let stopping = self.shared.stopping.load(Ordering::SeqCst);
            if let Err(error) = self.round(stopping) {
                warn!(%error, "could not flush; the write-ahead log keeps the rows, trying again");
                self.shared.sleep_flusher(RETRY);
            }
            if stopping {
                return;
            }
        }
    }

    /// Everything that is due now, and when stopping everything there is.
    pub(crate) fn round(&mut self, stopping: bool) -> Result<(), FlushError> {
        let round = self.try_round(stopping);
        if round.as_ref().is_err_and(|error| is_full(&**error)) {
            self.shared.reserve.spend();
        }
        round
    }

    fn try_round(&mut self, stopping: bool) -> Result<(), FlushError> {
        self.shared.reserve.restore();
        // Once when the disk is full: a segment is smaller than what it replaces in the log.
        let all = stopping || self.shared.reserve.take_news();
        for class in self.due(all) {
            self.flush(&class)?;
        }
        self.miners.keep_bounds();
        self.miners.retain(|(tenant, class)| !self.shared.destructions.takes(tenant, class));
        if stopping || self.shared.waited(self.last_checkpoint_ns) >= CHECKPOINT_INTERVAL {
            self.last_checkpoint_ns = self.shared.clock.elapsed_ns();
            self.publish_checkpoints()?;
        }
        self.tidy_live()?;
        self.drop_wal_files();
        store_waiting(&self.shared, stopping)?;
        join_pages(&self.shared)?;
        self.forget_keys()
    }

    /// The classes to flush now: large, old, left over from a burst, holding back a file of the log, or all of them.
    fn due(&self, all: bool) -> Vec<ClassKey> {
        let holding_back = self.shared.wal_files.lock().holding_back();
        let state = self.shared.state.lock();
        let config = &self.shared.config;
        let pressed = is_pressed(&state, config);
        let largest = state.partitions.values().map(Partition::live_bytes).max().unwrap_or_default();
        let due = |(key, partition): (&ClassKey, &Partition)| {
            let bytes = partition.live_bytes();
            let old = partition.live_since.is_some_and(|since| self.shared.waited(since) >= config.flush_interval);
            let left_over = bytes >= config.flush_bytes / LEFT_OVER_SHARE
                && self.shared.waited(partition.grown_ns) >= config.flush_interval / QUIET_SHARE;
            let flush = bytes > 0
                && (all
                    || old
                    || left_over
                    || bytes >= config.flush_bytes
                    || (pressed && bytes == largest)
                    || holding_back.contains(key));
            flush.then(|| key.clone())
        };
        state.partitions.iter().filter_map(due).collect()
    }

    fn flush(&mut self, class: &ClassKey) -> Result<(), FlushError> {
        let (live, lines, size, root, segments) = {
            let state = self.shared.state.lock();
            let Some(partition) = state.partitions.get(class) else { return Ok(()) };
            let (live, lines, segments) = (&partition.live, &partition.ledger, &partition.segments);
            (live.clone(), lines.clone(), partition.tree.size(), partition.tree.root(), segments.clone())
        };
        let (Some(first), Some(last)) = (live.first().map(|l| l.first), live.last().map(|l| l.last)) else {
            return Ok(());
        };
        let started = Instant::now();
        let bytes: usize = live.iter().map(|live| live.bytes).sum();
        let inputs = live.iter().map(|live| (*live.rows).clone()).collect();
        let Some(merged) = Merge::of(inputs)? else { return Ok(()) };
        let config = &self.shared.config;
        let full = bytes >= config.flush_bytes || is_full_size(merged.len() as u64, config.segment_records);
        let level = if full { FULL_ZSTD_LEVEL } else { SMALL_ZSTD_LEVEL };
        let segment = write_segment(merged.stretches(), level, self.miners.of(class, &segments))?;
        drop(merged);
        let _key = self.shared.key_turn.read();
        let handle = store_segment(&self.shared, class, segment, first, last)?;
        self.publish_checkpoint(class)?;
        let _turn = self.shared.catalog_turn.lock();
        let (segments, destroyed) = {
            let state = self.shared.state.lock();
            let Some(partition) = state.partitions.get(class) else { return Ok(()) };
            let known = partition.segments.iter().cloned();
            (known.chain([handle.clone()]).collect::<Vec<_>>(), partition.head.destroyed)
        };
        let head = head_over(&segments, destroyed, size, root);
        let pages = next_page(&self.shared, class, (first, last), &lines)?;
        let (keys, documents) = {
            let state = self.shared.state.lock();
            (state.keys.up_to(class, last), state.documents.up_to(class, last))
        };
        let change = Change {
            tenant: class.0.clone(),
            class: class.1.clone(),
            add: vec![handle.row().clone()],
            remove: vec![],
            head: head.clone(),
            keys,
            documents,
            pages: pages.clone(),
            secrets: vec![],
        };
        self.shared.runtime.block_on(self.shared.catalog.commit(change))?;
        debug!(class = %class.1, tenant = %class.0, records = handle.row().records, bytes = handle.row().sealed_bytes, elapsed_ms = started.elapsed().as_millis() as u64, "flushed");
        self.exchange(class, segments, head, last, (&pages, &lines));
        Ok(())
    }

    /// Forgets the keys of batches, and documents, that came too long ago.
    fn forget_keys(&self) -> Result<(), FlushError> {
        let (dedupe, now_ns) = (self.shared.config.dedupe, self.shared.clock.now_ns());
        let since_ns = self.shared.state.lock().keys.forget(dedupe, now_ns);
        if let Some(since_ns) = since_ns {
            self.shared.runtime.block_on(self.shared.catalog.forget_batch_keys(since_ns))?;
        }
        let since_ns = self.shared.state.lock().documents.forget(dedupe, now_ns);
        if let Some(since_ns) = since_ns {
            let forget = self.shared.catalog.forget_documents(since_ns, dedupe.documents as u64);
            let left = self.shared.runtime.block_on(forget)?;
            self.shared.state.lock().documents.forgotten(since_ns, left as usize);
        }
        Ok(())
    }

    /// Puts the segment in the place of the live rows up to batch `last`.
    fn exchange(
        &self,
        class: &ClassKey,
        segments: Vec<Arc<SegmentHandle>>,
        head: Head,
        last: u64,
        (pages, lines): (&Pages, &Ledger),
    ) {
        let mut state = self.shared.state.lock();
        state.change_pages(class, pages);
        if let Some(partition) = state.partitions.get_mut(class) {
            partition.live.retain(|live| live.first > last);
            partition.live_since = (!partition.live.is_empty()).then(|| self.shared.clock.elapsed_ns());
            partition.segments = Arc::new(segments);
            partition.head = head;
            partition.ledger.subtract(lines);
        }
        state.keys.flushed(class, last);
        state.documents.flushed(class, last);
        state.count_live_bytes();
        let next = state.snapshot(&self.shared.snapshot.load(), [class]);
        self.shared.snapshot.store(Arc::new(next));
        self.shared.made_room();
    }

    fn publish_checkpoints(&self) -> Result<(), FlushError> {
        let grown = |(key, partition): (&ClassKey, &Partition)| {
            (partition.tree.size() > partition.published).then(|| key.clone())
        };
        let classes: Vec<ClassKey> = self.shared.state.lock().partitions.iter().filter_map(grown).collect();
        classes.iter().try_for_each(|class| self.publish_checkpoint(class))
    }

    fn publish_checkpoint(&self, class: &ClassKey) -> Result<(), FlushError> {
        let (tiles, size, root) = {
            let state = self.shared.state.lock();
            let Some(partition) = state.partitions.get(class) else { return Ok(()) };
            let size = partition.tree.size();
            (partition.tree.tiles(partition.published, size)?, size, partition.tree.root())
        };
        let succeeds = self.shared.successions.get(class).cloned().into_iter().collect();
        let checkpoint =
            Checkpoint::new(&self.shared.origin(class), size, root, succeeds)?.sign(&self.shared.signer)?;
        self.shared.tiles(class).publish(&self.shared.folders, &tiles, &checkpoint)?;
        if let Some(partition) = self.shared.state.lock().partitions.get_mut(class) {
            partition.published = size;
            partition.tree.forget(size);
        }
        Ok(())
    }

    /// Merges runs of small live rows: a query should not look into a thousand one-record batches.
    fn tidy_live(&self) -> Result<(), FlushError> {
        let runs: Vec<(ClassKey, Vec<Live>)> = {
            let state = self.shared.state.lock();
            let run = |(key, partition): (&ClassKey, &Partition)| {
                let run = small_run(&partition.live);
                (run.len() >= MANY_SMALL).then(|| (key.clone(), run.to_vec()))
            };
            state.partitions.iter().filter_map(run).collect()
        };
        for (class, run) in runs {
            let Some(rows) = merge(run.iter().map(|live| (*live.rows).clone()).collect())? else { continue };
            let bytes = rows.memory_bytes();
            let (first, last) = (run[0].first, run[run.len() - 1].last);
            let merged = Live { rows: Arc::new(rows), first, last, bytes };
            let mut state = self.shared.state.lock();
            if let Some(partition) = state.partitions.get_mut(&class) {
                let at = partition.live.iter().position(|live| live.first == first);
                if let Some(at) = at {
                    partition.live.splice(at..at + run.len(), [merged]);
                }
            }
            state.count_live_bytes();
            let next = state.snapshot(&self.shared.snapshot.load(), [&class]);
            self.shared.snapshot.store(Arc::new(next));
        }
        Ok(())
    }

    fn drop_wal_files(&self) {
        let gone = {
            let state = self.shared.state.lock();
            let flushed = |class: &ClassKey| state.partitions.get(class).map_or(0, |partition| partition.head.flushed);
            self.shared.wal_files.lock().take_flushed(flushed)
        };
        if gone.is_empty() {
            return;
        }
        let Ok(files) = wal::list(&*self.shared.disk, &self.shared.wal_folder) else { return };
        for (number, path) in files {
            // One that stays is read again at the next start, and found to be in segments.
            if gone.contains(&number)
                && let Err(error) = self.shared.disk.remove(&path)
            {
                warn!(file = %path.display(), %error, "a file of the log that is no longer needed cannot be removed");
            }
        }
    }
}

/// Whether the flusher has something to do for classes that have just grown that does not come with time.
pub(crate) fn is_due(state: &State, grown: &HashSet<ClassKey>, config: &IngestConfig) -> bool {
    let has_much =
        |partition: &Partition| partition.live.len() >= MANY_SMALL || partition.live_bytes() >= config.flush_bytes;
    is_pressed(state, config) || grown.iter().filter_map(|class| state.partitions.get(class)).any(has_much)
}

/// Whether so many rows are live that the largest class is flushed before its time.
fn is_pressed(state: &State, config: &IngestConfig) -> bool {
    state.live_bytes > config.live_bytes / 2
}

/// The longest run of small live rows.
fn small_run(live: &[Live]) -> &[Live] {
    live.split(|live| live.rows.len() >= SMALL_ROWS).max_by_key(|run| run.len()).unwrap_or_default()
}

pub(crate) fn head_over(segments: &[Arc<SegmentHandle>], destroyed: u64, flushed: u64, root: Hash) -> Head {
    let rows: Vec<SegmentRow> = segments.iter().map(|segment| segment.row().clone()).collect();
    Head { flushed, segments: Head::commit_to(&rows), root: root.0, destroyed }
}

fn first_bytes([a, b, c, d, e, f, ..]: [u8; 32]) -> [u8; 6] {
    [a, b, c, d, e, f]
}

/// Makes a segment durable. The catalog does not know it yet.
pub(crate) fn store_segment(
    shared: &Shared,
    class: &ClassKey,
    segment: Encoded,
    first: u64,
    last: u64,
) -> Result<Arc<SegmentHandle>, FlushError> {
    let id = SegmentId::new(first, last, first_bytes(shared.random.secret()));
    let path = ObjectPath::new(&class.0, &class.1, ObjectKind::Segment, id.as_str())?;
    let key = shared.random.key();
    let wrapped = wrap_blocking(shared, &key, path.as_str())?;
    let plain_bytes = segment.bytes.len() as u64;
    let receipt = shared.runtime.block_on(shared.objects.put(&path, &key, segment.bytes))?;
    let (min_time_ns, max_time_ns, max_received_ns) = segment.time_bounds;
    let row = SegmentRow {
        id,
        first_batch: first,
        last_batch: last,
        records: segment.records,
        min_time_ns,
        max_time_ns,
        max_received_ns,
        plain_bytes,
        sealed_bytes: receipt.sealed_bytes,
        sha256: receipt.sha256,
        wrapped_key: wrapped.0,
    };
    Ok(Arc::new(open_with(shared, &path, row, &key)?))
}
