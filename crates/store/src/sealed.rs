//! Writing, opening, listing and deleting sealed objects.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use logkeep_cipher::{DataKey, Sha256, seal_object, sha256};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::disk::{Disk, read_range, system_disk};
use crate::error::StoreError;
use crate::local::LocalStore;
use crate::object::SealedObject;
use crate::path::ObjectPath;

/// How much of a file is hashed at a time.
const DIGEST_BYTES: u64 = 1 << 20;

/// What the catalog keeps of a written object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutReceipt {
    /// Bytes that it occupies.
    pub sealed_bytes: u64,
    /// SHA-256 of those bytes, by which `verify` checks the object without its key.
    pub sha256: [u8; 32],
}

#[derive(Clone, Debug)]
pub(crate) enum Backend {
    Local(Arc<LocalStore>),
    Remote(Arc<dyn ObjectStore>),
}

/// All objects of one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SealedObjects {
    backend: Backend,
}

impl SealedObjects {
    /// Objects in a local folder, durable when written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the folder cannot be made or read.
    pub fn local(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { backend: Backend::Local(Arc::new(LocalStore::open(folder)?)) })
    }

    /// As [`SealedObjects::local`] on a disk, below the folder `data_dir`, which is there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the folder cannot be made or read.
    pub fn on(disk: Arc<dyn Disk>, data_dir: &Path, folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { backend: Backend::Local(Arc::new(LocalStore::open_on(disk, data_dir, folder)?)) })
    }

    /// Objects in a local folder that is only read and not changed in any way, not even tidied.
    pub fn local_read_only(folder: &Path) -> Self {
        Self { backend: Backend::Local(Arc::new(LocalStore::read_only(system_disk(), folder))) }
    }

    /// The disk below a local folder, on which the rest of its data folder lies; the operating system's if the objects
    /// are elsewhere.
    pub fn disk(&self) -> Arc<dyn Disk> {
        match &self.backend {
            Backend::Local(local) => local.disk().clone(),
            Backend::Remote(_) => system_disk(),
        }
    }

    /// Objects in a store whose own acknowledgement means durable, such as S3. For a local folder use
    /// [`SealedObjects::local`]: `object_store` does not sync its files.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { backend: Backend::Remote(store) }
    }

    /// Seals `plain` under `key`, which must be new, and writes it; durable on return. Sealing and syncing happen off
    /// the async threads.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if the path is taken, else [`StoreError::Unavailable`]. After an error use a new key and
    /// a new name, because what was written may be there all the same.
    pub async fn put(&self, path: &ObjectPath, key: &DataKey, plain: Vec<u8>) -> Result<PutReceipt, StoreError> {
        let (backend, at, key) = (self.backend.clone(), path.clone(), key.clone());
        let sealed = blocking(path.as_str(), "written", move || {
            let sealed = seal_object(&key, at.as_str(), &plain);
            let receipt = PutReceipt { sealed_bytes: sealed.len() as u64, sha256: sha256(&sealed) };
            match &backend {
                Backend::Local(local) => local.put(at.as_str(), &sealed).map(|()| (receipt, Vec::new())),
                Backend::Remote(_) => Ok((receipt, sealed)),
            }
        });
        let (receipt, sealed) = sealed.await?;
        if let Backend::Remote(store) = &self.backend {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let (at, payload) = (path.in_store(), PutPayload::from(sealed));
            store
                .put_opts(&at, payload, options)
                .await
                .map_err(|cause| StoreError::object(path.as_str(), "written", cause))?;
        }
        Ok(receipt)
    }

    /// Opens an object of `plain_len` bytes of content for reading ranges. Nothing is read yet.
    ///
    /// # Errors
    /// In a local folder, [`StoreError::Missing`], or [`StoreError::Damaged`] if the file has another length.
    pub fn open(&self, path: &ObjectPath, key: &DataKey, plain_len: u64) -> Result<SealedObject, StoreError> {
        SealedObject::open(&self.backend, path, key, plain_len)
    }

    /// Deletes an object; one that does not exist is deleted already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn delete(&self, path: &ObjectPath) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Local(local) => {
                let (local, at) = (local.clone(), path.clone());
                blocking(path.as_str(), "deleted", move || local.delete(at.as_str())).await
            }
            Backend::Remote(store) => match store.delete(&path.in_store()).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(cause) => Err(StoreError::object(path.as_str(), "deleted", cause)),
            },
        }
    }

    /// The objects directly under a prefix (see [`ObjectPath::prefix`]), sorted. Names that are no object's are left
    /// out: they are not ours.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectPath>, StoreError> {
        let names = match &self.backend {
            Backend::Local(local) => {
                let (local, under) = (local.clone(), prefix.to_owned());
                blocking(prefix, "listed", move || local.list(&under)).await?
            }
            Backend::Remote(store) => {
                let under = object_store::path::Path::from(prefix);
                let listed = store.list_with_delimiter(Some(&under)).await;
                let listed = listed.map_err(|cause| StoreError::object(prefix, "listed", cause))?;
                listed.objects.into_iter().map(|meta| meta.location.to_string()).collect()
            }
        };
        let mut paths: Vec<ObjectPath> = names.iter().filter_map(|name| name.parse().ok()).collect();
        paths.sort_unstable();
        Ok(paths)
    }

    /// SHA-256 of the stored bytes, which needs no key.
    ///
    /// # Errors
    /// [`StoreError::Missing`] or [`StoreError::Unavailable`].
    pub async fn digest(&self, path: &ObjectPath) -> Result<[u8; 32], StoreError> {
        match &self.backend {
            Backend::Local(local) => {
                let (local, at) = (local.clone(), path.clone());
                blocking(path.as_str(), "read", move || digest_file(&local, at.as_str())).await
            }
            Backend::Remote(store) => {
                let failed = |cause| StoreError::object(path.as_str(), "read", cause);
                let mut stream = store.get(&path.in_store()).await.map_err(failed)?.into_stream();
                let mut hasher = Sha256::new();
                while let Some(bytes) = stream.try_next().await.map_err(failed)? {
                    hasher.update(&bytes);
                }
                Ok(hasher.finish())
            }
        }
    }
}

fn digest_file(local: &LocalStore, path: &str) -> Result<[u8; 32], StoreError> {
    let file = local.file(path)?;
    let mut hasher = Sha256::new();
    let mut at = 0;
    loop {
        let bytes = read_range(&*file, at, at + DIGEST_BYTES).map_err(|cause| StoreError::io(path, "read", cause))?;
        if bytes.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(&bytes);
        at += bytes.len() as u64;
    }
}

/// Runs `work` where it may block.
pub(crate) async fn blocking<T: Send + 'static>(
    path: &str,
    what: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => {
            Err(StoreError::Unavailable { path: path.to_owned(), what, cause: std::io::Error::other(stopped) })
        }
    }
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
