//! What a data folder held when it was left, clean or not: segments from the catalog, and the batches after them from the
//! log.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use logkeep_catalog::{BatchKey, CatalogError, ClassState};
use logkeep_cipher::WrappedKey;
use logkeep_record::{Class, TenantId};
use logkeep_segment::Rows;
use logkeep_store::{Disk, KeyProvider, KeyProviderError};
use logkeep_tlog::Tree;
use tracing::{info, warn};

use crate::batch_keys::BatchKeys;
use crate::documents::{Documents, Run};
use crate::engine::{OpenError, Shared, io_error, open_segment};
use crate::log_keys::key_context;
use crate::published;
use crate::state::{ClassKey, Partition, Snapshot, State};
use crate::wal::{self, BatchFrame, Fault, Recovered};

/// Reads a file of the log. Blocks; only where that is allowed, inside a multi-threaded runtime.
///
/// # Errors
/// Of a key provider that is away, nothing can be told about a file: what it cannot open now is no damage.
pub(crate) fn read_log(
    disk: &(dyn Disk + 'static),
    keys: &Arc<dyn KeyProvider>,
    number: u64,
    path: &Path,
) -> Result<Recovered, OpenError> {
    let mut away = None;
    let mut unwrap = |tenant: &TenantId, wrapped: &[u8]| {
        let (wrapped, context) = (WrappedKey(wrapped.to_vec()), key_context(number, tenant));
        let unwrap = keys.unwrap(&wrapped, &context);
        let unwrapped = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(unwrap));
        unwrapped.map_err(|error| {
            let what = error.to_string();
            if !matches!(error, KeyProviderError::Unwrap(_)) {
                away.get_or_insert(error);
            }
            what
        })
    };
    let found = wal::recover(disk, path, number, &mut unwrap).map_err(io_error(path))?;
    away.map_or(Ok(found), |error| Err(error.into()))
}

/// What follows from what was found.
pub(crate) struct NextFile {
    /// Of the file of the log to begin.
    pub(crate) number: u64,
    /// Damage in those before.
    pub(crate) faults: Vec<Fault>,
}

/// Segments from the catalog, then the batches after them from the log.
pub(crate) async fn recover(shared: &Arc<Shared>) -> Result<NextFile, OpenError> {
    let states = shared.catalog.load().await?;
    let mut state = State::default();
    for class in states {
        let key = (class.tenant.clone(), class.class.clone());
        let partition = partition_of(shared, &key, class).await?;
        state.partitions.insert(key, partition);
    }
    for found in shared.catalog.pages().await? {
        state.pages.insert((found.tenant, found.class), found.pages);
    }
    let since_ns = shared.config.dedupe.since_ns(shared.clock.now_ns());
    state.keys = BatchKeys::since(since_ns, shared.catalog.batch_keys(since_ns).await?);
    state.documents = Documents::since(since_ns, documents(shared, since_ns).await?);
    let mut faults = Vec::new();
    let mut cuts = Vec::new();
    let mut frames = Vec::new();
    let mut number = 1;
    for (file, path) in wal::list(&*shared.disk, &shared.wal_folder).map_err(io_error(&shared.wal_folder))? {
        let found = read_log(&*shared.disk, &shared.keys, file, &path)?;
        if found.torn_bytes > 0 {
            info!(file = %path.display(), bytes = found.torn_bytes, "cut off a frame that was never acknowledged");
        }
        for fault in &found.faults {
            warn!(file = %path.display(), at = fault.at, what = fault.what, "the write-ahead log is damaged");
        }
        faults.extend(found.faults);
        cuts.extend(found.cut_at.map(|at| (path.clone(), at)));
        shared.wal_files.lock().begin(file);
        frames.extend(found.batches.into_iter().map(|frame| (file, frame)));
        number = file + 1;
    }
    wal::keep_latest(&mut frames, |(_, frame)| &frame.entry);
    for (file, frame) in frames {
        restore(shared, &mut state, file, frame)?;
    }
    published::check(shared, &state)?;
    if !faults.is_empty() {
        set_aside(shared, &faults)?;
    }
    for (path, at) in cuts {
        shared.disk.cut(&path, at).map_err(io_error(&path))?;
    }
    state.count_live_bytes();
    let keys: Vec<ClassKey> = state.partitions.keys().cloned().collect();
    let snapshot = state.snapshot(&Snapshot::default(), &keys);
    *shared.state.lock() = state;
    shared.snapshot.store(Arc::new(snapshot));
    Ok(NextFile { number, faults })
}

async fn documents(shared: &Shared, since_ns: i64) -> Result<Vec<Run>, OpenError> {
    shared.catalog.forget_documents(since_ns, shared.config.dedupe.documents as u64).await?;
    let corrupt = || CatalogError::Corrupt("of documents is of an unknown form".to_owned());
    let mut runs = Vec::new();
    for body in shared.catalog.documents().await? {
        runs.extend(Run::decode_all(&body).ok_or_else(corrupt)?);
    }
    Ok(runs)
}

async fn partition_of(shared: &Arc<Shared>, key: &ClassKey, class: ClassState) -> Result<Partition, OpenError> {
    let tree_error = |what: String| OpenError::Tree { class: format!("{}/{}", key.0, key.1), what };
    let tree = Tree::load(&shared.tiles(key), class.head.flushed, logkeep_tlog::Hash(class.head.root))
        .map_err(|error| tree_error(error.to_string()))?;
    let mut segments = Vec::with_capacity(class.segments.len());
    for row in class.segments {
        segments.push(Arc::new(open_segment(shared, key, row).await?));
    }
    let published = class.head.flushed;
    Ok(Partition { tree, published, head: class.head, segments: Arc::new(segments), ..Partition::new() })
}

/// Puts a recovered batch where it was, unless a segment has it already.
fn restore(shared: &Shared, state: &mut State, file: u64, frame: BatchFrame) -> Result<(), OpenError> {
    let damaged =
        |what: String| OpenError::Tree { class: format!("{}/{}", frame.entry.tenant, frame.entry.class), what };
    let tenant = TenantId::new(&frame.entry.tenant).map_err(|error| damaged(error.to_string()))?;
    let class = Class::new(&frame.entry.class).map_err(|error| damaged(error.to_string()))?;
    let class_key = (tenant, class);
    let number = frame.entry.batch;
    shared.wal_files.lock().note(file, &class_key, number);
    let partition = state.partitions.entry(class_key.clone()).or_insert_with(Partition::new);
    let next = partition.tree.size();
    if number < next {
        return Ok(());
    }
    if number > next {
        let class = format!("{}/{}", frame.entry.tenant, frame.entry.class);
        return Err(OpenError::Gap { class, from: next, to: number - 1 });
    }
    let rows = Rows::from_payload(&frame.payload, number, frame.seed).map_err(|error| damaged(error.to_string()))?;
    let entry = frame.entry.encode().map_err(|error| damaged(error.to_string()))?;
    partition.tree.append(&entry).map_err(|error| damaged(error.to_string()))?;
    partition.push_live(Arc::new(rows), number, shared.clock.elapsed_ns());
    partition.ledger.merge(&frame.ledger);
    if let Some(hmac) = frame.key {
        state.keys.add(&class_key, number, BatchKey { hmac, received_ns: frame.entry.max_received_ns });
    }
    if let Some(run) = frame.documents {
        state.documents.found(&class_key, number, run);
    }
    Ok(())
}

/// Copies damaged files of the log where nothing will delete them.
fn set_aside(shared: &Shared, faults: &[Fault]) -> Result<(), OpenError> {
    let folder = shared.config.data_dir.join("quarantine");
    shared.folders.ensure(&folder).map_err(io_error(&folder))?;
    for file in faults.iter().map(|fault| &fault.file).collect::<BTreeSet<_>>() {
        let Some(name) = file.file_name() else { continue };
        let kept = folder.join(name);
        let bytes = shared.disk.read(file).map_err(io_error(file))?;
        shared.disk.replace(&kept, &bytes).map_err(io_error(&kept))?;
    }
    Ok(())
}
