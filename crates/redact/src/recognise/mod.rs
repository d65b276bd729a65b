//! One recogniser a file. Each looks at one place that may be the beginning of something, reads on from there no further
//! than the thing can be long, and says where it ends.

pub(crate) mod checked;
pub(crate) mod email;
pub(crate) mod ip;
pub(crate) mod named;
pub(crate) mod numbers;
pub(crate) mod secrets;
pub(crate) mod tokens;

use crate::kind::Kind;

/// Between the name and the value of a field, where a record's fields are searched as one text.
pub(crate) const FIELD: u8 = 0x1f;
/// After each field.
pub(crate) const END: u8 = 0x1e;

/// In the place of a value that stands elsewhere in the same text. Whatever its name means, it may be that.
pub(crate) const ELSEWHERE: u8 = 0x1d;

/// Something that is to be hidden, by its place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The byte before a place.
pub(crate) fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1).map(|before| text[before])
}

/// Letters and digits, and all that is not ASCII.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// Where the bytes from `at` on end that are `wanted`, at most `most` of them.
pub(crate) fn run(text: &[u8], at: usize, most: usize, wanted: impl Fn(u8) -> bool) -> usize {
    // What a text was cut before may be asked for.
    let at = at.min(text.len());
    let rest = &text[at..text.len().min(at.saturating_add(most))];
    at + rest.iter().take_while(|byte| wanted(**byte)).count()
}

/// Whether one of `words`, in lower case, stands shortly before a place.
pub(crate) fn follows(text: &[u8], at: usize, words: &[&str]) -> bool {
    const WINDOW: usize = 40;
    let window = &text[at.saturating_sub(WINDOW)..at];
    // Fields are searched one after the other, but say nothing of each other.
    let from = memchr::memrchr(END, window).map_or(0, |end| end + 1);
    let window = window[from..].to_ascii_lowercase();
    words.iter().any(|word| memchr::memmem::find(&window, word.as_bytes()).is_some())
}
