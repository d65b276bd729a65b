//! A backup in a folder: synced, renamed, and alone by a lock.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Readable, Slot};
use crate::backup::copy::{Digest, Folder, with_suffix};
use crate::backup::manifest::is_shared;
use crate::backup::place::{CONTENTS, MANIFEST, own};
use crate::backup::{BackupError, io_error, refused};

const UNFINISHED: &str = ".new";

pub(in crate::backup) struct FolderSlot {
    root: PathBuf,
    number: u64,
    shared: Folder,
    own: Folder,
    _lock: Lock,
}

/// Held while a backup is taken.
pub(in crate::backup) struct Lock(#[expect(dead_code, reason = "it is held, not used")] File);

impl FolderSlot {
    /// The folder, made if it is missing, and kept from other backups.
    pub(in crate::backup) fn lock(root: &Path) -> Result<(Folder, Lock), BackupError> {
        let shared = Folder::open(root).map_err(io_error(root))?;
        let path = root.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error(&path))?;
        match file.try_lock() {
            Ok(()) => Ok((shared, Lock(file))),
            Err(fs::TryLockError::WouldBlock) => {
                Err(refused(root.display(), "is in use by another backup; wait for it to end"))
            }
            Err(fs::TryLockError::Error(cause)) => Err(io_error(&path)(cause)),
        }
    }

    pub(in crate::backup) fn new(
        root: &Path,
        (shared, lock): (Folder, Lock),
        number: u64,
    ) -> Result<Self, BackupError> {
        let own = fresh(root, number)?;
        Ok(Self { root: root.to_owned(), number, shared, own, _lock: lock })
    }

    fn folder(&mut self, path: &str) -> &mut Folder {
        if is_shared(path) { &mut self.shared } else { &mut self.own }
    }
}

#[async_trait]
impl Slot for FolderSlot {
    fn number(&self) -> u64 {
        self.number
    }

    async fn put(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
        expected: Option<Digest>,
    ) -> Result<Digest, BackupError> {
        let place = self.workplace(path);
        let fits = |found| expected.is_none_or(|expected| found == expected);
        self.folder(path).put_if(path, source, fits).map_err(io_error(&place))
    }

    async fn put_readable(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<(Digest, Readable), BackupError> {
        let digest = self.put(path, source, None).await?;
        Ok((digest, Readable { path: self.workplace(path), passing: false }))
    }

    fn workplace(&self, path: &str) -> PathBuf {
        if is_shared(path) { self.shared.path(path) } else { self.own.path(path) }
    }

    async fn adopt(&mut self, path: &str) -> Result<Digest, BackupError> {
        let place = self.workplace(path);
        self.folder(path).adopt(path).map_err(io_error(&place))
    }

    fn length(&self, path: &str) -> Option<u64> {
        fs::metadata(self.shared.path(path)).ok().map(|found| found.len())
    }

    async fn digest(&self, path: &str, _: u64) -> Result<Option<Digest>, BackupError> {
        // One that cannot be read is to be written anew.
        Ok(self.shared.digest(path).ok())
    }

    async fn restart(&mut self) -> Result<(), BackupError> {
        self.own = fresh(&self.root, self.number)?;
        Ok(())
    }

    async fn commit(mut self: Box<Self>, contents: &str, manifest: &str) -> Result<String, BackupError> {
        let (root, place) = (self.root.clone(), self.own.path(""));
        self.own.put(CONTENTS, &mut contents.as_bytes()).map_err(io_error(&place))?;
        self.shared.sync().map_err(io_error(&root))?;
        File::open(&root).and_then(|root| root.sync_all()).map_err(io_error(&root))?;
        self.own.sync().map_err(io_error(&place))?;
        let done = root.join(own(self.number));
        fs::rename(&place, &done).map_err(io_error(&done))?;
        let mut named = Folder::open(&done).map_err(io_error(&done))?;
        named.put(MANIFEST, &mut manifest.as_bytes()).map_err(io_error(&done))?;
        named.sync().map_err(io_error(&done))?;
        Ok(done.display().to_string())
    }
}

/// An empty folder for the files of one backup. What an interrupted one left under its number goes.
fn fresh(root: &Path, number: u64) -> Result<Folder, BackupError> {
    let done = root.join(own(number));
    for left in [done.clone(), with_suffix(&done, UNFINISHED)] {
        match fs::remove_dir_all(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&left)(error)),
            _ => {}
        }
    }
    let own = with_suffix(&done, UNFINISHED);
    Folder::open(&own).map_err(io_error(&own))
}
