//! Space that is held back for a full disk.
//!
//! A file occupies it. When a write finds no space the file goes: senders are told to come back, and the space is left to
//! the audit trail, without which nothing may be read, to the catalog, and to the flush that makes the log smaller. When
//! there is room for the file again, senders are served again.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use logkeep_store::Disk;
use tracing::{info, warn};

pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes: u64,
    spent: AtomicBool,
    /// It was spent since the flusher last looked.
    news: AtomicBool,
}

impl Reserve {
    /// Spent until [`Reserve::restore`]: whoever opens the data folder may need the space. `bytes` may be 0, for none.
    pub(crate) fn open(disk: Arc<dyn Disk>, data_dir: &Path, bytes: u64) -> io::Result<Self> {
        let path = path(data_dir);
        gone(disk.remove(&path))?;
        Ok(Self { disk, path, bytes, spent: AtomicBool::new(bytes > 0), news: AtomicBool::new(false) })
    }

    /// Whether only what the reserve is for may be written.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Acquire)
    }

    /// A write found no space. True if there is some now that was not there before.
    pub(crate) fn spend(&self) -> bool {
        if self.bytes == 0 || self.spent.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.news.store(true, Ordering::Release);
        let removed = self.disk.remove(&self.path);
        let (path, bytes) = (self.path.display(), self.bytes);
        match &removed {
            Ok(()) => warn!(
                %path, bytes,
                "the disk is full: senders are refused and told to come back until there is room for the reserve again; make room, or remove old data"
            ),
            Err(error) => warn!(%path, %error, "the disk is full, and its reserve cannot be released"),
        }
        removed.is_ok()
    }

    /// Whether it was spent since this was last asked.
    pub(crate) fn take_news(&self) -> bool {
        self.news.swap(false, Ordering::AcqRel)
    }

    /// Makes it again if there is room.
    pub(crate) fn restore(&self) {
        if !self.is_spent() {
            return;
        }
        match self.disk.occupy(&self.path, self.bytes) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if is_full(&error) => return,
            Err(error) => {
                let path = self.path.display();
                warn!(%path, %error, "the reserve for a full disk cannot be made; going on without");
            }
            Ok(()) => {}
        }
        self.spent.store(false, Ordering::Release);
        info!(path = %self.path.display(), bytes = self.bytes, "space is reserved for a full disk; senders are served");
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("reserve")
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// Gives back what a data folder holds in reserve, so that the catalog can be opened on a full disk. Opening the folder
/// makes it again.
///
/// # Errors
/// What the operating system says.
pub fn release_reserve(data_dir: &Path) -> io::Result<()> {
    gone(std::fs::remove_file(path(data_dir)))
}

/// Whether an error, or what caused it, is that there is no space.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut at = Some(error);
    while let Some(error) = at {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        // SQLite's words for it; its error comes as text.
        if error.to_string().contains("database or disk is full") {
            return true;
        }
        at = error.source();
    }
    false
}
