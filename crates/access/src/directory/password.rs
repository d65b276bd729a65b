//! Passwords: which may be set, and how they are kept.
//!
//! Argon2id with 19 MiB, two passes and one lane, after OWASP's Password Storage Cheat Sheet; length and strength instead of
//! rules about kinds of characters, after NIST SP 800-63B, 3.1.1.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use zxcvbn::{Score, zxcvbn};

/// Characters at least.
const MIN_CHARS: usize = 12;
/// Bytes at most: hashing takes time with length.
pub(crate) const MAX_BYTES: usize = 1_024;

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these numbers are within the bounds of Argon2");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A hash that no password has, for people who are not known: to ask about them takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash(&"\u{0}".repeat(8)));

/// Why a password may not be set; a sentence for whoever wants to set it.
pub(crate) fn fault(password: &str, name: &str) -> Option<String> {
    if password.chars().count() < MIN_CHARS {
        return Some(format!("it is too short: use at least {MIN_CHARS} characters, such as four words"));
    }
    if password.len() > MAX_BYTES {
        return Some(format!("it is too long: {MAX_BYTES} bytes at most"));
    }
    let head: String = password.chars().take(100).collect();
    let estimate = zxcvbn(&head, &[name, "logkeep"]);
    if estimate.score() >= Score::Three {
        return None;
    }
    let why = estimate.feedback().and_then(|feedback| feedback.warning());
    Some(format!("it is easy to guess{}", why.map(|why| format!(": {why}")).unwrap_or_default()))
}

/// The hash of a password, in the PHC string format.
pub(crate) fn hash(password: &str) -> String {
    let hashed = argon2().hash_password(password.as_bytes());
    hashed.expect("a password of any length below 4 GiB can be hashed").to_string()
}

/// Whether it is the password; without a hash it never is, and that takes as long.
pub(crate) fn is_right(password: &str, hash: Option<&str>) -> bool {
    // Made for whoever comes first, known or not.
    let nobody = NOBODY.as_str();
    let parsed = PasswordHash::new(hash.unwrap_or(nobody));
    let matches = parsed.is_ok_and(|parsed| argon2().verify_password(password.as_bytes(), &parsed).is_ok());
    matches && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_well_known_passwords_are_refused() {
        for (password, expected) in [
            ("Short-1!", "too short"),
            ("passwordpassword", "easy to guess"),
            ("aaaaaaaaaaaaaaaa", "easy to guess"),
            ("qwertyuiop1234", "easy to guess"),
            ("alicealice2026", "easy to guess"),
            (&"long ".repeat(300), "too long"),
        ] {
            let fault = fault(password, "alice").unwrap_or_default();
            assert!(fault.contains(expected), "{password}: {fault}");
        }
        for password in ["granite lantern oboe thirty", "vX9!kd02Lq-ww", "глубокая река зимой"] {
            assert_eq!(fault(password, "alice"), None, "{password}");
        }
    }

    #[test]
    fn a_hash_is_of_one_password() {
        let first = hash("granite lantern oboe");
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, hash("granite lantern oboe"), "salted");
        assert!(is_right("granite lantern oboe", Some(&first)));
        assert!(!is_right("granite lantern obo", Some(&first)));
        assert!(!is_right("", Some("not a hash")));
        assert!(!is_right(&"\u{0}".repeat(8), None), "nobody has a password");
    }
}
