//! X.509-SVIDs: certificates that say a SPIFFE id.
//!
//! A certificate that claims to be one has to keep all rules of one, or it is refused: it would otherwise pass under another of
//! its names, of which its issuer has promised nothing. (SPIFFE: "The X.509 SPIFFE Verifiable Identity Document", 2 to 5;
//! "The SPIFFE Identity and Verifiable Identity Document", 2.)

use std::fmt;

use super::certificate::Facts;

const SCHEME: &str = "spiffe://";
/// Bytes of an id, and of its trust domain.
const LONGEST: usize = 2_048;
const LONGEST_DOMAIN: usize = 255;
/// Bits of key usage (RFC 5280, 4.2.1.3).
const DIGITAL_SIGNATURE: u8 = 0x80;
const CERTIFICATE_OR_CRL_SIGNATURE: u8 = 0x04 | 0x02;

/// The id of a workload: `spiffe://` trust domain and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpiffeId(String);

/// Why a certificate is no X.509-SVID although it claims to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSvid {
    /// An SVID has exactly one URI.
    SeveralUris,
    /// The URI is no SPIFFE id.
    BadId,
    /// It is that of an authority, or its key may sign certificates, or may not sign at all.
    NoLeaf,
}

impl fmt::Display for NotSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SeveralUris => "it has more than one URI, and so is no X.509-SVID",
            Self::BadId => "its URI is no SPIFFE id",
            Self::NoLeaf => "an X.509-SVID of a workload is no authority, and its key signs nothing but handshakes",
        })
    }
}

impl std::error::Error for NotSvid {}

/// Whether this is the SPIFFE id of a workload.
pub fn is_spiffe_id(text: &str) -> bool {
    SpiffeId::parse(text).is_some()
}

impl SpiffeId {
    /// The id that a certificate says; `None` if it claims none.
    pub(super) fn of(facts: &Facts<'_>) -> Result<Option<Self>, NotSvid> {
        let claims = |uri: &&str| uri.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
        if !facts.uris.iter().any(claims) {
            return Ok(None);
        }
        let [uri] = facts.uris[..] else { return Err(NotSvid::SeveralUris) };
        let usage = facts.key_usage.unwrap_or(DIGITAL_SIGNATURE);
        if facts.is_authority || usage & DIGITAL_SIGNATURE == 0 || usage & CERTIFICATE_OR_CRL_SIGNATURE != 0 {
            return Err(NotSvid::NoLeaf);
        }
        Self::parse(uri).map(Some).ok_or(NotSvid::BadId)
    }

    fn parse(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix(SCHEME).filter(|_| uri.len() <= LONGEST)?;
        let (domain, path) = rest.split_once('/')?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let in_domain = |byte: u8| plain(byte) && !byte.is_ascii_uppercase();
        let is_domain = !domain.is_empty() && domain.len() <= LONGEST_DOMAIN && domain.bytes().all(in_domain);
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(plain);
        (is_domain && path.split('/').all(is_part)).then(|| Self(uri.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose authorities speak for it.
    pub(super) fn trust_domain(&self) -> &str {
        self.0[SCHEME.len()..].split('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let long = format!("spiffe://a/{}", "x".repeat(LONGEST));
        for (uri, domain) in [
            ("spiffe://mesh.example/ns/shop/sa/web", Some("mesh.example")),
            ("spiffe://a-b_c.1/X.y-z_0", Some("a-b_c.1")),
            // A trust domain itself is no workload.
            ("spiffe://mesh.example", None),
            ("spiffe://mesh.example/", None),
            ("spiffe:///ns/shop", None),
            ("spiffe://Mesh.example/ns", None),
            ("SPIFFE://mesh.example/ns", None),
            ("spiffe://mesh.example:443/ns", None),
            ("spiffe://user@mesh.example/ns", None),
            ("spiffe://mesh.example/ns/", None),
            ("spiffe://mesh.example//ns", None),
            ("spiffe://mesh.example/ns/../admin", None),
            ("spiffe://mesh.example/./ns", None),
            ("spiffe://mesh.example/ns?x=1", None),
            ("spiffe://mesh.example/ns#x", None),
            ("spiffe://mesh.example/n%73", None),
            ("spiffe://mesh.example/n*", None),
            ("spiffe://mesh.example/\u{e9}", None),
            (&long, None),
        ] {
            let parsed = SpiffeId::parse(uri);
            assert_eq!(parsed.as_ref().map(SpiffeId::trust_domain), domain, "{uri}");
        }
    }

    fn check(uris: &[&str], is_authority: bool, key_usage: Option<u8>, expected: Result<Option<&str>, NotSvid>) {
        let (uris, dns_names) = (uris.to_vec(), Vec::new());
        let facts =
            Facts { valid_from_s: 0, expires_s: 1, common_name: None, dns_names, uris, is_authority, key_usage };
        let id = SpiffeId::of(&facts);
        assert_eq!(id.as_ref().map(|id| id.as_ref().map(SpiffeId::as_str)).map_err(|why| *why), expected);
    }

    #[test]
    fn rules_of_a_leaf() {
        let id = "spiffe://a/b";
        check(&[], false, None, Ok(None));
        check(&["https://a/b"], true, None, Ok(None));
        check(&[id], false, None, Ok(Some(id)));
        check(&[id], false, Some(DIGITAL_SIGNATURE), Ok(Some(id)));
        check(&[id], false, Some(DIGITAL_SIGNATURE | 0x04), Err(NotSvid::NoLeaf));
        check(&[id], false, Some(DIGITAL_SIGNATURE | 0x02), Err(NotSvid::NoLeaf));
        check(&[id], false, Some(0x20), Err(NotSvid::NoLeaf));
        check(&[id], true, None, Err(NotSvid::NoLeaf));
        check(&[id, id], false, None, Err(NotSvid::SeveralUris));
        check(&["https://a/b", id], false, None, Err(NotSvid::SeveralUris));
        check(&["Spiffe://a/b"], false, None, Err(NotSvid::BadId));
    }
}
