//! What lies on the disk: in the page cache, durably, and in between.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::crash;
use crate::faults::{Plan, Tally};
use crate::rng::Rng;

/// What a file occupies before it has a byte.
pub(crate) const INODE_BYTES: u64 = 256;

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
    pub(crate) trace: u64,
}

pub(crate) fn power() -> io::Error {
    io::Error::other("the power is off")
}

pub(crate) fn split(path: &Path) -> io::Result<(PathBuf, String)> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let name = path.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::InvalidInput)?;
    Ok((folder.to_owned(), name.to_owned()))
}

impl State {
    /// One folder, whose name is durable.
    pub(crate) fn new(root: &Path, rng: Rng) -> Self {
        Self {
            inodes: BTreeMap::new(),
            folders: BTreeMap::from([(root.to_owned(), Folder::default())]),
            next_inode: 1,
            rng,
            plan: Plan::default(),
            dead: false,
            lies: false,
            tally: Tally::default(),
            trace: 0xcbf2_9ce4_8422_2325,
        }
    }

    fn note(&mut self, what: &str, path: &Path, amount: u64) {
        for byte in what.bytes().chain(path.to_string_lossy().bytes()).chain(amount.to_le_bytes()) {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Counts a change; decides whether the power goes. `Ok(true)`: it goes after this change has been made.
    pub(crate) fn change(&mut self, what: &str, path: &Path, amount: u64) -> io::Result<bool> {
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
    pub(crate) fn room(&self) -> u64 {
        self.plan.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    pub(crate) fn need(&mut self, bytes: u64) -> io::Result<()> {
        if self.room() >= bytes {
            return Ok(());
        }
        self.tally.full += 1;
        Err(io::ErrorKind::StorageFull.into())
    }

    pub(crate) fn folder(&mut self, path: &Path) -> io::Result<&mut Folder> {
        self.folders.get_mut(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn node(&self, path: &Path) -> io::Result<Node> {
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

    pub(crate) fn rename_in(&mut self, folder: &Path, change: NameChange) -> io::Result<()> {
        let folder = self.folder(folder)?;
        apply(&mut folder.cached, &change);
        folder.pending.push(change);
        Ok(())
    }

    pub(crate) fn vacant(&self, path: &Path) -> io::Result<()> {
        if self.node(path).is_ok() { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(()) }
    }

    pub(crate) fn add_file(&mut self, path: &Path) -> io::Result<u64> {
        self.vacant(path)?;
        self.need(INODE_BYTES)?;
        let (folder, name) = split(path)?;
        let inode = self.next_inode;
        self.rename_in(&folder, NameChange::Add(name, Node::File(inode)))?;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode::default());
        Ok(inode)
    }

    pub(crate) fn write(&mut self, inode: u64, write: Write) {
        if let Some(file) = self.inodes.get_mut(&inode) {
            crash::write(&mut file.cached, &write);
            file.pending.push(write);
        }
    }
}
