//! Objects in a local folder, on stable storage when a write returns.
//!
//! The folder backend of `object_store` does not call fsync, so a crash of the machine could lose an object that the
//! catalog already names. Here a write goes to a temporary file, which is synced, linked to its name and made durable
//! by syncing every folder that changed. A name is given by a hard link, which fails if it is taken, so nothing is
//! ever overwritten. What a crash leaves in `.tmp` is litter and removed on the next start.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{Disk, DiskFile, Folders, folder_of, system_disk};
use crate::error::StoreError;

const TEMPORARY: &str = ".tmp";

/// A folder of objects. Its calls block; `SealedObjects` moves them off the async threads.
#[derive(Debug)]
pub struct LocalStore {
    folders: Folders,
    root: PathBuf,
    next: AtomicU64,
    writable: bool,
}

impl LocalStore {
    /// Opens the folder, creating it for the owner only, and removes what an interrupted write left.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the folder cannot be made or read.
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Unavailable { path: root.display().to_string(), what: "opened", cause };
        private_folders(root).map_err(failed)?;
        let root = root.canonicalize().map_err(failed)?;
        Self::open_on(system_disk(), folder_of(&root), &root)
    }

    /// As [`LocalStore::open`] on a disk, in a folder that is there.
    pub(crate) fn open_on(disk: Arc<dyn Disk>, parent: &Path, root: &Path) -> Result<Self, StoreError> {
        let failed = |cause| StoreError::Unavailable { path: root.display().to_string(), what: "opened", cause };
        let temporary = root.join(TEMPORARY);
        match disk.list(&temporary) {
            Ok(left) => {
                left.iter().try_for_each(|entry| disk.remove(&temporary.join(&entry.name))).map_err(failed)?;
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(failed(cause)),
        }
        Folders::below(disk.clone(), parent).ensure(root).map_err(failed)?;
        let objects = Self::at(disk, root, true);
        objects.folders.ensure(&temporary).map_err(failed)?;
        Ok(objects)
    }

    /// Opens the folder without touching it, for `verify` beside a running server.
    pub(crate) fn read_only(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self::at(disk, root, false)
    }

    fn at(disk: Arc<dyn Disk>, root: &Path, writable: bool) -> Self {
        Self { folders: Folders::below(disk, root), root: root.to_owned(), next: AtomicU64::new(0), writable }
    }

    /// What the folder lies on.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        self.folders.disk()
    }

    fn refuse_if_read_only(&self, path: &str, what: &'static str) -> Result<(), StoreError> {
        let cause = || io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the folder was opened for reading only");
        if self.writable { Ok(()) } else { Err(StoreError::io(path, what, cause())) }
    }

    /// Writes a new object; when this returns, it survives a power cut.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.refuse_if_read_only(path, "written")?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let temporary = self.root.join(TEMPORARY).join(number.to_string());
        let written = self.write(&temporary, path, bytes);
        // Removed whether the write went well (the name remains) or not; a leftover is harmless until the next start.
        let _ = self.disk().remove(&temporary);
        written.map_err(|cause| StoreError::io(path, "written", cause))
    }

    fn write(&self, temporary: &Path, path: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.root.join(path);
        self.folders.ensure(folder_of(&target))?;
        write_new(&**self.disk(), temporary, &target, bytes)
    }

    /// The object's file, for reading at any place.
    pub(crate) fn file(&self, path: &str) -> Result<Box<dyn DiskFile>, StoreError> {
        self.disk().open(&self.root.join(path)).map_err(|cause| StoreError::io(path, "opened", cause))
    }

    /// Deletes an object durably; one that does not exist is deleted already.
    pub(crate) fn delete(&self, path: &str) -> Result<(), StoreError> {
        self.refuse_if_read_only(path, "deleted")?;
        let target = self.root.join(path);
        let deleted = match self.disk().remove(&target) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(cause) => Err(cause),
            Ok(()) => self.disk().sync_folder(folder_of(&target)),
        };
        deleted.map_err(|cause| StoreError::io(path, "deleted", cause))
    }

    /// Names directly within a folder of objects, sorted; none if there is no such folder.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let failed = |cause| StoreError::Unavailable { path: prefix.to_owned(), what: "listed", cause };
        let entries = match self.disk().list(&self.root.join(prefix)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let files = entries.into_iter().filter(|entry| !entry.is_folder);
        Ok(files.map(|entry| format!("{prefix}/{}", entry.name)).collect())
    }
}

/// Gives a new file its name only when its content is on stable storage; fails if the name is taken. `temporary` is in
/// the same file system and remains for the caller to remove.
pub(crate) fn write_new(disk: &dyn Disk, temporary: &Path, target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = disk.create(temporary)?;
    file.append(bytes)?;
    file.sync_all()?;
    disk.link(temporary, target)?;
    disk.sync_folder(folder_of(target))
}

pub(crate) fn private_folders(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}
