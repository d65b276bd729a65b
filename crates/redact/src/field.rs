//! Names of fields, as rules give them.

/// A name of an attribute, or many with `*` for any characters. Case does not matter, and `-` is `_`. A name without a
/// dot is also the last part of a longer one: `email` is `user.email` too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPattern {
    text: Box<str>,
    is_dotted: bool,
}

/// No pattern of names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldPatternError {
    /// Nothing, or nothing but stars.
    #[error("`{0}` is no name of a field")]
    Empty(String),
    /// Longer than any field's name that is kept.
    #[error("a name of a field has at most {MAX_BYTES} bytes")]
    TooLong,
}

const MAX_BYTES: usize = 256;

impl FieldPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`FieldPatternError`].
    pub fn new(text: &str) -> Result<Self, FieldPatternError> {
        if text.len() > MAX_BYTES {
            return Err(FieldPatternError::TooLong);
        }
        if text.chars().all(|char| char == '*' || char.is_whitespace()) {
            return Err(FieldPatternError::Empty(text.to_owned()));
        }
        Ok(Self { text: text.into(), is_dotted: text.contains('.') })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the attribute `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        let last = || name.rsplit('.').next().unwrap_or(name);
        glob(self.text.as_bytes(), name.as_bytes()) || !self.is_dotted && glob(self.text.as_bytes(), last().as_bytes())
    }
}

/// Whether `name` is as `pattern` says, with `*` for any bytes.
pub(crate) fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // Where to go on if the last star is to stand for one byte more.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(byte) if folded(*byte) == folded(name[n]) => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((after, from)) = star else { return false };
                star = Some((after, from + 1));
                (p, n) = (after, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn folded(byte: u8) -> u8 {
    if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("email", "email", true),
            ("email", "user.email", true),
            ("email", "user.email.verified", false),
            ("user.email", "user.email", true),
            ("user.email", "the.user.email", false),
            ("User-Id", "user_id", true),
            ("*.ssn", "person.ssn", true),
            ("*ssn*", "a.b_ssn_c", true),
            ("x*y*z", "xyyz", true),
            ("x*y*z", "xzzy", false),
            ("*", "", true),
        ] {
            let is = FieldPattern { text: pattern.into(), is_dotted: pattern.contains('.') }.matches(name);
            assert_eq!(is, expected, "{pattern} {name}");
        }
        assert!(FieldPattern::new("**").is_err() && FieldPattern::new(&"x".repeat(300)).is_err());
    }
}
