//! The one writer of the log.
//!
//! Requests that arrive while a group is being synced form the next group, so the log is as fast under load as the disk
//! can sync, and a lone request waits for nothing but its own sync.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use logkeep_catalog::BatchKey;
use logkeep_record::{Class, RecordId, TenantId};
use logkeep_segment::Rows;
use logkeep_tlog::Entry;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::batch::Batch;
use crate::engine::{Arrived, Shared};
use crate::log_keys::{LogKey, LogKeys};
use crate::reserve::is_full;
use crate::state::{ClassKey, Partition, State};
use crate::wal::{BatchParts, WalFile};

/// Requests that wait for the writer at most; senders beyond it wait themselves.
pub(crate) const QUEUE: usize = 256;
/// Bytes of payload after which a group is closed.
const GROUP_BYTES: usize = 16 << 20;

/// Size of a file of the log after which the next is begun while the disk is full.
const FULL_FILE_BYTES: u64 = 1 << 20;

/// A batch that is durable, sealed and searchable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its first record; the others follow by index. `None` if the batch was recognised as stored before.
    pub first: Option<RecordId>,
    /// Records stored by this request.
    pub records: usize,
}

/// Why a batch was not stored. Nothing of it was.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CommitError {
    /// The disk is full. Retry later.
    #[error("storage is full; nothing was stored, send again later")]
    Full,
    /// The disk, the key provider or the queue fails at the moment. Retry later.
    #[error("storage is unavailable ({0}); nothing was stored, send again later")]
    Unavailable(String),
    /// The server is stopping. Retry, at another time or place.
    #[error("the server is stopping; nothing was stored, send again later")]
    Stopping,
}

pub(crate) struct Request {
    pub(crate) tenant: TenantId,
    pub(crate) class: Class,
    pub(crate) batch: Batch,
    pub(crate) key: Option<[u8; 32]>,
    /// The key of its tenant, if it stepped aside to wait for that.
    pub(crate) log_key: Option<LogKey>,
    pub(crate) reply: oneshot::Sender<Result<Committed, CommitError>>,
}

/// What the writer is asked for.
#[expect(clippy::large_enum_variant, reason = "all but a few are the large one")]
pub(crate) enum Message {
    /// To store a batch.
    Commit(Request),
    /// To begin a file of the log now, and say which.
    BeginFile(oneshot::Sender<io::Result<u64>>),
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    wal: WalFile,
    keys: LogKeys,
    /// After a failure that could not be undone: refuse everything until a restart has sorted it out.
    broken: Option<CommitError>,
    /// The last group did not become durable. It took sequence numbers with it, and perhaps the frame of a tenant's key,
    /// so nothing may follow in this file.
    spent: bool,
}

/// A request that has its place, waiting for the sync.
struct Placed {
    request: Request,
    entry: Vec<u8>,
    number: u64,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, wal: WalFile, queue: mpsc::WeakSender<Message>) -> Self {
        Self { keys: LogKeys::new(shared.clone(), queue), shared, wal, broken: None, spent: false }
    }

    pub(crate) fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        while let Some(first) = queue.blocking_recv() {
            self.group(first, &mut queue);
        }
    }

    /// Commits a request with those that wait behind it.
    pub(crate) fn group(&mut self, first: Message, queue: &mut mpsc::Receiver<Message>) {
        let (mut bytes, mut group, mut begin) = (0, Vec::new(), None);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Commit(request) => {
                    bytes += request.batch.payload.len();
                    group.push(request);
                }
                Message::BeginFile(reply) => begin = Some(reply),
            }
            next = if bytes < GROUP_BYTES && begin.is_none() { queue.try_recv().ok() } else { None };
        }
        let group = self.admit(group);
        if !group.is_empty() {
            self.shared.wait_for_room();
            self.commit(group);
        }
        if let Some(reply) = begin {
            drop(reply.send(self.begin_file()));
        }
    }

    fn begin_file(&mut self) -> io::Result<u64> {
        match &self.broken {
            Some(broken) => Err(io::Error::other(broken.clone())),
            None => self.rotate_even_if_full().map(|()| self.wal.number()),
        }
    }

    /// While the disk is full, only the audit trail is written.
    fn admit(&mut self, group: Vec<Request>) -> Vec<Request> {
        if !self.shared.reserve.is_spent() {
            return group;
        }
        if self.wal.len() >= FULL_FILE_BYTES && !self.spent && self.broken.is_none() {
            // A file goes once it is flushed, but for the one that is written to.
            drop(self.rotate());
        }
        let (audit, rest): (Vec<_>, Vec<_>) = group.into_iter().partition(|request| request.class == Class::audit());
        rest.into_iter().for_each(|request| drop(request.reply.send(Err(CommitError::Full))));
        audit
    }

    fn commit(&mut self, group: Vec<Request>) {
        if let Some(error) = &self.broken {
            group.into_iter().for_each(|request| drop(request.reply.send(Err(error.clone()))));
            return;
        }
        if self.spent
            && let Err(cause) = self.rotate_even_if_full()
        {
            let answer = refusal(&cause);
            group.into_iter().for_each(|request| drop(request.reply.send(Err(answer.clone()))));
            return;
        }
        let group = self.keys.ready(&mut self.wal, group);
        if group.is_empty() {
            return;
        }
        let (placed, repeats) = self.place(group);
        match self.wal.commit() {
            Ok(()) => self.publish(placed, repeats),
            Err(error) => self.fail(&error, placed.into_iter().map(|placed| placed.request).chain(repeats)),
        }
        if self.wal.len() >= self.shared.config.wal_file_bytes
            && let Err(error) = self.rotate()
        {
            warn!(%error, "no new file for the log yet, going on with the old one");
        }
    }

    /// Gives each request its batch number and adds its frame. Repeats of stored batches are set apart: they are
    /// answered with the group, as the original may be in this very group.
    fn place(&mut self, group: Vec<Request>) -> (Vec<Placed>, Vec<Request>) {
        let shared = self.shared.clone();
        let since_ns = shared.config.dedupe.since_ns(shared.clock.now_ns());
        let state = shared.state.lock();
        let mut placed: Vec<Placed> = Vec::with_capacity(group.len());
        let mut repeats = Vec::new();
        let mut pending: HashMap<ClassKey, u64> = HashMap::new();
        let mut keys: HashSet<(TenantId, [u8; 32])> = HashSet::new();
        for request in group {
            let known = |key: &[u8; 32]| {
                state.keys.knows(&request.tenant, key, since_ns) || keys.contains(&(request.tenant.clone(), *key))
            };
            if request.key.as_ref().is_some_and(known) {
                repeats.push(request);
                continue;
            }
            let class_key = (request.tenant.clone(), request.class.clone());
            let ahead = pending.entry(class_key.clone()).or_default();
            let number = state.partitions.get(&class_key).map_or(0, |partition| partition.tree.size()) + *ahead;
            match self.add_frame(&request, number) {
                Ok(entry) => {
                    *ahead += 1;
                    keys.extend(request.key.map(|key| (request.tenant.clone(), key)));
                    placed.push(Placed { request, entry, number });
                }
                Err(error) => drop(request.reply.send(Err(CommitError::Unavailable(error.to_string())))),
            }
        }
        (placed, repeats)
    }

    fn add_frame(&mut self, request: &Request, number: u64) -> io::Result<Vec<u8>> {
        let batch = &request.batch;
        let entry = Entry {
            tenant: request.tenant.to_string(),
            class: request.class.to_string(),
            batch: number,
            records: batch.records() as u32,
            min_time_ns: batch.bounds.time.0,
            max_time_ns: batch.bounds.time.1,
            min_received_ns: batch.bounds.received.0,
            max_received_ns: batch.bounds.received.1,
            root: batch.root,
        };
        let sealed = BatchParts {
            entry: &entry,
            key: request.key.as_ref(),
            seed: &batch.seed,
            ledger: &batch.ledger,
            payload: &batch.payload,
        };
        self.wal.add_batch(&request.tenant, &sealed)?;
        entry.encode().map_err(io::Error::other)
    }

    /// After the sync: into the trees and the views, then the acknowledgements.
    fn publish(&mut self, placed: Vec<Placed>, repeats: Vec<Request>) {
        let (now_ns, elapsed_ns) = (self.shared.clock.now_ns(), self.shared.clock.elapsed_ns());
        let mut replies = Vec::with_capacity(placed.len());
        let mut arrived = Vec::with_capacity(placed.len());
        {
            let mut state = self.shared.state.lock();
            let mut changed: HashSet<ClassKey> = HashSet::new();
            for Placed { request, entry, number } in placed {
                let class_key = (request.tenant, request.class);
                let published = publish_one(&mut state, &class_key, request.batch, &entry, (number, elapsed_ns));
                if let Some(hmac) = request.key {
                    state.keys.add(&class_key, number, BatchKey { hmac, received_ns: now_ns });
                }
                self.shared.wal_files.lock().note(self.wal.number(), &class_key, number);
                let committed = published.map(|rows| {
                    let first = RecordId { class: class_key.1.clone(), batch: number, index: 0 };
                    let committed = Committed { first: Some(first), records: rows.len() };
                    arrived.push(Arrived { tenant: class_key.0.clone(), class: class_key.1.clone(), rows });
                    committed
                });
                changed.insert(class_key);
                replies.push((request.reply, committed));
            }
            state.count_live_bytes();
            let next = state.snapshot(&self.shared.snapshot.load(), &changed);
            self.shared.snapshot.store(Arc::new(next));
        }
        for (reply, committed) in replies {
            // A sender that has gone away meanwhile will ask again, and be recognised if it gave a key.
            drop(reply.send(committed));
        }
        for arrived in arrived {
            // Nobody follows: no error.
            drop(self.shared.arrivals.send(arrived));
        }
        for request in repeats {
            drop(request.reply.send(Ok(Committed { first: None, records: 0 })));
        }
        self.shared.wake_flusher();
    }

    fn fail(&mut self, cause: &io::Error, requests: impl Iterator<Item = Request>) {
        let answer = refusal(cause);
        self.spent = true;
        warn!(file = %self.wal.path().display(), error = %cause, "a group could not be made durable and was refused");
        if let Err(error) = self.wal.cut_back() {
            error!(file = %self.wal.path().display(), %error, "the log could not be taken back to its last durable end; refusing writes until a restart");
            self.broken = Some(CommitError::Unavailable("the write-ahead log failed, restart the server".into()));
        }
        if answer == CommitError::Full && self.broken.is_none() && self.shared.reserve.spend() {
            let audit = self.admit(requests.collect());
            if !audit.is_empty() {
                self.commit(audit);
            }
            return;
        }
        requests.for_each(|request| drop(request.reply.send(Err(answer.clone()))));
    }

    /// As [`Writer::rotate`], with the reserve if need be.
    fn rotate_even_if_full(&mut self) -> io::Result<()> {
        match self.rotate() {
            Err(cause) if is_full(&cause) && self.shared.reserve.spend() => self.rotate(),
            rotated => rotated,
        }
    }

    /// Begins the next file; after an error the old one is still there.
    fn rotate(&mut self) -> io::Result<()> {
        self.wal = WalFile::create(&*self.shared.disk, &self.shared.wal_folder, self.wal.number() + 1)?;
        self.spent = false;
        self.shared.wal_files.lock().begin(self.wal.number());
        Ok(())
    }
}

/// What a sender is told when the log could not be written.
fn refusal(cause: &io::Error) -> CommitError {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CommitError::Full,
        _ => CommitError::Unavailable(cause.to_string()),
    }
}

fn publish_one(
    state: &mut State,
    class_key: &ClassKey,
    batch: Batch,
    entry: &[u8],
    (number, elapsed_ns): (u64, u64),
) -> Result<Arc<Rows>, CommitError> {
    let partition = state.partitions.entry(class_key.clone()).or_insert_with(Partition::new);
    // Refused only for a tree of 2^48 entries; the entry was encoded by us and is short.
    partition.tree.append(entry).map_err(|error| CommitError::Unavailable(error.to_string()))?;
    let rows = Arc::new(batch.rows.with_batch(number, batch.seed));
    partition.push_live(rows.clone(), number, elapsed_ns);
    partition.ledger.merge(&batch.ledger);
    Ok(rows)
}
