//! Another key-encryption key, while everything goes on.
//!
//! From the moment at which the provider has its new key nothing more is wrapped with the old one. What was before lies in
//! older files of the log, which are brought to segments, and in rows of the catalog, whose keys are wrapped anew; data are
//! not rewritten. It may end anywhere: as long as the old key still unwraps, it is simply begun again.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use logkeep_catalog::{Change, ClassState, Pages, SegmentRow};
use logkeep_cipher::WrappedKey;
use logkeep_store::{ObjectKind, ObjectPath};
use tokio::sync::oneshot;

use crate::engine::{Ingest, Shared};
use crate::flush::FlushError;
use crate::log_keys::{unwrap_blocking, wrap_blocking};
use crate::wal;
use crate::writer::Message;

/// How often to look whether the log has got rid of its older files, and how often at most.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 6_000;
/// Looks at the catalog: what is merged during one shows in the next, and is under the new key.
const PASSES: u32 = 3;

impl Ingest {
    /// Has the provider look for a new key, and wraps the keys of all data with the one it has then. Returns the number of
    /// segments whose keys were not under it yet. Runs inside a multi-threaded runtime, and stops nobody.
    ///
    /// # Errors
    /// What stood in the way: everything can be read, and the next call goes on where this one stopped.
    pub async fn take_up_new_key(&self) -> Result<u64, FlushError> {
        // A provider that goes away in the middle would otherwise stop what comes in.
        self.shared.keys.prepare().await?;
        let rotation = self.rotation();
        let reload = rotation.clone();
        tokio::task::spawn_blocking(move || reload.reload()).await??;
        let file = rotation.begin_log_file().await?;
        self.wait_for_older_files(&rotation, file).await?;
        tokio::task::spawn_blocking(move || rotation.rewrap()).await?
    }

    /// The same a step at a time, for a simulation.
    pub fn rotation(&self) -> RotationStep {
        RotationStep(self.clone())
    }

    /// The flusher takes what holds back the oldest file first.
    pub(crate) async fn wait_for_older_files(&self, rotation: &RotationStep, file: u64) -> io::Result<()> {
        for _ in 0..LOOKS {
            if rotation.is_rid_of_files_before(file)? {
                return Ok(());
            }
            self.shared.wake_flusher();
            tokio::time::sleep(LOOK).await;
        }
        Err(io::Error::other("the write-ahead log still has batches under the old key, which could not be flushed"))
    }
}

/// What taking up a new key consists of, a step at a time.
#[derive(Clone)]
pub struct RotationStep(Ingest);

impl RotationStep {
    /// Has the provider look for a new key, while nobody has wrapped a key and not told the catalog yet.
    ///
    /// # Errors
    /// What the provider says; it goes on with the key that it has.
    pub fn reload(&self) -> Result<(), FlushError> {
        let _nobody = self.0.shared.key_turn.write();
        Ok(self.0.shared.keys.reload()?)
    }

    /// Has the writer begin a file of the log, so that no older one gets another frame. Returns its number.
    ///
    /// # Errors
    /// The writer could not, or is stopping.
    pub async fn begin_log_file(&self) -> Result<u64, FlushError> {
        let (reply, answer) = oneshot::channel();
        let stopped = "the engine is stopping";
        self.0.queue.send(Message::BeginFile(reply)).await.map_err(|_| stopped)?;
        Ok(answer.await.map_err(|_| stopped)??)
    }

    /// Whether every batch of older files of the log is in a segment, and they are gone.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn is_rid_of_files_before(&self, file: u64) -> io::Result<bool> {
        let shared = &self.0.shared;
        let files = wal::list(&*shared.disk, &shared.wal_folder)?;
        Ok(files.iter().all(|(number, _)| *number >= file))
    }

    /// Wraps the keys of segments with the key that the provider has. Returns how many were not under it yet.
    ///
    /// # Errors
    /// What stood in the way; what is done stays done.
    pub fn rewrap(&self) -> Result<u64, FlushError> {
        rewrap_segments(&self.0.shared)
    }
}

fn rewrap_segments(shared: &Shared) -> Result<u64, FlushError> {
    let mut total = 0;
    for _ in 0..PASSES {
        let mut found = 0;
        for state in shared.runtime.block_on(shared.catalog.load())? {
            let rows = rewrapped(shared, &state)?;
            found += rows.len();
            total += exchange(shared, state, rows)?;
        }
        if found == 0 {
            return Ok(total);
        }
    }
    Err("segments are still under the old key; their class changes all the time".into())
}

/// The rows that are not under the current key, as they are with it.
fn rewrapped(shared: &Shared, state: &ClassState) -> Result<Vec<SegmentRow>, FlushError> {
    let mut rows = Vec::new();
    for row in &state.segments {
        let path = ObjectPath::new(&state.tenant, &state.class, ObjectKind::Segment, row.id.as_str())?;
        let wrapped = WrappedKey(row.wrapped_key.clone());
        if shared.keys.is_current(&wrapped, path.as_str()) {
            continue;
        }
        let key = unwrap_blocking(shared, &wrapped, path.as_str())?;
        rows.push(SegmentRow { wrapped_key: wrap_blocking(shared, &key, path.as_str())?.0, ..row.clone() });
    }
    Ok(rows)
}

/// Puts them in the place of those that are still there.
fn exchange(shared: &Shared, class: ClassState, mut rows: Vec<SegmentRow>) -> Result<u64, FlushError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let ClassState { tenant, class, .. } = class;
    let _turn = shared.catalog_turn.lock();
    let head = {
        let state = shared.state.lock();
        let Some(partition) = state.partitions.get(&(tenant.clone(), class.clone())) else { return Ok(0) };
        let there: HashSet<&str> = partition.segments.iter().map(|segment| segment.row().id.as_str()).collect();
        rows.retain(|row| there.contains(row.id.as_str()));
        partition.head.clone()
    };
    let done = rows.len() as u64;
    let remove = rows.iter().map(|row| row.id.clone()).collect();
    let change = Change {
        tenant,
        class,
        add: rows,
        remove,
        head,
        keys: vec![],
        documents: None,
        pages: Pages::default(),
        secrets: vec![],
    };
    shared.runtime.block_on(shared.catalog.commit(change))?;
    Ok(done)
}
