//! How much a line is like a template that does not cover it.

use crate::line::{ANYTHING, Line};
use crate::words::{Words as _, covers, has_letters, key, split};

use super::route::{Route, is_aside};
use crate::template::Template;

/// A word that a programmer has written counts as many variables.
const WORD: u32 = 4;
/// Hundredths of likeness that siblings have, the word aside in which they differ.
const SIBLINGS: u32 = 60;

/// Shares, so that they can be compared without a division: `part` of `whole`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Likeness {
    part: u32,
    whole: u32,
}

impl Likeness {
    /// Whether it is as much as this many hundredths.
    pub(crate) fn reaches(self, hundredths: u32) -> bool {
        self.part * 100 >= self.whole * hundredths && self.whole > 0
    }

    /// Whether it can no longer be as much as this many hundredths, whatever the other of so many words are.
    fn misses(self, hundredths: u32, words: usize) -> bool {
        (self.whole - self.part) * 100 > (100 - hundredths) * WORD * words as u32
    }

    pub(crate) fn is_more_than(self, other: Self) -> bool {
        self.part * other.whole > other.part * self.whole
    }
}

/// `None` if it is less than this many hundredths, or if they are of different statements for certain.
pub(crate) fn likeness(template: &Template, line: &Line, route: &Route, least: u32) -> Option<Likeness> {
    let mut found = Likeness { part: 0, whole: 0 };
    let sentence = route.words[1].unwrap_or(0);
    for at in 0..line.len() {
        let (own, new) = (template.word(at), line.word(at));
        let (part, mut whole) = of_words(own, new);
        if (route.start..route.end).contains(&at) && part == 0 && !route.is_row && !(is_aside(own) && is_aside(new)) {
            return None;
        }
        if route.is_row && part == whole {
            whole = WORD;
        }
        let part = if part > 0 && route.is_row { whole.min(part * WORD) } else { part };
        // A long header would make any two sentences alike.
        if at < sentence {
            continue;
        }
        found.part += part;
        found.whole += whole;
        if found.misses(least, line.len()) {
            return None;
        }
    }
    Some(found).filter(|found| found.reaches(least))
}

/// The only word in which a line differs from a template, if nothing tells that it is a variable: both are plain words. So
/// do `is now UP` and `is now DOWN`.
pub(crate) fn only_difference(template: &Template, line: &Line) -> Option<usize> {
    if template.len() != line.len() {
        return None;
    }
    let mut differences = (0..line.len()).filter(|at| !covers(template.word(*at), line.word(*at)));
    let at = differences.next().filter(|_| differences.next().is_none())?;
    let is_plain = |word: &[u8]| word.iter().all(|byte| byte.is_ascii_alphabetic() || byte.is_ascii_punctuation());
    let (own, new) = (template.word(at), line.word(at));
    (is_plain(own) && is_plain(new) && key(own).is_none()).then_some(at)
}

/// Whether two templates may be one whose word at `open` is a variable, and how many words that a programmer has written
/// they then have in common.
pub(crate) fn in_common(one: &Template, other: &Template, open: usize) -> Option<usize> {
    let mut found = Likeness { part: 0, whole: 0 };
    let mut common = 0;
    let has_anything = other.has_anything();
    for at in (0..one.len()).filter(|at| *at != open) {
        let (own, new) = (one.word(at), other.word(at));
        let is_covered = has_anything && own != new && covers(new, own);
        let (part, whole) = if is_covered { of_words(new, own) } else { of_words(own, new) };
        common += usize::from(part == WORD);
        found.part += part;
        found.whole += whole;
        if found.misses(SIBLINGS, one.len()) {
            return None;
        }
    }
    // Nothing else in the line is as good as equal.
    (found.reaches(SIBLINGS) || found.whole == 0).then_some(common)
}

/// How much two words are alike, and how much they could be.
fn of_words(own: &[u8], new: &[u8]) -> (u32, u32) {
    if own == new {
        let whole = if has_letters(own) { WORD } else { 1 };
        return (whole, whole);
    }
    // Neither covered nor of one key, without a closer look: this is asked of thousands of words for a line that is new.
    if own.first() != new.first() && own.first() != Some(&ANYTHING) && new.first() != Some(&ANYTHING) {
        return (0, WORD);
    }
    if let Some((head, tail)) = split(own).filter(|_| covers(own, new)) {
        return (if head.len() + tail.len() > 1 { 2 } else { 1 }, WORD);
    }
    match (key(own), key(new)) {
        (Some(own), Some(new)) if own == new && !own.contains(&ANYTHING) => (3, WORD),
        _ => (0, WORD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn siblings_are_siblings_of_each_other() {
        let texts = [
            "user aa left a",
            "user bc left x-b-y",
            "user ca left a",
            "user bc left <*>",
            "user bc left <num>",
            "k=a bc k=b <*>",
        ];
        for one in texts {
            for other in texts {
                let (own, new) = (template(one), template(other));
                assert_eq!(in_common(&own, &new, 1), in_common(&new, &own, 1), "{one}, {other}");
            }
        }
    }
}
