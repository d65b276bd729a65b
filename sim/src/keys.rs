//! A key provider that wraps the same key in the same way each time.

use async_trait::async_trait;
use logkeep_cipher::{DataKey, KEY_BYTES, WrappedKey, hmac_sha256};
use logkeep_store::{KeyProvider, KeyProviderError};

const OUTER: &[u8] = b"the key-encryption key of the simulation";

/// Masks a key with a stream made from its context, and adds a tag. Not for data anyone cares about.
#[derive(Debug)]
pub(crate) struct SimKeys;

fn mask(context: &str) -> [u8; 32] {
    hmac_sha256(OUTER, context.as_bytes())
}

fn tag(masked: &[u8], context: &str) -> [u8; 32] {
    hmac_sha256(&mask(context), masked)
}

#[async_trait]
impl KeyProvider for SimKeys {
    fn key_id(&self) -> String {
        "simulation".to_owned()
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
        let mut wrapped: Vec<u8> = key.expose().iter().zip(mask(context)).map(|(key, mask)| key ^ mask).collect();
        let tag = tag(&wrapped, context);
        wrapped.extend_from_slice(&tag);
        Ok(WrappedKey(wrapped))
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError> {
        let refused = || logkeep_cipher::UnwrapError::Refused { context: context.to_owned() };
        let (masked, found) = wrapped.0.split_first_chunk::<KEY_BYTES>().ok_or_else(refused)?;
        if *found != tag(masked, context) {
            return Err(refused().into());
        }
        let mut key = mask(context);
        key.iter_mut().zip(masked).for_each(|(key, masked)| *key ^= masked);
        Ok(DataKey::from_bytes(key))
    }
}
