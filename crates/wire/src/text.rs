//! Bytes to text, within bounds.
//!
//! Senders cut lines in the middle of a character and write bytes in whatever encoding they run under. A record is
//! kept all the same, and says what was done to it.

use std::borrow::Cow;

use logkeep_record::{Attributes, Value, json, limits};

/// How many bytes of a record were over `limits::record_bytes()` and cut off.
pub(crate) const TRUNCATED_BYTES: &str = "logkeep.truncated_bytes";
/// Set on records whose bytes were not UTF-8 and were replaced by U+FFFD where they were not.
pub(crate) const INVALID_UTF8: &str = "logkeep.invalid_utf8";

/// Text made from bytes, with what was lost on the way.
#[derive(Debug, PartialEq)]
pub(crate) struct Text<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) truncated_bytes: usize,
    pub(crate) invalid_utf8: bool,
}

impl<'a> Text<'a> {
    /// At most `limits::record_bytes()` of `bytes`, cut between two characters.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let kept = cut(bytes, limits::record_bytes());
        let truncated_bytes = bytes.len() - kept.len();
        match std::str::from_utf8(kept) {
            Ok(text) => Self { text: Cow::Borrowed(text), truncated_bytes, invalid_utf8: false },
            Err(_) => Self { text: lossy_within_limit(kept), truncated_bytes, invalid_utf8: true },
        }
    }

    /// Appends what was lost to a record's attributes.
    pub(crate) fn mark(&self, attributes: &mut Attributes<'_>) {
        if self.truncated_bytes > 0 {
            attributes.push((Cow::Borrowed(TRUNCATED_BYTES), Value::Int(self.truncated_bytes as i64)));
        }
        if self.invalid_utf8 {
            attributes.push((Cow::Borrowed(INVALID_UTF8), Value::Bool(true)));
        }
    }
}

/// The replacement character is three bytes long, so that a line of junk would grow to three times the limit.
fn lossy_within_limit(bytes: &[u8]) -> Cow<'_, str> {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let end = text.floor_char_boundary(limits::record_bytes());
    text.truncate(end);
    Cow::Owned(text)
}

/// The first `max` bytes, less those of a character that does not fit whole.
fn cut(bytes: &[u8], max: usize) -> &[u8] {
    if bytes.len() <= max {
        return bytes;
    }
    let start_of_char = |at: &usize| bytes[*at] & 0xc0 != 0x80;
    let end = (max.saturating_sub(3)..=max).rev().find(start_of_char).unwrap_or(max);
    &bytes[..end]
}

/// What a line of text says: a JSON object becomes a map and is kept beside it as the original; anything else is its own
/// body.
pub(crate) fn body_and_original(text: Cow<'_, str>) -> (Value<'_>, Option<Cow<'_, str>>) {
    if !text.trim_ascii_start().starts_with('{') {
        return (Value::Str(text), None);
    }
    let parsed = match &text {
        Cow::Borrowed(text) => json::parse(text),
        Cow::Owned(text) => json::parse(text).map(Value::into_owned),
    };
    match parsed {
        Ok(body) => (body, Some(text)),
        Err(_) => (Value::Str(text), None),
    }
}

/// `bytes` without one trailing carriage return.
pub(crate) fn trim_cr(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_between_characters() {
        for (bytes, max, expected) in
            [("abc", 3, "abc"), ("abcd", 3, "abc"), ("aé", 2, "a"), ("a😀b", 4, "a"), ("a😀b", 5, "a😀")]
        {
            assert_eq!(cut(bytes.as_bytes(), max), expected.as_bytes(), "{bytes} at {max}");
        }
        assert_eq!(cut(&[0x80; 9], 4).len(), 4);
    }

    #[test]
    fn junk_stays_within_the_limit_and_is_marked() {
        let junk = vec![0xff; limits::record_bytes() + 7];
        let text = Text::new(&junk);
        assert!(text.text.len() <= limits::record_bytes());
        let mut attributes = Vec::new();
        text.mark(&mut attributes);
        assert_eq!(attributes[0], (Cow::Borrowed(TRUNCATED_BYTES), Value::Int(7)));
        assert_eq!(attributes[1], (Cow::Borrowed(INVALID_UTF8), Value::Bool(true)));
    }
}
