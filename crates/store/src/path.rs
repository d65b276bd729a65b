//! Names of objects: `tenant/class/kind/name`.
//!
//! A path cannot be made without a tenant and a class, so expiry is a prefix and nothing can be read or written that
//! belongs to nobody. Its text is authenticated with every chunk of the object.

use std::fmt;
use std::str::FromStr;

use logkeep_record::{Class, TenantId};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// One immutable Parquet file with its token index.
    Segment,
    /// A tile of a tree or an entry bundle.
    Tile,
    /// What was moved aside because it is damaged.
    Quarantine,
}

impl ObjectKind {
    const ALL: [Self; 3] = [Self::Segment, Self::Tile, Self::Quarantine];

    /// Its part of a path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Tile => "tile",
            Self::Quarantine => "quarantine",
        }
    }
}

/// A text that is no path of an object.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{0}` is not the path of an object: `tenant/class/kind/name`, the name 1 to 128 characters, a–z, 0–9, `-`, `_` or `.`, the first a letter or digit"
)]
pub struct PathError(String);

impl PathError {
    fn of(text: &str) -> Self {
        Self(text.chars().take(200).collect())
    }
}

/// Where an object is. Prints as `tenant/class/kind/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPath {
    text: Box<str>,
    tenant_end: usize,
}

impl ObjectPath {
    /// The object `name` of this kind, tenant and class.
    ///
    /// # Errors
    /// The name has another form than 1 to 128 characters of a–z, 0–9, `-`, `_` and `.`, the first a letter or digit.
    pub fn new(tenant: &TenantId, class: &Class, kind: ObjectKind, name: &str) -> Result<Self, PathError> {
        let bytes = name.as_bytes();
        let fits = (1..=128).contains(&bytes.len())
            && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
            && bytes[0].is_ascii_alphanumeric();
        if !fits {
            return Err(PathError::of(name));
        }
        let text = format!("{}/{name}", Self::prefix(tenant, class, kind));
        Ok(Self { text: text.into(), tenant_end: tenant.as_str().len() })
    }

    /// What the paths of this kind, tenant and class begin with, without the `/` before the name.
    pub fn prefix(tenant: &TenantId, class: &Class, kind: ObjectKind) -> String {
        format!("{tenant}/{class}/{}", kind.as_str())
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The tenant's name.
    pub fn tenant(&self) -> &str {
        &self.text[..self.tenant_end]
    }

    pub(crate) fn in_store(&self) -> object_store::path::Path {
        object_store::path::Path::from(&*self.text)
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ObjectPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let refused = || PathError::of(text);
        let mut parts = text.split('/');
        let (Some(tenant), Some(class), Some(kind), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let tenant = TenantId::new(tenant).map_err(|_| refused())?;
        let class = Class::new(class).map_err(|_| refused())?;
        let kind = ObjectKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(refused)?;
        Self::new(&tenant, &class, kind, name).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths() {
        let path = ObjectPath::new(&TenantId::default(), &Class::audit(), ObjectKind::Segment, "0007.seg").unwrap();
        assert_eq!(path.as_str(), "default/audit/segment/0007.seg");
        assert_eq!(path.tenant(), "default");
        assert_eq!(path.as_str().parse(), Ok(path));
        for text in [
            "",
            "a",
            "a/b/segment",
            "a/b/other/x",
            "a/b/segment/",
            "a/b/segment/..",
            "a/b/segment/.x",
            "a/b/segment/X",
            "a/b/segment/x/y",
            "../b/segment/x",
            "/a/b/segment/x",
            "a/b/segment/x%2e",
            "a//segment/x",
            &format!("a/b/segment/{}", "x".repeat(129)),
        ] {
            assert!(text.parse::<ObjectPath>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same(text in "[a-z./%A0]{0,12}/[a-z]{1,3}/(segment|tile|x)/[a-z0-9./_]{0,12}") {
            if let Ok(path) = text.parse::<ObjectPath>() {
                prop_assert_eq!(path.as_str(), &text);
                // The object store must not escape anything, or paths on disk would differ from ours.
                let in_store = path.in_store();
                prop_assert_eq!(in_store.as_ref(), &text);
            }
        }
    }
}
