//! Words of forms: which covers which, and what covers two.

use crate::line::{ANYTHING, VARIABLE};
use crate::scan::is_delimiter;

/// What consists of words: a line, or a template.
pub(crate) trait Words {
    /// How many.
    fn len(&self) -> usize;

    /// The form of one.
    fn word(&self, at: usize) -> &[u8];
}

/// Whether every word of a line that is `other`, or that `other` covers, is covered by `word`.
pub(crate) fn covers(word: &[u8], other: &[u8]) -> bool {
    match memchr::memchr(ANYTHING, word) {
        None => word == other,
        Some(at) => covers_around(word, at, other),
    }
}

/// The same, where it is known at which place of the word anything may stand.
pub(crate) fn covers_around(word: &[u8], at: usize, other: &[u8]) -> bool {
    let (head, tail) = (&word[..at], &word[at + 1..]);
    other.len() + 1 >= word.len() && other.starts_with(head) && other.ends_with(tail)
}

/// What is before and behind the part that may be anything.
pub(crate) fn split(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(ANYTHING, word)?;
    Some((&word[..at], &word[at + 1..]))
}

/// The narrowest word that covers both. It is taken apart at punctuation only, so that `user=anna` and `user=andrew` have
/// `user=` in common and not `user=an`.
pub(crate) fn join(one: &[u8], other: &[u8], out: &mut Vec<u8>) {
    if covers(one, other) {
        return out.extend_from_slice(one);
    }
    if covers(other, one) {
        return out.extend_from_slice(other);
    }
    let (one_head, one_tail) = split(one).unwrap_or((one, one));
    let (other_head, other_tail) = split(other).unwrap_or((other, other));
    let head = common_head(one_head, other_head);
    // What is in the head of a word cannot be in its tail as well.
    let room = |part: &[u8], head_len: usize, whole: bool| if whole { part.len() - head_len } else { part.len() };
    let most = room(one_tail, head.len(), one_tail.len() == one.len()).min(room(
        other_tail,
        head.len(),
        other_tail.len() == other.len(),
    ));
    let tail = common_tail(one_tail, other_tail, most);
    out.extend_from_slice(head);
    out.push(ANYTHING);
    out.extend_from_slice(tail);
}

fn common_head<'a>(one: &'a [u8], other: &[u8]) -> &'a [u8] {
    let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let cut = one[..common].iter().rposition(|byte| is_delimiter(*byte)).map_or(0, |at| at + 1);
    &one[..cut]
}

fn common_tail<'a>(one: &'a [u8], other: &[u8], most: usize) -> &'a [u8] {
    let common = one.iter().rev().zip(other.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let tail = &one[one.len() - common..];
    let cut = tail.iter().position(|byte| is_delimiter(*byte)).unwrap_or(tail.len());
    &tail[cut..]
}

/// How many variables are in a part of a form.
pub(crate) fn variables(part: &[u8]) -> usize {
    part.iter().filter(|byte| **byte == VARIABLE).count()
}

/// Whether something of it was written by a programmer.
pub(crate) fn has_letters(word: &[u8]) -> bool {
    word.iter().any(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80)
}

/// The key of `key=value`, with the `=`.
pub(crate) fn key(word: &[u8]) -> Option<&[u8]> {
    let at = memchr::memchr(b'=', word)?;
    let is_key = at > 0 && word[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-[({,".contains(byte));
    is_key.then(|| &word[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, other: &str, expected: &str) {
        let bytes = |text: &str| text.replace('#', "\u{1}").replace('*', "\u{2}").into_bytes();
        let (one, other, expected) = (bytes(one), bytes(other), bytes(expected));
        for (one, other) in [(&one, &other), (&other, &one)] {
            let mut joined = Vec::new();
            join(one, other, &mut joined);
            assert_eq!(joined, expected, "{:?}", String::from_utf8_lossy(&joined));
            assert!(covers(&joined, one) && covers(&joined, other));
        }
    }

    #[test]
    fn joins() {
        check("root", "bob", "*");
        check("user=anna", "user=andrew", "user=*");
        check("web-#-#", "web-#-kxcdz", "web-#-*");
        check("user=*", "user=root", "user=*");
        check("user=*", "name=root", "*");
        check("(alice)", "(bob)", "(*)");
        check("a-a", "a-b-a", "a-*");
        check("--", "---", "--*");
        check("a=*;", "a=b;c;", "a=*;");
        check("same", "same", "same");
        check("#", "root", "*");
    }

    #[test]
    fn keys() {
        assert_eq!(key(b"user=root"), Some(&b"user="[..]));
        assert_eq!(key(b"=root"), None);
        assert_eq!(key(b"root"), None);
    }
}
