//! A backup in a bucket, where nothing is locked and several may be taken at a time.
//!
//! Each takes a number that nobody else can take (a conditional write of its `claim`), so none writes among the own files of
//! another; shared files are the same bytes, whoever writes them. One that is complete declares those unfinished that have a
//! lower number: it writes an empty manifest in their place. One of them may still be under way; then it finds its place
//! taken, does not count, and is not missed, as the other began later. So a dead backup needs no clock to be told from a
//! slow one, and its files can go.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use logkeep_cipher::random_bytes;
use logkeep_store::{Bucket, StoreError, Uploads};
use tempfile::TempDir;
use tracing::warn;

use super::{Readable, Slot};
use crate::backup::copy::{Digest, Folder, Hashing};
use crate::backup::place::{CONTENTS, MANIFEST, Standing, kept_at, own};
use crate::backup::{BackupError, io_error, refused};

const CLAIM: &str = "claim";
/// Numbers that others may take first.
const CLAIMS: usize = 100;
/// Folders whose files are shared.
const SHARED: [&str; 2] = ["objects", "tlog"];

pub(in crate::backup) struct BucketSlot {
    bucket: Bucket,
    number: u64,
    uploads: Uploads,
    /// For what must be looked at before it is sent.
    scratch: Folder,
    /// Shared files that are there, with their lengths.
    shared: BTreeMap<String, u64>,
    own: BTreeSet<String>,
    unfinished: Vec<u64>,
    _scratch: TempDir,
}

impl BucketSlot {
    /// Takes a number of its own.
    pub(in crate::backup) async fn claim(bucket: &Bucket, standing: Standing) -> Result<Self, BackupError> {
        let temporary = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix("logkeep-backup-").tempdir().map_err(io_error(&temporary))?;
        let scratch = Folder::open(folder.path()).map_err(io_error(folder.path()))?;
        let mut shared = BTreeMap::new();
        for folder in SHARED {
            shared.append(&mut bucket.list(folder).await?);
        }
        let mut unfinished = standing.unfinished;
        for number in (standing.highest + 1..).take(CLAIMS) {
            let nonce = format!("{}\n", hex::encode(random_bytes::<16>()));
            if bucket.claim(&format!("{}/{CLAIM}", own(number)), nonce.into()).await? {
                let (bucket, uploads) = (bucket.clone(), bucket.uploads());
                let own = BTreeSet::new();
                return Ok(Self { bucket, number, uploads, scratch, shared, own, unfinished, _scratch: folder });
            }
            unfinished.push(number);
        }
        Err(refused(bucket.url(), "is in use by a hundred other backups; wait for them to end"))
    }

    fn at(&self, path: &str) -> String {
        kept_at(self.number, path)
    }

    fn of_number(number: u64, name: &str) -> String {
        format!("{}/{name}", own(number))
    }

    async fn upload_scratch(&mut self, path: &str) -> Result<Digest, BackupError> {
        let place = self.scratch.path(path);
        let mut file = File::open(&place).map_err(io_error(&place))?;
        self.put(path, &mut file, None).await
    }

    /// Removes what unfinished backups left. None of them can count any more.
    async fn tidy(&self) -> Result<(), StoreError> {
        for &number in &self.unfinished {
            let manifest = Self::of_number(number, MANIFEST);
            if self.bucket.create(&manifest, Bytes::new()).await? {
                let left = self.bucket.list(&own(number)).await?;
                self.bucket.remove(left.into_keys().filter(|name| *name != manifest)).await?;
            }
        }
        self.bucket.remove([Self::of_number(self.number, CLAIM)]).await
    }
}

#[async_trait]
impl Slot for BucketSlot {
    fn number(&self) -> u64 {
        self.number
    }

    async fn put(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
        expected: Option<Digest>,
    ) -> Result<Digest, BackupError> {
        let name = self.at(path);
        let mut hashing = Hashing::new(source);
        let pending = self.uploads.read(&name, &mut hashing).await?;
        let digest = hashing.digest();
        if expected.is_some_and(|expected| digest != expected) {
            pending.abort().await;
            return Ok(digest);
        }
        self.uploads.finish(&name, pending).await?;
        if name == path {
            self.shared.insert(name, digest.bytes);
        } else {
            self.own.insert(name);
        }
        Ok(digest)
    }

    async fn put_readable(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<(Digest, Readable), BackupError> {
        let place = self.scratch.path(path);
        self.scratch.put(path, source).map_err(io_error(&place))?;
        let readable = Readable { path: place, passing: true };
        Ok((self.upload_scratch(path).await?, readable))
    }

    fn workplace(&self, path: &str) -> PathBuf {
        self.scratch.path(path)
    }

    async fn adopt(&mut self, path: &str) -> Result<Digest, BackupError> {
        let _passing = Readable { path: self.scratch.path(path), passing: true };
        self.upload_scratch(path).await
    }

    fn length(&self, path: &str) -> Option<u64> {
        self.shared.get(path).copied()
    }

    async fn digest(&self, path: &str, bytes: u64) -> Result<Option<Digest>, BackupError> {
        let mut hashing = Hashing::new(io::sink());
        let mut pieces = self.bucket.read_all(vec![(path.to_owned(), bytes)]);
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => {
                    io::Write::write_all(&mut hashing, &piece.bytes).map_err(io_error(&self.scratch.path("")))?
                }
                Err(StoreError::Missing { .. } | StoreError::Resized { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(hashing.digest()))
    }

    async fn restart(&mut self) -> Result<(), BackupError> {
        self.uploads.settle().await?;
        Ok(self.bucket.remove(std::mem::take(&mut self.own)).await?)
    }

    async fn commit(mut self: Box<Self>, contents: &str, manifest: &str) -> Result<String, BackupError> {
        self.put(CONTENTS, &mut contents.as_bytes(), None).await?;
        self.uploads.settle().await?;
        let name = Self::of_number(self.number, MANIFEST);
        if !self.bucket.create(&name, manifest.to_owned().into()).await? {
            // What is left here the next one removes.
            let _ = self.bucket.remove(std::mem::take(&mut self.own)).await;
            let what = "has a backup that began later and was completed first: that one holds all of this one, which does not count";
            return Err(refused(self.bucket.url(), what));
        }
        if let Err(error) = self.tidy().await {
            warn!(%error, "the backup is complete, but what earlier ones left could not be removed; the next one tries again");
        }
        Ok(self.bucket.url_of(&own(self.number)))
    }
}
