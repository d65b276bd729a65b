//! A prefix in a bucket of an object store, for what is streamed in and out of it.
//!
//! An object store has no rename, no lock and no fsync: an object is there in full, and durable, or not at all. What must
//! happen once (a name taken, a thing made valid) is [`Bucket::create`], which only one of many callers wins.
//!
//! Nothing is held in memory as a whole: objects are written in parts and read in pieces, a few at a time.

mod s3;
mod upload;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};

pub(crate) use s3::aws_builder;
pub use s3::{BucketError, S3Options};
pub use upload::{Pending, Uploads};

use crate::error::StoreError;

/// Bytes in one request. An S3 object has at most 10,000 parts, so this also bounds an object to 78 GiB.
const PART_BYTES: usize = 8 << 20;
/// Pieces that are read ahead, so that many small objects do not wait for one another.
const READ_AHEAD: usize = 8;
/// How often a conditional write is tried whose answer was lost.
const CREATE_TRIES: usize = 3;

/// A prefix in a bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    url: String,
    part_bytes: usize,
}

impl std::fmt::Debug for Bucket {
    /// Not the client, which holds credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.url)
    }
}

/// A part of an object that is read piece by piece.
#[derive(Debug)]
pub struct Piece {
    /// Of which of the objects that were asked for.
    pub index: usize,
    /// What it holds.
    pub bytes: Bytes,
    /// Whether the object ends here.
    pub last: bool,
}

impl Bucket {
    /// What lies below `prefix` in `store`, which people know as `url`.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str, url: &str) -> Self {
        let (prefix, url) = (prefix.trim_matches('/').to_owned(), url.trim_end_matches('/').to_owned());
        Self { store, prefix, url, part_bytes: PART_BYTES }
    }

    /// The same with parts of another size, so that tests need no large objects.
    #[must_use]
    pub fn with_part_bytes(self, part_bytes: usize) -> Self {
        Self { part_bytes, ..self }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of an object in it.
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    fn at(&self, name: &str) -> Result<Path, StoreError> {
        let joined = if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) };
        Path::parse(&joined).map_err(|cause| StoreError::io(&self.url_of(name), "named", std::io::Error::other(cause)))
    }

    fn failed(&self, name: &str, what: &'static str) -> impl FnOnce(Error) -> StoreError {
        let url = self.url_of(name);
        move |cause| StoreError::remote(&url, what, cause)
    }

    /// How long an object is; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn size(&self, name: &str) -> Result<Option<u64>, StoreError> {
        match self.store.head(&self.at(name)?).await {
            Ok(found) => Ok(Some(found.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(name, "looked at")(error)),
        }
    }

    /// A whole object of at most `limit` bytes.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Resized`] if it is longer, else [`StoreError::Unavailable`].
    pub async fn read(&self, name: &str, limit: u64) -> Result<Bytes, StoreError> {
        let found = self.store.get(&self.at(name)?).await.map_err(self.failed(name, "read"))?;
        if found.meta.size > limit {
            return Err(StoreError::Resized { path: self.url_of(name), found: found.meta.size, expected: limit });
        }
        found.bytes().await.map_err(self.failed(name, "read"))
    }

    /// Reads objects of known lengths, one after the other, in order, each in pieces. Ends after the first error.
    ///
    /// # Errors
    /// As [`Bucket::read`]; [`StoreError::Resized`] also if one is shorter.
    pub fn read_all(
        &self,
        objects: Vec<(String, u64)>,
    ) -> impl Stream<Item = Result<Piece, StoreError>> + Send + use<> {
        let part = self.part_bytes as u64;
        let pieces = objects.into_iter().enumerate().flat_map(move |(index, (name, bytes))| {
            // An object without bytes has one piece too.
            (0..bytes.div_ceil(part).max(1)).map(move |at| (index, name.clone(), bytes, at))
        });
        let this = self.clone();
        stream::iter(pieces)
            .map(move |(index, name, total, at)| {
                let (this, start) = (this.clone(), at * part);
                async move {
                    let end = (start + part).min(total);
                    let bytes = this.piece(&name, start..end, total).await?;
                    Ok(Piece { index, bytes, last: end == total })
                }
            })
            .buffered(READ_AHEAD)
    }

    async fn piece(&self, name: &str, range: Range<u64>, total: u64) -> Result<Bytes, StoreError> {
        let resized = |found| StoreError::Resized { path: self.url_of(name), found, expected: total };
        if range.is_empty() {
            return match self.size(name).await? {
                None => Err(StoreError::Missing { path: self.url_of(name) }),
                Some(0) => Ok(Bytes::new()),
                Some(found) => Err(resized(found)),
            };
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = match self.store.get_opts(&self.at(name)?, options).await {
            Ok(found) => found,
            Err(error @ Error::NotFound { .. }) => return Err(self.failed(name, "read")(error)),
            // Stores disagree about a range outside of an object; its length says whether that is what went wrong.
            Err(error) => match self.size(name).await {
                Ok(Some(found)) if found != total => return Err(resized(found)),
                _ => return Err(self.failed(name, "read")(error)),
            },
        };
        if found.meta.size != total {
            return Err(resized(found.meta.size));
        }
        found.bytes().await.map_err(self.failed(name, "read"))
    }

    /// The objects below a folder, with their lengths, by name.
    ///
    /// # Errors
    /// [`StoreError::Missing`] if there is no such bucket, where the store says so; else [`StoreError::Unavailable`].
    pub async fn list(&self, folder: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let (at, root) = (self.at(folder)?, self.root()?);
        let found = self.store.list(Some(&at)).try_filter_map(|meta| {
            let parts = meta.location.prefix_match(&root);
            let name = parts.map(|parts| parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"));
            std::future::ready(Ok(name.map(|name| (name, meta.size))))
        });
        found.try_collect().await.map_err(self.failed(folder, "listed"))
    }

    /// The names of the folders directly in a folder, sorted.
    ///
    /// # Errors
    /// As [`Bucket::list`].
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let found = self.store.list_with_delimiter(Some(&self.at(folder)?)).await;
        let found = found.map_err(self.failed(folder, "listed"))?;
        let last = |path: &Path| path.filename().map(str::to_owned);
        let mut names: Vec<String> = found.common_prefixes.iter().filter_map(last).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn root(&self) -> Result<Path, StoreError> {
        Path::parse(&self.prefix).map_err(|cause| StoreError::io(&self.url, "named", std::io::Error::other(cause)))
    }

    /// Writes an object if there is none of that name. Of many that try, one gets `true`; the same one again if its first
    /// answer was lost, so no two may try with the same bytes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also if the store knows no conditional writes.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let at = self.at(name)?;
        let mut left = CREATE_TRIES;
        loop {
            left -= 1;
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let error = match self.store.put_opts(&at, PutPayload::from(bytes.clone()), options).await {
                Ok(_) => return Ok(true),
                Err(error) => error,
            };
            // Whether it was refused or the answer was lost: what lies there tells.
            match self.read(name, bytes.len() as u64).await {
                Ok(found) => return Ok(found == bytes),
                Err(StoreError::Resized { .. }) => return Ok(false),
                Err(StoreError::Missing { .. }) if left > 0 => {}
                Err(_) => return Err(self.failed(name, "created")(error)),
            }
        }
    }

    /// As [`Bucket::create`], and looks whether the store keeps the condition: some take the header and overwrite all the
    /// same.
    ///
    /// # Errors
    /// As there, and [`StoreError::Unavailable`] of a store that does not.
    pub async fn claim(&self, name: &str, bytes: Bytes) -> Result<bool, StoreError> {
        let other = Bytes::from([&bytes[..], b"?"].concat());
        if !self.create(name, bytes).await? {
            return Ok(false);
        }
        if self.create(name, other).await? {
            let cause = "the store ignores `If-None-Match: *` and overwrites; use one that has conditional writes";
            return Err(StoreError::io(&self.url_of(name), "created", std::io::Error::other(cause)));
        }
        Ok(true)
    }

    /// Deletes objects; one that is not there is deleted already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn remove(&self, names: impl IntoIterator<Item = String>) -> Result<(), StoreError> {
        let paths: Vec<_> = names.into_iter().map(|name| self.at(&name)).collect::<Result<_, _>>()?;
        let mut removed = self.store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        while let Some(done) = removed.next().await {
            match done {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(StoreError::remote(&self.url, "tidied", error)),
            }
        }
        Ok(())
    }

    /// A way to write objects, a few at a time.
    pub fn uploads(&self) -> Uploads {
        Uploads::new(self.clone())
    }
}
