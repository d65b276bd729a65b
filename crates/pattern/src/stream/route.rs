//! Which templates a line is compared with: those of as many words that begin alike.
//!
//! Programs begin a line with a header (time, level, thread, logger) and then a sentence, whose first two words tell
//! statements apart better than any others. So these two lead to the templates, and what of the header names a place in
//! the program. It follows from a line, and from a template's text, alone: not from what came before.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::line::{ANYTHING, VARIABLE};
use crate::words::{Words, has_letters, key};

const LEVELS: [&str; 26] = [
    "TRACE",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARN",
    "WARNING",
    "ERROR",
    "ERR",
    "CRITICAL",
    "CRIT",
    "ALERT",
    "FATAL",
    "PANIC",
    "SEVERE",
    "FINE",
    "FINER",
    "FINEST",
    "CONFIG",
    "LOG",
    "VERBOSE",
    "EMERG",
    "ASSERT",
    "DETAIL",
    "HINT",
    "CONTEXT",
    "STATEMENT",
];

/// Words among which a level is looked for: what stands before it is no sentence.
const HEADER_WORDS: usize = 8;

/// Where a line's templates are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    /// Of the number of words, and of the header.
    head: u64,
    /// The places of the name that ends the header, and of the first two words of the sentence.
    pub(crate) words: [Option<usize>; 3],
    /// Between these places words that differ mean different templates.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Most of the line is variables: it is a row of a table, and its words are values as well.
    pub(crate) is_row: bool,
}

/// What a word is to the route.
enum Part {
    /// Differs from line to line, or says nothing.
    Aside,
    /// Of the header, and fixed.
    Fixed,
    /// The last of the header: a name with a colon, of a part of the program or of a host.
    Last,
    /// Of the header, but its value does not count.
    Key,
    Sentence,
}

/// Every way to leave words of a route open.
const WAYS: usize = 8;

impl Route {
    pub(crate) fn of(line: &impl Words) -> Self {
        let level = (0..line.len().min(HEADER_WORDS)).find(|at| is_level(line.word(*at)));
        let start = level.unwrap_or(0);
        let mut route =
            Self { head: line.len() as u64, words: [None; 3], start, end: line.len(), is_row: is_row(line) };
        let places = if route.is_row { 0..0 } else { start..line.len() };
        let mut in_header = true;
        for at in places {
            in_header = route.take_in(at, line.word(at), in_header);
            if route.words[2].is_some() {
                route.end = at + 1;
                break;
            }
        }
        route
    }

    /// Whether the header goes on behind this word.
    fn take_in(&mut self, at: usize, word: &[u8], in_header: bool) -> bool {
        match part(word, in_header) {
            Part::Aside => {}
            Part::Fixed => self.head = xxh3_64_with_seed(word, self.head),
            Part::Key => self.head = xxh3_64_with_seed(key(word).unwrap_or(word), self.head),
            Part::Last => {
                self.words[0] = Some(at);
                return false;
            }
            Part::Sentence => {
                self.words[if self.words[1].is_none() { 1 } else { 2 }] = Some(at);
                return false;
            }
        }
        in_header
    }

    /// Where a template is: a word that may be anything is the same as any other such word.
    pub(crate) fn own_key(&self, template: &impl Words) -> u64 {
        self.key(template, 0)
    }

    /// Where templates may be that cover a line, or nearly.
    pub(crate) fn keys(&self, line: &impl Words) -> [u64; WAYS] {
        std::array::from_fn(|way| self.key(line, way))
    }

    /// Where rows of as many words are.
    pub(crate) fn row_key(line: &impl Words) -> u64 {
        Self { head: line.len() as u64, words: [None; 3], start: 0, end: 0, is_row: true }.key(line, 0)
    }

    /// Where siblings are: templates whose route differs in one of its words.
    pub(crate) fn sibling_keys(&self, line: &impl Words) -> [u64; 3] {
        // Apart from each other and from the keys above.
        std::array::from_fn(|word| self.key(line, 1 << word) ^ (word as u64 + 1))
    }

    fn key(&self, line: &impl Words, open: usize) -> u64 {
        let mut key = xxh3_64_with_seed(&[u8::from(self.is_row)], self.head);
        for (nth, word) in self.words.iter().enumerate() {
            let word = match word.map(|at| line.word(at)) {
                None => b" ",
                Some(word) if open & (1 << nth) > 0 || word.contains(&ANYTHING) => &[ANYTHING][..],
                Some(word) => word,
            };
            key = xxh3_64_with_seed(word, key);
        }
        key
    }
}

/// Variables from which a line may be a row of a table.
const ROW: usize = 6;

fn is_row(line: &impl Words) -> bool {
    let variables = (0..line.len()).filter(|at| !has_letters(line.word(*at))).count();
    variables >= ROW && variables * 2 > line.len()
}

fn part(word: &[u8], in_header: bool) -> Part {
    if in_header && (is_level(word) || word.ends_with(b"\":")) {
        return Part::Fixed;
    }
    if in_header && is_aside(word) {
        return Part::Aside;
    }
    if let Some(key) = key(word) {
        return match word[key.len()..].starts_with(b"\"") {
            true => Part::Sentence,
            false if in_header => Part::Key,
            false => Part::Aside,
        };
    }
    let is_open = word.contains(&ANYTHING);
    match word.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80).count() {
        0 | 1 if !is_open => Part::Aside,
        _ if in_header && word.ends_with(b":") => Part::Last,
        _ if in_header && !is_open && is_dotted(word) => Part::Fixed,
        _ => Part::Sentence,
    }
}

/// What a header has that differs from line to line: something in brackets, or a host with its port.
pub(crate) fn is_aside(word: &[u8]) -> bool {
    word.starts_with(b"[") || word.ends_with(&[b':', VARIABLE])
}

/// A level as headers have it: in capitals, or in brackets, or with a colon, or as a value.
fn is_level(word: &[u8]) -> bool {
    let key = key(word).map_or(0, <[u8]>::len);
    let word = &word[key..];
    let start = word.iter().position(u8::is_ascii_alphabetic).unwrap_or(word.len());
    let end = word.iter().rposition(u8::is_ascii_alphabetic).map_or(start, |at| at + 1);
    let level = &word[start..end];
    let is_marked = key > 0 || (word.len() > level.len() && matches!(word.last(), Some(b']' | b':')));
    (3..9).contains(&level.len())
        && LEVELS.iter().any(|known| {
            known.as_bytes() == level
                || level == b"Info"
                || level == b"Debug"
                || (is_marked && known.as_bytes().eq_ignore_ascii_case(level))
        })
}

/// `org.example.Store`, and other names with a point between letters.
fn is_dotted(word: &[u8]) -> bool {
    word.windows(3).any(|three| three[0].is_ascii_alphanumeric() && three[1] == b'.' && three[2].is_ascii_alphabetic())
}
