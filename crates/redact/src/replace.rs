//! Markers where secrets were.

use crate::kind::Kind;
use crate::recognise::before;

/// A part of a text, and what to write in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) marker: String,
    /// Of two that overlap the one with the lower rank says what was there.
    pub(crate) rank: u16,
}

/// How a value is marked: what it was, and its hash where equal values are to stay equal.
pub(crate) fn marker(label: &str, hash: Option<&str>) -> String {
    match hash {
        Some(hash) => format!("[{label}:{hash}]"),
        None => format!("[redacted:{label}]"),
    }
}

/// What a field is called in its marker.
pub(crate) fn label_of_field(name: &str) -> String {
    const LONGEST: usize = 64;
    let is_plain = |char: &char| char.is_ascii_alphanumeric() || "._-".contains(*char);
    let label: String = name.chars().filter(is_plain).take(LONGEST).collect();
    if label.is_empty() { "field".to_owned() } else { label }
}

/// The rank of a kind that was found under so many layers of escapes; the deepest knows the value best.
pub(crate) fn rank(kind: Kind, layer: usize) -> u16 {
    (kind as u16) * 8 + 7 - (layer.min(7) as u16)
}

/// The rank of a value that is known from elsewhere.
pub(crate) const RANK_KNOWN: u16 = u16::MAX;

/// The text with all patches, those that overlap as one. Patches are within the text, at boundaries of characters.
pub(crate) fn apply(text: &str, mut patches: Vec<Patch>) -> String {
    patches.sort_by_key(|patch| (patch.start, patch.rank));
    let mut out = String::with_capacity(text.len() + patches.len() * 16);
    let (mut copied, mut patches) = (0, patches.into_iter().peekable());
    while let Some(mut patch) = patches.next() {
        while let Some(next) = patches.next_if(|next| next.start < patch.end) {
            let (start, end) = (patch.start, patch.end.max(next.end));
            patch = if next.rank < patch.rank { next } else { patch };
            (patch.start, patch.end) = (start, end);
        }
        out.push_str(text.get(copied..patch.start).unwrap_or_default());
        let quote = missing_quote(text.as_bytes(), patch.start, patch.end);
        out.push_str(quote);
        out.push_str(&patch.marker);
        out.push_str(quote);
        copied = patch.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// The quote, with its backslashes, that a marker needs where a number of a document was.
fn missing_quote(text: &[u8], start: usize, end: usize) -> &str {
    let is_blank = |byte: &&u8| **byte == b' ';
    let colon = start - text[..start].iter().rev().take_while(is_blank).count();
    let next = end + text[end..].iter().take_while(is_blank).count();
    let is_number = text.get(start).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    let is_member = before(text, colon) == Some(b':') && text.get(next).is_none_or(|byte| b",}\n".contains(byte));
    if !is_number || !is_member || colon < 2 || text[colon - 2] != b'"' {
        return "";
    }
    let slashes = text[..colon - 2].iter().rev().take_while(|byte| **byte == b'\\').count();
    std::str::from_utf8(&text[colon - 2 - slashes..colon - 1]).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(start: usize, end: usize, marker: &str, rank: u16) -> Patch {
        Patch { start, end, marker: marker.to_owned(), rank }
    }

    #[test]
    fn patches() {
        let text = "0123456789";
        assert_eq!(apply(text, vec![patch(4, 6, "B", 2), patch(1, 2, "A", 9)]), "0A23B6789");
        assert_eq!(apply(text, vec![patch(1, 5, "A", 2), patch(3, 8, "B", 1), patch(8, 9, "C", 0)]), "0BC9");
        assert_eq!(apply(text, vec![patch(2, 9, "A", 1), patch(3, 4, "B", 5)]), "01A9");
        assert_eq!(apply(text, vec![]), text);
    }

    #[test]
    fn documents_stay_documents() {
        for (text, number, expected) in [
            (r#"{"pin": 1234}"#, "1234", r#"{"pin": "X"}"#),
            (r#"{\"pin\":1234,\"a\":1}"#, "1234", r#"{\"pin\":\"X\",\"a\":1}"#),
            (r#"{"pin":"1234"}"#, "1234", r#"{"pin":"X"}"#),
            ("pin:1234,", "1234", "pin:X,"),
        ] {
            let start = text.find(number).unwrap();
            assert_eq!(apply(text, vec![patch(start, start + number.len(), "X", 0)]), expected);
        }
    }
}
