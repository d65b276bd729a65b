//! The place of one backup while it is taken.

mod bucket;
mod folder;

use std::io::Read;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
pub(super) use bucket::BucketSlot;
pub(super) use folder::FolderSlot;

use super::BackupError;
use super::copy::Digest;

/// Where the files of one backup are put, each under the path it has in the data folder. Nothing of it counts before
/// [`Slot::commit`].
#[async_trait]
pub(super) trait Slot: Send {
    /// The number of the backup.
    fn number(&self) -> u64;

    /// Copies a file. If it is not as expected, it does not get its name.
    async fn put(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
        expected: Option<Digest>,
    ) -> Result<Digest, BackupError>;

    /// As [`Slot::put`], and gives the copy to look at.
    async fn put_readable(
        &mut self,
        path: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<(Digest, Readable), BackupError>;

    /// Where another one may write a file that is then to be adopted.
    fn workplace(&self, path: &str) -> PathBuf;

    /// Takes a file into the backup that was written at its workplace.
    async fn adopt(&mut self, path: &str) -> Result<Digest, BackupError>;

    /// How long a shared file is that is there already.
    fn length(&self, path: &str) -> Option<u64>;

    /// What a shared file of that length is now; `None` if it is not there or not as long.
    async fn digest(&self, path: &str, bytes: u64) -> Result<Option<Digest>, BackupError>;

    /// Begins anew; what is shared stays.
    async fn restart(&mut self) -> Result<(), BackupError>;

    /// Makes the backup valid: everything else first, the manifest last. Says where it is.
    async fn commit(self: Box<Self>, contents: &str, manifest: &str) -> Result<String, BackupError>;
}

/// A copy on this machine. One that only was on its way elsewhere goes with this.
#[derive(Debug)]
pub(super) struct Readable {
    path: PathBuf,
    passing: bool,
}

impl Readable {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        if self.passing {
            // What is left goes with its folder.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
