//! Patterns with `*` and `?`.
//!
//! Matching follows all states of the pattern at once, one bit each, so a hostile pattern costs no more per character
//! than a friendly one. No regular expression crate stands behind it, because what bounds a token must be our own
//! definition and not that crate's Unicode version.

use super::tokens::{is_token_char, lower_char};

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardItem {
    /// This character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, none included.
    Many,
}

/// A pattern: what was written, and the same in lower case to match with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    items: Vec<WildcardItem>,
}

/// How a pattern is laid over a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The whole text fits.
    Whole,
    /// A part fits that begins and ends on a token boundary; wildcards do not cross white space.
    Tokens,
}

impl Wildcard {
    /// A pattern of these items, runs of `*` made one. `None` if it is longer than `limits::WILDCARD_ITEMS`.
    pub fn new(items: impl IntoIterator<Item = WildcardItem>) -> Option<Self> {
        let mut kept: Vec<WildcardItem> = Vec::new();
        for item in items {
            if item == WildcardItem::Many && kept.last() == Some(&WildcardItem::Many) {
                continue;
            }
            if kept.len() == super::limits::WILDCARD_ITEMS {
                return None;
            }
            kept.push(item);
        }
        Some(Self { items: kept })
    }

    /// Its items, as written.
    pub fn items(&self) -> &[WildcardItem] {
        &self.items
    }

    /// The runs of token characters in it, in lower case, without those that `*` and `?` stand for.
    pub(crate) fn token_parts(&self) -> impl Iterator<Item = String> {
        let in_token = |item: &WildcardItem| match item {
            WildcardItem::Char(c) if is_token_char(*c) => Some(lower_char(*c)),
            _ => None,
        };
        self.items
            .split(move |item| in_token(item).is_none())
            .map(move |run| run.iter().filter_map(in_token).collect())
            .filter(|run: &String| !run.is_empty())
    }

    /// Whether the whole of `text` fits, in any letter case.
    pub fn matches_whole(&self, text: &str) -> bool {
        self.run(text, Anchor::Whole)
    }

    /// Whether a part of `text` fits that begins and ends on token boundaries, in any letter case; `*` and `?` do not
    /// stand for white space.
    pub fn matches_tokens(&self, text: &str) -> bool {
        self.run(text, Anchor::Tokens)
    }

    fn run(&self, text: &str, anchor: Anchor) -> bool {
        let accept = 1_u128 << self.items.len();
        let mut states = 0_u128;
        let mut before = None;
        for c in text.chars().map(lower_char) {
            states = self.start(states, before, Some(c), anchor);
            if anchor == Anchor::Tokens && states & accept != 0 && self.may_end(before, Some(c)) {
                return true;
            }
            states = self.step(states, c, anchor);
            before = Some(c);
        }
        states = self.start(states, before, None, anchor);
        states & accept != 0 && (anchor == Anchor::Whole || self.may_end(before, None))
    }

    /// Adds the first state where the pattern may begin, and what `*` reaches without a character.
    fn start(&self, mut states: u128, before: Option<char>, next: Option<char>, anchor: Anchor) -> u128 {
        let begins = match anchor {
            Anchor::Whole => before.is_none(),
            Anchor::Tokens => !self.begins_in_token() || is_boundary(before, next),
        };
        if begins {
            states |= 1;
        }
        for (place, item) in self.items.iter().enumerate() {
            if *item == WildcardItem::Many && states & (1 << place) != 0 {
                states |= 1 << (place + 1);
            }
        }
        states
    }

    fn step(&self, states: u128, c: char, anchor: Anchor) -> u128 {
        let any = anchor == Anchor::Whole || !c.is_whitespace();
        let mut next = 0;
        for (place, item) in self.items.iter().enumerate() {
            if states & (1 << place) == 0 {
                continue;
            }
            match item {
                WildcardItem::Char(want) if lower_char(*want) == c => next |= 1 << (place + 1),
                WildcardItem::One if any => next |= 1 << (place + 1),
                WildcardItem::Many if any => next |= 1 << place,
                _ => {}
            }
        }
        next
    }

    fn begins_in_token(&self) -> bool {
        matches!(self.items.first(), Some(WildcardItem::Char(c)) if is_token_char(*c))
    }

    fn may_end(&self, before: Option<char>, next: Option<char>) -> bool {
        let ends_in_token = matches!(self.items.last(), Some(WildcardItem::Char(c)) if is_token_char(*c));
        !ends_in_token || is_boundary(before, next)
    }
}

/// True unless both sides are token characters.
pub(crate) fn is_boundary(before: Option<char>, next: Option<char>) -> bool {
    !(before.is_some_and(is_token_char) && next.is_some_and(is_token_char))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Wildcard {
        let items = text.chars().map(|c| match c {
            '*' => WildcardItem::Many,
            '?' => WildcardItem::One,
            c => WildcardItem::Char(c),
        });
        Wildcard::new(items).unwrap()
    }

    fn check(wildcard: &str, text: &str, whole: bool, tokens: bool) {
        assert_eq!(pattern(wildcard).matches_whole(text), whole, "whole {wildcard} {text}");
        assert_eq!(pattern(wildcard).matches_tokens(text), tokens, "tokens {wildcard} {text}");
    }

    #[test]
    fn whole_values_and_tokens() {
        check("conn*", "Connection refused", true, true);
        check("conn*", "disconnect", false, false);
        check("*conn*", "disconnected", true, true);
        check("*nect", "disconnect", true, true);
        check("*nect", "disconnected", false, false);
        check("a?c", "abc", true, true);
        check("a?c", "x abc y", false, true);
        check("a*c", "a b c", true, false);
        check("a*c", "ac", true, true);
        check("?", "", false, false);
        check("*", "", true, true);
        check("/api/*/x", "GET /api/v1/x HTTP", false, true);
        check("?ello", "HELLO", true, true);
        check("é*", "ÉCOLE", true, true);
    }

    /// The plain definition, in exponential time.
    fn fits(items: &[WildcardItem], text: &[char], spaces: bool) -> bool {
        let any = |c: &char| spaces || !c.is_whitespace();
        match (items.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((WildcardItem::Many, rest)), None) => fits(rest, text, spaces),
            (Some((WildcardItem::Many, rest)), Some((c, tail))) => {
                fits(rest, text, spaces) || any(c) && fits(items, tail, spaces)
            }
            (Some((WildcardItem::One, rest)), Some((c, tail))) => any(c) && fits(rest, tail, spaces),
            (Some((WildcardItem::Char(want), rest)), Some((c, tail))) => {
                lower_char(*want) == *c && fits(rest, tail, spaces)
            }
            _ => false,
        }
    }

    fn fits_tokens(items: &[WildcardItem], text: &[char]) -> bool {
        let at = |place: usize| text.get(place).copied();
        let cut = |place: usize| !is_boundary(place.checked_sub(1).and_then(at), at(place));
        let in_token = |item: Option<&WildcardItem>| matches!(item, Some(WildcardItem::Char(c)) if is_token_char(*c));
        (0..=text.len()).any(|start| {
            (start..=text.len()).any(|end| {
                fits(items, &text[start..end], false)
                    && !(in_token(items.first()) && cut(start))
                    && !(in_token(items.last()) && cut(end))
            })
        })
    }

    proptest::proptest! {
        #[test]
        fn matching_is_as_defined(wildcard in "[ab *?.-]{0,6}", text in "[abAB .-]{0,9}") {
            let wildcard = pattern(&wildcard);
            let chars: Vec<char> = text.chars().map(lower_char).collect();
            proptest::prop_assert_eq!(wildcard.matches_whole(&text), fits(wildcard.items(), &chars, true));
            proptest::prop_assert_eq!(wildcard.matches_tokens(&text), fits_tokens(wildcard.items(), &chars));
        }
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        let wild = "a*".repeat(60) + "b";
        check(&wild, &"a".repeat(20_000), false, false);
        let items = std::iter::repeat_n(WildcardItem::One, 1_000);
        assert_eq!(Wildcard::new(items), None);
    }
}
