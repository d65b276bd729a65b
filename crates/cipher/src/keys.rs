//! Data keys, and the envelope in which they are kept.
//!
//! A data key exists in the clear only in memory and is wiped when dropped. At rest it is wrapped by a key-encryption
//! key under a context (what the key is for), so that a wrapped key cannot be moved to another object.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::digest::random_bytes;

/// Bytes of a data key and of a key-encryption key.
pub const KEY_BYTES: usize = 32;
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const WRAPPED_BYTES: usize = 1 + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

macro_rules! key_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $type([u8; KEY_BYTES]);

        impl $type {
            /// A new key from the operating system's random source.
            pub fn generate() -> Self {
                Self(random_bytes())
            }

            /// The key with these bytes; the caller wipes its own copy.
            pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
                Self(bytes)
            }

            /// The secret bytes, for key providers and ciphers only.
            pub fn expose(&self) -> &[u8; KEY_BYTES] {
                &self.0
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), "(redacted)"))
            }
        }

        impl Drop for $type {
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl Eq for $type {}
    };
}

key_type!(
    /// Seals one object, one tenant's frames in one write-ahead file, or the rows of one catalog, and nothing else.
    DataKey
);
key_type!(
    /// Wraps data keys.
    KeyEncryptionKey
);

/// A data key as it may be stored: version, nonce, ciphertext and tag, 61 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrappedKey(pub Vec<u8>);

/// Why a wrapped key gives no data key. None of them gets better by trying again.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnwrapError {
    /// Written by a newer program, or not a wrapped key at all.
    #[error(
        "wrapped key for `{context}` has version {found}, this program knows version 1: use the logkeep that wrote it"
    )]
    Version {
        /// What the key was expected to be for.
        context: String,
        /// The version in its first byte.
        found: u8,
    },
    /// Bytes are missing or left over.
    #[error("wrapped key has {0} bytes, expected 61; it is cut or overwritten")]
    Length(usize),
    /// Wrapped by another key-encryption key, for another purpose, or altered.
    #[error(
        "wrapped key for `{context}` does not open: the key-encryption key is another one or the bytes were altered; check that the key file belongs to this data folder"
    )]
    Refused {
        /// What the key was expected to be for.
        context: String,
    },
}

impl KeyEncryptionKey {
    fn cipher(&self) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.0).expect("the key has the length of an AES-256 key"))
    }

    /// Wraps `key` for `context`, which names what the key is for, such as the path of an object.
    ///
    /// The nonce is random: under one key-encryption key up to 2^32 wraps keep a repeated nonce improbable
    /// (NIST SP 800-38D, 8.3).
    pub fn wrap(&self, key: &DataKey, context: &str) -> WrappedKey {
        let nonce = random_bytes::<NONCE_BYTES>();
        let mut secret = Zeroizing::new(*key.expose());
        let tag = self
            .cipher()
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad(context), secret.as_mut_slice())
            .expect("AES-GCM refuses only messages over 64 GiB");
        let mut wrapped = Vec::with_capacity(WRAPPED_BYTES);
        wrapped.push(VERSION);
        wrapped.extend_from_slice(&nonce);
        wrapped.extend_from_slice(secret.as_slice());
        wrapped.extend_from_slice(tag.as_ref());
        WrappedKey(wrapped)
    }

    /// The data key that was wrapped for `context`.
    ///
    /// # Errors
    /// [`UnwrapError`]; do not retry.
    pub fn unwrap(&self, wrapped: &WrappedKey, context: &str) -> Result<DataKey, UnwrapError> {
        let bytes = wrapped.0.as_slice();
        match bytes.first() {
            Some(&VERSION) | None => {}
            Some(&found) => return Err(UnwrapError::Version { context: context.to_owned(), found }),
        }
        let whole: &[u8; WRAPPED_BYTES] = bytes.try_into().map_err(|_| UnwrapError::Length(bytes.len()))?;
        let mut nonce = [0u8; NONCE_BYTES];
        nonce.copy_from_slice(&whole[1..=NONCE_BYTES]);
        let (ciphertext, tag) = whole[1 + NONCE_BYTES..].split_at(KEY_BYTES);
        let mut key = DataKey([0; KEY_BYTES]);
        self.cipher()
            .open_separate_gather(Nonce::assume_unique_for_key(nonce), aad(context), ciphertext, tag, &mut key.0)
            .map_err(|_| UnwrapError::Refused { context: context.to_owned() })?;
        Ok(key)
    }
}

/// Names this use of the key-encryption key, so that a wrapped key is nothing else sealed under it.
fn aad(context: &str) -> Aad<Vec<u8>> {
    let mut bytes = b"logkeep-wrapped-key\x01".to_vec();
    bytes.extend_from_slice(context.as_bytes());
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_and_unwraps() {
        let (outer, key) = (KeyEncryptionKey::generate(), DataKey::generate());
        let wrapped = outer.wrap(&key, "acme/web/segment/1");
        assert_eq!(wrapped.0.len(), WRAPPED_BYTES);
        assert_eq!(outer.unwrap(&wrapped, "acme/web/segment/1"), Ok(key.clone()));
        assert_ne!(wrapped, outer.wrap(&key, "acme/web/segment/1"), "the nonce is fresh");
    }

    #[test]
    fn refuses_what_was_not_wrapped_so() {
        let (outer, key) = (KeyEncryptionKey::generate(), DataKey::generate());
        let wrapped = outer.wrap(&key, "a");
        let refused = |context: &str| Err(UnwrapError::Refused { context: context.to_owned() });
        assert_eq!(outer.unwrap(&wrapped, "b"), refused("b"));
        assert_eq!(KeyEncryptionKey::generate().unwrap(&wrapped, "a"), refused("a"));
        for place in 0..WRAPPED_BYTES {
            let mut altered = wrapped.clone();
            altered.0[place] ^= 0x40;
            assert!(outer.unwrap(&altered, "a").is_err(), "byte {place}");
        }
        for cut in 0..WRAPPED_BYTES {
            let cut_key = WrappedKey(wrapped.0[..cut].to_vec());
            assert_eq!(outer.unwrap(&cut_key, "a"), Err(UnwrapError::Length(cut)));
        }
        assert_eq!(
            outer.unwrap(&WrappedKey(vec![9; 61]), "a"),
            Err(UnwrapError::Version { context: "a".into(), found: 9 })
        );
    }

    #[test]
    fn secrets_print_redacted() {
        let key = DataKey::from_bytes([7; KEY_BYTES]);
        assert_eq!(format!("{key:?}"), "DataKey(redacted)");
        assert_eq!(format!("{:?}", KeyEncryptionKey::generate()), "KeyEncryptionKey(redacted)");
    }
}
