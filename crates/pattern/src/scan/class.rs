//! What each byte is to the reader of a line.

/// Not in any class below: ASCII punctuation that means nothing special.
pub(crate) const PUNCT: u8 = 0;
/// A letter, or part of a character that is not ASCII.
pub(crate) const LETTER: u8 = 1;
/// A digit.
pub(crate) const DIGIT: u8 = 2;
/// Between words.
pub(crate) const BLANK: u8 = 3;
/// A control character that is not between words.
pub(crate) const CONTROL: u8 = 4;
/// Punctuation that may begin or end something: quotes, `/`, `-`, `+`, `@`, `[`.
pub(crate) const SPECIAL: u8 = 5;

const CLASSES: [u8; 256] = {
    let mut classes = [PUNCT; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
            b'0'..=b'9' => DIGIT,
            b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c => BLANK,
            0..0x20 => CONTROL,
            b'"' | b'\'' | b'`' | b'/' | b'-' | b'+' | b'@' | b'[' => SPECIAL,
            _ => PUNCT,
        };
        byte += 1;
    }
    classes
};

pub(crate) fn class(byte: u8) -> u8 {
    CLASSES[byte as usize]
}

pub(crate) fn is_word(byte: u8) -> bool {
    matches!(class(byte), LETTER | DIGIT)
}

pub(crate) fn is_blank(byte: u8) -> bool {
    class(byte) == BLANK
}

/// ASCII punctuation: where a word may be taken apart.
pub(crate) fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_punctuation()
}

/// Where the bytes from `at` on end that are `wanted`; `at` if it is behind the text.
pub(crate) fn run(text: &[u8], at: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let Some(rest) = text.get(at..) else { return at };
    rest.iter().position(|byte| !wanted(*byte)).map_or(text.len(), |length| at + length)
}
