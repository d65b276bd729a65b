//! Where backups lie: a folder, or a prefix of a bucket, with the same names below it.
//!
//! ```text
//! objects/…, tlog/…        segments and full tiles, shared by all backups
//! backups/<12 digits>/     the other files of one backup, its `contents`, and last its `manifest`
//! ```
//!
//! Here they are read. How one is written differs ([`super::slot`]).

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use logkeep_store::{Bucket, StoreError};
use logkeep_tlog::PublicKey;

use super::copy::{Digest, Folder, Incoming};
use super::manifest::{FileLine, Manifest, is_shared};
use super::{BackupError, damaged, io_error, refused};

pub(super) const MANIFEST: &str = "manifest";
pub(super) const CONTENTS: &str = "contents";
pub(super) const BACKUPS: &str = "backups";

/// What a manifest or a key may be long; both have a few hundred bytes.
const NOTE_BYTES: u64 = 1 << 20;
/// What a list of files may be long: some million files.
const CONTENTS_BYTES: u64 = 1 << 30;

/// Where backups of one data folder lie.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder.
    Folder(PathBuf),
    /// A prefix of a bucket.
    Bucket(Bucket),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(root) => root.display().fmt(f),
            Self::Bucket(bucket) => f.write_str(bucket.url()),
        }
    }
}

/// Where the own files of a backup lie.
pub(super) fn own(number: u64) -> String {
    format!("{BACKUPS}/{number:012}")
}

/// Where a file of a backup lies.
pub(super) fn kept_at(number: u64, path: &str) -> String {
    if is_shared(path) { path.to_owned() } else { format!("{}/{path}", own(number)) }
}

/// The number of a backup by the name of its folder.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit());
    name.parse().ok().filter(|_| digits)
}

impl Place {
    /// What a file in it is called, for people.
    pub(super) fn name(&self, file: &str) -> String {
        match self {
            Self::Folder(root) => root.join(file).display().to_string(),
            Self::Bucket(bucket) => bucket.url_of(file),
        }
    }

    /// The latest backup that counts.
    pub(super) async fn latest(&self) -> Result<u64, BackupError> {
        let latest = match self {
            Self::Folder(root) => latest_in(root)?,
            Self::Bucket(bucket) => Standing::of(bucket).await?.latest,
        };
        latest.ok_or_else(|| refused(self, "holds no backup that was completed"))
    }

    /// The manifest of a backup and its note, signed by the key that the backup itself names: who that is, the catalog says.
    pub(super) async fn manifest(&self, number: u64) -> Result<(Manifest, String), BackupError> {
        let (path, key_path) = (format!("{}/{MANIFEST}", own(number)), kept_at(number, "tlog/public-key"));
        let note = self.text(&path, NOTE_BYTES).await?;
        let key = self.text(&key_path, NOTE_BYTES).await?;
        let key: PublicKey = key.trim().parse().map_err(|error| damaged(self.name(&key_path), error))?;
        let manifest = Manifest::open(&note, &key).map_err(|what| damaged(self.name(&path), what))?;
        Ok((manifest, note))
    }

    /// The list of the files of a backup.
    pub(super) async fn contents(&self, number: u64) -> Result<String, BackupError> {
        self.text(&format!("{}/{CONTENTS}", own(number)), CONTENTS_BYTES).await
    }

    async fn text(&self, file: &str, limit: u64) -> Result<String, BackupError> {
        match self {
            Self::Folder(root) => fs::read_to_string(root.join(file)).map_err(io_error(&root.join(file))),
            Self::Bucket(bucket) => {
                let bytes = bucket.read(file, limit).await.map_err(lost)?;
                String::from_utf8(bytes.into()).map_err(|_| damaged(self.name(file), "it is no text"))
            }
        }
    }

    /// Copies files of a backup into a folder, each held against its digest.
    pub(super) async fn fetch(&self, number: u64, files: &[FileLine], folder: &mut Folder) -> Result<(), BackupError> {
        match self {
            Self::Folder(root) => {
                files.iter().try_for_each(|file| fetch_file(&root.join(kept_at(number, &file.path)), file, folder))
            }
            Self::Bucket(bucket) => self.fetch_objects(bucket, number, files, folder).await,
        }
    }

    async fn fetch_objects(
        &self,
        bucket: &Bucket,
        number: u64,
        files: &[FileLine],
        folder: &mut Folder,
    ) -> Result<(), BackupError> {
        let wanted = files.iter().map(|file| (kept_at(number, &file.path), file.digest.bytes)).collect();
        let mut pieces = bucket.read_all(wanted);
        let mut incoming: Option<Incoming> = None;
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(lost)?;
            let file = &files[piece.index];
            let path = folder.path(&file.path);
            let mut into = match incoming.take() {
                Some(into) => into,
                None => folder.begin(&file.path).map_err(io_error(&path))?,
            };
            into.write_all(&piece.bytes).map_err(io_error(&path))?;
            if !piece.last {
                incoming = Some(into);
                continue;
            }
            let found = into.finish(|found| found == file.digest).map_err(io_error(&path))?;
            expect(file.digest, found, self.name(&kept_at(number, &file.path)))?;
        }
        Ok(())
    }
}

fn fetch_file(source: &Path, file: &FileLine, folder: &mut Folder) -> Result<(), BackupError> {
    let lost = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => missing(source.display()),
        _ => io_error(source)(error),
    };
    let mut bytes = File::open(source).map_err(lost)?;
    let found = folder.put_if(&file.path, &mut bytes, |found| found == file.digest).map_err(io_error(source))?;
    expect(file.digest, found, source.display())
}

fn expect(expected: Digest, found: Digest, name: impl std::fmt::Display) -> Result<(), BackupError> {
    let what = "its bytes are not those that were backed up; use another copy";
    if found == expected { Ok(()) } else { Err(damaged(name, what)) }
}

fn missing(name: impl std::fmt::Display) -> BackupError {
    damaged(name, "the file is missing; use another copy of the backup")
}

/// What it means for a backup that an object is not there, or not as long as it was.
fn lost(error: StoreError) -> BackupError {
    match error {
        StoreError::Missing { path } => missing(path),
        StoreError::Resized { path, found, expected } => {
            damaged(path, format!("it has {found} bytes, {expected} were backed up; use another copy"))
        }
        other => other.into(),
    }
}

/// The latest backup in a folder that has a manifest.
pub(super) fn latest_in(root: &Path) -> Result<Option<u64>, BackupError> {
    let folder = root.join(BACKUPS);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(io_error(&folder))?,
    };
    let mut latest = None;
    for entry in entries {
        let entry = entry.map_err(io_error(&folder))?;
        let number = entry.file_name().to_str().and_then(number_of);
        latest = latest.max(number.filter(|_| entry.path().join(MANIFEST).exists()));
    }
    Ok(latest)
}

/// What a bucket holds, as far as the next backup must know. An empty manifest is that of a backup that will never be one.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The highest number that anything has.
    pub(super) highest: u64,
    /// The latest backup that counts.
    pub(super) latest: Option<u64>,
    /// Those without a manifest, down to the one before the latest: none below it was left, or a tidying was cut short twice.
    pub(super) unfinished: Vec<u64>,
}

impl Standing {
    pub(super) async fn of(bucket: &Bucket) -> Result<Self, BackupError> {
        let folders = bucket.folders(BACKUPS).await.map_err(|error| match error {
            StoreError::Missing { .. } => {
                refused(bucket.url(), "is in no bucket that is there; create the bucket first")
            }
            other => other.into(),
        })?;
        let mut numbers: Vec<u64> = folders.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        let mut standing = Self { highest: numbers.last().copied().unwrap_or_default(), ..Self::default() };
        for number in numbers.into_iter().rev() {
            let manifest = bucket.size(&format!("{}/{MANIFEST}", own(number))).await?;
            match (manifest.unwrap_or_default(), standing.latest) {
                (0, _) => standing.unfinished.push(number),
                (_, None) => standing.latest = Some(number),
                (_, Some(_)) => break,
            }
        }
        Ok(standing)
    }
}
