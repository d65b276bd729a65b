//! Secrets that we make: shown once, kept as a hash.
//!
//! Each has 256 random bits, so that a plain SHA-256 of it can be kept: there is nothing to guess. They are looked up by a
//! public part, and compared in constant time. Recovery codes are typed and have 112 bits, which is the least for that (NIST SP
//! 800-63B, 3.1.2.2), and the name of their owner for a public part.

use std::fmt;

use logkeep_cipher::random_bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Hex digits of the public part.
const ID_DIGITS: usize = 16;
/// Hex digits of the secret part.
const SECRET_DIGITS: usize = 64;
/// Hex digits of a recovery code.
const RECOVERY_DIGITS: usize = 28;

/// What a secret is for; the text that it begins with, so that whoever finds one knows what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A token of a machine.
    Token,
    /// A session of a person.
    Session,
    /// A link that can be used once.
    Link,
    /// A code for whoever has lost their app; it is typed, and so shown without its prefix.
    Recovery,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Token => "lkt_",
            Self::Session => "lks_",
            Self::Link => "lkl_",
            Self::Recovery => "lkr_",
        }
    }
}

/// The hash of a secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretHash(String);

impl SecretHash {
    fn of(kind: Kind, id: &str, secret: &str) -> Self {
        let mut hasher = Sha256::new();
        for part in [kind.prefix(), id, ".", secret] {
            hasher.update(part);
        }
        Self(hex::encode(hasher.finalize()))
    }

    /// That of no secret, to be compared where there is none: who is not known is found out no sooner than a wrong secret.
    pub(crate) fn of_none() -> Self {
        Self("0".repeat(SECRET_DIGITS))
    }

    /// Whether it is that of `shown`, which [`parse`] gave.
    pub(crate) fn is_of(&self, shown: &Shown<'_>) -> bool {
        let other = Self::of(shown.kind, shown.id, shown.secret);
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A new secret.
pub(crate) struct Fresh {
    /// Its public part.
    pub(crate) id: String,
    /// To be kept.
    pub(crate) hash: SecretHash,
    /// To be shown, once.
    pub(crate) text: String,
}

/// Makes a secret.
pub(crate) fn fresh(kind: Kind) -> Fresh {
    let id = hex::encode(random_bytes::<{ ID_DIGITS / 2 }>());
    let secret = hex::encode(random_bytes::<{ SECRET_DIGITS / 2 }>());
    let (hash, text) = (SecretHash::of(kind, &id, &secret), format!("{}{id}.{secret}", kind.prefix()));
    Fresh { id, hash, text }
}

/// Whether a whole token stands in a URL, where every proxy and log on the way would keep it; also if it is percent-encoded.
pub fn shows_token(url: &str) -> bool {
    let plain = url.replace("%5F", "_").replace("%5f", "_").replace("%2E", ".").replace("%2e", ".");
    let length = Kind::Token.prefix().len() + ID_DIGITS + 1 + SECRET_DIGITS;
    let mut places = plain.match_indices(Kind::Token.prefix());
    places.any(|(at, _)| plain.get(at..at + length).is_some_and(|text| parse(Kind::Token, text).is_some()))
}

/// A secret that somebody shows.
pub(crate) struct Shown<'a> {
    kind: Kind,
    /// Its public part.
    pub(crate) id: &'a str,
    secret: &'a str,
}

/// Reads a secret; `None` if it cannot be one of this kind.
pub(crate) fn parse(kind: Kind, text: &str) -> Option<Shown<'_>> {
    let (id, secret) = text.strip_prefix(kind.prefix())?.split_once('.')?;
    let fits = id.len() == ID_DIGITS && secret.len() == SECRET_DIGITS && is_hex(id) && is_hex(secret);
    fits.then_some(Shown { kind, id, secret })
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes a recovery code: its hash to be kept, and the code to be shown once, in groups of four.
pub(crate) fn fresh_recovery(owner: &str) -> (SecretHash, String) {
    let digits = hex::encode(random_bytes::<{ RECOVERY_DIGITS / 2 }>());
    let groups: Vec<&str> = (0..RECOVERY_DIGITS).step_by(4).map(|from| &digits[from..from + 4]).collect();
    (SecretHash::of(Kind::Recovery, owner, &digits), groups.join("-"))
}

/// The digits of a recovery code as somebody types it; `None` if it cannot be one.
pub(crate) fn recovery_digits(code: &str) -> Option<String> {
    let kept = |letter: &char| *letter != '-' && *letter != ' ';
    let digits: String = code.chars().filter(kept).take(RECOVERY_DIGITS + 1).collect::<String>().to_ascii_lowercase();
    (digits.len() == RECOVERY_DIGITS && is_hex(&digits)).then_some(digits)
}

/// A recovery code of somebody, by its digits.
pub(crate) fn recovery<'a>(owner: &'a str, digits: &'a str) -> Shown<'a> {
    Shown { kind: Kind::Recovery, id: owner, secret: digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_hash_alone() {
        let fresh = fresh(Kind::Token);
        let shown = parse(Kind::Token, &fresh.text).unwrap();
        assert_eq!(shown.id, fresh.id);
        assert!(fresh.hash.is_of(&shown));
        assert!(!fresh.hash.0.contains(shown.secret));

        let mut other = fresh.text.clone();
        let last = other.pop().unwrap();
        other.push(if last == '0' { '1' } else { '0' });
        assert!(!fresh.hash.is_of(&parse(Kind::Token, &other).unwrap()), "one digit differs");
        assert!(parse(Kind::Session, &fresh.text).is_none(), "of another kind");
        let as_session = fresh.text.replace("lkt_", "lks_");
        assert!(!fresh.hash.is_of(&parse(Kind::Session, &as_session).unwrap()), "called another kind");
    }

    #[test]
    fn a_token_in_a_url_is_seen() {
        let token = fresh(Kind::Token).text;
        for url in [
            format!("/services/collector?token={token}&x=1"),
            format!("/x/{token}/y"),
            format!("/?a=lkt_&b={}", token.replace('_', "%5F").replace('.', "%2e")),
        ] {
            assert!(shows_token(&url), "{url}");
        }
        for url in ["/", "/api/v1/logs?q=lkt_0011223344556677", &token[..token.len() - 1], "/?q=lkt_é"] {
            assert!(!shows_token(url), "{url}");
        }
        assert!(!SecretHash::of_none().is_of(&parse(Kind::Token, &token).unwrap()));
    }

    #[test]
    fn recovery_codes_are_read_as_they_are_typed() {
        let (hash, code) = fresh_recovery("alice");
        assert_eq!((code.len(), code.matches('-').count()), (34, 6), "{code}");
        for typed in [code.clone(), code.to_uppercase(), code.replace('-', " "), code.replace('-', "")] {
            assert!(hash.is_of(&recovery("alice", &recovery_digits(&typed).unwrap())), "{typed}");
            assert!(!hash.is_of(&recovery("bob", &recovery_digits(&typed).unwrap())), "somebody else's");
        }
        for typed in ["", "123456", &code[..33], &format!("{code}0"), &code.replace('-', "_"), &"é".repeat(14)] {
            assert_eq!(recovery_digits(typed), None, "{typed}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let digits = "0".repeat(SECRET_DIGITS);
        for text in [
            "",
            "lkt_",
            "lkt_.",
            &format!("lkt_{}.{}", "0".repeat(15), digits),
            &format!("lkt_{}.{digits}0", "0".repeat(16)),
            &format!("lkt_{}.{}", "0".repeat(16), "G".repeat(64)),
            &format!("lkt_{}.{}", "é".repeat(8), digits),
        ] {
            assert!(parse(Kind::Token, text).is_none(), "{text}");
        }
    }
}
