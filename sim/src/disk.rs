//! A disk that keeps apart what is durable from what is only in the page cache.
//!
//! POSIX promises little, and this disk keeps no more than that: bytes survive a crash if their file was synced, a name
//! if its folder was. What was not synced is lost, kept, torn or reordered when the power goes, as chance has it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_store::{Disk, DiskEntry, DiskFile};
use parking_lot::Mutex;

use crate::crash;
use crate::rng::Rng;

/// What a file occupies before it has a byte.
const INODE_BYTES: u64 = 256;

#[derive(Clone, Debug)]
pub(crate) enum Write {
    At(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Inode {
    pub(crate) cached: Vec<u8>,
    pub(crate) durable: Vec<u8>,
    pub(crate) pending: Vec<Write>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File(u64),
    Folder,
}

#[derive(Clone, Debug)]
pub(crate) enum NameChange {
    Add(String, Node),
    Remove(String),
    Rename(String, String),
}

#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) cached: BTreeMap<String, Node>,
    pub(crate) durable: BTreeMap<String, Node>,
    pub(crate) pending: Vec<NameChange>,
}

pub(crate) fn apply(names: &mut BTreeMap<String, Node>, change: &NameChange) {
    match change {
        NameChange::Add(name, node) => drop(names.insert(name.clone(), *node)),
        NameChange::Remove(name) => drop(names.remove(name)),
        NameChange::Rename(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(to.clone(), node);
            }
        }
    }
}

/// What may go wrong from now on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The power goes at this many changes from the beginning.
    pub(crate) crash_at: Option<u64>,
    /// The power goes when this many more changes to the write-ahead log have been asked for.
    pub(crate) crash_in_log: Option<u64>,
    /// Percent of syncs and writes that fail.
    pub(crate) fail_percent: u64,
    /// Bytes that fit.
    pub(crate) capacity: Option<u64>,
}

/// What did go wrong, and how much was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes and syncs.
    pub operations: u64,
    /// Times the power went.
    pub crashes: u64,
    /// Writes that a crash lost.
    pub lost: u64,
    /// Writes that a crash tore.
    pub torn: u64,
    /// Writes that a crash kept although an earlier one of the same file was not kept in full.
    pub reordered: u64,
    /// Writes that a crash repeated after the end of their file.
    pub repeated: u64,
    /// Names that a crash lost.
    pub names_lost: u64,
    /// Syncs that failed.
    pub failed_syncs: u64,
    /// Writes that failed.
    pub failed_writes: u64,
    /// Refusals because the disk was full.
    pub full: u64,
    /// Bits that rotted.
    pub rotted: u64,
}

impl Tally {
    /// Faults of all kinds.
    pub fn faults(&self) -> u64 {
        self.crashes
            + self.lost
            + self.torn
            + self.reordered
            + self.repeated
            + self.names_lost
            + self.failed_syncs
            + self.failed_writes
            + self.full
            + self.rotted
    }

    /// Operations that failed.
    pub(crate) fn refusals(&self) -> u64 {
        self.failed_syncs + self.failed_writes + self.full
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.crashes += other.crashes;
        self.lost += other.lost;
        self.torn += other.torn;
        self.reordered += other.reordered;
        self.repeated += other.repeated;
        self.names_lost += other.names_lost;
        self.failed_syncs += other.failed_syncs;
        self.failed_writes += other.failed_writes;
        self.full += other.full;
        self.rotted += other.rotted;
    }
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) inodes: BTreeMap<u64, Inode>,
    pub(crate) folders: BTreeMap<PathBuf, Folder>,
    next_inode: u64,
    pub(crate) rng: Rng,
    pub(crate) plan: Plan,
    pub(crate) dead: bool,
    /// Syncs are answered and not done: to see whether anybody notices.
    pub(crate) lies: bool,
    pub(crate) tally: Tally,
    /// Over all that was done, to tell two runs apart.
    trace: u64,
}

/// Called before each change, so that another thread's step may fall in between.
type Between = Box<dyn FnMut() + Send>;

#[derive(Clone)]
pub(crate) struct SimDisk {
    state: Arc<Mutex<State>>,
    between: Arc<Mutex<Option<Between>>>,
}

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimDisk")
    }
}

fn power() -> io::Error {
    io::Error::other("the power is off")
}

fn split(path: &Path) -> io::Result<(PathBuf, String)> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok((folder.to_owned(), name.to_owned()))
}

impl State {
    fn note(&mut self, what: &str, path: &Path, amount: u64) {
        for byte in what.bytes().chain(path.to_string_lossy().bytes()).chain(amount.to_le_bytes()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Counts a change; decides whether the power goes. `Ok(true)`: it goes after this change has been made.
    fn change(&mut self, what: &str, path: &Path, amount: u64) -> io::Result<bool> {
        if self.dead {
            return Err(power());
        }
        self.tally.operations += 1;
        self.note(what, path, amount);
        if path.extension().is_some_and(|extension| extension == "wal") {
            self.plan.crash_in_log = self.plan.crash_in_log.map(|left| left.saturating_sub(1));
        }
        if self.plan.crash_at == Some(self.tally.operations) || self.plan.crash_in_log == Some(0) {
            self.dead = true;
            if self.rng.chance(50) {
                return Err(power());
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn used(&self) -> u64 {
        let files = self.folders.values().flat_map(|folder| folder.cached.values());
        let mut inodes: Vec<u64> =
            files.filter_map(|node| if let Node::File(inode) = node { Some(*inode) } else { None }).collect();
        inodes.sort_unstable();
        inodes.dedup();
        inodes.iter().map(|inode| self.inodes.get(inode).map_or(0, |file| file.cached.len() as u64 + INODE_BYTES)).sum()
    }

    /// Bytes that still fit.
    fn room(&self) -> u64 {
        self.plan.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    fn need(&mut self, bytes: u64) -> io::Result<()> {
        if self.room() >= bytes {
            return Ok(());
        }
        self.tally.full += 1;
        Err(io::ErrorKind::StorageFull.into())
    }

    fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        self.folders.get_mut(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        let (folder, name) = split(path)?;
        let node = self.folders.get(&folder).and_then(|folder| folder.cached.get(&name));
        node.copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn inode_of(&self, path: &Path) -> io::Result<u64> {
        match self.node(path)? {
            Node::File(inode) => Ok(inode),
            Node::Folder => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn rename_in(&mut self, folder: &Path, change: NameChange) -> io::Result<()> {
        let folder = self.folder(folder)?;
        apply(&mut folder.cached, &change);
        folder.pending.push(change);
        Ok(())
    }

    fn vacant(&self, path: &Path) -> io::Result<()> {
        if self.node(path).is_ok() { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    fn add_file(&mut self, path: &Path) -> io::Result<u64> {
        self.vacant(path)?;
        self.need(INODE_BYTES)?;
        let (folder, name) = split(path)?;
        let inode = self.next_inode;
        self.rename_in(&folder, NameChange::Add(name, Node::File(inode)))?;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode::default());
        Ok(inode)
    }

    fn write(&mut self, inode: u64, write: Write) {
        if let Some(file) = self.inodes.get_mut(&inode) {
            crash::write(&mut file.cached, &write);
            file.pending.push(write);
        }
    }
}

impl SimDisk {
    /// An empty disk with one folder, whose name is durable.
    pub(crate) fn new(root: &Path, rng: Rng) -> Self {
        let state = State {
            inodes: BTreeMap::new(),
            folders: BTreeMap::from([(root.to_owned(), Folder::default())]),
            next_inode: 1,
            rng,
            plan: Plan::default(),
            dead: false,
            lies: false,
            tally: Tally::default(),
            trace: 0xcbf2_9ce4_8422_2325,
        };
        Self { state: Arc::new(Mutex::new(state)), between: Arc::default() }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock())
    }

    pub(crate) fn tally(&self) -> Tally {
        self.state.lock().tally
    }

    pub(crate) fn trace(&self) -> u64 {
        self.state.lock().trace
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.lock().dead
    }

    /// A point at which the power may go that is no change of this disk's, such as the catalog's.
    pub(crate) fn gate(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.change("gate", Path::new(""), 0)? {
            true => Err(power()),
            false => Ok(()),
        }
    }

    /// While `work` runs, `between` is called before every change.
    pub(crate) fn interleaved<T>(&self, between: Between, work: impl FnOnce() -> T) -> T {
        *self.between.lock() = Some(between);
        let done = work();
        *self.between.lock() = None;
        done
    }

    fn between(&self) {
        let taken = self.between.lock().take();
        if let Some(mut between) = taken {
            between();
            *self.between.lock() = Some(between);
        }
    }

    fn changing<T>(
        &self,
        what: &str,
        path: &Path,
        amount: u64,
        work: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        self.between();
        let mut state = self.state.lock();
        let last = state.change(what, path, amount)?;
        let done = work(&mut state);
        if last { Err(power()) } else { done }
    }

    fn reading<T>(&self, work: impl FnOnce(&State) -> io::Result<T>) -> io::Result<T> {
        let state = self.state.lock();
        if state.dead { Err(power()) } else { work(&state) }
    }

    fn file(&self, inode: u64, path: &Path) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), inode, path: path.to_owned() })
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.changing("create", path, 0, |state| state.add_file(path))?;
        Ok(self.file(inode, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inode = self.reading(|state| state.inode_of(path))?;
        Ok(self.file(inode, path))
    }

    fn occupy(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.changing("occupy", path, bytes, |state| {
            state.need(bytes + INODE_BYTES)?;
            let inode = state.add_file(path)?;
            state.write(inode, Write::At(0, vec![0; bytes as usize]));
            Ok(())
        })
    }

    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut file = self.open(path)?;
        file.cut(len)?;
        file.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changing("link", to, 0, |state| {
            let inode = state.inode_of(from)?;
            state.vacant(to)?;
            let (folder, name) = split(to)?;
            state.rename_in(&folder, NameChange::Add(name, Node::File(inode)))
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.changing("rename", to, 0, |state| {
            state.inode_of(from)?;
            let ((folder, from), (_, to)) = (split(from)?, split(to)?);
            state.rename_in(&folder, NameChange::Rename(from, to))
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.reading(|state| state.inode_of(path))?;
        self.changing("remove", path, 0, |state| {
            let (folder, name) = split(path)?;
            state.rename_in(&folder, NameChange::Remove(name))
        })
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.changing("remove folder", path, 0, |state| {
            if !state.folder(path)?.cached.is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            let (folder, name) = split(path)?;
            state.rename_in(&folder, NameChange::Remove(name))
        })
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.reading(|state| state.vacant(path))?;
        self.changing("create folder", path, 0, |state| {
            state.need(INODE_BYTES)?;
            let (folder, name) = split(path)?;
            state.rename_in(&folder, NameChange::Add(name, Node::Folder))?;
            state.folders.entry(path.to_owned()).or_default();
            Ok(())
        })
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.changing("sync folder", path, 0, |state| {
            if state.plan.fail_percent > 0 && state.rng.below(100) < state.plan.fail_percent {
                state.tally.failed_syncs += 1;
                return Err(io::Error::other("the disk failed to sync a folder"));
            }
            if state.lies {
                return Ok(());
            }
            let folder = state.folder(path)?;
            folder.durable = folder.cached.clone();
            folder.pending.clear();
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        self.reading(|state| {
            let folder = state.folders.get(path).ok_or(io::ErrorKind::NotFound)?;
            let entry =
                |(name, node): (&String, &Node)| DiskEntry { name: name.clone(), is_folder: *node == Node::Folder };
            Ok(folder.cached.iter().map(entry).collect())
        })
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: u64,
    path: PathBuf,
}

impl SimFile {
    fn sync(&self) -> io::Result<()> {
        self.disk.changing("sync", &self.path, 0, |state| {
            let fails = state.plan.fail_percent > 0 && state.rng.below(100) < state.plan.fail_percent;
            if fails {
                state.tally.failed_syncs += 1;
            }
            if fails {
                let State { inodes, rng, .. } = state;
                inodes.get_mut(&self.inode).into_iter().for_each(|file| crash::failed_sync(file, rng));
                return Err(io::Error::other("the disk failed to sync a file"));
            }
            if state.lies {
                return Ok(());
            }
            // After a failed sync the cache may hold what will never reach the disk, so only what is pending counts.
            let Some(file) = state.inodes.get_mut(&self.inode) else { return Ok(()) };
            for write in file.pending.drain(..) {
                crash::write(&mut file.durable, &write);
            }
            Ok(())
        })
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.changing("append", &self.path, bytes.len() as u64, |state| {
            let at = state.inodes.get(&self.inode).map_or(0, |file| file.cached.len());
            if state.plan.fail_percent > 0 && state.rng.below(300) < state.plan.fail_percent {
                state.tally.failed_writes += 1;
                let part = state.rng.below(bytes.len() as u64 + 1) as usize;
                state.write(self.inode, Write::At(at, bytes[..part].to_vec()));
                return Err(io::Error::other("the disk failed to write"));
            }
            let fits = state.room().min(bytes.len() as u64) as usize;
            state.write(self.inode, Write::At(at, bytes[..fits].to_vec()));
            state.need((bytes.len() - fits) as u64)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.disk.changing("cut", &self.path, len, |state| {
            state.write(self.inode, Write::Cut(len as usize));
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.reading(|state| Ok(state.inodes.get(&self.inode).map_or(0, |file| file.cached.len() as u64)))
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.disk.reading(|state| {
            let file = state.inodes.get(&self.inode).ok_or(io::ErrorKind::NotFound)?;
            let at = at as usize;
            let from = file.cached.get(at..at + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(from);
            Ok(())
        })
    }
}
