//! A disk that keeps apart what is durable from what is only in the page cache.
//!
//! POSIX promises little, and this disk keeps no more than that: bytes survive a crash if their file was synced, a name
//! if its folder was. What was not synced is lost, kept, torn or reordered when the power goes, as chance has it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_store::{Disk, DiskEntry, DiskFile};
use parking_lot::Mutex;

use crate::crash;
use crate::faults::Tally;
use crate::files::{INODE_BYTES, NameChange, Node, State, Write, power, split};
use crate::rng::Rng;

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

impl SimDisk {
    /// An empty disk with one folder, whose name is durable.
    pub(crate) fn new(root: &Path, rng: Rng) -> Self {
        let state = State::new(root, rng);
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
