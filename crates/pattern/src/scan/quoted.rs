//! What stands in quotes: a value mostly, sometimes the message itself.

use super::{Scan, VAIN, class, place};
use crate::kind::Kind;

/// Keys whose value is what the programmer wrote.
const MESSAGES: [&[u8]; 6] = [b"msg", b"message", b"event", b"log", b"text", b"short_message"];
/// Keys whose value is one of few.
const LEVELS: [&[u8]; 7] = [b"level", b"severity", b"lvl", b"logger", b"log.level", b"component", b"type"];

/// What is known of quotes from the line so far.
#[derive(Default)]
pub(super) struct State {
    /// Strings and arrays whose end was looked for in vain.
    pub(super) vain: u32,
    /// The quote at this place ends a string that is read like other text.
    closes: Option<usize>,
    /// A string was the message; others are values then.
    has_message: bool,
    /// The key of JSON that was read last is of such a value.
    keeps: Keeps,
}

/// What becomes of a value.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Keeps {
    #[default]
    Nothing,
    All,
}

impl State {
    /// The byte before a place, blanks aside.
    pub(super) fn last_but_blanks(&self, text: &[u8], at: usize) -> Option<u8> {
        text[..at].iter().rev().copied().find(|byte| !class::is_blank(*byte))
    }
}

impl Scan<'_> {
    /// A quote of any kind.
    pub(super) fn quote(&mut self, quote: u8) {
        if self.quotes.closes == Some(self.at) {
            self.quotes.closes = None;
            return self.punctuation(quote);
        }
        let inside = self.quotes.closes.is_some();
        let begins = self.before(self.at).is_none_or(|before| !class::is_word(before) && before != b'\\');
        if inside && quote == b'"' || !begins || self.quotes.vain == VAIN {
            return self.punctuation(quote);
        }
        let end = match quote {
            b'"' => place::closing(self.text, self.at + 1, quote),
            _ => place::closing_single(self.text, self.at + 1, quote),
        };
        let end = end.filter(|end| self.quotes.closes.is_none_or(|closes| *end < closes));
        let Some(end) = end else {
            self.quotes.vain += 1;
            return self.punctuation(quote);
        };
        if self.is_kept(quote, end) {
            self.quotes.has_message = true;
            self.quotes.closes = Some(end);
            return self.punctuation(quote);
        }
        self.variable(self.at, end + 1, Kind::Quoted);
    }

    /// Whether the string is read like other text.
    fn is_kept(&mut self, quote: u8, end: usize) -> bool {
        let before = self.quotes.last_but_blanks(self.text, self.at);
        if self.json && quote == b'"' {
            return self.is_kept_in_json(before, end);
        }
        match before {
            _ if self.quotes.has_message => false,
            None | Some(b']') => !is_request(&self.text[self.at + 1..end]),
            Some(b'=') => self.is_message_key(self.at - 1),
            _ => false,
        }
    }

    fn is_kept_in_json(&mut self, before: Option<u8>, end: usize) -> bool {
        if before == Some(b':') {
            return std::mem::take(&mut self.quotes.keeps) == Keeps::All;
        }
        let key = &self.text[self.at + 1..end];
        let keeps = MESSAGES.contains(&key) || LEVELS.contains(&key);
        self.quotes.keeps = if keeps { Keeps::All } else { Keeps::Nothing };
        true
    }

    /// Whether the word that ends before a place is the key of a message.
    fn is_message_key(&self, end: usize) -> bool {
        let word = &self.text[..end];
        let start = word.iter().rposition(|byte| !class::is_word(*byte) && *byte != b'_').map_or(0, |at| at + 1);
        MESSAGES.contains(&&word[start..])
    }
}

/// The first line of a request of HTTP, as access logs quote it.
fn is_request(quoted: &[u8]) -> bool {
    let method = class::run(quoted, 0, |byte| byte.is_ascii_uppercase());
    (method > 1 && quoted.get(method) == Some(&b' ') && memchr::memmem::find(quoted, b" HTTP/").is_some())
        || quoted == b"-"
}
