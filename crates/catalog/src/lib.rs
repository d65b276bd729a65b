//! Which segments exist, and nothing else.
//!
//! A folder of objects has no transaction, so "this data is there" must be one row in one transaction here. What
//! precedes it is litter a crash may leave; what follows stays until retention ends. Each row's body is sealed with its
//! place in the table, so a row that was altered, moved or invented does not open; each class's head commits to the
//! rows of the class, so a row that was removed is missed.
//!
//! Not here: the bytes of a segment (`segment`), when to merge (`ingest`).

mod ledger;
mod row;
mod sqlite;

use async_trait::async_trait;
use logkeep_record::{Class, TenantId};

pub use ledger::{ClassPages, Page, Pages};
pub use row::{Head, PageRow, SegmentId, SegmentRow};
pub use sqlite::SqliteCatalog;

/// Why the catalog did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The database: locked, full, or broken. Retry what changes nothing; a failed commit did not happen.
    #[error("catalog: {0}")]
    Database(#[from] sqlx::Error),
    /// What the database lies on.
    #[error("catalog: {0}")]
    Storage(#[from] std::io::Error),
    /// A row that does not open or does not fit the others.
    #[error("catalog row {0}; set the data folder aside unchanged and run `logkeep verify`")]
    Corrupt(String),
    /// The file under it.
    #[error("catalog: the database is damaged: {0}; set the data folder aside unchanged and restore a backup")]
    Damaged(String),
    /// Written by a later version of this program.
    #[error("catalog `{path}` has version {found}, this program knows up to {known}: use a newer logkeep")]
    Version {
        /// The file.
        path: String,
        /// The version in the file.
        found: i64,
        /// The latest this program knows.
        known: usize,
    },
}

/// What one transaction does. Segments are added and removed together with the head that commits to them.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose data.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// New segments.
    pub add: Vec<SegmentRow>,
    /// Segments that the new ones replace, or that were destroyed.
    pub remove: Vec<SegmentId>,
    /// The head after it.
    pub head: Head,
    /// Keys of batches that it takes out of the write-ahead log.
    pub keys: Vec<BatchKey>,
    /// Documents of batches that it takes out of the write-ahead log.
    pub documents: Option<DocumentsRow>,
    /// What becomes of the ledger.
    pub pages: Pages,
    /// Named secrets that are kept with it, as by [`Catalog::set_secrets`].
    pub secrets: Vec<(String, Vec<u8>)>,
}

/// Documents that senders gave names, by which one that comes again is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentsRow {
    /// The last batch of their class that may have some.
    pub last: u64,
    /// When the latest of them came, nanoseconds.
    pub received_ns: i64,
    /// How many they are.
    pub documents: u64,
    /// What is known of them, in whatever form.
    pub body: Vec<u8>,
}

/// The key a sender gave a batch, as an HMAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchKey {
    /// HMAC of the key.
    pub hmac: [u8; 32],
    /// When the batch came, nanoseconds.
    pub received_ns: i64,
}

/// Everything the catalog holds about one tenant and class.
#[derive(Clone, Debug)]
pub struct ClassState {
    /// Whose data.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// Its head.
    pub head: Head,
    /// Its segments, in order of their first batch.
    pub segments: Vec<SegmentRow>,
}

impl ClassState {
    /// Every batch below the head is in exactly one segment, but for those that were destroyed, and the head names these segments.
    ///
    /// # Errors
    /// [`CatalogError::Corrupt`] says which are not.
    pub fn check(&self) -> Result<(), CatalogError> {
        let place = format!("of `{}/{}`", self.tenant, self.class);
        let mut next = self.head.destroyed;
        for segment in &self.segments {
            if segment.first_batch != next {
                return Err(CatalogError::Corrupt(format!("{place} for batch {next} is missing, or one too many")));
            }
            next = segment.last_batch + 1;
        }
        if next != self.head.flushed {
            return Err(CatalogError::Corrupt(format!(
                "{place}: batches from {next} to {} are missing",
                self.head.flushed
            )));
        }
        if Head::commit_to(&self.segments) != self.head.segments {
            return Err(CatalogError::Corrupt(format!("{place}: the head commits to other segments")));
        }
        Ok(())
    }
}

/// The one source of truth.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Reads all classes that have trees, having checked every row and that heads and segments agree.
    ///
    /// # Errors
    /// [`CatalogError::Corrupt`] names the row.
    async fn load(&self) -> Result<Vec<ClassState>, CatalogError>;

    /// Looks at all of what is stored, also at what `load` does not read.
    ///
    /// # Errors
    /// [`CatalogError`] says what is damaged.
    async fn check(&self) -> Result<(), CatalogError>;

    /// Forgets the batch keys that came before `since_ns`.
    ///
    /// # Errors
    /// [`CatalogError`].
    async fn forget_batch_keys(&self, since_ns: i64) -> Result<(), CatalogError>;

    /// The batch keys of each tenant that came at or after `since_ns`; older ones are forgotten for good.
    ///
    /// # Errors
    /// [`CatalogError`].
    async fn batch_keys(&self, since_ns: i64) -> Result<Vec<(TenantId, BatchKey)>, CatalogError>;

    /// Forgets the rows of documents that came before `since_ns`, and the oldest of the others as long as those after them are
    /// at least `most` documents. Returns how many documents are left.
    ///
    /// # Errors
    /// [`CatalogError`].
    async fn forget_documents(&self, since_ns: i64, most: u64) -> Result<u64, CatalogError>;

    /// What is known of documents, oldest first.
    ///
    /// # Errors
    /// [`CatalogError::Corrupt`] names the row.
    async fn documents(&self) -> Result<Vec<Vec<u8>>, CatalogError>;

    /// The pages of the ledger, of every class that has a head, having checked each page and that none is missing.
    ///
    /// # Errors
    /// [`CatalogError::Corrupt`] names the page.
    async fn pages(&self) -> Result<Vec<ClassPages>, CatalogError>;

    /// What is on a page; `None` if there is no such page any more, because it was merged with others.
    ///
    /// # Errors
    /// [`CatalogError::Corrupt`].
    async fn page(&self, tenant: &TenantId, class: &Class, page: &PageRow) -> Result<Option<Vec<u8>>, CatalogError>;

    /// Carries out one change, all or nothing, durable on return.
    ///
    /// # Errors
    /// [`CatalogError`]: nothing has changed.
    async fn commit(&self, change: Change) -> Result<(), CatalogError>;

    /// Leaves nothing of any row that was deleted before in the files.
    ///
    /// # Errors
    /// [`CatalogError`]: something of it may still be there; retry.
    async fn leave_nothing_deleted(&self) -> Result<(), CatalogError>;

    /// Forgets by what requests and documents of a tenant would be known again, and leaves nothing of any row that was deleted
    /// before in the files.
    ///
    /// # Errors
    /// [`CatalogError`]: something of it may still be there; retry.
    async fn forget_tenant(&self, tenant: &TenantId) -> Result<(), CatalogError>;

    /// A named secret of the installation, sealed at rest.
    ///
    /// # Errors
    /// [`CatalogError`].
    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, CatalogError>;

    /// Keeps a named secret; an existing one is replaced.
    ///
    /// # Errors
    /// [`CatalogError`].
    async fn set_secret(&self, name: &str, secret: &[u8]) -> Result<(), CatalogError> {
        self.set_secrets(&[(name, secret)]).await
    }

    /// Keeps several, all of them or none.
    ///
    /// # Errors
    /// [`CatalogError`]: none is changed.
    async fn set_secrets(&self, secrets: &[(&str, &[u8])]) -> Result<(), CatalogError>;
}
