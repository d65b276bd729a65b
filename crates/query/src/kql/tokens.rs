//! What a token is: the one definition that the language, the matcher and the token index share.
//!
//! Lower-casing maps one character to one character, without regard to its neighbours. That keeps positions, makes a
//! token's lower case independent of where the token stands, and never turns a token character into another kind
//! (the full Unicode mapping of U+0130 would).

use std::borrow::Cow;

/// True for what tokens are made of: letters and digits of any script, and `_`.
pub fn is_token_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The lower case of one character, as one character.
pub fn lower_char(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

/// `text` in lower case; borrowed where it already is.
pub fn lower(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if upper { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) };
    }
    match text.char_indices().find(|(_, c)| lower_char(*c) != *c) {
        None => Cow::Borrowed(text),
        Some((at, _)) => {
            let mut out = String::with_capacity(text.len());
            out.push_str(&text[..at]);
            out.extend(text[at..].chars().map(lower_char));
            Cow::Owned(out)
        }
    }
}

/// The tokens of `text` in order: maximal runs of token characters, in lower case.
pub fn tokens(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split(|c| !is_token_char(c)).filter(|run| !run.is_empty()).map(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(tokens(text).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn runs_in_lower_case() {
        check("GET /api/v1?id=42_b", &["get", "api", "v1", "id", "42_b"]);
        check("  --  ", &[]);
        check("Straße ΣΑΣ 東京 İx", &["straße", "σασ", "東京", "ix"]);
    }

    #[test]
    fn lower_case_keeps_the_kind_of_every_character() {
        for c in char::MIN..=char::MAX {
            assert_eq!(is_token_char(c), is_token_char(lower_char(c)), "{c:?}");
            assert_eq!(lower_char(lower_char(c)), lower_char(c), "{c:?}");
            assert_eq!(c.is_whitespace(), lower_char(c).is_whitespace(), "{c:?}");
        }
    }
}
