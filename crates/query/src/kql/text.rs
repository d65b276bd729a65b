//! Finding free text in one text.

use arrow::array::{Array as _, StringArray};
use logkeep_segment::Word;
use memchr::memmem::Finder;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use super::tokens::{is_token_char, lower, tokens};
use super::wildcard::is_boundary;
use super::{KqlError, TextPattern, Wildcard};

/// A text pattern made ready to be run over many texts.
#[derive(Clone, Debug)]
pub struct TextMatcher(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Phrase(Box<Phrase>),
    /// Token characters anywhere, also within a token.
    Part(Box<Phrase>),
    Wildcard(Wildcard),
    Regex(Box<Regex>),
}

impl TextMatcher {
    /// Compiles the pattern.
    ///
    /// # Errors
    /// A regular expression that is wrong or too large; an expression from [`super::parse`] never is.
    pub fn new(pattern: &TextPattern) -> Result<Self, KqlError> {
        Ok(Self(match pattern {
            TextPattern::Phrase(phrase) => Kind::Phrase(Box::new(Phrase::new(phrase))),
            TextPattern::Wildcard(wildcard) => Kind::Wildcard(wildcard.clone()),
            TextPattern::Regex(source) => Kind::Regex(Box::new(Regex::new(source)?)),
        }))
    }

    /// What it looks for, if that is a token or a part of one.
    pub(crate) fn word(&self) -> Option<Word<'_>> {
        match &self.0 {
            Kind::Phrase(phrase) if !phrase.text.is_empty() && phrase.text.chars().all(is_token_char) => {
                Some(Word { text: &phrase.text, is_whole: true })
            }
            Kind::Part(part) => Some(Word { text: &part.text, is_whole: false }),
            _ => None,
        }
    }

    /// Whether a text has it if a part of the text has it, that ends where tokens end.
    pub(crate) fn is_local(&self) -> bool {
        !matches!(self.0, Kind::Regex(_))
    }

    /// Finds the longest word of which it is known that every match has it.
    pub(crate) fn implied_word(&self) -> Option<Self> {
        match &self.0 {
            Kind::Phrase(phrase) => {
                let word = tokens(&phrase.text).max_by_key(|word| word.len())?;
                Some(Self(Kind::Phrase(Box::new(Phrase::new(&word)))))
            }
            Kind::Wildcard(wildcard) => {
                let part = wildcard.token_parts().max_by_key(String::len)?;
                Some(Self(Kind::Part(Box::new(Phrase::new(&part)))))
            }
            Kind::Part(_) | Kind::Regex(_) => None,
        }
    }

    /// Whether `text` has what the pattern looks for.
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Phrase(phrase) => phrase.is_in(&lower(text)),
            Kind::Part(part) => part.finder.find(lower(text).as_bytes()).is_some(),
            Kind::Wildcard(wildcard) => wildcard.matches_tokens(text),
            Kind::Regex(regex) => regex.regex.is_match(text),
        }
    }

    /// The same for each of many texts. Where what every match has is rare, they are read as one.
    pub(crate) fn matches_each(&self, texts: &StringArray) -> Vec<bool> {
        let offsets = texts.value_offsets();
        let all = &texts.value_data()[offsets[0] as usize..offsets[texts.len()] as usize];
        match &self.0 {
            Kind::Phrase(phrase) if let Some(anchor) = &phrase.anchor => {
                candidates(anchor, all, offsets, |place| phrase.is_in(&lower(texts.value(place))))
            }
            // The lower case of a text of ASCII is as long as the text.
            Kind::Phrase(phrase) | Kind::Part(phrase) if !phrase.text.is_empty() && all.is_ascii() => {
                candidates(&phrase.finder, &all.to_ascii_lowercase(), offsets, |place| self.matches(texts.value(place)))
            }
            Kind::Regex(regex) if let Some(literal) = &regex.literal => {
                candidates(literal, all, offsets, |place| regex.regex.is_match(texts.value(place)))
            }
            _ => (0..texts.len()).map(|place| self.matches(texts.value(place))).collect(),
        }
    }
}

/// Asks `check` only of the texts in which `finder` finds something. They lie behind one another in `all`, from one of the
/// offsets to the next, less the first.
fn candidates(finder: &Finder<'_>, all: &[u8], offsets: &[i32], check: impl Fn(usize) -> bool) -> Vec<bool> {
    let (first, ends) = (offsets[0] as usize, &offsets[1..]);
    let mut found = vec![false; ends.len()];
    let mut from = 0;
    while let Some(candidate) = finder.find(&all[from..]) {
        let start = first + from + candidate;
        let place = ends.partition_point(|end| *end as usize <= start);
        found[place] = check(place);
        from = ends[place] as usize - first;
    }
    found
}

/// A regular expression, with a text that is part of every match if there is one.
#[derive(Clone, Debug)]
struct Regex {
    regex: regex::Regex,
    literal: Option<Finder<'static>>,
}

impl Regex {
    /// Shorter texts are in too many rows to be worth a search of their own.
    const LITERAL_BYTES: usize = 2;

    fn new(source: &str) -> Result<Self, KqlError> {
        let regex = compile_regex(source)?;
        let literal = required_literal(source).filter(|literal| literal.len() >= Self::LITERAL_BYTES);
        Ok(Self { regex, literal: literal.map(|literal| Finder::new(&literal).into_owned()) })
    }
}

/// What every match of a regular expression begins with, or ends with, whichever is longer.
fn required_literal(source: &str) -> Option<Vec<u8>> {
    let hir = regex_syntax::Parser::new().parse(source).ok()?;
    let mut extractor = Extractor::new();
    let prefixes = extractor.extract(&hir);
    let suffixes = extractor.kind(ExtractKind::Suffix).extract(&hir);
    let (first, last) = (prefixes.longest_common_prefix(), suffixes.longest_common_suffix());
    [first, last].into_iter().flatten().max_by_key(|literal| literal.len()).map(<[u8]>::to_vec)
}

/// A phrase, ready to be looked for.
#[derive(Clone, Debug)]
struct Phrase {
    /// In lower case.
    text: String,
    finder: Finder<'static>,
    /// Finds a part of it that looks the same in any case.
    anchor: Option<Finder<'static>>,
}

impl Phrase {
    /// Shorter parts are in too many texts.
    const ANCHOR_BYTES: usize = 4;

    fn new(phrase: &str) -> Self {
        let text = lower(phrase).into_owned();
        let has_case = |c: char| !c.is_ascii() || c.is_ascii_alphabetic();
        let anchor = text.split(has_case).max_by_key(|part| part.len()).filter(|part| part.len() >= Self::ANCHOR_BYTES);
        let anchor = anchor.map(|part| Finder::new(part).into_owned());
        let finder = Finder::new(&text).into_owned();
        Self { text, finder, anchor }
    }

    /// Whether it stands in `text`, which is in lower case, so that no token is cut at either end.
    fn is_in(&self, text: &str) -> bool {
        let (first, last) = (self.text.chars().next(), self.text.chars().next_back());
        let (Some(first), Some(last)) = (first, last) else { return true };
        // Occurrences may overlap (`a a` in `xa a a`), so each search goes on one character after the last start.
        let mut from = 0;
        while let Some(found) = self.finder.find(&text.as_bytes()[from..]) {
            let (start, end) = (from + found, from + found + self.text.len());
            let before = text[..start].chars().next_back();
            let after = text[end..].chars().next();
            if is_boundary(before, Some(first)) && is_boundary(Some(last), after) {
                return true;
            }
            from = start + first.len_utf8();
            if is_token_char(first) {
                // The rest of this token cannot begin a token.
                from += text[from..].find(|c| !is_token_char(c)).unwrap_or(text.len() - from);
            }
        }
        false
    }
}

/// Compiles a regular expression within our limits.
pub(crate) fn compile_regex(source: &str) -> Result<regex::Regex, KqlError> {
    regex::RegexBuilder::new(source)
        .size_limit(super::limits::REGEX_BYTES)
        .dfa_size_limit(super::limits::REGEX_CACHE_BYTES)
        .nest_limit(super::limits::DEPTH as u32)
        .build()
        .map_err(|error| KqlError::new(regex_fault(&error), 0, source.chars().count()))
}

fn regex_fault(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => {
            format!("the regular expression is too large: it compiles to more than {limit} bytes")
        }
        other => {
            // The crate draws the pattern over several lines; what it has to say is in the last.
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("bad regular expression: {}", last.strip_prefix("error: ").unwrap_or(last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(phrase: &str, text: &str, expected: bool) {
        let matcher = TextMatcher::new(&TextPattern::Phrase(phrase.to_owned())).unwrap();
        assert_eq!(matcher.matches(text), expected, "{phrase} in {text}");
    }

    #[test]
    fn phrases_stand_between_token_boundaries() {
        check("foo.bar-baz", "x Foo.Bar-Baz!", true);
        check("foo.bar-baz", "foo bar baz", false);
        check("foo.bar", "foo.barn", false);
        check("foo.bar", "afoo.bar", false);
        check("a a", "xa a a", true);
        check("aa", "aaa aa", true);
        check("!=", "a!=b", true);
        check("", "", true);
        check("_id", "x_id", false);
        check("ÜBER", "über", true);
        check("kelvin", "\u{212a}elvin", true);
        check("K", "a k", true);
    }

    #[test]
    fn what_every_match_has() {
        let check = |source: &str, expected: Option<&str>| {
            let found = required_literal(source).map(|literal| String::from_utf8(literal).unwrap());
            assert_eq!(found.as_deref().filter(|literal| !literal.is_empty()), expected, "{source}");
        };
        check("ORD-[0-9]{5}77[0-9]", Some("ORD-"));
        check("[0-9]+ms took", Some("ms took"));
        check("time(out|d out)", Some("time"));
        check("^GET$", Some("GET"));
        check("a|b", None);
        check("(abc)?", None);
        check("(?i)abc", None);
        check(".*", None);
    }

    #[test]
    fn many_texts_at_once_as_each_by_itself() {
        let phrase = |phrase: &str| TextMatcher::new(&TextPattern::Phrase(phrase.to_owned())).unwrap();
        let regex = |source: &str| TextMatcher::new(&TextPattern::Regex(source.to_owned())).unwrap();
        let long = "foo ".repeat(20) + "end";
        let upper = long.to_uppercase();
        let phrases = ["foo", "k", "", "o foo", "é", &long, "Foo-1234", "é 1234 é", "12345"].map(phrase);
        let regexes = ["fo{2}", "^foo", "foo$", "o f", "[a-z]oo", "fo(o|d)?", "", "(?i)FOO"].map(regex);
        let lists: &[&[&str]] = &[
            &["a foo", "", "Foo", "food", "x", "fo", "o foo foo", ""],
            &["foo", "\u{212a}", "FOO k"],
            &[],
            &["xfoo", "foo"],
            &["fo", "o"],
            &[&upper, &long, "foo"],
            &["foo-1234", "x", "FOO-1234", "1234", "É 1234 é", "foo-12345", "12", "345", "x 12345 y"],
        ];
        for texts in lists {
            for matcher in phrases.iter().chain(&regexes) {
                let expected: Vec<bool> = texts.iter().map(|text| matcher.matches(text)).collect();
                // Of a slice, whose first text does not begin where the bytes do.
                let all = StringArray::from([&["foo"], *texts].concat());
                assert_eq!(matcher.matches_each(&all.slice(1, texts.len())), expected, "{matcher:?} in {texts:?}");
            }
        }
    }
}
