//! A data folder, kept elsewhere and brought back.
//!
//! A backup is what recovery needs: segments, the write-ahead log, the catalog, the trees. Everything is copied as it rests,
//! sealed, so that no key is needed to store it and the key file never goes with it. Segments and full tiles have names
//! that are never used again, so all backups in one place share them and only new ones are copied. The place is a folder or
//! a bucket.
//!
//! A restored copy is another log ([`logkeep_tlog::Succession`]): the one it came from may have gone on.
//!
//! The files are described in `docs/formats/backup.md`.

mod copy;
mod manifest;
mod place;
mod restore;
mod slot;
mod take;
mod target;
mod tree;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use manifest::Manifest;
pub use place::Place;
pub use restore::{Staged, unpack};
pub use take::{BackupReport, BackupSource, backup};

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system.
    #[error("`{path}`: {cause}")]
    Io {
        /// Where.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A file is not what it must be, on either side. Do not retry.
    #[error("`{path}`: {what}")]
    Damaged {
        /// Which.
        path: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// What is to be written to is not fit for it.
    #[error("`{path}` {what}")]
    Refused {
        /// The folder or bucket.
        path: String,
        /// Why, and what to do.
        what: String,
    },
    /// The server exchanged a file for its successor meanwhile.
    #[error(
        "`{0}` was gone when it was to be copied, time and again: the server replaces it faster than the target takes it, or it is missing; run `logkeep verify`, or try again later"
    )]
    Vanished(String),
    /// The store of the backups. Retry if its cause may pass.
    #[error(transparent)]
    Store(#[from] logkeep_store::StoreError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] logkeep_catalog::CatalogError),
    /// A key.
    #[error(transparent)]
    Key(#[from] logkeep_store::KeyProviderError),
}

fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.display().to_string();
    |cause| BackupError::Io { path, cause }
}

fn damaged(path: impl std::fmt::Display, what: impl ToString) -> BackupError {
    BackupError::Damaged { path: path.to_string(), what: what.to_string() }
}

fn refused(path: impl std::fmt::Display, what: impl ToString) -> BackupError {
    BackupError::Refused { path: path.to_string(), what: what.to_string() }
}
