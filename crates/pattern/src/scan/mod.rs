//! From the text of a line to its form, in one pass.
//!
//! A variable that can be told by its looks is told here, so that what is left to compare is nearly only what a programmer
//! wrote. Everything is decided from the bytes at a place and a few behind, and each byte is looked at a bounded number of
//! times whatever the line is.
//!
//! What is a variable is part of what a stored template means: a change here is a new version of the stored form
//! (`docs/decisions/0025-patterns.md`).

mod address;
mod class;
mod number;
mod place;
mod quoted;
mod time;

#[cfg(test)]
mod tests;

pub(crate) use class::{is_blank, is_delimiter};

use class::{BLANK, CONTROL, DIGIT, LETTER, SPECIAL, class, is_word, run};

use crate::kind::Kind;
use crate::limits::{LINE_BYTES, LINE_WORDS};
use crate::line::{self, ESCAPE, Line, VARIABLE, Variable, Word};
use crate::words::Words as _;

/// Strings and arrays whose end is looked for in vain, at most; then quotes are as other punctuation.
const VAIN: u32 = 16;
/// Values that stand where others have a number or a name.
const NOTHING: [&[u8]; 9] = [b"null", b"nil", b"none", b"None", b"NULL", b"true", b"false", b"undefined", b"NaN"];

/// Methods of HTTP, before a path.
const METHODS: [&[u8]; 8] = [b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"CONNECT"];

/// Reads a line: the first that is not blank, and of that no more than the limits say.
pub(crate) fn read(text: &str, line: &mut Line) {
    line.clear();
    let length = text.len();
    let text = text.trim_ascii_start();
    line.offset = length - text.len();
    let start = text.as_bytes();
    let json = start.first() == Some(&b'{') && matches!(start.get(1), Some(b'"' | b' ' | b'\n' | b'\r'));
    let end = if json { start.len() } else { memchr::memchr(b'\n', start).unwrap_or(start.len()) };
    let kept = text.floor_char_boundary(end.min(LINE_BYTES));
    line.rest = !text[end..].trim_ascii().is_empty();
    let mut scan =
        Scan { text: &start[..kept], at: 0, line, json, atom: Atom::default(), quotes: quoted::State::default() };
    let over = scan.words() || kept < end;
    if kept < end && line.words.len() > 1 {
        line.pop_word();
    }
    if over {
        line.cut_to_head();
    }
}

/// Where the letters and digits began that may be the first part of an address of mail.
#[derive(Clone, Copy, Default)]
struct Atom {
    at: usize,
    form: usize,
    variables: usize,
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    line: &'a mut Line,
    json: bool,
    atom: Atom,
    quotes: quoted::State,
}

impl Scan<'_> {
    /// Whether there are more words than are looked at.
    fn words(&mut self) -> bool {
        loop {
            self.at = run(self.text, self.at, is_blank);
            if self.at == self.text.len() {
                return false;
            }
            if self.line.words.len() == LINE_WORDS {
                return true;
            }
            self.begin_word();
            while self.at < self.text.len() && class(self.text[self.at]) != BLANK {
                self.part();
            }
            self.end_word();
        }
    }

    fn begin_word(&mut self) {
        if !self.line.form.is_empty() {
            self.line.form.push(line::BLANK);
        }
        let (form, variable, start) = (self.line.form.len() as u32, self.line.variables.len() as u32, self.at as u32);
        self.line.words.push(Word { form, variable, start, end: start });
        self.new_atom();
    }

    fn new_atom(&mut self) {
        self.atom = Atom { at: self.at, form: self.line.form.len(), variables: self.line.variables.len() };
    }

    fn end_word(&mut self) {
        let count = self.line.words.len();
        if let Some(word) = self.line.words.last_mut() {
            word.end = self.at as u32;
        }
        if count > 1 && matches!(self.line.word(count - 1), [VARIABLE] | [VARIABLE, b',']) {
            self.join_list(count);
        }
    }

    /// Variables with commas between them are one: how many there are differs from line to line.
    fn join_list(&mut self, count: usize) {
        if self.line.word(count - 2) != [VARIABLE, b','] {
            return;
        }
        let ends_with_comma = self.line.word(count - 1).len() == 2;
        let (Some(last), Some(word)) = (self.line.variables.last().copied(), self.line.words.last().copied()) else {
            return;
        };
        self.line.pop_word();
        if !ends_with_comma {
            self.line.form.pop();
        }
        if let (Some(variable), Some(kind), Some(before)) =
            (self.line.variables.last_mut(), self.line.kinds.last_mut(), self.line.words.last_mut())
        {
            variable.end = last.end;
            before.end = word.end;
            *kind = Kind::List;
        }
    }

    /// One step: a run of letters and digits, a variable, or one other byte.
    fn part(&mut self) {
        let byte = self.text[self.at];
        match class(byte) {
            LETTER => self.letters(),
            DIGIT => self.digits(self.at),
            SPECIAL => self.special(byte),
            CONTROL => self.control(byte),
            _ => self.punctuation(byte),
        }
    }

    /// A control character; one that begins a colour, with the colour.
    fn control(&mut self, byte: u8) {
        self.line.form.extend_from_slice(&[ESCAPE, byte | 0x80]);
        self.at += 1;
        if byte == 0x1b && self.text.get(self.at) == Some(&b'[') {
            let end = run(self.text, self.at + 1, |byte| byte.is_ascii_digit() || byte == b';');
            if self.text.get(end) == Some(&b'm') {
                self.constant(end + 1);
            }
        }
        self.new_atom();
    }

    fn punctuation(&mut self, byte: u8) {
        self.line.form.push(byte);
        self.at += 1;
        if !matches!(byte, b'.' | b'_' | b'-' | b'+' | b'%') {
            self.new_atom();
        }
    }

    /// Appends what is no variable, up to `end`.
    fn constant(&mut self, end: usize) {
        self.line.form.extend_from_slice(&self.text[self.at..end]);
        self.at = end;
    }

    /// Makes what stands between the two places a variable, which grows if one ended there.
    fn variable(&mut self, start: usize, end: usize, kind: Kind) {
        self.at = end;
        let grows = self.line.form.last() == Some(&VARIABLE);
        if let (true, Some(last), Some(known)) = (grows, self.line.variables.last_mut(), self.line.kinds.last_mut()) {
            last.end = end as u32;
            *known = known.join(kind);
            return;
        }
        if self.grows_list(end) {
            return;
        }
        self.line.form.push(VARIABLE);
        self.line.variables.push(Variable { start: start as u32, end: end as u32 });
        self.line.kinds.push(kind);
    }

    /// Makes a variable part of a list, if the word has one before it and a comma between.
    fn grows_list(&mut self, end: usize) -> bool {
        let inside = self.line.words.last().is_some_and(|word| (word.variable as usize) < self.line.variables.len());
        if !inside || !self.line.form.ends_with(&[VARIABLE, b',']) {
            return false;
        }
        self.line.form.pop();
        if let (Some(last), Some(kind)) = (self.line.variables.last_mut(), self.line.kinds.last_mut()) {
            last.end = end as u32;
            *kind = Kind::List;
        }
        self.new_atom();
        true
    }

    /// The byte before a place in this word.
    fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).map(|at| self.text[at]).filter(|byte| !is_blank(*byte))
    }

    fn letters(&mut self) {
        let start = self.at;
        let end = run(self.text, start, |byte| class(byte) == LETTER);
        let next = self.text.get(end).copied().unwrap_or(b' ');
        let found = match next {
            b' ' if end - start == 3 => time::named(self.text, start).map(|end| (end, Kind::Time)),
            b',' if end - start == 3 => time::named(self.text, start).map(|end| (end, Kind::Time)),
            b':' => self.before_colon(start, end),
            b'-' if end - start == 8 => address::uuid(self.text, start).map(|end| (end, Kind::Uuid)),
            b'0'..=b'9' => return self.mixed(start, end),
            _ => None,
        };
        match found {
            Some((end, kind)) => self.variable(start, end, kind),
            None if self.is_suffix(start, end) => self.variable(start, end, Kind::Id),
            None if self.is_nothing(start, end) || self.is_method(start, end) => self.variable(start, end, Kind::Mixed),
            None => self.constant(end),
        }
    }

    fn before_colon(&self, start: usize, colon: usize) -> Option<(usize, Kind)> {
        let url = || place::url(self.text, colon).map(|end| (end, Kind::Url));
        match colon - start {
            1 => place::drive(self.text, colon).map(|end| (end, Kind::Path)).or_else(|| self.colons(start)),
            2..5 => self.colons(start).or_else(url),
            _ => url(),
        }
    }

    /// What consists of digits of base 16 with colons between them.
    fn colons(&self, start: usize) -> Option<(usize, Kind)> {
        let mac = address::mac(self.text, start).map(|end| (end, Kind::Mac));
        mac.or_else(|| address::ip_v6(self.text, start).map(|end| (end, Kind::Ip)))
    }

    fn is_nothing(&self, start: usize, end: usize) -> bool {
        NOTHING.contains(&&self.text[start..end])
            && matches!(self.quotes.last_but_blanks(self.text, start), Some(b'=' | b':'))
    }

    /// A method of HTTP and a path or a URL behind.
    fn is_method(&self, start: usize, end: usize) -> bool {
        let next = self.text.get(end..end + 2);
        next.is_some_and(|next| matches!(next, b" /" | b" h")) && METHODS.contains(&&self.text[start..end])
    }

    /// The five letters that Kubernetes puts at the end of a pod's name, after another such part.
    fn is_suffix(&self, start: usize, end: usize) -> bool {
        end - start == 5
            && self.line.form.ends_with(&[VARIABLE, b'-'])
            && self.text[start..end].iter().all(|byte| b"bcdfghjklmnpqrstvwxz".contains(byte))
    }

    fn special(&mut self, byte: u8) {
        match byte {
            b'-' | b'+' => self.sign(byte),
            b'/' => self.slash(),
            b'@' => self.at_sign(),
            b'[' => self.bracket(),
            quote => self.quote(quote),
        }
    }

    fn sign(&mut self, byte: u8) {
        let before = self.before(self.at);
        let next = self.text.get(self.at + 1).copied().unwrap_or(b' ');
        if before.is_none() && byte == b'-' && is_blank(next) && self.is_among_values() {
            return self.variable(self.at, self.at + 1, Kind::Mixed);
        }
        let begins = before.is_none_or(|before| !is_word(before) && !matches!(before, b'-' | b'+' | b'.' | b')'));
        if begins && next.is_ascii_digit() && self.line.form.last() != Some(&VARIABLE) {
            return self.digits(self.at);
        }
        self.punctuation(byte);
    }

    /// Whether a `-` alone is how a proxy writes that there is no value: it has values beside it. Between a header and a
    /// sentence it is punctuation.
    fn is_among_values(&self) -> bool {
        let behind = self.text[self.at + 1..].iter().find(|byte| !is_blank(**byte));
        let after_value = self.line.form.ends_with(&[VARIABLE, line::BLANK]);
        behind.is_none_or(|byte| byte.is_ascii_digit() || b"\"[-".contains(byte))
            || (after_value && self.line.kinds.last() != Some(&Kind::Time))
    }

    fn slash(&mut self) {
        let begins = self.before(self.at).is_none_or(|before| b"\"'`(=[,:<{>".contains(&before));
        let is_address = || address::ip_v4(self.text, self.at + 1).is_some();
        let next = self.text.get(self.at + 1).copied().unwrap_or(b' ');
        let path = if is_blank(next) || next == b'"' { Some(self.at + 1) } else { place::path(self.text, self.at) };
        match path.filter(|_| begins && !is_address()) {
            Some(end) => self.variable(self.at, end, Kind::Path),
            None => self.punctuation(b'/'),
        }
    }

    fn at_sign(&mut self) {
        let follows = self.before(self.at).is_some_and(is_word) && self.atom.at < self.at;
        let domain = address::mail_domain(self.text, self.at + 1).filter(|_| follows);
        let Some(end) = domain else { return self.punctuation(b'@') };
        let Atom { at, form, variables } = self.atom;
        self.line.form.truncate(form);
        self.line.variables.truncate(variables);
        self.line.kinds.truncate(variables);
        self.variable(at, end, Kind::Email);
    }

    /// An array of JSON is one variable: how many there are in it differs from line to line.
    fn bracket(&mut self) {
        let is_value = self.json && self.quotes.last_but_blanks(self.text, self.at) == Some(b':');
        if is_value && self.quotes.vain < VAIN {
            match place::array(self.text, self.at) {
                Some(end) => return self.variable(self.at, end + 1, Kind::List),
                None => self.quotes.vain += 1,
            }
        }
        self.punctuation(b'[');
    }
}
