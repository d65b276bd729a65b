//! The folder that holds backups.
//!
//! ```text
//! <target>/
//!   lock                     held while a backup is taken
//!   objects/…, tlog/…        segments and full tiles, shared by all backups
//!   backups/<12 digits>/     the other files of one backup, its `contents`, and last its `manifest`
//!   backups/<12 digits>.new  one that was not finished; the next one removes it
//! ```

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use logkeep_tlog::PublicKey;

use super::copy::{Digest, Folder, with_suffix};
use super::manifest::{Contents, FileLine, Manifest, is_shared};
use super::{BackupError, damaged, io_error, refused};

pub(super) const MANIFEST: &str = "manifest";
pub(super) const CONTENTS: &str = "contents";
const UNFINISHED: &str = ".new";

/// The folder, for one backup at a time.
pub(super) struct Target {
    root: PathBuf,
    number: u64,
    shared: Folder,
    own: Folder,
    files: Vec<FileLine>,
    recheck: bool,
    /// Bytes copied, and bytes that were there already.
    pub(super) copied_bytes: u64,
    pub(super) kept_bytes: u64,
    _lock: File,
}

impl Target {
    /// Takes the folder for a new backup.
    pub(super) fn open(root: &Path, installation: &str, recheck: bool) -> Result<Self, BackupError> {
        let shared = Folder::open(root).map_err(io_error(root))?;
        let lock = lock(root)?;
        let done = numbers(root)?;
        let latest = done.last().copied().unwrap_or_default();
        if latest > 0 {
            let folder = folder_of(root, latest);
            let unreadable = |cause: BackupError| {
                let hint = format!("{cause}; move that backup aside to go on, what it shares with others is kept");
                damaged(folder.display(), hint)
            };
            let (manifest, _) = read_manifest(&folder).map_err(unreadable)?;
            if manifest.installation != installation {
                let what = format!(
                    "holds backups of the installation {}, this one is {installation}: use another folder",
                    manifest.installation
                );
                return Err(refused(root, what));
            }
        }
        let number = latest + 1;
        let own = fresh(root, number)?;
        Ok(Self {
            root: root.to_owned(),
            number,
            shared,
            own,
            files: Vec::new(),
            recheck,
            copied_bytes: 0,
            kept_bytes: 0,
            _lock: lock,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Begins anew; what is shared stays.
    pub(super) fn restart(&mut self) -> Result<(), BackupError> {
        self.own = fresh(&self.root, self.number)?;
        self.files.clear();
        Ok(())
    }

    /// Where a file of this backup lies, or will.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        if is_shared(path) { self.shared.path(path) } else { self.own.path(path) }
    }

    /// Copies a file that has `path` in the data folder.
    pub(super) fn put(&mut self, path: &str, source: &mut dyn Read) -> io::Result<Digest> {
        let folder = if is_shared(path) { &mut self.shared } else { &mut self.own };
        let digest = folder.put(path, source)?;
        self.copied_bytes += digest.bytes;
        self.files.push(FileLine { digest, path: path.to_owned() });
        Ok(digest)
    }

    /// Whether a shared file is there already, with that length or, if that is to be checked, with these bytes; it is then a
    /// part of this backup too.
    pub(super) fn keep(&mut self, path: &str, digest: Digest) -> bool {
        let same_length = fs::metadata(self.shared.path(path)).is_ok_and(|found| found.len() == digest.bytes);
        let there = same_length && (!self.recheck || self.shared.digest(path).is_ok_and(|found| found == digest));
        if there {
            self.kept_bytes += digest.bytes;
            self.files.push(FileLine { digest, path: path.to_owned() });
        }
        there
    }

    /// Takes a file into the backup that was written in its place.
    pub(super) fn adopt(&mut self, path: &str) -> io::Result<()> {
        let digest = self.own.adopt(path)?;
        self.copied_bytes += digest.bytes;
        self.files.push(FileLine { digest, path: path.to_owned() });
        Ok(())
    }

    pub(super) fn take_files(&mut self) -> Vec<FileLine> {
        let mut files = std::mem::take(&mut self.files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// Makes the backup valid: everything else first, the manifest last.
    pub(super) fn finish(mut self, contents: &Contents, manifest: &str) -> Result<PathBuf, BackupError> {
        let (root, own) = (self.root.clone(), self.own.path(""));
        self.own.put(CONTENTS, &mut contents.to_text().as_bytes()).map_err(io_error(&own))?;
        self.shared.sync().map_err(io_error(&root))?;
        File::open(&root).and_then(|root| root.sync_all()).map_err(io_error(&root))?;
        self.own.sync().map_err(io_error(&own))?;
        let done = folder_of(&root, self.number);
        fs::rename(&own, &done).map_err(io_error(&done))?;
        let mut named = Folder::open(&done).map_err(io_error(&done))?;
        named.put(MANIFEST, &mut manifest.as_bytes()).map_err(io_error(&done))?;
        named.sync().map_err(io_error(&done))?;
        Ok(done)
    }
}

fn folder_of(root: &Path, number: u64) -> PathBuf {
    root.join("backups").join(format!("{number:012}"))
}

/// An empty folder for the files of one backup. What an interrupted one left under its number goes.
fn fresh(root: &Path, number: u64) -> Result<Folder, BackupError> {
    let done = folder_of(root, number);
    for left in [done.clone(), with_suffix(&done, UNFINISHED)] {
        match fs::remove_dir_all(&left) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(&left)(error)),
            _ => {}
        }
    }
    let own = with_suffix(&done, UNFINISHED);
    Folder::open(&own).map_err(io_error(&own))
}

fn lock(root: &Path) -> Result<File, BackupError> {
    let path = root.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io_error(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(refused(root, "is in use by another backup; wait for it to end")),
        Err(fs::TryLockError::Error(cause)) => Err(io_error(&path)(cause)),
    }
}

/// The backups that have a manifest, by number.
fn numbers(root: &Path) -> Result<Vec<u64>, BackupError> {
    let folder = root.join("backups");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_error(&folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error(&folder))?;
        let name = entry.file_name();
        let number: Option<u64> = name.to_str().filter(|name| name.len() == 12).and_then(|name| name.parse().ok());
        found.extend(number.filter(|_| entry.path().join(MANIFEST).exists()));
    }
    found.sort_unstable();
    Ok(found)
}

/// The latest backup in a folder.
pub(super) fn latest(root: &Path) -> Result<PathBuf, BackupError> {
    let number = numbers(root)?.pop();
    number.map(|number| folder_of(root, number)).ok_or_else(|| refused(root, "holds no backup that was completed"))
}

/// The manifest of a backup and its note, signed by the key that the backup itself names: who that is, the catalog says.
pub(super) fn read_manifest(folder: &Path) -> Result<(Manifest, String), BackupError> {
    let (path, key_path) = (folder.join(MANIFEST), folder.join("tlog/public-key"));
    let note = fs::read_to_string(&path).map_err(io_error(&path))?;
    let key = fs::read_to_string(&key_path).map_err(io_error(&key_path))?;
    let key: PublicKey = key.trim().parse().map_err(|error| damaged(key_path.display(), error))?;
    let manifest = Manifest::open(&note, &key).map_err(|what| damaged(path.display(), what))?;
    Ok((manifest, note))
}
