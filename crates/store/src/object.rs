//! Reading ranges of one sealed object.
//!
//! A scan reads many ranges that lie close together, so ranges that share a chunk are read and decrypted as one. From a
//! local folder they are read by position, without a shared offset and, in a thread that may block, without a task.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use logkeep_cipher::{CHUNK_BYTES, DataKey, ObjectCipher, ObjectError};
use object_store::ObjectStore;

use crate::disk::{DiskFile, read_range};
use crate::error::StoreError;
use crate::path::ObjectPath;
use crate::sealed::{Backend, blocking};

/// An object opened for reading. Cheap to clone; holds the key in memory as long as it lives.
#[derive(Clone)]
pub struct SealedObject {
    inner: Arc<Inner>,
}

struct Inner {
    path: ObjectPath,
    plain_len: u64,
    cipher: ObjectCipher,
    source: Source,
}

enum Source {
    File(Box<dyn DiskFile>),
    Remote(Arc<dyn ObjectStore>),
}

impl std::fmt::Debug for SealedObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedObject({}, {} bytes)", self.inner.path, self.inner.plain_len)
    }
}

impl SealedObject {
    pub(crate) fn open(
        backend: &Backend,
        path: &ObjectPath,
        key: &DataKey,
        plain_len: u64,
    ) -> Result<Self, StoreError> {
        let source = match backend {
            Backend::Local(local) => {
                let file = local.file(path.as_str())?;
                let found = file.len().map_err(|cause| StoreError::io(path.as_str(), "opened", cause))?;
                check_length(path, found, plain_len)?;
                Source::File(file)
            }
            Backend::Remote(store) => Source::Remote(store.clone()),
        };
        let cipher = ObjectCipher::new(key, path.as_str());
        Ok(Self { inner: Arc::new(Inner { path: path.clone(), plain_len, cipher, source }) })
    }

    /// Where it is.
    pub fn path(&self) -> &ObjectPath {
        &self.inner.path
    }

    /// Bytes of content.
    pub fn plain_len(&self) -> u64 {
        self.inner.plain_len
    }

    /// The content of one range.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] names the chunk at fault, or that the range is outside; do not retry.
    /// [`StoreError::Unavailable`] may pass.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        match &self.inner.source {
            Source::File(_) => {
                let this = self.clone();
                blocking(self.path().as_str(), "read", move || this.read_blocking(range)).await
            }
            Source::Remote(store) => self.inner.fetch(store, range).await,
        }
    }

    /// The contents of several ranges, in their order. Ranges that share a chunk are read as one.
    ///
    /// # Errors
    /// As [`SealedObject::read`]; one bad range fails all.
    pub async fn read_ranges(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        match &self.inner.source {
            Source::File(_) => {
                let (this, ranges) = (self.clone(), ranges.to_vec());
                blocking(self.path().as_str(), "read", move || this.read_ranges_blocking(&ranges)).await
            }
            Source::Remote(store) => {
                self.check(ranges)?;
                let merged = merge(ranges);
                let reads = merged.iter().map(|range| self.inner.fetch(store, range.clone()));
                Ok(distribute(ranges, &merged, &futures::future::try_join_all(reads).await?))
            }
        }
    }

    /// As [`SealedObject::read`] from a local folder, in this thread.
    ///
    /// # Errors
    /// As there, and [`StoreError::NotLocal`].
    pub fn read_blocking(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let inner = &*self.inner;
        let Source::File(file) = &inner.source else {
            return Err(StoreError::NotLocal { path: inner.path.to_string() });
        };
        let span = inner.cipher.chunk_range(&range, inner.plain_len)?;
        let sealed = read_range(&**file, span.sealed.start, span.sealed.end)
            .map_err(|cause| StoreError::io(inner.path.as_str(), "read", cause))?;
        Ok(inner.cipher.open_range(&sealed, span.first_chunk, inner.plain_len, &range)?.into())
    }

    /// As [`SealedObject::read_ranges`] from a local folder, in this thread.
    ///
    /// # Errors
    /// As [`SealedObject::read_blocking`].
    pub fn read_ranges_blocking(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, StoreError> {
        self.check(ranges)?;
        let merged = merge(ranges);
        let parts = merged.iter().map(|range| self.read_blocking(range.clone())).collect::<Result<Vec<_>, _>>()?;
        Ok(distribute(ranges, &merged, &parts))
    }

    /// Refuses a range that is not within the object before it is merged with others.
    fn check(&self, ranges: &[Range<u64>]) -> Result<(), StoreError> {
        for range in ranges {
            self.inner.cipher.chunk_range(range, self.inner.plain_len)?;
        }
        Ok(())
    }
}

impl Inner {
    async fn fetch(&self, store: &Arc<dyn ObjectStore>, range: Range<u64>) -> Result<Bytes, StoreError> {
        use object_store::ObjectStoreExt;
        let span = self.cipher.chunk_range(&range, self.plain_len)?;
        let sealed = store
            .get_range(&self.path.in_store(), span.sealed)
            .await
            .map_err(|cause| StoreError::object(self.path.as_str(), "read", cause))?;
        Ok(self.cipher.open_range(&sealed, span.first_chunk, self.plain_len, &range)?.into())
    }
}

fn check_length(path: &ObjectPath, found: u64, plain_len: u64) -> Result<(), StoreError> {
    let expected = ObjectCipher::sealed_len(plain_len);
    let (path, chunk) = (path.to_string(), plain_len.saturating_sub(1) / CHUNK_BYTES);
    match found.cmp(&expected) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(ObjectError::Trailing { path, chunk, surplus: found - expected }.into()),
        std::cmp::Ordering::Less => Err(ObjectError::Cut { path, chunk, found, expected }.into()),
    }
}

/// Ranges sorted and joined where one begins in the chunk in which the one before ends, or earlier.
fn merge(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.start / CHUNK_BYTES <= last.end.saturating_sub(1) / CHUNK_BYTES => {
                last.end = last.end.max(range.end);
            }
            _ => merged.push(range),
        }
    }
    merged
}

/// Cuts what was read for the merged ranges into what was asked for.
fn distribute(ranges: &[Range<u64>], merged: &[Range<u64>], parts: &[Bytes]) -> Vec<Bytes> {
    ranges
        .iter()
        .map(|range| {
            let place = merged.partition_point(|whole| whole.start <= range.start).saturating_sub(1);
            let start = (range.start - merged[place].start) as usize;
            parts[place].slice(start..start + (range.end - range.start) as usize)
        })
        .collect()
}
