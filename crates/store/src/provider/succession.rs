//! One provider in the place of another: what the old one wrapped still opens, and what is wrapped is wrapped by the new.

use std::sync::Arc;

use async_trait::async_trait;
use logkeep_cipher::{DataKey, WrappedKey};

use super::{KeyProvider, KeyProviderError, KeyShelf};

/// For as long as a data folder is moved from one provider to another.
#[derive(Debug)]
pub struct Succession {
    /// What wrapped until now.
    pub old: Arc<dyn KeyProvider>,
    /// What wraps from now on.
    pub new: Arc<dyn KeyProvider>,
}

#[async_trait]
impl KeyProvider for Succession {
    fn key_id(&self) -> String {
        self.new.key_id()
    }

    fn keep_in(&self, shelf: Arc<dyn KeyShelf>) {
        self.old.keep_in(shelf.clone());
        self.new.keep_in(shelf);
    }

    async fn prepare(&self) -> Result<(), KeyProviderError> {
        self.new.prepare().await
    }

    fn reload(&self) -> Result<(), KeyProviderError> {
        self.new.reload()
    }

    fn is_current(&self, wrapped: &WrappedKey, context: &str) -> bool {
        self.new.is_current(wrapped, context)
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
        self.new.wrap(key, context).await
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError> {
        match self.old.unwrap(wrapped, context).await {
            // Wrapped anew before the move was cut short, or since.
            Err(KeyProviderError::Unwrap(_)) => self.new.unwrap(wrapped, context).await,
            done => done,
        }
    }
}
