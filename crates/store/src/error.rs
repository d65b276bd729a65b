//! What can go wrong between us and the storage.

use logkeep_cipher::ObjectError;

/// Why an object was not written, read or deleted.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object. Do not retry.
    #[error("object `{path}` does not exist")]
    Missing {
        /// The object.
        path: String,
    },
    /// An object is never overwritten. Do not retry.
    #[error("object `{path}` exists already; objects are never overwritten, give the new one another name")]
    Exists {
        /// The object.
        path: String,
    },
    /// The stored bytes are not what was written. Do not retry; `verify` tells what else is affected.
    #[error(transparent)]
    Damaged(#[from] ObjectError),
    /// The storage refused or did not answer. Retry if its cause may pass.
    #[error("object `{path}` cannot be {what}")]
    Unavailable {
        /// The object or folder.
        path: String,
        /// What was tried, such as `read`.
        what: &'static str,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// An object has another length than what was written. Do not retry.
    #[error("object `{path}` has {found} bytes, not {expected}")]
    Resized {
        /// The object.
        path: String,
        /// Its length.
        found: u64,
        /// The length it was written with, or may have.
        expected: u64,
    },
    /// The storage is not a local folder, so it has no blocking reads. A mistake of the caller.
    #[error("object `{path}` is not in a local folder; read it without blocking")]
    NotLocal {
        /// The object.
        path: String,
    },
}

impl StoreError {
    /// Sorts what the operating system said.
    pub(crate) fn io(path: &str, what: &'static str, cause: std::io::Error) -> Self {
        let path = path.to_owned();
        match cause.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { path },
            std::io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Unavailable { path, what, cause },
        }
    }

    /// As [`StoreError::object`] of a store that is reached over a network, with all it said in one line.
    pub(crate) fn remote(path: &str, what: &'static str, cause: object_store::Error) -> Self {
        match Self::object(path, what, cause) {
            Self::Unavailable { path, what, cause } => {
                let said = explain(&cause);
                // The client tells this apart from other answers only when it asks for an object.
                if said.contains("<Code>NoSuchBucket</Code>") {
                    return Self::Missing { path };
                }
                Self::Unavailable { path, what, cause: std::io::Error::other(said) }
            }
            other => other,
        }
    }

    /// Sorts what an object store said.
    pub(crate) fn object(path: &str, what: &'static str, cause: object_store::Error) -> Self {
        let path = path.to_owned();
        match cause {
            object_store::Error::NotFound { .. } => Self::Missing { path },
            object_store::Error::AlreadyExists { .. } => Self::Exists { path },
            other => Self::Unavailable { path, what, cause: std::io::Error::other(other) },
        }
    }
}

/// What a client said, and the first cause, which it often leaves out. Each level repeats the one below it.
fn explain(cause: &(dyn std::error::Error + 'static)) -> String {
    let mut said = cause.to_string();
    let first = std::iter::successors(cause.source(), |cause| cause.source()).last().map(ToString::to_string);
    if let Some(first) = first.filter(|first| !said.contains(first.as_str())) {
        said = format!("{said}: {first}");
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}
