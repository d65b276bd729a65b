//! Many small segments into few large ones.
//!
//! Neighbours are merged when there are eight of about one size, so each record is rewritten a handful of times at most.
//! Before the merged segment counts, the root of every batch in it is computed anew from the merged rows and held
//! against the tree: a record that a defect or the disk changed on the way is not made official.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use logkeep_pattern::{Limits, Miner};
use logkeep_segment::{Rows, merge, write_segment};
use logkeep_store::{ObjectKind, ObjectPath};
use logkeep_tlog::{Entry, Hash, read_entry};
use tracing::{debug, warn};

use crate::batch::recompute_root;
use crate::engine::Shared;
use crate::flush::{FlushError, head_over, store_segment};
use crate::replace::{Replacement, replace};
use crate::retention;
use crate::state::{ClassKey, Partition, SegmentHandle};

/// Segments of about one size that are merged together.
const FAN_IN: usize = 8;
const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// Compression of segments that are there to stay.
pub(crate) const FULL_ZSTD_LEVEL: i32 = 6;

/// A segment of this many bytes is not merged with others. Well below what live rows become when they are flushed for their size: to
/// write each of those twice would take a third more of the processor.
const FULL_BYTES: u64 = 3 << 20;
/// Segments of this many bytes together are not merged into one: many times that is what their rows take in memory.
const MERGED_BYTES: u64 = 8 << 20;

/// How often to look whether a merge is due.
const TICK: Duration = Duration::from_millis(250);
/// After a failure, how long until the next try.
const RETRY: Duration = Duration::from_secs(5);

/// Merges until the engine stops. A thread of its own, because the flusher must not wait for it: live rows would fill
/// the memory, and senders would have to.
pub(crate) fn run(shared: &Shared) {
    while !shared.stopping.load(Ordering::SeqCst) {
        if let Err(error) = retention::look(shared) {
            warn!(%error, "what was kept for long enough could not be destroyed; it is tried again");
        }
        let rest = match merge_due(shared) {
            Ok(true) => continue,
            Ok(false) => TICK,
            Err(error) => {
                warn!(%error, "segments could not be merged; they stay as they are, trying again");
                RETRY
            }
        };
        (shared.config.before_sleep)();
        std::thread::park_timeout(rest);
    }
}

/// Does one merge, if one is due.
pub(crate) fn merge_due(shared: &Shared) -> Result<bool, FlushError> {
    if shared.reserve.is_spent() {
        // A merge needs room for what it makes before it frees what it read.
        return Ok(false);
    }
    let due = {
        let state = shared.state.lock();
        let due = |(key, partition): (&ClassKey, &Partition)| {
            // What is to be destroyed is not written once more.
            if shared.destructions.takes(&key.0, &key.1) {
                return None;
            }
            let most = shared.config.segment_records;
            let run = if shared.retention.is_limited(key) {
                due_run_of_a_day(&partition.segments, most)?
            } else {
                due_run(&partition.segments, most, FAN_IN)?
            };
            Some((key.clone(), partition.segments[run].to_vec()))
        };
        state.partitions.iter().find_map(due)
    };
    let Some((class, inputs)) = due else { return Ok(false) };
    compact(shared, &class, inputs)?;
    Ok(true)
}

/// Whether so many records are left as they are: to write them anew would cost more than it would save.
pub(crate) fn is_full_size(records: u64, most: u64) -> bool {
    records >= most / 4
}

/// As [`due_run`], of segments of one day of arrival, or old records would stay for as long as young ones. Nothing is added to a day that
/// is over, so its segments need not wait for others.
fn due_run_of_a_day(segments: &[Arc<SegmentHandle>], most: u64) -> Option<std::ops::Range<usize>> {
    let day = |handle: &Arc<SegmentHandle>| handle.row().max_received_ns.div_euclid(DAY_NS);
    let mut start = 0;
    for run in segments.chunk_by(|one, next| day(one) == day(next)) {
        let fan_in = if start + run.len() < segments.len() { 2 } else { FAN_IN };
        if let Some(found) = due_run(run, most, fan_in) {
            return Some(start + found.start..start + found.end);
        }
        start += run.len();
    }
    None
}

/// A run of so many neighbours of one size class whose records fit one segment, none of them full already.
fn due_run(segments: &[Arc<SegmentHandle>], most: u64, fan_in: usize) -> Option<std::ops::Range<usize>> {
    let tier = |handle: &Arc<SegmentHandle>| handle.row().records.max(1).ilog2() / 3;
    let full = |handle: &Arc<SegmentHandle>| {
        is_full_size(handle.row().records, most) || handle.row().plain_bytes >= FULL_BYTES
    };
    let mut start = 0;
    while start < segments.len() {
        if full(&segments[start]) {
            start += 1;
            continue;
        }
        let level = tier(&segments[start]);
        let mut end = start;
        let (mut records, mut bytes) = (0, 0);
        while end < segments.len() && tier(&segments[end]) <= level && !full(&segments[end]) {
            records += segments[end].row().records;
            bytes += segments[end].row().plain_bytes;
            if records > most || bytes > MERGED_BYTES {
                break;
            }
            end += 1;
        }
        let enough = (records > most || bytes > MERGED_BYTES) && end - start >= 2;
        if end - start >= fan_in || enough {
            return Some(start..end);
        }
        start += 1;
    }
    None
}

fn compact(shared: &Shared, class: &ClassKey, inputs: Vec<Arc<SegmentHandle>>) -> Result<(), FlushError> {
    let started = Instant::now();
    let mut parts = Vec::with_capacity(inputs.len());
    for input in &inputs {
        parts.push(input.segment()?.rows_to_merge()?);
    }
    let Some(rows) = merge(parts)? else { return Ok(()) };
    check_roots(shared, class, &rows)?;
    if shared.stopping.load(Ordering::SeqCst) {
        return Ok(());
    }
    let (first, last) = (inputs[0].row().first_batch, inputs[inputs.len() - 1].row().last_batch);
    // Only what an older program wrote has no templates yet.
    let mut miner = class.1.holds_logs().then(|| Miner::new(Limits::default()));
    let segment = write_segment([Ok(rows)], FULL_ZSTD_LEVEL, miner.as_mut())?;
    let key = shared.key_turn.read();
    if shared.destructions.takes(&class.0, &class.1) {
        return Ok(());
    }
    let merged = store_segment(shared, class, segment, first, last)?;
    let turn = shared.catalog_turn.lock();
    let (segments, head) = {
        let state = shared.state.lock();
        let Some(partition) = state.partitions.get(class) else { return Ok(()) };
        let segments = partition.segments.iter().filter(|s| s.row().first_batch < first || s.row().first_batch > last);
        let mut segments: Vec<_> = segments.cloned().chain([merged.clone()]).collect();
        segments.sort_by_key(|segment| segment.row().first_batch);
        (segments, partition.head.clone())
    };
    let head = head_over(&segments, head.destroyed, head.flushed, Hash(head.root));
    let add = vec![merged.row().clone()];
    replace(shared, class, Replacement { segments, add, gone: &inputs, head, secrets: vec![] })?;
    drop((turn, key));
    for input in &inputs {
        let path = ObjectPath::new(&class.0, &class.1, ObjectKind::Segment, input.row().id.as_str())?;
        // Queries that still read it hold it open.
        shared.runtime.block_on(shared.objects.delete(&path))?;
    }
    debug!(
        inputs = inputs.len(),
        records = merged.row().records,
        bytes = merged.row().sealed_bytes,
        elapsed_ms = started.elapsed().as_millis() as u64,
        "compacted"
    );
    Ok(())
}

/// Holds every batch in `rows` against its entry in the tree.
fn check_roots(shared: &Shared, class: &ClassKey, rows: &Rows) -> Result<(), FlushError> {
    let places: HashMap<u64, Places> = batch_places(rows)?;
    for batch in rows.batches() {
        // The flusher may just have replaced a partial tile by a longer one.
        let entry = entry_of(shared, class, batch.number).or_else(|_| entry_of(shared, class, batch.number))?;
        let places = places.get(&batch.number).ok_or("a batch has no rows")?;
        if recompute_root(rows, places, &batch.seed)? != entry.root || entry.records as usize != places.len() {
            return Err(format!(
                "batch {} of `{}/{}` does not have the root its tree says; run `logkeep verify`",
                batch.number, class.0, class.1
            )
            .into());
        }
    }
    Ok(())
}

fn entry_of(shared: &Shared, class: &ClassKey, batch: u64) -> Result<Entry, FlushError> {
    let size = shared.state.lock().partitions.get(class).map_or(0, |partition| partition.published);
    let entry = read_entry(&shared.tiles(class), batch, size)?.ok_or("a batch is not in its tree")?;
    Ok(Entry::decode(&entry)?)
}

/// (index in batch, row), in order of index.
type Places = Vec<(u32, usize)>;

/// Where the records of each batch are.
pub(crate) fn batch_places(rows: &Rows) -> Result<HashMap<u64, Places>, logkeep_segment::RowError> {
    let mut places: HashMap<u64, Places> = HashMap::new();
    for row in 0..rows.len() {
        let (batch, index) = rows.place(row)?;
        places.entry(batch).or_default().push((index, row));
    }
    places.values_mut().for_each(|places| places.sort_unstable());
    Ok(places)
}
