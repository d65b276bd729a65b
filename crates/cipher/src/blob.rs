//! Small things sealed under a long-lived key, such as rows of the catalog.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::{DataKey, random_bytes};

const VERSION: u8 = 1;

/// Why a sealed row does not open. Do not retry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BlobError {
    /// Altered, moved, cut, or sealed under another key.
    #[error("`{0}` does not open: altered, moved, or sealed under another key")]
    Refused(String),
    /// Written by another version of this program.
    #[error("`{name}` is a sealed row of version {found}, this program knows version 1: use the logkeep that wrote it")]
    Version {
        /// What it was expected to be.
        name: String,
        /// The version in its first byte.
        found: u8,
    },
}

/// Seals and opens blobs under one key with random nonces: up to 2^32 blobs a key keep a repeat improbable (NIST SP
/// 800-38D, 8.3).
pub struct BlobCipher(LessSafeKey);

impl BlobCipher {
    /// A cipher under `key`, which is used for nothing else.
    pub fn new(key: &DataKey) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key.expose()).expect("the key has the length of an AES-256 key");
        Self(LessSafeKey::new(key))
    }

    /// Version, nonce, ciphertext and tag. `name` says what it is and where it belongs, and is authenticated.
    pub fn seal(&self, name: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = random_bytes::<NONCE_LEN>();
        let mut body = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(name), &mut body)
            .expect("AES-GCM refuses only messages over 64 GiB");
        let mut out = vec![VERSION];
        out.extend_from_slice(&nonce);
        out.append(&mut body);
        out
    }

    /// What was sealed under `name`.
    ///
    /// # Errors
    /// [`BlobError`]; do not retry.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, BlobError> {
        let fault = || BlobError::Refused(name.to_owned());
        let (version, rest) = sealed.split_first().ok_or_else(fault)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(fault)?;
        if *version != VERSION {
            return Err(BlobError::Version { name: name.to_owned(), found: *version });
        }
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let len = self.0.open_in_place(nonce, aad(name), &mut body).map_err(|_| fault())?.len();
        body.truncate(len);
        Ok(body)
    }
}

fn aad(name: &str) -> Aad<Vec<u8>> {
    let mut bytes = b"logkeep-blob\x01".to_vec();
    bytes.extend_from_slice(name.as_bytes());
    Aad::from(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_what_was_sealed_under_that_name() {
        let cipher = BlobCipher::new(&DataKey::generate());
        let sealed = cipher.seal("row/1", b"secret");
        assert_eq!(cipher.open("row/1", &sealed).unwrap(), b"secret");
        assert_ne!(sealed, cipher.seal("row/1", b"secret"));
        assert!(cipher.open("row/2", &sealed).is_err());
        assert!(BlobCipher::new(&DataKey::generate()).open("row/1", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(cipher.open("row/1", &altered).is_err(), "byte {place}");
            assert!(cipher.open("row/1", &sealed[..place]).is_err(), "cut at {place}");
        }
    }
}
