//! Where key-encryption keys come from.
//!
//! Data keys rest wrapped in the catalog; what unwraps them must not rest beside them, or whoever copies the data
//! folder copies its keys. A provider holds the key-encryption key and never gives it out.

mod credentials;
mod keyring;
mod kms;
mod retired;
mod service;
mod source;
mod succession;
mod vault;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use logkeep_cipher::{DataKey, KEY_BYTES, KeyEncryptionKey, UnwrapError, WrappedKey, hmac_sha256};
use parking_lot::RwLock;
use zeroize::Zeroizing;

pub use credentials::Profile;
pub use keyring::{KeyShelf, Keyring};
pub use kms::KmsOptions;
pub use service::KeyService;
pub use source::{KeySource, ServiceOptions};
pub use succession::Succession;
pub use vault::VaultOptions;

use crate::disk::system_disk;
use crate::local::{private_folders, write_new};

const FIRST_LINE: &str = "logkeep-key-file 1";
/// With which every version of a key file begins.
const FIRST_WORD: &str = "logkeep-key-file ";
/// Far more than the three lines of a key file.
const MAX_FILE_BYTES: u64 = 4096;

/// Wraps and unwraps data keys.
#[async_trait]
pub trait KeyProvider: Send + Sync + fmt::Debug {
    /// Names the key-encryption key that [`KeyProvider::wrap`] uses, to be kept with what it wrapped.
    fn key_id(&self) -> String;

    /// Where to keep keys of its own that are wrapped. One that has none needs no place.
    fn keep_in(&self, _shelf: Arc<dyn KeyShelf>) {}

    /// Makes sure that what follows the next [`KeyProvider::reload`] is at hand, so that nobody has to wait for it then.
    ///
    /// # Errors
    /// [`KeyProviderError`]; nothing has changed.
    async fn prepare(&self) -> Result<(), KeyProviderError> {
        Ok(())
    }

    /// Looks for a new key to wrap with; the old ones still unwrap. A service that does so by itself has nothing to do.
    ///
    /// # Errors
    /// [`KeyProviderError`]; it goes on with the keys that it has.
    fn reload(&self) -> Result<(), KeyProviderError> {
        Ok(())
    }

    /// Whether [`KeyProvider::wrap`] would use the key that this was wrapped with.
    fn is_current(&self, _wrapped: &WrappedKey, _context: &str) -> bool {
        true
    }

    /// Wraps a data key for `context`, which says what it is for.
    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError>;

    /// The data key that was wrapped for `context`.
    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError>;
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyProviderError {
    /// The data's key file is gone, and a new one would open nothing. Do not retry.
    #[error("key file `{path}` is missing but there is data that needs it; put the file back, for without it the data cannot be read", path = .0.display())]
    Missing(PathBuf),
    /// Others could read it.
    #[error("key file `{path}` is open to others (mode {mode:03o}); run `chmod 600 {path}`", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It would be copied together with what it protects.
    #[error("key file `{path}` is within the data folder `{data}`; keep it elsewhere, or a copy of the data holds its own key", path = path.display(), data = data.display())]
    WithinData {
        /// The file.
        path: PathBuf,
        /// The data folder.
        data: PathBuf,
    },
    /// It is cut, edited, or another kind of file.
    #[error("key file `{path}` is damaged: {reason}; restore it from a backup", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; never its content.
        reason: &'static str,
    },
    /// Written by a later version of this program.
    #[error("key file `{path}` has version {found}, this program knows version 1: use a newer logkeep", path = path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in its first line.
        found: u32,
    },
    /// The file system refused; retry if the cause may pass.
    #[error("key file `{path}` cannot be {what}", path = path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file that the settings name is of no use. Do not retry.
    #[error("`{file}`: {what}", file = file.display())]
    Settings {
        /// Which.
        file: PathBuf,
        /// Why.
        what: String,
    },
    /// There can be no client for the service. Do not retry.
    #[error("the client of the key provider: {0}")]
    Client(String),
    /// A service gives no answer; retry later.
    #[error("{service} cannot be asked, in {tries} tries: {what}")]
    Away {
        /// Which, and which of its keys.
        service: String,
        /// How often it was tried.
        tries: u32,
        /// Why.
        what: String,
    },
    /// A service does not do it for us; retry when somebody has seen to that.
    #[error("{service} refuses: {what}")]
    Denied {
        /// Which, and which of its keys.
        service: String,
        /// Its reason.
        what: String,
    },
    /// A wrapped key cannot be kept or found; retry later.
    #[error("the catalog, which keeps wrapped keys: {0}")]
    Shelf(String),
    /// No answer; retry later.
    #[error("the key provider has not answered for {} s", .0.as_secs())]
    Silent(Duration),
    /// The wrapped key is not of this provider or was altered. Do not retry.
    #[error(transparent)]
    Unwrap(#[from] UnwrapError),
}

impl KeyProviderError {
    /// Whether it may be otherwise later, without a change of the settings.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Denied { .. } | Self::Silent(_))
    }
}

/// A key-encryption key in a file of its owner's, the default provider.
///
/// Three lines: `logkeep-key-file 1`, `id <16 hexadecimal digits>`, `key <base64 of 32 bytes>`. The id is derived from
/// the key, so that a damaged file is told from a foreign one.
#[derive(Debug)]
pub struct LocalKeyFile {
    path: PathBuf,
    keys: RwLock<Arc<Keys>>,
}

/// What is in the file and in those beside it.
#[derive(Debug)]
struct Keys {
    id: String,
    key: KeyEncryptionKey,
    /// Keys that were replaced, to unwrap what is not under the new one yet.
    retired: Vec<KeyEncryptionKey>,
}

impl LocalKeyFile {
    /// Opens the key file, or creates it, readable by its owner only, if there is no data yet.
    ///
    /// `data_exists` says whether there is data in `data_folder` that some key file must belong to.
    ///
    /// # Errors
    /// [`KeyProviderError`]; a file that others can read or that lies in the data folder is refused.
    pub fn open_or_create(path: &Path, data_folder: &Path, data_exists: bool) -> Result<Self, KeyProviderError> {
        refuse_within(path, data_folder)?;
        match Self::open(path) {
            Err(KeyProviderError::Missing(_)) if !data_exists => match Self::create(path) {
                // Another process was faster; its file is as good.
                Err(KeyProviderError::Unavailable { cause, .. }) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    Self::open(path)
                }
                created => created,
            },
            opened => opened,
        }
    }

    /// Opens an existing key file, and those of retired keys beside it.
    ///
    /// # Errors
    /// [`KeyProviderError`].
    pub fn open(path: &Path) -> Result<Self, KeyProviderError> {
        Ok(Self { path: path.to_owned(), keys: RwLock::new(Arc::new(Keys::read(path)?)) })
    }

    fn keys(&self) -> Arc<Keys> {
        self.keys.read().clone()
    }

    fn create(path: &Path) -> Result<Self, KeyProviderError> {
        let failed = |cause| KeyProviderError::Unavailable { path: path.to_owned(), what: "created", cause };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private_folders(folder).map_err(failed)?;
        }
        let key = KeyEncryptionKey::generate();
        let text = retired::text_of(&key);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".new-{}", std::process::id()));
        let temporary = path.with_file_name(name);
        let written = write_new(&*system_disk(), &temporary, path, text.as_bytes());
        let removed = fs::remove_file(&temporary);
        written.map_err(failed)?;
        // The leftover would be a second copy of the key.
        removed.map_err(failed)?;
        Self::open(path)
    }
}

impl Keys {
    fn read(path: &Path) -> Result<Self, KeyProviderError> {
        // The current one first: one that is replaced meanwhile is then found among the retired.
        let (id, key) = read_key(path)?;
        Ok(Self { id, key, retired: LocalKeyFile::retired_keys(path)? })
    }

    fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, UnwrapError> {
        let refused = match self.key.unwrap(wrapped, context) {
            Err(refused @ UnwrapError::Refused { .. }) => refused,
            done => return done,
        };
        self.retired.iter().find_map(|key| key.unwrap(wrapped, context).ok()).ok_or(refused)
    }
}

/// The id and key in one file.
fn read_key(path: &Path) -> Result<(String, KeyEncryptionKey), KeyProviderError> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => KeyProviderError::Missing(path.to_owned()),
        _ => KeyProviderError::Unavailable { path: path.to_owned(), what: "read", cause },
    };
    // Checked on the open file, so that no other file can take its place in between.
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyProviderError::Exposed { path: path.to_owned(), mode });
    }
    // Room for all of it, because a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_FILE_BYTES as usize + 1));
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    let first = text.lines().next().unwrap_or_default();
    if let Some(found) = first.strip_prefix(FIRST_WORD).and_then(|version| version.parse().ok())
        && first != FIRST_LINE
    {
        return Err(KeyProviderError::Version { path: path.to_owned(), found });
    }
    parse(&text).map_err(|reason| KeyProviderError::Damaged { path: path.to_owned(), reason })
}

fn refuse_within(path: &Path, data_folder: &Path) -> Result<(), KeyProviderError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let absolute = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let (Ok(folder), Ok(data)) = (absolute(folder), absolute(data_folder)) else { return Ok(()) };
    if folder.starts_with(&data) {
        return Err(KeyProviderError::WithinData { path: path.to_owned(), data: data_folder.to_owned() });
    }
    Ok(())
}

fn parse(text: &str) -> Result<(String, KeyEncryptionKey), &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(FIRST_LINE) {
        return Err("its first line is not `logkeep-key-file 1`");
    }
    let id = lines.next().and_then(|line| line.strip_prefix("id ")).ok_or("its second line is not `id …`")?;
    let encoded = lines.next().and_then(|line| line.strip_prefix("key ")).ok_or("its third line is not `key …`")?;
    if lines.next().is_some() {
        return Err("it has more than three lines");
    }
    let key = KeyEncryptionKey::from_bytes(*key_bytes(encoded).ok_or("its key is not 32 bytes in base64")?);
    if id_of(&key) != id {
        return Err("its id does not belong to its key");
    }
    Ok((id.to_owned(), key))
}

/// A key from base64.
fn key_bytes(encoded: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let decoded = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
    Some(Zeroizing::new(decoded.as_slice().try_into().ok()?))
}

fn id_of(key: &KeyEncryptionKey) -> String {
    let mac = hmac_sha256(key.expose(), b"logkeep key id");
    mac[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl KeyProvider for LocalKeyFile {
    fn key_id(&self) -> String {
        self.keys().id.clone()
    }

    fn reload(&self) -> Result<(), KeyProviderError> {
        *self.keys.write() = Arc::new(Keys::read(&self.path)?);
        Ok(())
    }

    fn is_current(&self, wrapped: &WrappedKey, context: &str) -> bool {
        self.keys().key.unwrap(wrapped, context).is_ok()
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
        Ok(self.keys().key.wrap(key, context))
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError> {
        match self.keys().unwrap(wrapped, context) {
            // Another process may have rotated since: a backup does not end because of that.
            Err(refused @ UnwrapError::Refused { .. }) => match self.reload() {
                Ok(()) => Ok(self.keys().unwrap(wrapped, context)?),
                Err(_) => Err(refused.into()),
            },
            done => Ok(done?),
        }
    }
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
