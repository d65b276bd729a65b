//! Paths, URLs, and what stands in quotes. Each function says where the thing ends that begins at a place.

use super::class::{is_blank, is_word, run};

/// Bytes of a string in single quotes, at most: an apostrophe is not followed by one far away.
const SINGLE_QUOTED: usize = 256;

/// From a `/` on.
pub(crate) fn path(text: &[u8], at: usize) -> Option<usize> {
    let first = *text.get(at + 1)?;
    if !is_word(first) && !matches!(first, b'.' | b'_' | b'-' | b'~' | b'$' | b'%' | b'*' | b'{') {
        return None;
    }
    Some(trimmed(text, at, run(text, at, |byte| !is_blank(byte) && !is_around(byte) && byte != b'|')))
}

/// From the `://` on.
pub(crate) fn url(text: &[u8], at: usize) -> Option<usize> {
    if !text[at..].starts_with(b"://") {
        return None;
    }
    let end = run(text, at, |byte| !is_blank(byte) && !is_around(byte));
    (end > at + 3).then(|| trimmed(text, at + 3, end))
}

/// A path that begins with a drive, from the `:\` on.
pub(crate) fn drive(text: &[u8], at: usize) -> Option<usize> {
    let begins = text.get(at) == Some(&b':') && text.get(at + 1) == Some(&b'\\');
    begins.then(|| trimmed(text, at, run(text, at, |byte| !is_blank(byte) && !is_around(byte))))
}

/// What neither paths nor URLs have in logs, although they may.
fn is_around(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b'(' | b')' | b'[' | b']' | b',' | b';')
}

/// Without what ends a sentence.
fn trimmed(text: &[u8], at: usize, end: usize) -> usize {
    let kept = text[at..end].iter().rposition(|byte| !matches!(byte, b'.' | b':' | b'!' | b'}' | b'='));
    kept.map_or(end, |kept| at + kept + 1)
}

/// The place of the quote that ends a string, from the byte behind the one that begins it.
pub(crate) fn closing(text: &[u8], from: usize, quote: u8) -> Option<usize> {
    let mut at = from;
    loop {
        let end = at + memchr::memchr(quote, text.get(at..)?)?;
        let escapes = text[from..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 0 {
            return Some(end);
        }
        at = end + 1;
    }
}

/// As [`closing`], for quotes that are apostrophes as well.
pub(crate) fn closing_single(text: &[u8], from: usize, quote: u8) -> Option<usize> {
    let text = &text[..text.len().min(from + SINGLE_QUOTED)];
    let mut at = from;
    loop {
        let end = at + memchr::memchr(quote, text.get(at..)?)?;
        if text.get(end + 1).is_none_or(|next| !is_word(*next)) {
            return Some(end);
        }
        at = end + 1;
    }
}

/// The place of the bracket that ends an array of JSON which begins at `at`.
pub(crate) fn array(text: &[u8], at: usize) -> Option<usize> {
    let (mut depth, mut place) = (0_usize, at);
    loop {
        match text.get(place)? {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b'"' => place = closing(text, place + 1, b'"')?,
            _ => {}
        }
        if depth == 0 {
            return Some(place);
        }
        place += 1;
    }
}
