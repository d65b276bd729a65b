//! Objects that rest encrypted, where their keys come from, what time it is, and what is asked of a disk.
//!
//! Everything that is kept goes through here, so there is one place where plaintext becomes ciphertext, one way in
//! which a path is made (it always begins with tenant and class), and one meaning of "written": on stable storage.
//!
//! What others keep (backups) is streamed in and out of a [`Bucket`] as it is.
//!
//! Not here: what is in an object (`segment`, `ingest`), which objects exist (`catalog`).

mod bucket;
mod clock;
mod disk;
mod endpoint;
mod error;
mod local;
mod object;
mod path;
mod provider;
mod random;
mod sealed;

pub use bucket::{Bucket, BucketError, Pending, Piece, S3Options, Uploads};
pub use clock::{Clock, ManualClock, SystemClock};
pub use disk::{Disk, DiskEntry, DiskFile, Folders, system_disk};
pub use endpoint::{EndpointFault, is_plain};
pub use error::StoreError;
pub use local::LocalStore;
pub use object::SealedObject;
pub use path::{ObjectKind, ObjectPath, PathError};
pub use provider::{
    KeyProvider, KeyProviderError, KeyService, KeyShelf, KeySource, Keyring, KmsOptions, LocalKeyFile, Profile,
    ServiceOptions, Succession, VaultOptions,
};
pub use random::{Random, SystemRandom};
pub use sealed::{PutReceipt, SealedObjects};
