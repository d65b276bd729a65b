//! The engine: opens a data folder, recovers it, and runs the writer, the flusher and the compactor over it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use logkeep_catalog::Catalog;
use logkeep_cipher::{DataKey, WrappedKey, hmac_sha256};
use logkeep_record::{Class, RecordId, TenantId};
use logkeep_segment::Rows;
use logkeep_store::{
    Clock, Disk, Folders, KeyProvider, KeyProviderError, ObjectKind, ObjectPath, Random, SealedObjects,
};
use logkeep_tlog::Signer;
use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{broadcast, mpsc, oneshot};
use tracing::warn;

use crate::batch::Batch;
use crate::batch_keys::Dedupe;
use crate::compact;
use crate::destroy::{Destructions, orders};
use crate::documents::{Document, Run};
use crate::files::WalFiles;
use crate::flush::Flusher;
use crate::ledger::Waiting;
use crate::open_segments::OpenSegments;
use crate::recovery::recover;
use crate::reserve::Reserve;
use crate::retention::Retention;
use crate::state::{ClassKey, SegmentHandle, Snapshot, State};
use crate::steps::Steps;
use crate::succession;
use crate::tiles::TileFolder;
use crate::wal::{Fault, WalFile};
use crate::writer::{CommitError, Committed, Message, Part, QUEUE, Request, RequestKey, Writer};

/// What can be set.
#[derive(Clone, Debug)]
pub struct IngestConfig {
    /// The data folder.
    pub data_dir: PathBuf,
    /// Live rows of one class are flushed to a segment at this size in memory.
    pub flush_bytes: usize,
    /// … or at this age.
    pub flush_interval: Duration,
    /// Live rows of all classes together; beyond it the writer waits for the flusher.
    pub live_bytes: usize,
    /// Size at which a new file of the log is begun.
    pub wal_file_bytes: u64,
    /// Records of a segment at most, when segments are merged.
    pub segment_records: u64,
    /// Memory for the footers and indexes of segments that queries have opened, in bytes.
    pub open_segments_bytes: usize,
    /// Bytes held back so that audit trail and catalog can be written when the disk is full; 0 for none.
    pub reserve_bytes: u64,
    /// For how long a retry is known.
    pub dedupe: Dedupe,
    /// What the threads that flush and merge do before they rest: an allocator can give back only a thread's own memory.
    pub before_sleep: fn(),
}

impl IngestConfig {
    /// The defaults over a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            flush_bytes: 40 << 20,
            flush_interval: Duration::from_secs(60),
            live_bytes: 80 << 20,
            wal_file_bytes: 64 << 20,
            segment_records: 196_608,
            open_segments_bytes: 128 << 20,
            reserve_bytes: 0,
            dedupe: Dedupe::default(),
            before_sleep: || {},
        }
    }
}

/// Batches a slow subscriber may lag behind before it misses some.
const ARRIVALS: usize = 512;

/// A batch that has just become searchable.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Whose.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// Its rows.
    pub rows: Arc<Rows>,
}

/// What the engine stands on. The data folder lies on the disk of the objects.
pub struct Parts {
    /// Which segments exist.
    pub catalog: Arc<dyn Catalog>,
    /// Where they lie.
    pub objects: SealedObjects,
    /// What wraps their keys.
    pub keys: Arc<dyn KeyProvider>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where keys and seeds come from.
    pub random: Arc<dyn Random>,
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] logkeep_catalog::CatalogError),
    /// The file system.
    #[error("`{path}`: {cause}")]
    Io {
        /// Where.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A tree does not have the root that the catalog says.
    #[error("tree of `{class}`: {what}; set the data folder aside unchanged and run `logkeep verify`")]
    Tree {
        /// Tenant and class.
        class: String,
        /// Why.
        what: String,
    },
    /// A key cannot be had.
    #[error(transparent)]
    Key(#[from] KeyProviderError),
    /// An object the catalog names.
    #[error(transparent)]
    Object(#[from] logkeep_store::StoreError),
    /// The signing key of checkpoints is damaged.
    #[error("signing key of checkpoints: {0}")]
    Signer(String),
    /// Acknowledged batches are missing between the segments and the log.
    #[error(
        "batches {from} to {to} of `{class}` are missing from the write-ahead log; set the data folder aside unchanged and run `logkeep verify`"
    )]
    Gap {
        /// Tenant and class.
        class: String,
        /// First one missing.
        from: u64,
        /// Last one missing.
        to: u64,
    },
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.display().to_string();
    |cause| OpenError::Io { path, cause }
}

/// What the writer, the flusher and the readers share.
pub(crate) struct Shared {
    pub(crate) config: IngestConfig,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) objects: SealedObjects,
    pub(crate) keys: Arc<dyn KeyProvider>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folders: Folders,
    pub(crate) reserve: Reserve,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) wal_folder: PathBuf,
    pub(crate) tlog_folder: PathBuf,
    pub(crate) state: Mutex<State>,
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) wal_files: Mutex<WalFiles>,
    /// Locked after `state` by whoever needs both.
    pub(crate) waiting: Mutex<Waiting>,
    pub(crate) signer: Signer,
    pub(crate) installation: String,
    /// For each class that was restored from a backup, the line that its checkpoints carry.
    pub(crate) successions: succession::Lines,
    pub(crate) stopping: AtomicBool,
    pub(crate) open_segments: Arc<OpenSegments>,
    pub(crate) arrivals: broadcast::Sender<Arrived>,
    /// Tenants whose data are destroyed, or to be.
    pub(crate) destructions: Destructions,
    pub(crate) retention: Retention,
    /// To the writer, for those who have no handle of the engine.
    pub(crate) queue: OnceLock<mpsc::WeakSender<Message>>,
    /// Held by whoever changes the list of segments, from reading it until the new one is in the catalog and in view.
    pub(crate) catalog_turn: Mutex<()>,
    /// Held for reading from wrapping a segment's key until the catalog has it, and for writing by whoever changes the key
    /// that wraps.
    pub(crate) key_turn: RwLock<()>,
    wake: (Mutex<bool>, Condvar),
    room: Condvar,
}

impl Shared {
    pub(crate) fn wake_flusher(&self) {
        *self.wake.0.lock() = true;
        self.wake.1.notify_one();
    }

    /// Waits until something happened or `timeout` passed.
    pub(crate) fn sleep_flusher(&self, timeout: Duration) {
        (self.config.before_sleep)();
        let mut woken = self.wake.0.lock();
        if !*woken {
            self.wake.1.wait_for(&mut woken, timeout);
        }
        *woken = false;
    }

    /// Slows the writer, and with it the senders, while too many rows wait to be flushed.
    pub(crate) fn wait_for_room(&self) {
        let mut state = self.state.lock();
        if state.live_bytes > self.config.live_bytes {
            self.wake_flusher();
            self.room.wait_while_for(
                &mut state,
                |state| state.live_bytes > self.config.live_bytes && !self.stopping.load(Ordering::Relaxed),
                Duration::from_secs(30),
            );
        }
    }

    pub(crate) fn made_room(&self) {
        self.room.notify_all();
    }

    /// How long ago `since_ns` was by [`Clock::elapsed_ns`].
    pub(crate) fn waited(&self, since_ns: u64) -> Duration {
        Duration::from_nanos(self.clock.elapsed_ns().saturating_sub(since_ns))
    }

    pub(crate) fn tiles(&self, (tenant, class): &ClassKey) -> TileFolder {
        TileFolder::new(self.disk.clone(), &self.tlog_folder, tenant, class)
    }

    pub(crate) fn origin(&self, (tenant, class): &ClassKey) -> String {
        format!("logkeep/{}/{tenant}/{class}", self.installation)
    }
}

/// A running engine. Cheap to clone.
#[derive(Clone)]
pub struct Ingest {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: mpsc::Sender<Message>,
    threads: Arc<Mutex<Vec<JoinHandle<()>>>>,
    key_secret: Arc<[u8]>,
    faults: Arc<Vec<Fault>>,
}

impl Ingest {
    /// Opens the data folder and recovers what the last stop left. Blocks; call it where blocking is allowed, inside a
    /// multi-threaded Tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was changed but files a crash had left half written.
    pub async fn open(config: IngestConfig, parts: Parts) -> Result<Self, OpenError> {
        let (ingest, Steps { writer, requests, flusher, shared }) = Self::open_stepped(config, parts).await?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(run).map_err(io_error(Path::new(name)))
        };
        let threads = vec![
            spawn("wal-writer", Box::new(move || writer.run(requests)))?,
            spawn("flusher", Box::new(move || flusher.run()))?,
            spawn("compactor", Box::new(move || compact::run(&shared)))?,
        ];
        *ingest.threads.lock() = threads;
        Ok(ingest)
    }

    /// As [`Ingest::open`], but without threads: whoever calls does their steps, one at a time and in an order of their
    /// own choice. For a simulation, which must be able to repeat itself.
    ///
    /// # Errors
    /// As there.
    pub async fn open_stepped(config: IngestConfig, parts: Parts) -> Result<(Self, Steps), OpenError> {
        let wal_folder = config.data_dir.join("wal");
        let tlog_folder = config.data_dir.join("tlog");
        let disk = parts.objects.disk();
        let folders = Folders::below(disk.clone(), &config.data_dir);
        let reserve = Reserve::open(disk.clone(), &config.data_dir, config.reserve_bytes);
        let reserve = reserve.map_err(io_error(&config.data_dir))?;
        for folder in [&wal_folder, &tlog_folder] {
            folders.ensure(folder).map_err(io_error(folder))?;
        }
        let installation = secret(&parts, "installation", 8).await?;
        let installation: String = installation.iter().map(|byte| format!("{byte:02x}")).collect();
        let signer = signer(&parts, &installation).await?;
        let key_secret = secret(&parts, "batch-keys", 32).await?;
        let public_key = tlog_folder.join("public-key");
        disk.replace(&public_key, format!("{}\n", signer.public_key()).as_bytes()).map_err(io_error(&public_key))?;
        let shared = Arc::new(Shared {
            catalog: parts.catalog.clone(),
            objects: parts.objects,
            keys: parts.keys,
            clock: parts.clock,
            random: parts.random,
            disk,
            folders,
            reserve,
            runtime: tokio::runtime::Handle::current(),
            wal_folder,
            tlog_folder,
            state: Mutex::default(),
            snapshot: ArcSwap::default(),
            wal_files: Mutex::default(),
            waiting: Mutex::default(),
            successions: succession::load(&*parts.catalog).await?,
            signer,
            installation,
            stopping: AtomicBool::new(false),
            open_segments: Arc::new(OpenSegments::new(config.open_segments_bytes)),
            arrivals: broadcast::Sender::new(ARRIVALS),
            destructions: Destructions::default(),
            retention: Retention::default(),
            queue: OnceLock::new(),
            catalog_turn: Mutex::new(()),
            key_turn: RwLock::new(()),
            wake: (Mutex::new(false), Condvar::new()),
            room: Condvar::new(),
            config,
        });
        shared.destructions.know(orders(&*shared.catalog).await?);
        let next_file = Box::pin(recover(&shared)).await?;
        let wal = WalFile::create(&*shared.disk, &shared.wal_folder, next_file.number)
            .map_err(io_error(&shared.wal_folder))?;
        shared.wal_files.lock().begin(next_file.number);
        shared.reserve.restore();
        let (queue, requests) = mpsc::channel(QUEUE);
        drop(shared.queue.set(queue.downgrade()));
        let writer = Writer::new(shared.clone(), wal, queue.downgrade());
        let flusher = Flusher::new(shared.clone());
        let ingest = Self {
            shared: shared.clone(),
            queue,
            threads: Arc::default(),
            key_secret: key_secret.into(),
            faults: Arc::new(next_file.faults),
        };
        Ok((ingest, Steps { writer, requests, flusher, shared }))
    }

    /// Stores a batch. Returns once it is durable, sealed and searchable. With a `key`, a batch of the same tenant that
    /// came with the same key before is recognised and not stored again.
    ///
    /// # Errors
    /// [`CommitError`]: nothing of it was stored; send again later.
    pub async fn commit(
        &self,
        tenant: &TenantId,
        class: &Class,
        batch: Batch,
        key: Option<&[u8]>,
    ) -> Result<Committed, CommitError> {
        let records = batch.records();
        let part = Part { tenant: tenant.clone(), class: class.clone(), batch };
        let stored = self.commit_request(tenant, vec![part], key, Vec::new()).await?;
        let first = stored.and_then(|firsts| firsts.into_iter().next());
        Ok(Committed { records: first.as_ref().map_or(0, |_| records), first })
    }

    /// Stores the batches of one request of a tenant, wherever each goes: all of them or none, also over a crash. Returns the
    /// first record of each once they are durable, sealed and searchable. With a `key`, a request of the same tenant that came
    /// with the same key before is recognised, whatever its batches were then: `None`. The `documents` that are in it are given
    /// back when the folder is opened again, for as long as [`Dedupe`](crate::Dedupe) says.
    ///
    /// # Errors
    /// [`CommitError`]: nothing of it was stored; send again later.
    pub async fn commit_request(
        &self,
        tenant: &TenantId,
        mut parts: Vec<Part>,
        key: Option<&[u8]>,
        documents: Vec<Document>,
    ) -> Result<Option<Vec<RecordId>>, CommitError> {
        if parts.is_empty() {
            return Ok(Some(Vec::new()));
        }
        parts.iter_mut().for_each(|part| part.batch.count_rest());
        let received_ns = parts[0].batch.received_ns();
        let documents = (!documents.is_empty()).then_some(Run { received_ns, documents });
        let key = key.map(|key| self.request_key(tenant, key));
        let (reply, answer) = oneshot::channel();
        let request = Request { tenant: tenant.clone(), parts, key, documents, log_key: None, reply };
        if self.shared.stopping.load(Ordering::Relaxed) {
            return Err(CommitError::Stopping);
        }
        self.queue.send(Message::Commit(request)).await.map_err(|_| CommitError::Stopping)?;
        answer.await.map_err(|_| CommitError::Stopping)?
    }

    fn request_key(&self, tenant: &TenantId, key: &[u8]) -> RequestKey {
        let named = [b"of ".as_slice(), tenant.as_str().as_bytes(), &[0], key].concat();
        RequestKey { own: hmac_sha256(&self.key_secret, key), named: hmac_sha256(&self.key_secret, &named) }
    }

    /// Whether a request of this tenant has been stored with this key, in the time that keys are remembered for. Of one that is
    /// under way nothing is known.
    pub fn knows(&self, tenant: &TenantId, key: &[u8]) -> bool {
        let since_ns = self.shared.config.dedupe.since_ns(self.shared.clock.now_ns());
        self.request_key(tenant, key).is_in(&self.shared.state.lock().keys, tenant, since_ns)
    }

    /// The documents that were stored before the folder was opened, oldest first, and when each came, nanoseconds. The second
    /// time there are none.
    pub fn take_documents(&self) -> Vec<(i64, Document)> {
        let found = self.shared.state.lock().documents.take_found();
        found
            .into_iter()
            .flat_map(|run| run.documents.into_iter().map(move |document| (run.received_ns, document)))
            .collect()
    }

    /// Everything searchable now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Every batch from now on, as it becomes searchable. A subscriber that is too slow is told how many it missed.
    pub fn arrivals(&self) -> broadcast::Receiver<Arrived> {
        self.shared.arrivals.subscribe()
    }

    /// The clock of the engine.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Damage found in the write-ahead log when it was opened. The files are kept aside.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Flushes everything and stops. Commits from now on are refused.
    pub fn close(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.made_room();
        self.shared.wake_flusher();
        let threads: Vec<_> = self.threads.lock().drain(..).collect();
        // The writer ends when the last sender of its queue is gone, which this handle is not: it is left behind.
        for thread in threads.into_iter().skip(1) {
            thread.thread().unpark();
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                warn!("the {name} ended by a panic; the write-ahead log has what was not flushed");
            }
        }
    }
}

/// A secret of the installation, made on the first start.
async fn secret(parts: &Parts, name: &str, bytes: usize) -> Result<Vec<u8>, OpenError> {
    if let Some(secret) = parts.catalog.secret(name).await? {
        return Ok(secret);
    }
    let secret = parts.random.secret()[..bytes].to_vec();
    parts.catalog.set_secret(name, &secret).await?;
    Ok(secret)
}

async fn signer(parts: &Parts, installation: &str) -> Result<Signer, OpenError> {
    let seed = secret(parts, "checkpoint-signer", 32).await?;
    let seed = seed.try_into().map_err(|_| OpenError::Signer("it is not 32 bytes".into()))?;
    Signer::from_seed(&format!("logkeep-{installation}"), seed).map_err(|error| OpenError::Signer(error.to_string()))
}

pub(crate) async fn open_segment(
    shared: &Shared,
    (tenant, class): &ClassKey,
    row: logkeep_catalog::SegmentRow,
) -> Result<SegmentHandle, OpenError> {
    let path = ObjectPath::new(tenant, class, ObjectKind::Segment, row.id.as_str())
        .map_err(|error| OpenError::Tree { class: format!("{tenant}/{class}"), what: error.to_string() })?;
    let key = shared.keys.unwrap(&WrappedKey(row.wrapped_key.clone()), path.as_str()).await?;
    Ok(open_with(shared, &path, row, &key)?)
}

/// The segment of a key that is at hand.
pub(crate) fn open_with(
    shared: &Shared,
    path: &ObjectPath,
    row: logkeep_catalog::SegmentRow,
    key: &DataKey,
) -> Result<SegmentHandle, logkeep_store::StoreError> {
    let object = shared.objects.open(path, key, row.plain_bytes)?;
    Ok(SegmentHandle::new(row, object, shared.open_segments.clone()))
}
