//! Private keys, web tokens, passwords in addresses, and what follows `Bearer` or `Basic`.

use std::ops::Range;

use super::{Found, before, run};
use crate::kind::Kind;

/// From `-----BEGIN … PRIVATE KEY-----` to its end, or as far as it goes where a line or a record was cut (RFC 7468).
pub(crate) fn private_key(text: &[u8], anchor: Range<usize>) -> Option<Found> {
    const LABEL: usize = 64;
    const END: &[u8] = b"-----END";
    let label_end = run(text, anchor.end, LABEL, |byte| byte.is_ascii_uppercase() || byte == b' ');
    let label = &text[anchor.end..label_end];
    memchr::memmem::find(label, b"PRIVATE KEY")?;
    let body = text[label_end..].strip_prefix(b"-----").map(|_| label_end + 5)?;
    // Line ends may be escaped, once or more.
    let is_inside =
        |byte: u8| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=-\\:,.".contains(&byte);
    let mut end = run(text, body, usize::MAX, is_inside);
    if let Some(at) = memchr::memmem::find(&text[body..end], END) {
        let after = body + at + END.len();
        let last = run(text, after, LABEL, |byte| byte.is_ascii_uppercase() || byte == b' ');
        end = run(text, last, 5, |byte| byte == b'-');
    }
    Some(Found { kind: Kind::PrivateKey, start: anchor.start, end })
}

fn is_url_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Three parts of base64url, the first of which says how the third was made.
pub(crate) fn jwt(text: &[u8], anchor: Range<usize>) -> Option<Found> {
    const HEADER: usize = 4 << 10;
    const REST: usize = 64 << 10;
    if before(text, anchor.start).is_some_and(is_url_char) {
        return None;
    }
    let header_end = run(text, anchor.start, HEADER, is_url_char);
    if text.get(header_end) != Some(&b'.') || !says_algorithm(&text[anchor.start..header_end]) {
        return None;
    }
    let claims_end = run(text, header_end + 1, REST, is_url_char);
    if claims_end - header_end < 3 || text.get(claims_end) != Some(&b'.') {
        return None;
    }
    let mut end = run(text, claims_end + 1, REST, is_url_char);
    // An encrypted one has five parts.
    while end > claims_end && text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(|next| is_url_char(*next)) {
        end = run(text, end + 1, REST, is_url_char);
    }
    Some(Found { kind: Kind::Jwt, start: anchor.start, end })
}

fn says_algorithm(header: &[u8]) -> bool {
    decode(header).is_some_and(|header| memchr::memmem::find(&header, b"\"alg\"").is_some())
}

/// Base64 of either alphabet, without regard to its end.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.iter().take_while(|byte| **byte != b'=') {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

/// The password of `scheme://user:password@host` (RFC 3986, section 3.2.1). `anchor` is `://`.
pub(crate) fn url_password(text: &[u8], anchor: Range<usize>) -> Option<Found> {
    const USER_INFO: usize = 1 << 10;
    if !before(text, anchor.start).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let ends =
        |byte: u8| byte <= b' ' || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | 0x7f);
    let authority_end = run(text, anchor.end, USER_INFO, |byte| !ends(byte));
    let authority = &text[anchor.end..authority_end];
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', &authority[..at])?;
    let (start, end) = (anchor.end + colon + 1, anchor.end + at);
    (!super::named::is_placeholder(&text[start..end])).then_some(Found { kind: Kind::UrlPassword, start, end })
}

/// The credentials after `Bearer `. `anchor` is its end.
pub(crate) fn bearer(text: &[u8], anchor: Range<usize>) -> Option<Found> {
    const SHORTEST: usize = 16;
    let end = run(text, anchor.end, usize::MAX, is_token68);
    let token = &text[anchor.end..end];
    let is_word = token.iter().all(u8::is_ascii_lowercase);
    (token.len() >= SHORTEST && !is_word && !super::named::is_placeholder(token)).then_some(Found {
        kind: Kind::Authorization,
        start: anchor.end,
        end,
    })
}

/// The credentials after `Basic `: base64 of a name, a colon and a password.
pub(crate) fn basic(text: &[u8], anchor: Range<usize>) -> Option<Found> {
    const LONGEST: usize = 4 << 10;
    let end = run(text, anchor.end, LONGEST, is_token68);
    let plain = decode(&text[anchor.end..end])?;
    let is_pair = plain.contains(&b':') && plain.iter().all(|byte| *byte >= b' ');
    is_pair.then_some(Found { kind: Kind::Authorization, start: anchor.end, end })
}

/// `token68` of RFC 9110, section 11.2.
fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}
