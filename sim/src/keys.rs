//! A key provider that wraps the same key in the same way each time, and a safe in which its keys outlive every engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use logkeep_cipher::{DataKey, KEY_BYTES, WrappedKey, hmac_sha256};
use logkeep_store::{KeyProvider, KeyProviderError};

const OUTER: &[u8] = b"the key-encryption key of the simulation";
const GENERATION_BYTES: usize = 8;

/// Which generations of the key there are: from the oldest to the newest.
#[derive(Debug, Default)]
pub(crate) struct Safe {
    oldest: AtomicU64,
    newest: AtomicU64,
}

impl Safe {
    /// Makes a new key beside the old one, if the last that was made is in use everywhere.
    pub(crate) fn renew(&self) {
        let oldest = self.oldest.load(Ordering::SeqCst);
        self.newest.store(oldest + 1, Ordering::SeqCst);
    }

    /// Destroys all keys but the newest.
    pub(crate) fn destroy_old(&self) {
        self.oldest.store(self.newest.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    fn has(&self, generation: u64) -> bool {
        (self.oldest.load(Ordering::SeqCst)..=self.newest.load(Ordering::SeqCst)).contains(&generation)
    }
}

/// Masks a key with a stream made from its context, and adds a tag. Not for data anyone cares about.
#[derive(Debug)]
pub(crate) struct SimKeys {
    safe: Arc<Safe>,
    current: AtomicU64,
}

impl SimKeys {
    /// As a process finds them when it starts.
    pub(crate) fn of(safe: &Arc<Safe>) -> Self {
        Self { safe: safe.clone(), current: AtomicU64::new(safe.newest.load(Ordering::SeqCst)) }
    }

    fn current(&self) -> u64 {
        self.current.load(Ordering::SeqCst)
    }
}

fn mask(generation: [u8; GENERATION_BYTES], context: &str) -> [u8; 32] {
    hmac_sha256(OUTER, &[&generation, context.as_bytes()].concat())
}

fn tag(generation: [u8; GENERATION_BYTES], masked: &[u8], context: &str) -> [u8; 32] {
    hmac_sha256(&mask(generation, context), masked)
}

#[async_trait]
impl KeyProvider for SimKeys {
    fn key_id(&self) -> String {
        format!("simulation {}", self.current())
    }

    fn reload(&self) -> Result<(), KeyProviderError> {
        self.current.store(self.safe.newest.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(())
    }

    fn is_current(&self, wrapped: &WrappedKey, _context: &str) -> bool {
        wrapped.0.starts_with(&self.current().to_be_bytes())
    }

    async fn wrap(&self, key: &DataKey, context: &str) -> Result<WrappedKey, KeyProviderError> {
        let generation = self.current().to_be_bytes();
        let masked: Vec<u8> =
            key.expose().iter().zip(mask(generation, context)).map(|(key, mask)| key ^ mask).collect();
        Ok(WrappedKey([&generation, &masked[..], &tag(generation, &masked, context)].concat()))
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, KeyProviderError> {
        let refused = || logkeep_cipher::UnwrapError::Refused { context: context.to_owned() };
        let (generation, rest) = wrapped.0.split_first_chunk::<GENERATION_BYTES>().ok_or_else(refused)?;
        let (masked, found) = rest.split_first_chunk::<KEY_BYTES>().ok_or_else(refused)?;
        if !self.safe.has(u64::from_be_bytes(*generation)) || *found != tag(*generation, masked, context) {
            return Err(refused().into());
        }
        let mut key = mask(*generation, context);
        key.iter_mut().zip(masked).for_each(|(key, masked)| *key ^= masked);
        Ok(DataKey::from_bytes(key))
    }
}
