//! Which provider a data folder has.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_cipher::WrappedKey;

use super::kms::Kms;
use super::vault::Vault;
use super::{KeyProvider, KeyProviderError, KeyService, Keyring, KmsOptions, LocalKeyFile, VaultOptions};

/// Where the key is that wraps all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file of ours.
    File(PathBuf),
    /// With a service that does not give it out.
    Service(ServiceOptions),
}

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceOptions {
    /// HashiCorp Vault's Transit engine.
    Vault(VaultOptions),
    /// AWS Key Management Service.
    AwsKms(KmsOptions),
}

impl ServiceOptions {
    /// The service. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`KeyProviderError`]: what was set cannot be used.
    pub fn service(&self) -> Result<Arc<dyn KeyService>, KeyProviderError> {
        let readable =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(match self {
            Self::Vault(options) => Arc::new(Vault::new(options.clone())?),
            Self::AwsKms(options) => Arc::new(Kms::new(options.clone(), readable)?),
        })
    }
}

impl KeySource {
    /// The provider of an existing data folder.
    ///
    /// # Errors
    /// [`KeyProviderError`].
    pub fn open(&self, data_dir: &Path) -> Result<Arc<dyn KeyProvider>, KeyProviderError> {
        Ok(match self {
            Self::File(path) => Arc::new(LocalKeyFile::open(path)?),
            Self::Service(options) => Arc::new(Keyring::open(options.service()?, data_dir)?),
        })
    }

    /// The provider of a data folder in which there may be no data yet; then a key file is made.
    ///
    /// # Errors
    /// [`KeyProviderError`].
    pub fn open_or_create(&self, data_dir: &Path, has_data: bool) -> Result<Arc<dyn KeyProvider>, KeyProviderError> {
        match self {
            Self::File(path) => Ok(Arc::new(LocalKeyFile::open_or_create(path, data_dir, has_data)?)),
            Self::Service(_) => self.open(data_dir),
        }
    }

    /// The file whose change is the order to rotate.
    pub fn order_file(&self, data_dir: &Path) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Service(_) => Keyring::order_file(data_dir),
        }
    }

    /// Begins a new key. What was wrapped before still opens, and must be wrapped anew then.
    ///
    /// # Errors
    /// [`KeyProviderError`]: either nothing has changed, or both keys open.
    pub async fn renew(
        &self,
        data_dir: &Path,
        catalog_key: &WrappedKey,
    ) -> Result<Arc<dyn KeyProvider>, KeyProviderError> {
        match self {
            Self::File(path) => return Ok(Arc::new(LocalKeyFile::replace(path)?)),
            Self::Service(options) => options.service()?.rotate().await?,
        }
        Keyring::order_next(data_dir, catalog_key)?;
        self.open(data_dir)
    }
}

/// What people call it.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "key file `{}`", path.display()),
            Self::Service(ServiceOptions::Vault(vault)) => vault.fmt(f),
            Self::Service(ServiceOptions::AwsKms(kms)) => kms.fmt(f),
        }
    }
}
