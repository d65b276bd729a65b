//! Characters to words, quoted phrases and regular expressions.
//!
//! Where a word ends depends on where it stands, so the parser asks for what it can use and there is no separate list of
//! tokens. Positions count Unicode characters, as the API gives them.

use super::KqlError;
use super::wildcard::WildcardItem;

/// Where a word stands, which decides what ends it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where a term begins: free text or a field name.
    Term,
    /// After a field name and `:`.
    Value,
    /// Between the brackets of a range.
    Bound,
}

/// An unquoted word, escapes resolved.
pub(super) struct Word {
    pub(super) items: Vec<WildcardItem>,
    pub(super) position: usize,
}

impl Word {
    /// Its text, unless it has wildcards.
    pub(super) fn plain(&self) -> Option<String> {
        self.items
            .iter()
            .map(|item| match item {
                WildcardItem::Char(c) => Some(*c),
                _ => None,
            })
            .collect()
    }
}

/// Operators that are words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
}

/// The keyword a word is, in any letter case.
pub(super) fn keyword(word: &str) -> Option<Keyword> {
    match word.to_ascii_lowercase().as_str() {
        "and" | "&&" => Some(Keyword::And),
        "or" | "||" => Some(Keyword::Or),
        "not" => Some(Keyword::Not),
        _ => None,
    }
}

pub(super) struct Scanner {
    chars: Vec<char>,
    pub(super) at: usize,
}

impl Scanner {
    pub(super) fn new(query: &str) -> Self {
        Self { chars: query.chars().collect(), at: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.chars.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn peek_after(&self, distance: usize) -> Option<char> {
        self.chars.get(self.at + distance).copied()
    }

    pub(super) fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    pub(super) fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// True where no further term can begin: at the end or before `)`.
    pub(super) fn at_close(&self) -> bool {
        matches!(self.peek(), None | Some(')'))
    }

    /// The query with `from..to` replaced.
    pub(super) fn replaced(&self, from: usize, to: usize, with: &str) -> String {
        self.text(0, from) + with + &self.text(to, self.len())
    }

    pub(super) fn text(&self, from: usize, to: usize) -> String {
        self.chars[from.min(self.len())..to.min(self.len())].iter().collect()
    }

    /// The characters up to the next white space, quote or bracket, as they stand; nothing is consumed.
    pub(super) fn peek_raw(&self) -> String {
        let ends = |c: &&char| !(c.is_whitespace() || matches!(c, '(' | ')' | '"'));
        self.chars[self.at.min(self.len())..].iter().take_while(ends).collect()
    }

    pub(super) fn peek_keyword(&self) -> Option<Keyword> {
        keyword(&self.peek_raw())
    }

    /// Consumes `wanted` if it stands here.
    pub(super) fn eat_keyword(&mut self, wanted: Keyword) -> bool {
        let found = self.peek_keyword() == Some(wanted);
        if found {
            self.at += self.peek_raw().chars().count();
        }
        found
    }

    /// An unquoted word, possibly empty.
    pub(super) fn word(&mut self, place: Place) -> Result<Word, KqlError> {
        let position = self.at;
        let mut items = Vec::new();
        while let Some(c) = self.peek() {
            if self.ends_word(c, place, position) {
                break;
            }
            self.at += 1;
            if c == '*' && items.last() == Some(&WildcardItem::Many) {
                continue;
            }
            items.push(match c {
                '*' => WildcardItem::Many,
                '?' => WildcardItem::One,
                '\\' => WildcardItem::Char(self.escaped()?),
                c => WildcardItem::Char(c),
            });
        }
        Ok(Word { items, position })
    }

    fn escaped(&mut self) -> Result<char, KqlError> {
        let Some(c) = self.peek() else {
            let at = self.at - 1;
            return Err(KqlError::new("nothing follows the escape `\\`", at, 1)
                .expected(&["character"])
                .suggest(self.text(0, at) + "\\\\"));
        };
        self.at += 1;
        Ok(c)
    }

    fn ends_word(&self, c: char, place: Place, position: usize) -> bool {
        if c.is_whitespace() || matches!(c, '(' | ')' | '"') {
            return true;
        }
        match place {
            Place::Value => false,
            Place::Bound => matches!(c, ']' | '}'),
            Place::Term => match c {
                '<' | '>' => true,
                ':' => !self.colon_is_text(position),
                '=' => self.equals_is_operator(position),
                _ => false,
            },
        }
    }

    /// A colon belongs to the word in `http://host:80`, in `std::io` and between the digits of `10:30` or an address.
    fn colon_is_text(&self, position: usize) -> bool {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        let word = &self.chars[position..self.at];
        let next = self.peek_after(1);
        (next == Some('/') && self.peek_after(2) == Some('/'))
            || next == Some(':')
            || (word.last() == Some(&':') && word.len() > 1)
            || word.windows(3).any(|part| part == [':', '/', '/'])
            || (digit(word.first().copied()) && digit(word.last().copied()) && digit(next))
    }

    /// `name=value` is most likely meant as `name:value`; elsewhere `=` is a character like others (`/x?a=1`).
    fn equals_is_operator(&self, position: usize) -> bool {
        let is_name = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '!');
        self.chars[position..self.at].iter().all(is_name)
    }

    /// A quoted phrase, if one begins here.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, KqlError> {
        let position = self.at;
        if !self.eat('"') {
            return Ok(None);
        }
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '"' => return Ok(Some(text)),
                '\\' => match self.peek() {
                    None => break,
                    Some(escaped) => {
                        self.at += 1;
                        text.push(match escaped {
                            'n' => '\n',
                            'r' => '\r',
                            't' => '\t',
                            other => other,
                        });
                    }
                },
                c => text.push(c),
            }
        }
        let length = self.len() - position;
        let closed = self.text(0, self.len()).trim_end_matches('\\').to_owned() + "\"";
        Err(KqlError::new("the quote is never closed", position, length).expected(&["\""]).suggest(closed))
    }

    /// A regular expression `/…/`, if one begins here. It ends at the first `/` without a backslash, which must end the
    /// term, so that paths like `/api/v1` stay words; a `/` after `:` does not end it, so that `path:/a or path:/` does not
    /// become one.
    pub(super) fn regex(&mut self) -> Option<String> {
        if self.peek() != Some('/') {
            return None;
        }
        let mut source = String::new();
        let mut at = self.at + 1;
        let mut plain_colon = false;
        loop {
            match *self.chars.get(at)? {
                '/' => break,
                '\\' => {
                    let escaped = *self.chars.get(at + 1)?;
                    if !matches!(escaped, '/' | ':') {
                        source.push('\\');
                    }
                    source.push(escaped);
                    plain_colon = false;
                    at += 2;
                }
                c => {
                    source.push(c);
                    plain_colon = c == ':';
                    at += 1;
                }
            }
        }
        let ends = self.chars.get(at + 1).is_none_or(|c| c.is_whitespace() || *c == ')');
        if source.is_empty() || plain_colon || !ends {
            return None;
        }
        self.at = at + 1;
        Some(source)
    }
}
