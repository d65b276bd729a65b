//! A template as text, and back.
//!
//! Words with one blank between them; variables as `<num>`, `<ip>` and so on, `<*>` for anything without blanks, and a last
//! `<...>` for whatever follows. Where a line itself has such a mark, a backslash stands before it, and backslashes that
//! stand before a mark are doubled. So most texts are as they were, and each is the text of one template.

use std::fmt::{self, Write as _};

use thiserror::Error;

use super::{Joined, Template};
use crate::kind::Kind;
use crate::limits::{LINE_BYTES, LINE_WORDS};
use crate::line::{ANYTHING, BLANK, ESCAPE, VARIABLE};
use crate::words::{self, Words as _};

const ANYTHING_MARK: &str = "<*>";
const REST_MARK: &str = "<...>";
/// Bytes of a template's text: each byte of a line may be a variable, and have a mark of seven, or a backslash before it.
const TEXT_BYTES: usize = LINE_BYTES * 8;

/// Why a text is no template. The text is no part of it: it may hold what whoever reads the error must not see.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// Longer than any that is written.
    #[error("a template has `{0}` bytes, at most `{TEXT_BYTES}`")]
    Long(usize),
    /// More words than are looked at.
    #[error("a template has more than `{LINE_WORDS}` words")]
    Words,
    /// Two blanks in a row, or one at an end, or a blank of another kind.
    #[error("word `{0}` of a template is empty or has blanks in it")]
    Blank(usize),
    /// What cannot be told apart when a line is read.
    #[error("word `{0}` of a template has more than one `<*>`, or variables side by side")]
    Ambiguous(usize),
}

/// What a mark stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Variable(Kind),
    Anything,
    Rest,
}

/// The mark that a text begins with, and its length.
fn mark(text: &str) -> Option<(Mark, usize)> {
    if !text.starts_with('<') {
        return None;
    }
    if text.starts_with(ANYTHING_MARK) {
        return Some((Mark::Anything, ANYTHING_MARK.len()));
    }
    if text.starts_with(REST_MARK) {
        return Some((Mark::Rest, REST_MARK.len()));
    }
    let kind = Kind::ALL.into_iter().find(|kind| text.starts_with(kind.mark()))?;
    Some((Mark::Variable(kind), kind.mark().len()))
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in 0..self.len() {
            if at > 0 {
                f.write_char(' ')?;
            }
            print_word(f, self.word(at), self.kinds_of(at))?;
        }
        match (self.rest, self.len()) {
            (true, 0) => f.write_str(REST_MARK),
            (true, _) => write!(f, " {REST_MARK}"),
            (false, _) => Ok(()),
        }
    }
}

fn print_word(f: &mut fmt::Formatter<'_>, word: &[u8], kinds: &[Kind]) -> fmt::Result {
    let mut kinds = kinds.iter();
    let mut constant = Vec::new();
    let mut escaped = false;
    for byte in word {
        match *byte {
            _ if std::mem::take(&mut escaped) => constant.push(byte & 0x7f),
            ESCAPE => escaped = true,
            VARIABLE | ANYTHING => {
                print_constant(f, &constant, true)?;
                constant.clear();
                let kind = if *byte == VARIABLE { kinds.next() } else { None };
                f.write_str(kind.map_or(ANYTHING_MARK, |kind| kind.mark()))?;
            }
            byte => constant.push(byte),
        }
    }
    print_constant(f, &constant, false)
}

/// Text between variables. It is whole characters, since it is cut at ASCII alone.
fn print_constant(f: &mut fmt::Formatter<'_>, constant: &[u8], before_mark: bool) -> fmt::Result {
    let text = String::from_utf8_lossy(constant);
    let mut at = 0;
    for (place, _) in text.match_indices('<').filter(|(place, _)| mark(&text[*place..]).is_some()) {
        f.write_str(&text[at..place])?;
        (0..=trailing_backslashes(&text[..place])).try_for_each(|_| f.write_char('\\'))?;
        at = place;
    }
    f.write_str(&text[at..])?;
    let doubled = if before_mark { trailing_backslashes(&text) } else { 0 };
    (0..doubled).try_for_each(|_| f.write_char('\\'))
}

fn trailing_backslashes(text: &str) -> usize {
    text.bytes().rev().take_while(|byte| *byte == b'\\').count()
}

impl Template {
    /// Reads what `Display` has written.
    ///
    /// # Errors
    /// [`TemplateError`]: it was not written so; do not retry.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEXT_BYTES {
            return Err(TemplateError::Long(text.len()));
        }
        let (text, rest) = match text.strip_suffix(REST_MARK) {
            Some("") => return Ok(Self::everything()),
            Some(before) if before.ends_with(' ') => (&before[..before.len() - 1], true),
            _ => (text, false),
        };
        let mut joined = Joined::default();
        if !text.is_empty() {
            for word in text.split(' ') {
                parse_word(word, &mut joined)?;
            }
        }
        Ok(joined.template(rest))
    }
}

fn parse_word(word: &str, joined: &mut Joined) -> Result<(), TemplateError> {
    let number = joined.words.len();
    if number == LINE_WORDS {
        return Err(TemplateError::Words);
    }
    if word.is_empty() || word.bytes().any(crate::scan::is_blank) {
        return Err(TemplateError::Blank(number));
    }
    joined.begin_word();
    let start = joined.form.len();
    let mut at = 0;
    while at < word.len() {
        at = parse_part(word, at, joined);
    }
    let form = &joined.form[start..];
    let anything = words::split(form).is_some_and(|(_, tail)| tail.contains(&ANYTHING));
    let beside = form.windows(2).any(|two| two == [VARIABLE, VARIABLE]);
    if anything || beside { Err(TemplateError::Ambiguous(number)) } else { Ok(()) }
}

/// Reads on from a place, and says to where.
fn parse_part(word: &str, at: usize, joined: &mut Joined) -> usize {
    let rest = &word[at..];
    let backslashes = rest.bytes().take_while(|byte| *byte == b'\\').count();
    match mark(&rest[backslashes..]).filter(|(mark, _)| *mark != Mark::Rest || backslashes % 2 == 1) {
        Some((_, length)) if backslashes % 2 == 1 => {
            joined.form.resize(joined.form.len() + backslashes / 2, b'\\');
            let end = at + backslashes + length;
            joined.form.extend_from_slice(&word.as_bytes()[at + backslashes..end]);
            end
        }
        Some((mark, length)) => {
            joined.form.resize(joined.form.len() + backslashes / 2, b'\\');
            match mark {
                Mark::Variable(kind) => {
                    joined.kinds.push(kind);
                    joined.form.push(VARIABLE);
                }
                _ => joined.form.push(ANYTHING),
            }
            at + backslashes + length
        }
        None => parse_constant(rest, at, backslashes, joined),
    }
}

fn parse_constant(rest: &str, at: usize, backslashes: usize, joined: &mut Joined) -> usize {
    let from = backslashes.max(1).min(rest.len());
    let stop = rest.bytes().enumerate().skip(from).find(|(_, byte)| matches!(byte, b'\\' | b'<'));
    let stop = stop.map_or(rest.len(), |(stop, _)| stop);
    for byte in rest[..stop].bytes() {
        match byte {
            0..BLANK => joined.form.extend_from_slice(&[ESCAPE, byte | 0x80]),
            byte => joined.form.push(byte),
        }
    }
    at + stop
}
