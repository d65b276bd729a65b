//! Sealing bytes so that nothing readable rests on a disk, and nothing else.
//!
//! Whoever holds the storage must neither read nor change what a sender gave us, and destroying one small key must
//! destroy the data. So each object and each write-ahead file has its own random data key, which is kept only wrapped
//! by a key-encryption key. A key that is used for one thing only makes the chunk index or the frame number a nonce
//! that never repeats. The bytes are described in `docs/formats/encryption.md`.
//!
//! Not here: where objects lie (`store`), where wrapped keys lie (`catalog`), what is sealed.

mod blob;
mod digest;
mod frame;
mod gcm;
mod keys;
mod object;

pub use blob::{BlobCipher, BlobError};
pub use digest::{Sha256, hmac_sha256, random_bytes, sha256};
pub use frame::{FRAME_TAG_BYTES, FrameError, FrameOpener, FrameSealer};
pub use keys::{DataKey, KEY_BYTES, KeyEncryptionKey, UnwrapError, WrappedKey};
pub use object::{CHUNK_BYTES, ChunkSpan, HEADER_BYTES, ObjectCipher, ObjectError, seal_object};
