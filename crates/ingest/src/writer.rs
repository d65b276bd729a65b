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
use crate::batch_keys::BatchKeys;
use crate::documents::Run;
use crate::engine::{Arrived, Shared};
use crate::flush;
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
    /// What this tenant has was destroyed, and it gets nothing more. Do not retry.
    #[error("what the tenant `{0}` had was destroyed: nothing is taken in for it any more")]
    Destroyed(TenantId),
    /// The server is stopping. Retry, at another time or place.
    #[error("the server is stopping; nothing was stored, send again later")]
    Stopping,
}

/// A batch of a request, and where it goes.
pub struct Part {
    /// Whose it is from now on.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// The records.
    pub batch: Batch,
}

/// What a sender calls a request.
#[derive(Clone, Copy)]
pub(crate) struct RequestKey {
    /// As it stands with a batch of the tenant that the request was sent to.
    pub(crate) own: [u8; 32],
    /// As it stands with a batch of another, where all of them went elsewhere. It names the tenant.
    pub(crate) named: [u8; 32],
}

impl RequestKey {
    pub(crate) fn is_in(&self, keys: &BatchKeys, tenant: &TenantId, since_ns: i64) -> bool {
        keys.knows(tenant, &self.own, since_ns) || keys.knows_anywhere(&self.named, since_ns)
    }
}

/// What is stored as a whole or not at all.
pub(crate) struct Request {
    /// To whom it was sent.
    pub(crate) tenant: TenantId,
    /// There is at least one.
    pub(crate) parts: Vec<Part>,
    pub(crate) key: Option<RequestKey>,
    pub(crate) documents: Option<Run>,
    /// The key of a tenant, if it stepped aside to wait for that.
    pub(crate) log_key: Option<LogKey>,
    pub(crate) reply: oneshot::Sender<Result<Option<Vec<RecordId>>, CommitError>>,
}

impl Request {
    pub(crate) fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.parts.iter().map(|part| &part.tenant)
    }

    fn payload_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.batch.payload.len()).sum()
    }

    /// The part whose frame has the key, and the key there.
    fn key_place(&self) -> Option<(usize, [u8; 32])> {
        let key = self.key?;
        let own = self.parts.iter().position(|part| part.tenant == self.tenant);
        Some(own.map_or((0, key.named), |place| (place, key.own)))
    }
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
    /// Of each part.
    places: Vec<Place>,
}

/// A group that cannot be written, with all that wait for it.
struct NotPlaced {
    cause: io::Error,
    requests: Vec<Request>,
}

/// The place of a batch in its tree, and what of its frame follows from that.
struct Place {
    number: u64,
    entry: Vec<u8>,
    ledger: Vec<u8>,
}

impl Place {
    fn of(part: &Part, number: u64) -> io::Result<Self> {
        let batch = &part.batch;
        let entry = Entry {
            tenant: part.tenant.to_string(),
            class: part.class.to_string(),
            batch: number,
            records: batch.records() as u32,
            min_time_ns: batch.bounds.time.0,
            max_time_ns: batch.bounds.time.1,
            min_received_ns: batch.bounds.received.0,
            max_received_ns: batch.bounds.received.1,
            root: batch.root,
        };
        Ok(Self { number, entry: entry.encode().map_err(io::Error::other)?, ledger: batch.ledger.encode()? })
    }
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
                    bytes += request.payload_bytes();
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

    /// What may be written: nothing for tenants whose data are destroyed, and while the disk is full only the audit trail.
    fn admit(&mut self, group: Vec<Request>) -> Vec<Request> {
        let group: Vec<Request> = group.into_iter().filter_map(|request| self.unless_destroyed(request)).collect();
        if !self.shared.reserve.is_spent() {
            return group;
        }
        if self.wal.len() >= FULL_FILE_BYTES && !self.spent && self.broken.is_none() {
            // A file goes once it is flushed, but for the one that is written to.
            drop(self.rotate());
        }
        let is_audit = |request: &Request| request.parts.iter().all(|part| part.class == Class::audit());
        let (audit, rest): (Vec<_>, Vec<_>) = group.into_iter().partition(is_audit);
        rest.into_iter().for_each(|request| drop(request.reply.send(Err(CommitError::Full))));
        audit
    }

    /// Here, as the one thread that writes: what is not in the log when the next file of it begins is in none.
    fn unless_destroyed(&self, request: Request) -> Option<Request> {
        let is_gone = |part: &&Part| self.shared.destructions.takes(&part.tenant, &part.class);
        let Some(tenant) = request.parts.iter().find(is_gone).map(|part| part.tenant.clone()) else {
            return Some(request);
        };
        drop(request.reply.send(Err(CommitError::Destroyed(tenant))));
        None
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
        match self.place(group) {
            Ok((placed, repeats)) => match self.wal.commit() {
                Ok(()) => self.publish(placed, repeats),
                Err(error) => self.fail(&error, placed.into_iter().map(|placed| placed.request).chain(repeats)),
            },
            Err(NotPlaced { cause, requests }) => {
                self.wal.forget_group();
                self.fail(&cause, requests.into_iter());
            }
        }
        if self.wal.len() >= self.shared.config.wal_file_bytes
            && let Err(error) = self.rotate()
        {
            warn!(%error, "no new file for the log yet, going on with the old one");
        }
    }

    /// Gives each request its batch numbers and adds its frames. Repeats of stored requests are set apart: they are
    /// answered with the group, as the original may be in this very group.
    ///
    /// # Errors
    /// A defect: the group must not be written.
    fn place(&mut self, group: Vec<Request>) -> Result<(Vec<Placed>, Vec<Request>), NotPlaced> {
        let shared = self.shared.clone();
        let since_ns = shared.config.dedupe.since_ns(shared.clock.now_ns());
        let state = shared.state.lock();
        let mut placed: Vec<Placed> = Vec::with_capacity(group.len());
        let mut repeats = Vec::new();
        let mut sizes: HashMap<ClassKey, u64> = HashMap::new();
        let mut keys: HashSet<[u8; 32]> = HashSet::new();
        let mut group = group.into_iter();
        while let Some(request) = group.next() {
            let known =
                |key: &RequestKey| key.is_in(&state.keys, &request.tenant, since_ns) || keys.contains(&key.named);
            if request.key.as_ref().is_some_and(known) {
                repeats.push(request);
                continue;
            }
            let number = |part: &Part| {
                let class_key = (part.tenant.clone(), part.class.clone());
                let stored = state.partitions.get(&class_key).map_or(0, |partition| partition.tree.size());
                let size = sizes.entry(class_key).or_insert(stored);
                *size += 1;
                *size - 1
            };
            let numbers: Vec<u64> = request.parts.iter().map(number).collect();
            let places = request.parts.iter().zip(numbers).map(|(part, number)| Place::of(part, number));
            let places = match places.collect::<io::Result<Vec<_>>>() {
                Ok(places) => places,
                Err(error) => {
                    for part in &request.parts {
                        sizes.entry((part.tenant.clone(), part.class.clone())).and_modify(|size| *size -= 1);
                    }
                    drop(request.reply.send(Err(CommitError::Unavailable(error.to_string()))));
                    continue;
                }
            };
            if let Err(error) = self.add_frames(&request, &places) {
                let all = placed.into_iter().map(|placed| placed.request).chain(repeats).chain([request]);
                return Err(NotPlaced { cause: error, requests: all.chain(group).collect() });
            }
            keys.extend(request.key.map(|key| key.named));
            placed.push(Placed { request, places });
        }
        Ok((placed, repeats))
    }

    fn add_frames(&mut self, request: &Request, places: &[Place]) -> io::Result<()> {
        let key = request.key_place();
        for (at, (part, place)) in request.parts.iter().zip(places).enumerate() {
            let frame = BatchParts {
                entry: &place.entry,
                key: key.as_ref().filter(|(bearer, _)| *bearer == at).map(|(_, hmac)| hmac),
                seed: &part.batch.seed,
                ledger: &place.ledger,
                documents: request.documents.as_ref().filter(|_| at == 0),
                payload: &part.batch.payload,
            };
            self.wal.add_batch(&part.tenant, &frame, at + 1 == places.len())?;
        }
        Ok(())
    }

    /// After the sync: into the trees and the views, then the acknowledgements.
    fn publish(&mut self, placed: Vec<Placed>, repeats: Vec<Request>) {
        let (now_ns, elapsed_ns) = (self.shared.clock.now_ns(), self.shared.clock.elapsed_ns());
        let mut replies = Vec::with_capacity(placed.len());
        let mut arrived = Vec::with_capacity(placed.len());
        {
            let mut state = self.shared.state.lock();
            let mut changed: HashSet<ClassKey> = HashSet::new();
            for Placed { request, places } in placed {
                let key = request.key_place();
                let mut documents = request.documents;
                let mut firsts = Ok(Vec::with_capacity(places.len()));
                for (at, (part, Place { number, entry, .. })) in request.parts.into_iter().zip(places).enumerate() {
                    let class_key = (part.tenant, part.class);
                    let published = publish_one(&mut state, &class_key, part.batch, &entry, (number, elapsed_ns));
                    if let Some((_, hmac)) = key.filter(|(place, _)| *place == at) {
                        state.keys.add(&class_key, number, BatchKey { hmac, received_ns: now_ns });
                    }
                    if let Some(run) = documents.take() {
                        state.documents.add(&class_key, number, run);
                    }
                    self.shared.wal_files.lock().note(self.wal.number(), &class_key, number);
                    match (published, &mut firsts) {
                        (Ok(rows), Ok(firsts)) => {
                            firsts.push(RecordId { class: class_key.1.clone(), batch: number, index: 0 });
                            arrived.push(Arrived { tenant: class_key.0.clone(), class: class_key.1.clone(), rows });
                        }
                        (Err(error), _) => firsts = Err(error),
                        _ => {}
                    }
                    changed.insert(class_key);
                }
                replies.push((request.reply, firsts.map(Some)));
            }
            state.count_live_bytes();
            let next = state.snapshot(&self.shared.snapshot.load(), &changed);
            self.shared.snapshot.store(Arc::new(next));
            if flush::is_due(&state, &changed, &self.shared.config) {
                self.shared.wake_flusher();
            }
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
            drop(request.reply.send(Ok(None)));
        }
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
        // For the classes that hold back the files before.
        self.shared.wake_flusher();
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
