//! Values that can be compared but not read.

use std::cell::OnceCell;
use std::fmt;

use logkeep_cipher::hmac_sha256;
use logkeep_record::TenantId;

use crate::kind::Kind;

/// Hexadecimal digits of a hash: 64 bits, so that chance makes no two values of a tenant the same.
pub(crate) const DIGITS: usize = 16;

/// What hashes of values are keyed with. Without it a hash could be tried on every telephone number there is.
#[derive(Clone, PartialEq, Eq)]
pub struct HashKey([u8; 32]);

impl HashKey {
    /// From bytes that nobody can guess.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// The key of one tenant, made when it is first asked for: equal values of two tenants have nothing in common.
pub(crate) struct TenantKey {
    key: HashKey,
    tenant: TenantId,
    derived: OnceCell<[u8; 32]>,
}

impl TenantKey {
    pub(crate) fn new(key: &HashKey, tenant: TenantId) -> Self {
        Self { key: key.clone(), tenant, derived: OnceCell::new() }
    }

    pub(crate) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The same for every way to write the same value.
    pub(crate) fn hash(&self, kind: Option<Kind>, value: &str) -> String {
        let name = || [b"tenant\0", self.tenant.as_str().as_bytes()].concat();
        let key = self.derived.get_or_init(|| hmac_sha256(&self.key.0, &name()));
        let tag = hmac_sha256(key, canonical(kind, value).as_bytes());
        tag.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(DIGITS).map(digit).collect()
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(…)")
    }
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 })
}

fn canonical(kind: Option<Kind>, value: &str) -> String {
    match kind {
        Some(Kind::Email) => value.replace("%40", "@").to_ascii_lowercase(),
        Some(kind) if kind >= Kind::Card && kind < Kind::Email => {
            value.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_uppercase()).collect()
        }
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_equal_for_one_tenant_alone() {
        let key = HashKey::new([7; 32]);
        let [a, b] = ["a", "b"].map(|name| TenantKey::new(&key, TenantId::new(name).unwrap()));
        assert_eq!(a.hash(Some(Kind::Email), "Bob@Example.com"), a.hash(Some(Kind::Email), "bob%40example.com"));
        assert_eq!(a.hash(Some(Kind::Card), "4111 1111 1111 1111"), a.hash(Some(Kind::Card), "4111111111111111"));
        assert_ne!(a.hash(Some(Kind::Email), "bob@example.com"), b.hash(Some(Kind::Email), "bob@example.com"));
        assert_ne!(a.hash(None, "Bob"), a.hash(None, "bob"));
        assert_eq!(a.hash(None, "x").len(), DIGITS);
        assert_eq!(format!("{key:?}"), "HashKey(…)");
    }
}
