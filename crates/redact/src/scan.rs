//! All recognisers over a text, in one pass for those that know how their things begin.
//!
//! A record in ten thousand holds a secret, so what counts is the time for those that hold none: a vectorised search for
//! a few dozen beginnings at once (Teddy, in `aho-corasick`) takes less than a byte's time in a plain loop. Only where
//! one stands is a recogniser asked. Numbers have no beginning, and take a loop of their own where they are wanted.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind, Span, packed};

use crate::kind::{Kind, KindSet};
use crate::recognise::tokens::{TOKENS, Token};
use crate::recognise::{Found, email, named, numbers, secrets};

/// What a beginning may be the beginning of.
#[derive(Clone, Copy)]
enum Anchor {
    Token(&'static Token),
    Named,
    PrivateKey,
    Jwt,
    UrlPassword,
    Bearer,
    Basic,
}

/// Searches for what some set of kinds begins with.
pub(crate) struct Scanner {
    finder: Option<Finder>,
    anchors: Vec<Anchor>,
}

enum Finder {
    Packed(packed::Searcher),
    /// For processors without the instructions.
    Automaton(AhoCorasick),
}

impl Finder {
    fn new(beginnings: &[&str]) -> Option<Self> {
        let mut config = packed::Config::new();
        // Its limits are for searches that expect to find something.
        config.match_kind(packed::MatchKind::LeftmostFirst).heuristic_pattern_limits(false);
        let packed = config.builder().extend(beginnings).build();
        let automaton = || {
            let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(beginnings);
            automaton.ok().map(Self::Automaton)
        };
        packed.map(Self::Packed).or_else(automaton)
    }

    fn next(&self, text: &[u8], from: usize) -> Option<(usize, Range<usize>)> {
        let span = Span { start: from, end: text.len() };
        let found = match self {
            Self::Packed(packed) => packed.find_in(text, span),
            Self::Automaton(automaton) => automaton.find(Input::new(text).span(span).anchored(Anchored::No)),
        }?;
        Some((found.pattern().as_usize(), found.range()))
    }
}

impl Scanner {
    /// For texts in which these may be wanted.
    pub(crate) fn new(wanted: KindSet) -> Self {
        let mut beginnings: Vec<(&'static str, Anchor)> = Vec::new();
        let mut add = |kinds: &[Kind], texts: &[&'static str], anchor: Anchor| {
            if wanted.has_any(kinds) {
                beginnings.extend(texts.iter().map(|text| (*text, anchor)));
            }
        };
        for token in TOKENS {
            add(&[token.kind], &[token.anchor], Anchor::Token(token));
        }
        add(&[Kind::Secret, Kind::Authorization, Kind::AwsKey], named::STEMS, Anchor::Named);
        add(&[Kind::PrivateKey], &["-----BEGIN "], Anchor::PrivateKey);
        add(&[Kind::Jwt], &["eyJ"], Anchor::Jwt);
        add(&[Kind::UrlPassword], &["://"], Anchor::UrlPassword);
        add(&[Kind::Authorization], &["earer ", "EARER "], Anchor::Bearer);
        add(&[Kind::Authorization], &["asic ", "ASIC "], Anchor::Basic);
        let (texts, anchors): (Vec<_>, Vec<_>) = beginnings.into_iter().unzip();
        Self { finder: Finder::new(&texts), anchors }
    }

    /// Adds what of `wanted` is in a text, in no order; things may overlap.
    pub(crate) fn scan(&self, text: &[u8], wanted: KindSet, found: &mut Vec<Found>) {
        self.begun(text, wanted, found);
        if wanted.has(Kind::Email) {
            email::find(text, found);
        }
        if wanted.has_any(numbers::KINDS) {
            numbers::find(text, wanted, found);
        }
    }

    fn begun(&self, text: &[u8], wanted: KindSet, found: &mut Vec<Found>) {
        let Some(finder) = &self.finder else { return };
        let mut from = 0;
        // Within a value that is hidden by its name other names tell nothing, and asking each would take for ever.
        let mut named_until = 0;
        while let Some((pattern, place)) = finder.next(text, from) {
            from = place.start + 1;
            let anchor = self.anchors[pattern];
            if matches!(anchor, Anchor::Named) && place.start < named_until {
                continue;
            }
            let Some(one) = check(anchor, text, place) else { continue };
            match anchor {
                Anchor::Named => named_until = one.end,
                Anchor::PrivateKey => from = one.end,
                _ => {}
            }
            let kind = if one.kind == Kind::AwsKey && !wanted.has(Kind::AwsKey) { Kind::Secret } else { one.kind };
            if wanted.has(kind) {
                found.push(Found { kind, ..one });
            }
        }
    }
}

fn check(anchor: Anchor, text: &[u8], place: Range<usize>) -> Option<Found> {
    match anchor {
        Anchor::Token(token) => token.check(text, place),
        Anchor::Named => named::check(text, place),
        Anchor::PrivateKey => secrets::private_key(text, place),
        Anchor::Jwt => secrets::jwt(text, place),
        Anchor::UrlPassword => secrets::url_password(text, place),
        Anchor::Bearer => secrets::bearer(text, place),
        Anchor::Basic => secrets::basic(text, place),
    }
}
