//! What has digits in it: numbers, and what has the form of one at its beginning.

use super::class::{is_word, run};
use super::{Scan, address, time};
use crate::kind::Kind;

/// Letters and digits mixed, from this length on, are no name.
const LONG_ID: usize = 16;
/// Digits of base 16, from this length on, are no word and no plain number.
const LONG_HEX: usize = 8;
/// Units that stand after a number and a blank.
const UNITS: [&[u8]; 16] = [
    b"B", b"KB", b"MB", b"GB", b"TB", b"kB", b"KiB", b"MiB", b"GiB", b"TiB", b"bytes", b"ms", b"us", b"ns", b"sec",
    b"secs",
];

impl Scan<'_> {
    /// Letters with digits behind.
    pub(super) fn mixed(&mut self, start: usize, digit: usize) {
        let end = run(self.text, digit, is_word);
        let chunk = &self.text[start..end];
        let fixed = match end - start {
            2 => address::mac(self.text, start).map(|end| (end, Kind::Mac)),
            8 => address::uuid(self.text, start).map(|end| (end, Kind::Uuid)),
            _ => None,
        };
        let v6 = || address::ip_v6(self.text, start).map(|end| (end, Kind::Ip));
        let fixed = fixed.or_else(|| if self.text.get(end) == Some(&b':') && end - start < 5 { v6() } else { None });
        if let Some((end, kind)) = fixed {
            return self.variable(start, end, kind);
        }
        if chunk.len() >= LONG_HEX && chunk.iter().all(u8::is_ascii_hexdigit) {
            return self.variable(start, end, Kind::Hex);
        }
        if is_random(chunk) {
            return self.variable(start, end, Kind::Id);
        }
        self.constant(digit);
        let after = run(self.text, digit, |byte| byte.is_ascii_digit());
        if after == end {
            return self.digits(digit);
        }
        self.variable(digit, after, Kind::Number);
        self.constant(end);
    }

    /// From a digit on, or a sign before it.
    pub(super) fn digits(&mut self, start: usize) {
        let at = if self.text[start].is_ascii_digit() { start } else { start + 1 };
        let (end, kind) = self.fixed(at).unwrap_or_else(|| self.number(at));
        self.variable(start, end, kind);
    }

    fn fixed(&self, at: usize) -> Option<(usize, Kind)> {
        let text = self.text;
        let digits = run(text, at, |byte| byte.is_ascii_digit());
        let next = text.get(digits).copied().unwrap_or(b' ');
        match (digits - at, next) {
            (1..4, b'.') => address::ip_v4(text, at).map(|end| (end, Kind::Ip)),
            (2, b'-') if address::mac(text, at).is_some() => address::mac(text, at).map(|end| (end, Kind::Mac)),
            (4, b'-') | (1 | 2, b' ' | b'-') | (1 | 2 | 4, b'/') => {
                time::numeric(text, at).map(|end| (end, Kind::Time))
            }
            (1..5, b':') => self.colons(at).or_else(|| time::numeric(text, at).map(|end| (end, Kind::Time))),
            (1..9, b'a'..=b'f' | b'A'..=b'F') | (8, b'-') => {
                let uuid = address::uuid(text, at).map(|end| (end, Kind::Uuid));
                uuid.or_else(|| self.colons(at))
            }
            _ => None,
        }
    }

    /// A number with what belongs to it, or an id that begins with a digit.
    fn number(&self, at: usize) -> (usize, Kind) {
        let text = self.text;
        let mut end = run(text, at, is_word);
        let chunk = &text[at..end];
        let kind = kind_of(chunk);
        while let Some(next) = self.goes_on(end) {
            end = next;
        }
        if text.get(end) == Some(&b'%') {
            end += 1;
        } else if let Some(unit) = self.unit(end).filter(|_| kind == Kind::Number) {
            end = unit;
        }
        (end, kind)
    }

    /// Where a number ends that has a fraction, further parts, thousands or an exponent here.
    fn goes_on(&self, at: usize) -> Option<usize> {
        let text = self.text;
        let is_digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
        let end = run(text, at + 1, is_word).min(text.len());
        match text.get(at)? {
            b'.' if is_digit(at + 1) => Some(end),
            b',' if end == at + 4 && text[at + 1..end].iter().all(u8::is_ascii_digit) => Some(end),
            b'-' | b'+' if matches!(text[at - 1], b'e' | b'E') && is_digit(at - 2) && is_digit(at + 1) => Some(end),
            _ => None,
        }
    }

    /// The end of a unit that stands after a blank.
    fn unit(&self, at: usize) -> Option<usize> {
        if self.text.get(at) != Some(&b' ') {
            return None;
        }
        let end = run(self.text, at + 1, |byte| byte.is_ascii_alphabetic());
        UNITS.contains(&&self.text[at + 1..end]).then_some(end).filter(|end| {
            self.text.get(*end).is_none_or(|next| !is_word(*next) && !matches!(next, b'=' | b'_' | b'-' | b'/'))
        })
    }
}

/// What a run of letters and digits that begins with a digit is.
fn kind_of(chunk: &[u8]) -> Kind {
    let digits = run(chunk, 0, |byte| byte.is_ascii_digit());
    let is_hex = || chunk.len() >= LONG_HEX && chunk.iter().all(u8::is_ascii_hexdigit);
    match &chunk[digits..] {
        [] => Kind::Number,
        [b'x' | b'X', rest @ ..] if digits == 1 && rest.iter().all(u8::is_ascii_hexdigit) => Kind::Hex,
        _ if is_hex() => Kind::Hex,
        unit if unit.iter().all(|byte| !byte.is_ascii_digit()) && unit.len() < 4 => Kind::Number,
        mixed if mixed.iter().all(|byte| byte.is_ascii_digit() || b"hmsunw".contains(byte)) => Kind::Number,
        _ => Kind::Id,
    }
}

/// Letters with digits among them, in no order that a name has: `node12` and `Http2Server` are names.
fn is_random(chunk: &[u8]) -> bool {
    let (mut runs, mut digits, mut inside) = (0, 0, false);
    for byte in chunk {
        let is_digit = byte.is_ascii_digit();
        runs += usize::from(is_digit && !inside);
        digits += usize::from(is_digit);
        inside = is_digit;
    }
    runs > 1 || (chunk.len() >= LONG_ID && digits > 1 && !inside)
}
