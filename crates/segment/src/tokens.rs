//! What a word is, for search and for the index alike.
//!
//! A token is a maximal run of alphanumeric characters and `_`, lower-cased (Unicode, character by character). The
//! query language documents the same rule (`docs/guide/query-language.md`); a test in `query` holds the two together.

/// The number the index keeps of a token: XXH3-64 of its lower-cased UTF-8.
pub fn token_hash(token: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(token)
}

/// Calls `each` with every token of `text`, lower-cased.
pub fn for_each_token(text: &str, mut each: impl FnMut(&[u8])) {
    let mut token = Vec::with_capacity(64);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let folded = FOLD[usize::from(bytes[at])];
        if folded >= 2 {
            token.push(folded);
            at += 1;
        } else if folded == BREAK {
            flush(&mut token, &mut each);
            at += 1;
        } else {
            let Some(char) = text[at..].chars().next() else { break };
            if char.is_alphanumeric() {
                let mut utf8 = [0; 4];
                char.to_lowercase().for_each(|lower| token.extend_from_slice(lower.encode_utf8(&mut utf8).as_bytes()));
            } else {
                flush(&mut token, &mut each);
            }
            at += char.len_utf8();
        }
    }
    flush(&mut token, &mut each);
}

fn flush(token: &mut Vec<u8>, each: &mut impl FnMut(&[u8])) {
    if !token.is_empty() {
        each(token);
        token.clear();
    }
}

const BREAK: u8 = 0;
const NOT_ASCII: u8 = 1;

/// Each byte's lower-case form where it belongs to a token, else one of the two marks above.
static FOLD: [u8; 256] = {
    let mut table = [BREAK; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = match b {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => b,
            b'A'..=b'Z' => b + 32,
            0x80.. => NOT_ASCII,
            _ => BREAK,
        };
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let mut tokens = Vec::new();
        for_each_token(text, |token| tokens.push(String::from_utf8(token.to_vec()).unwrap()));
        tokens
    }

    #[test]
    fn words() {
        let check = |text: &str, expected: &[&str]| assert_eq!(tokens(text), expected, "{text}");
        check("GET /api/v1?q=X_y", &["get", "api", "v1", "q", "x_y"]);
        check("Straße, ÉTÉ—naïve", &["straße", "été", "naïve"]);
        check("--", &[]);
        check("日本 語a", &["日本", "語a"]);
    }

    proptest! {
        #[test]
        fn as_by_definition(text in ".*") {
            let plain: Vec<String> = text
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .filter(|run| !run.is_empty())
                .map(|run| run.chars().flat_map(char::to_lowercase).collect())
                .collect();
            prop_assert_eq!(tokens(&text), plain);
        }
    }
}
