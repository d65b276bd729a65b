//! Texts within texts.
//!
//! A document within a document is escaped, and so is what is hidden in it: `https:\/\/user:secret@host` is no URL until
//! it is unescaped. So texts are also searched without one, two and three layers of JSON's escapes, and what is found is
//! told by its place in the text as it came.

/// Layers of escapes that are looked through; a container's line of a shipper's document of a service's has two.
const LAYERS: usize = 3;

/// A text, without one layer of escapes after the other.
pub(crate) struct Layers<'t> {
    text: &'t [u8],
    undone: Vec<Unescaped>,
}

impl<'t> Layers<'t> {
    /// The text as it came.
    pub(crate) fn of(text: &'t [u8]) -> Self {
        Self { text, undone: Vec::new() }
    }

    /// Undoes one more; false if there is none, or enough were undone.
    pub(crate) fn undo(&mut self) -> bool {
        let next = if self.undone.len() < LAYERS { Unescaped::of(self.bytes()) } else { None };
        let is_one = next.is_some();
        self.undone.extend(next);
        is_one
    }

    /// How many are undone.
    pub(crate) fn count(&self) -> usize {
        self.undone.len()
    }

    /// How the text reads now.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.undone.last().map_or(self.text, |layer| &layer.bytes)
    }

    /// The place in the text as it came of a place in how it reads now.
    pub(crate) fn place(&self, at: usize) -> usize {
        self.undone.iter().rev().fold(at, |at, layer| layer.place(at))
    }
}

/// A text without one layer of escapes.
struct Unescaped {
    bytes: Vec<u8>,
    /// Where places shift: from here on, in `bytes` and in what it was made of.
    shifts: Vec<(usize, usize)>,
}

impl Unescaped {
    /// `None` if there is nothing to undo.
    fn of(escaped: &[u8]) -> Option<Self> {
        let mut at = memchr::memchr(b'\\', escaped)?;
        let (mut bytes, mut shifts) = (Vec::with_capacity(escaped.len()), Vec::new());
        let mut copied = 0;
        loop {
            if let Some((char, length)) = escape(&escaped[at..]) {
                bytes.extend_from_slice(&escaped[copied..at]);
                bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                copied = at + length;
                shifts.push((bytes.len(), copied));
                at = copied;
            } else {
                at += 1;
            }
            match memchr::memchr(b'\\', &escaped[at..]) {
                Some(next) => at += next,
                None => break,
            }
        }
        if shifts.is_empty() {
            return None;
        }
        bytes.extend_from_slice(&escaped[copied..]);
        Some(Self { bytes, shifts })
    }

    /// The place in the escaped text of a place in this one.
    fn place(&self, at: usize) -> usize {
        match self.shifts.partition_point(|(here, _)| *here <= at).checked_sub(1) {
            None => at,
            Some(last) => {
                let (here, there) = self.shifts[last];
                there + (at - here)
            }
        }
    }
}

/// The character that an escape at the start stands for, and the escape's length (RFC 8259, section 7).
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    let char = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(bytes),
        _ => return None,
    };
    Some((char, 2))
}

fn unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0u32, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
    };
    let first = unit(0)?;
    if let (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) = (first, unit(6)) {
        return Some((char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12));
    }
    Some((char::from_u32(first)?, 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_the_escaped_text() {
        let escaped = r#"a\"b\u0040\ud83d\ude00c\q\\d"#;
        let unescaped = Unescaped::of(escaped.as_bytes()).unwrap();
        assert_eq!(std::str::from_utf8(&unescaped.bytes).unwrap(), "a\"b@😀c\\q\\d");
        for (char, expected) in [("\"", 1), ("b", 3), ("@", 4), ("😀", 10), ("c", 22), ("q", 24), ("d", 27)] {
            let at = std::str::from_utf8(&unescaped.bytes).unwrap().find(char).unwrap();
            assert_eq!(unescaped.place(at), expected, "{char}");
        }
        assert_eq!(unescaped.place(unescaped.bytes.len()), escaped.len());
        for plain in ["", "abc", r"C:\q", r"\u12", r"\ud83d x"] {
            assert!(Unescaped::of(plain.as_bytes()).is_none(), "{plain}");
        }
    }
}
