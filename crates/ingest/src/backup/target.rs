//! What is put into one backup, and what it shares with those before it.

use std::io::Read;
use std::path::PathBuf;

use super::copy::Digest;
use super::manifest::{Contents, FileLine};
use super::place::{Place, Standing, latest_in, own};
use super::slot::{BucketSlot, FolderSlot, Readable, Slot};
use super::{BackupError, damaged, refused};

/// One backup while it is taken.
pub(super) struct Target {
    slot: Box<dyn Slot>,
    files: Vec<FileLine>,
    recheck: bool,
    /// Bytes copied, and bytes that were there already.
    pub(super) copied_bytes: u64,
    pub(super) kept_bytes: u64,
}

impl Target {
    /// Takes the place for a new backup.
    pub(super) async fn open(place: &Place, installation: &str, recheck: bool) -> Result<Self, BackupError> {
        let slot: Box<dyn Slot> = match place {
            Place::Folder(root) => {
                let locked = FolderSlot::lock(root)?;
                let latest = latest_in(root)?;
                refuse_foreign(place, latest, installation).await?;
                Box::new(FolderSlot::new(root, locked, latest.unwrap_or_default() + 1)?)
            }
            Place::Bucket(bucket) => {
                let standing = Standing::of(bucket).await?;
                refuse_foreign(place, standing.latest, installation).await?;
                Box::new(BucketSlot::claim(bucket, standing).await?)
            }
        };
        Ok(Self { slot, files: Vec::new(), recheck, copied_bytes: 0, kept_bytes: 0 })
    }

    pub(super) fn number(&self) -> u64 {
        self.slot.number()
    }

    /// Begins anew; what is shared stays.
    pub(super) async fn restart(&mut self) -> Result<(), BackupError> {
        self.files.clear();
        self.slot.restart().await
    }

    /// Copies a file that has `path` in the data folder.
    pub(super) async fn put(&mut self, path: &str, source: &mut (dyn Read + Send)) -> Result<(), BackupError> {
        let digest = self.slot.put(path, source, None).await?;
        self.copied(path, digest);
        Ok(())
    }

    /// As [`Target::put`], if it is what it should be; else nothing is there, and this is false.
    pub(super) async fn put_expected(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
        expected: Digest,
    ) -> Result<bool, BackupError> {
        let fits = self.slot.put(path, source, Some(expected)).await? == expected;
        if fits {
            self.copied(path, expected);
        }
        Ok(fits)
    }

    /// As [`Target::put`], and gives the copy to look at.
    pub(super) async fn put_readable(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<Readable, BackupError> {
        let (digest, readable) = self.slot.put_readable(path, source).await?;
        self.copied(path, digest);
        Ok(readable)
    }

    /// Whether a shared file is there already, with that length or, if that is to be checked, with these bytes; it is then a
    /// part of this backup too.
    pub(super) async fn keep(&mut self, path: &str, digest: Digest) -> Result<bool, BackupError> {
        let same_length = self.slot.length(path) == Some(digest.bytes);
        let there = same_length
            && (!self.recheck || self.slot.digest(path, digest.bytes).await?.is_some_and(|found| found == digest));
        if there {
            self.kept_bytes += digest.bytes;
            self.files.push(FileLine { digest, path: path.to_owned() });
        }
        Ok(there)
    }

    /// Where another one may write a file that is then to be adopted.
    pub(super) fn workplace(&self, path: &str) -> PathBuf {
        self.slot.workplace(path)
    }

    /// Takes a file into the backup that was written at its workplace.
    pub(super) async fn adopt(&mut self, path: &str) -> Result<(), BackupError> {
        let digest = self.slot.adopt(path).await?;
        self.copied(path, digest);
        Ok(())
    }

    fn copied(&mut self, path: &str, digest: Digest) {
        self.copied_bytes += digest.bytes;
        self.files.push(FileLine { digest, path: path.to_owned() });
    }

    pub(super) fn take_files(&mut self) -> Vec<FileLine> {
        let mut files = std::mem::take(&mut self.files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files
    }

    /// Makes the backup valid, and says where it is.
    pub(super) async fn finish(self, contents: &Contents, manifest: &str) -> Result<String, BackupError> {
        self.slot.commit(&contents.to_text(), manifest).await
    }
}

/// A place holds backups of one installation.
async fn refuse_foreign(place: &Place, latest: Option<u64>, installation: &str) -> Result<(), BackupError> {
    let Some(latest) = latest else { return Ok(()) };
    let manifest = match place.manifest(latest).await {
        Ok((manifest, _)) => manifest,
        // The store is away, which is no fault of the backup.
        Err(error @ BackupError::Store(_)) => return Err(error),
        Err(cause) => {
            let hint = format!("{cause}; move that backup aside to go on, what it shares with others is kept");
            return Err(damaged(place.name(&own(latest)), hint));
        }
    };
    if manifest.installation == installation {
        return Ok(());
    }
    let what = format!(
        "holds backups of the installation {}, this one is {installation}: use another place",
        manifest.installation
    );
    Err(refused(place, what))
}
