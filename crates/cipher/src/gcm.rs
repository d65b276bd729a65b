//! AES-256-GCM with a nonce that is a counter, the one way in which this crate uses a cipher for data.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::keys::DataKey;

/// Bytes that authenticate one chunk or frame.
pub(crate) const TAG_BYTES: usize = 16;

/// The tag did not match: another key, nonce, associated data or ciphertext.
pub(crate) struct Forged;

/// AES-256-GCM under one data key. The caller sees to it that no counter is sealed twice.
pub(crate) struct CounterGcm(LessSafeKey);

impl CounterGcm {
    pub(crate) fn new(key: &DataKey) -> Self {
        let unbound = UnboundKey::new(&AES_256_GCM, key.expose()).expect("a data key has the length of an AES-256 key");
        Self(LessSafeKey::new(unbound))
    }

    /// The counter as the low 8 of the 12 bytes, big-endian.
    fn nonce(counter: u64) -> Nonce {
        let mut bytes = [0u8; 12];
        bytes[4..].copy_from_slice(&counter.to_be_bytes());
        Nonce::assume_unique_for_key(bytes)
    }

    pub(crate) fn seal(&self, counter: u64, aad: &[u8], data: &mut [u8]) -> [u8; TAG_BYTES] {
        let tag = self
            .0
            .seal_in_place_separate_tag(Self::nonce(counter), Aad::from(aad), data)
            .expect("AES-GCM refuses only messages over 64 GiB, which no chunk or frame reaches");
        let mut bytes = [0u8; TAG_BYTES];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Decrypts `sealed` (ciphertext, then tag) into `plain`, which must be [`TAG_BYTES`] shorter.
    pub(crate) fn open_into(&self, counter: u64, aad: &[u8], sealed: &[u8], plain: &mut [u8]) -> Result<(), Forged> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(Forged)?;
        self.0.open_separate_gather(Self::nonce(counter), Aad::from(aad), ciphertext, tag, plain).map_err(|_| Forged)
    }

    pub(crate) fn open_in_place<'a>(
        &self,
        counter: u64,
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Forged> {
        self.0.open_in_place(Self::nonce(counter), Aad::from(aad), sealed).map_err(|_| Forged)
    }
}
