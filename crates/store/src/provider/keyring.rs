//! A key-encryption key for each tenant, under the key of a service.
//!
//! A service answers in milliseconds, or not at all, and data keys are needed by the thousand. So it wraps one key a tenant,
//! which then wraps the tenant's data keys here, in memory: opening a folder asks as often as there are tenants, and what
//! comes in is sealed without asking anybody. It also means that a tenant's data hang on one key.
//!
//! Keys are made in generations: a rotation begins the next one, in which each tenant gets another key.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use logkeep_cipher::{DataKey, KeyEncryptionKey, UnwrapError, WrappedKey};
use parking_lot::RwLock;

use super::{KeyProvider, KeyProviderError, KeyService};
use crate::disk::system_disk;

/// First byte of a data key that is wrapped by its tenant's key.
const BY_TENANT: u8 = 2;
/// … and of one that the service wrapped itself.
const BY_SERVICE: u8 = 3;
/// Version and generation.
const HEAD_BYTES: usize = 5;
const ORDER_FILE: &str = "keys.generation";

/// Keeps what the service wrapped: tenants' keys, by name.
#[async_trait]
pub trait KeyShelf: Send + Sync {
    /// What was kept under this name.
    ///
    /// # Errors
    /// What stood in the way; retry.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String>;

    /// Keeps it, durably.
    ///
    /// # Errors
    /// What stood in the way; retry.
    async fn put(&self, name: &str, wrapped: &[u8]) -> Result<(), String>;
}

/// The tenants' keys that a service unwrapped. They are wiped when they are dropped.
pub struct Keyring {
    service: Arc<dyn KeyService>,
    order: PathBuf,
    generation: AtomicU32,
    shelf: OnceLock<Arc<dyn KeyShelf>>,
    keys: RwLock<HashMap<(u32, String), Arc<KeyEncryptionKey>>>,
    /// Two keys for one tenant and generation must not be made: one of them would be lost.
    making: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.service.name())
    }
}

impl Keyring {
    /// The keys of a data folder, none of which is unwrapped yet.
    ///
    /// # Errors
    /// [`KeyProviderError::Unavailable`] if the file that says the generation cannot be read.
    pub fn open(service: Arc<dyn KeyService>, data_dir: &Path) -> Result<Self, KeyProviderError> {
        let order = Self::order_file(data_dir);
        let generation = AtomicU32::new(ordered(&order)?);
        let (shelf, keys, making) = (OnceLock::new(), RwLock::default(), tokio::sync::Mutex::default());
        Ok(Self { service, order, generation, shelf, keys, making })
    }

    /// The file whose change is the order to rotate.
    pub fn order_file(data_dir: &Path) -> PathBuf {
        data_dir.join(ORDER_FILE)
    }

    /// Orders another generation than any that the catalog's key or an earlier order names.
    ///
    /// # Errors
    /// [`KeyProviderError::Unavailable`].
    pub fn order_next(data_dir: &Path, catalog_key: &WrappedKey) -> Result<(), KeyProviderError> {
        let order = Self::order_file(data_dir);
        let current = ordered(&order)?.max(generation_of(catalog_key).unwrap_or_default());
        let failed = |cause| KeyProviderError::Unavailable { path: order.clone(), what: "written", cause };
        system_disk().replace(&order, format!("{}\n", current.saturating_add(1)).as_bytes()).map_err(failed)
    }

    fn generation(&self) -> u32 {
        self.generation.load(Ordering::SeqCst)
    }

    fn known(&self, generation: u32, tenant: &str) -> Option<Arc<KeyEncryptionKey>> {
        self.keys.read().get(&(generation, tenant.to_owned())).cloned()
    }

    /// A tenant's key; one that is not there yet is made if `context` names what is to be sealed, not opened.
    async fn key_of(
        &self,
        generation: u32,
        tenant: &str,
        absent: Absent<'_>,
    ) -> Result<Arc<KeyEncryptionKey>, KeyProviderError> {
        if let Some(key) = self.known(generation, tenant) {
            return Ok(key);
        }
        let _alone = self.making.lock().await;
        if let Some(key) = self.known(generation, tenant) {
            return Ok(key);
        }
        let name = format!("kek/{generation}/{tenant}");
        let context = format!("logkeep/{generation}/tenant/{tenant}");
        let shelf = self.shelf.get().ok_or_else(|| KeyProviderError::Shelf("it is not open yet".into()))?;
        let key = match (shelf.get(&name).await.map_err(KeyProviderError::Shelf)?, absent) {
            (Some(wrapped), _) => KeyEncryptionKey::from_bytes(*self.service.decrypt(&wrapped, &context).await?),
            (None, Absent::Refuse(context)) => {
                return Err(UnwrapError::Refused { context: context.to_owned() }.into());
            }
            (None, Absent::Make) => {
                let key = KeyEncryptionKey::generate();
                let wrapped = self.service.encrypt(key.expose(), &context).await?;
                shelf.put(&name, &wrapped).await.map_err(KeyProviderError::Shelf)?;
                key
            }
        };
        let key = Arc::new(key);
        self.keys.write().insert((generation, tenant.to_owned()), key.clone());
        Ok(key)
    }
}

/// What to do about a tenant's key that is not there.
#[derive(Clone, Copy)]
enum Absent<'a> {
    Make,
    /// Nothing can be under it: a data key with this context was not wrapped here.
    Refuse(&'a str),
}

#[async_trait]
impl KeyProvider for Keyring {
    fn key_id(&self) -> String {
        format!("{}, generation {}", self.service.name(), self.generation())
    }

    fn keep_in(&self, shelf: Arc<dyn KeyShelf>) {
        // One that is given a second time is the same.
        let _ = self.shelf.set(shelf);
    }

    async fn prepare(&self) -> Result<(), KeyProviderError> {
        let (current, next) = (self.generation(), ordered(&self.order)?);
        let tenants: Vec<String> =
            self.keys.read().keys().filter(|(of, _)| *of == current).map(|(_, of)| of.clone()).collect();
        for tenant in tenants {
            self.key_of(next.max(current), &tenant, Absent::Make).await?;
        }
        Ok(())
    }

    fn reload(&self) -> Result<(), KeyProviderError> {
        let generation = self.generation.fetch_max(ordered(&self.order)?, Ordering::SeqCst);
        // What is wrapped anew soon needs the latest; the rest comes back when it is asked for.
        self.keys.write().retain(|(known, _), _| *known >= generation);
        Ok(())
    }

    fn is_current(&self, wrapped: &WrappedKey, _context: &str) -> bool {
        generation_of(wrapped).is_some_and(|generation| generation >= self.generation())
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
        let generation = self.generation();
        let Some(tenant) = tenant_of(context) else {
            let sealed = self.service.encrypt(key.expose(), &format!("logkeep/{generation}/{context}")).await?;
            return Ok(headed(BY_SERVICE, generation, &sealed));
        };
        let outer = self.key_of(generation, tenant, Absent::Make).await?;
        Ok(headed(BY_TENANT, generation, &outer.wrap(key, context).0))
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError> {
        let version = *wrapped.0.first().ok_or(UnwrapError::Length(0))?;
        let Some(generation) = generation_of(wrapped) else { return Err(not_ours(version, context).into()) };
        let inner = &wrapped.0[HEAD_BYTES..];
        match (version, tenant_of(context)) {
            (BY_SERVICE, None) => {
                let key = self.service.decrypt(inner, &format!("logkeep/{generation}/{context}")).await?;
                self.generation.fetch_max(generation, Ordering::SeqCst);
                Ok(DataKey::from_bytes(*key))
            }
            (BY_TENANT, Some(tenant)) => {
                let outer = self.key_of(generation, tenant, Absent::Refuse(context)).await?;
                Ok(outer.unwrap(&WrappedKey(inner.to_vec()), context)?)
            }
            _ => Err(UnwrapError::Refused { context: context.to_owned() }.into()),
        }
    }
}

/// Of a key file, whose version is older, or of a program that knows more.
fn not_ours(version: u8, context: &str) -> UnwrapError {
    let context = context.to_owned();
    if version < BY_TENANT {
        UnwrapError::Refused { context }
    } else {
        UnwrapError::Version { context, found: version }
    }
}

/// Whose data a key is for, by the forms that contexts have (docs/formats/encryption.md); `None` is the catalog's own key.
fn tenant_of(context: &str) -> Option<&str> {
    match context.split('/').collect::<Vec<_>>().as_slice() {
        ["wal", _, tenant] | [tenant, _, _, _] => Some(tenant),
        _ => None,
    }
}

fn headed(version: u8, generation: u32, inner: &[u8]) -> WrappedKey {
    WrappedKey([&[version][..], &generation.to_be_bytes(), inner].concat())
}

/// Of a key that was wrapped here.
fn generation_of(wrapped: &WrappedKey) -> Option<u32> {
    match wrapped.0.as_slice() {
        [BY_TENANT | BY_SERVICE, a, b, c, d, _, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

/// The generation that was ordered; the first where nothing was.
fn ordered(file: &Path) -> Result<u32, KeyProviderError> {
    let failed = |cause| KeyProviderError::Unavailable { path: file.to_owned(), what: "read", cause };
    match std::fs::read_to_string(file) {
        Ok(text) => text.trim_end().parse().map_err(|_| failed(io::Error::other("it is not a number"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(1),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;
