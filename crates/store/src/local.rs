//! Objects in a local folder, on stable storage when a write returns.
//!
//! The folder backend of `object_store` does not call fsync, so a crash of the machine could lose an object that the
//! catalog already names. Here a write goes to a temporary file, which is synced, linked to its name and made durable
//! by syncing every folder that changed. A name is given by a hard link, which fails if it is taken, so nothing is
//! ever overwritten. What a crash leaves in `.tmp` is litter and removed on the next start.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::error::StoreError;

const TEMPORARY: &str = ".tmp";

/// A folder of objects. Its calls block; `SealedObjects` moves them off the async threads.
#[derive(Debug)]
pub struct LocalStore {
    root: PathBuf,
    next: AtomicU64,
    writable: bool,
    /// Folders whose own names are durable; one per tenant, class and kind.
    durable: Mutex<HashSet<PathBuf>>,
}

impl LocalStore {
    /// Opens the folder, creating it for the owner only, and removes what an interrupted write left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the folder cannot be made or read.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Unavailable { path: root.display().to_string(), what: "opened", cause };
        let temporary = root.join(TEMPORARY);
        if temporary.exists() {
            fs::remove_dir_all(&temporary).map_err(failed)?;
        }
        private_folders(&temporary).map_err(failed)?;
        sync_folder(root).map_err(failed)?;
        if let Some(parent) = root.canonicalize().map_err(failed)?.parent() {
            sync_folder(parent).map_err(failed)?;
        }
        Ok(Self::at(root, true))
    }

    /// Opens the folder without touching it, for `verify` beside a running server.
    pub fn read_only(root: &Path) -> Self {
        Self::at(root, false)
    }

    fn at(root: &Path, writable: bool) -> Self {
        Self { root: root.to_owned(), next: AtomicU64::new(0), writable, durable: Mutex::default() }
    }

    fn refuse_if_read_only(&self, path: &str, what: &'static str) -> Result<(), StoreError> {
        let cause = || io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the folder was opened for reading only");
        if self.writable { Ok(()) } else { Err(StoreError::io(path, what, cause())) }
    }

    /// Writes a new object; when this returns, it survives a power cut.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.refuse_if_read_only(path, "written")?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let temporary = self.root.join(TEMPORARY).join(format!("{}-{number}", std::process::id()));
        let written = self.write(&temporary, path, bytes);
        // Removed whether the write went well (the name remains) or not; a leftover is harmless until the next start.
        let _ = fs::remove_file(&temporary);
        written.map_err(|cause| StoreError::io(path, "written", cause))
    }

    fn write(&self, temporary: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        self.durable_folders(target.parent().unwrap_or(&self.root))?;
        write_new(temporary, &target, bytes)
    }

    /// Creates what is missing between the root and `folder`, each made durable in its parent. A folder that is there
    /// already is synced once as well: who made it may have crashed before that.
    fn durable_folders(&self, folder: &Path) -> io::Result<()> {
        if self.durable.lock().contains(folder) {
            return Ok(());
        }
        let relative = folder.strip_prefix(&self.root).map_err(io::Error::other)?;
        let mut at = self.root.clone();
        for part in relative.components() {
            let parent = at.clone();
            at.push(part);
            match fs::DirBuilder::new().mode(0o700).create(&at) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(cause),
            }
            sync_folder(&parent)?;
        }
        self.durable.lock().insert(folder.to_owned());
        Ok(())
    }

    /// The object's file, for reading at any place.
    pub(crate) fn file(&self, path: &str) -> Result<File, StoreError> {
        File::open(self.root.join(path)).map_err(|cause| StoreError::io(path, "opened", cause))
    }

    /// Deletes an object durably; one that does not exist is deleted already.
    pub(crate) fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.refuse_if_read_only(path, "deleted")?;
        let target = self.root.join(path);
        let deleted = match fs::remove_file(&target) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => Err(cause),
            Ok(()) => sync_folder(target.parent().unwrap_or(&self.root)),
        };
        deleted.map_err(|cause| StoreError::io(path, "deleted", cause))
    }

    /// Names directly within a folder of objects, sorted; none if there is no such folder.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let failed = |cause| StoreError::Unavailable { path: prefix.to_owned(), what: "listed", cause };
        let entries = match fs::read_dir(self.root.join(prefix)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_file() {
                names.push(format!("{prefix}/{}", entry.file_name().to_string_lossy()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Reads exactly the bytes from `start` to `end`, fewer only if the file ends before.
pub(crate) fn read_at(file: &File, start: u64, end: u64) -> io::Result<Vec<u8>> {
    let there = file.metadata()?.len().min(end).saturating_sub(start);
    let mut bytes = vec![0u8; usize::try_from(there).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, start)?;
    Ok(bytes)
}

/// Gives a new file its name only when its content is on stable storage; fails if the name is taken. `temporary` is in
/// the same file system and remains for the caller to remove.
pub(crate) fn write_new(temporary: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::hard_link(temporary, target)?;
    sync_folder(target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

pub(crate) fn private_folders(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
