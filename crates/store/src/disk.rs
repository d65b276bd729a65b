//! What we ask of a disk, in one place, so that a simulation can take its part.
//!
//! The promises are those of POSIX and no more: bytes are there after a crash if their file was synced, a name if its
//! folder was. Whoever needs both syncs both. A call through this costs nothing beside the system call it makes.

use std::collections::HashSet;
use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskEntry {
    /// The name alone.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Files and folders, for their owner only.
pub trait Disk: Send + Sync + Debug {
    /// Makes a new file for appending; fails if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Makes a file that occupies `bytes` of the disk, all of them at once or none; fails if the name is taken.
    fn occupy(&self, path: &Path, bytes: u64) -> io::Result<()>;

    /// Cuts a file off, durably.
    fn cut(&self, path: &Path, len: u64) -> io::Result<()>;

    /// Gives a file a second name; fails if that is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file another name in the same folder, in the place of what had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes one folder; fails if the name is taken.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>>;
}

/// A file of a disk.
#[allow(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait DiskFile: Send + Sync + Debug {
    /// Writes after what was written before. After an error a part of it may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes content and length durable. After an error nobody knows what is durable, and trying again does not help.
    fn sync_data(&self) -> io::Result<()>;

    /// As [`DiskFile::sync_data`], with times and mode.
    fn sync_all(&self) -> io::Result<()>;

    /// Cuts the file off.
    fn cut(&mut self, len: u64) -> io::Result<()>;

    /// Bytes in it.
    fn len(&self) -> io::Result<u64>;

    /// Fills `into` from `at` on; an error if the file ends before.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()>;
}

/// The operating system's.
pub fn system_disk() -> Arc<dyn Disk> {
    Arc::new(SystemDisk)
}

#[derive(Debug)]
struct SystemDisk;

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::open(path)?))
    }

    fn occupy(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let occupied = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes);
        if let Err(error) = occupied {
            fs::remove_file(path)?;
            return Err(error.into());
        }
        Ok(())
    }

    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok(DiskEntry { name, is_folder: entry.file_type()?.is_dir() })
        };
        let mut entries = fs::read_dir(path)?.map(entry).collect::<io::Result<Vec<_>>>()?;
        entries.sort_unstable();
        Ok(entries)
    }
}

impl DiskFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn sync_all(&self) -> io::Result<()> {
        Self::sync_all(self)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(into, at)
    }
}

impl dyn Disk {
    /// All of a file.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let len = file.len()?;
        read_range(&*file, 0, len)
    }

    /// Writes beside the place, syncs, and renames: the file is there in full or as before. Its folder exists.
    ///
    /// # Errors
    /// What the disk says.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension("new");
        match self.remove(&temporary) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let mut file = self.create(&temporary)?;
        file.append(bytes)?;
        file.sync_all()?;
        self.rename(&temporary, path)?;
        self.sync_folder(folder_of(path))
    }
}

/// Folders below one, made when needed, each name durable in its parent.
#[derive(Debug)]
pub struct Folders {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    /// Those whose names are durable for sure; there is one for each tenant, class and kind.
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    /// Below `root`, which is there.
    pub fn below(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self { disk, root: root.to_owned(), durable: Mutex::default() }
    }

    /// What they lie on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Makes what is missing between the root and `folder`. A folder that is there already is made durable once as
    /// well: who made it may have crashed before that.
    ///
    /// # Errors
    /// What the disk says.
    pub fn ensure(&self, folder: &Path) -> io::Result<()> {
        if self.durable.lock().contains(folder) {
            return Ok(());
        }
        let relative = folder.strip_prefix(&self.root).map_err(io::Error::other)?;
        let mut at = self.root.clone();
        for part in relative.components() {
            let parent = at.clone();
            at.push(part);
            if self.durable.lock().contains(&at) {
                continue;
            }
            match self.disk.create_folder(&at) {
                Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(cause),
                _ => self.disk.sync_folder(&parent)?,
            }
            self.durable.lock().insert(at.clone());
        }
        Ok(())
    }
}

/// Reads exactly the bytes from `start` to `end`, fewer only if the file ends before.
pub(crate) fn read_range(file: &dyn DiskFile, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let there = file.len()?.min(end).saturating_sub(start);
    let mut bytes = vec![0u8; usize::try_from(there).map_err(io::Error::other)?];
    file.read_at(&mut bytes, start)?;
    Ok(bytes)
}

/// The folder that a path lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
