//! How a row's source text is written from its other fields.
//!
//! The source form of a record says again what its fields say: keeping both doubles what is stored, compressed and
//! indexed. Sources repeat their form, so the form is kept once as a **layout** (`{"status":` the first attribute `,…`),
//! and a row keeps only the number of its layout and the few pieces that no field has. A layout is used only if it
//! gives the text back byte for byte, which is tried when the row is made; every other text is stored as it is.

mod derive;
mod time;

use std::fmt::Write as _;

use logkeep_record::{Record, Value, json};

/// Ends each piece in a row's `rest`.
const PIECE_END: char = '\u{1f}';

/// A sequence of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The same text in every row.
    Literal(Box<str>),
    /// The next piece of the row's `rest`.
    Rest,
    /// A value of the record, written in one way.
    Value(Place, Notation),
    /// 32 digits, lower case.
    TraceId,
    /// 16 digits, lower case.
    SpanId,
    /// The record's own time, RFC 3339 in UTC with so many digits of a second's fraction.
    Time(u8),
}

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The record's attribute in this place.
    Attribute(u32),
    /// The resource's attribute in this place.
    Resource(u32),
    Body,
    SeverityText,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Notation {
    /// Text as it is, an integer in decimal.
    Plain = b'p',
    /// Text as JSON writes it between its quotes.
    Escaped = b'e',
    /// A double that is a whole number, as one.
    Whole = b'w',
    /// Any other double, in the fewest decimals that read back the same.
    Decimal = b'd',
    /// A double in milliseconds, as whole nanoseconds.
    Nanos = b'n',
}

impl Notation {
    fn from_letter(letter: u8) -> Option<Self> {
        [Self::Plain, Self::Escaped, Self::Whole, Self::Decimal, Self::Nanos]
            .into_iter()
            .find(|notation| *notation as u8 == letter)
    }

    /// Writes the value in this form into `out`, which is empty; false if it has no such form.
    fn write(self, value: &Found<'_>, out: &mut String) -> bool {
        /// Whole numbers beyond it are not all doubles.
        const EXACT: f64 = 9e15;
        match (self, value) {
            (Self::Plain, Found::Text(text)) => out.push_str(text),
            (Self::Plain, Found::Value(Value::Int(number))) => out.push_str(itoa::Buffer::new().format(*number)),
            (Self::Escaped, Found::Text(text)) => {
                json::write_str(text, out);
                // Only what is between the quotes.
                out.pop();
                out.remove(0);
            }
            (Self::Whole, Found::Value(Value::Double(number))) if number.fract() == 0.0 && number.abs() < EXACT => {
                out.push_str(itoa::Buffer::new().format(*number as i64));
            }
            (Self::Decimal, Found::Value(Value::Double(number)))
                if number.fract() != 0.0 && (1e-3..EXACT).contains(&number.abs()) =>
            {
                return write!(out, "{number}").is_ok();
            }
            (Self::Nanos, Found::Value(Value::Double(number))) if (number * 1e6).abs() < EXACT => {
                out.push_str(itoa::Buffer::new().format((number * 1e6 + 0.5).floor() as i64));
            }
            _ => return false,
        }
        true
    }
}

/// What a search looks for, in lower case: token characters alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The characters.
    pub text: &'a str,
    /// Whether they are a whole token; else they may be any part of one.
    pub is_whole: bool,
}

/// A value that a place holds.
enum Found<'r> {
    Text(&'r str),
    Value(&'r Value<'r>),
}

impl Place {
    fn find<'r>(self, record: &'r Record<'_>) -> Option<Found<'r>> {
        let value = match self {
            Self::Attribute(place) => &record.attributes.get(place as usize)?.1,
            Self::Resource(place) => &record.resource.attributes().get(place as usize)?.1,
            Self::Body => &record.body,
            Self::SeverityText => return Some(Found::Text(&record.severity_text)),
        };
        Some(match value {
            Value::Str(text) => Found::Text(text),
            other => Found::Value(other),
        })
    }
}

impl Part {
    /// The part's text; `None` for a piece and where the record has no such value.
    fn text<'r>(&'r self, record: &'r Record<'_>, scratch: &'r mut String) -> Option<&'r str> {
        scratch.clear();
        let written = match self {
            Self::Literal(text) => return Some(text),
            Self::Rest => false,
            Self::Value(place, notation) => match (place.find(record)?, notation) {
                (Found::Text(text), Notation::Plain) => return Some(text),
                (found, notation) => notation.write(&found, scratch),
            },
            Self::TraceId => record.trace_id.is_some_and(|id| write!(scratch, "{id}").is_ok()),
            Self::SpanId => record.span_id.is_some_and(|id| write!(scratch, "{id}").is_ok()),
            Self::Time(digits) => record.time_ns.is_some_and(|time| time::write(time, *digits, scratch)),
        };
        written.then_some(scratch)
    }

    /// Whether the part writes a value in other words than the value's own.
    fn rewords(&self) -> bool {
        matches!(self, Self::Value(_, Notation::Escaped | Notation::Nanos))
    }

    /// Whether it may write this word of a record whose fields do not have it. `has_token` is false only for what is a token of no field.
    fn may_write(&self, word: Word<'_>, has_token: HasToken<'_>) -> bool {
        let all = |is_allowed: fn(&u8) -> bool| word.text.as_bytes().iter().all(is_allowed);
        match self {
            // The letter of an escape and what follows it are one word: a new line before `ode` makes `node`.
            Self::Value(_, Notation::Escaped) if word.is_whole => {
                after_escape(word.text).is_some_and(|rest| rest.is_empty() || has_token(rest))
            }
            // The same of the digits of `u0007`.
            Self::Value(_, Notation::Escaped) => {
                word.text.starts_with(|c: char| matches!(c, 'n' | 'r' | 't' | 'u') || c.is_ascii_hexdigit())
            }
            Self::Value(_, Notation::Nanos) => all(u8::is_ascii_digit),
            Self::Time(_) if word.is_whole && all(u8::is_ascii_digit) => matches!(word.text.len(), 2 | 4),
            Self::Time(_) => all(|byte| matches!(byte, b'0'..=b'9' | b't' | b'z')),
            _ => false,
        }
    }
}

/// False only if no field has this token.
pub(crate) type HasToken<'a> = &'a dyn Fn(&str) -> bool;

/// What comes after the letters of an escape; `None` of a word that cannot begin with them.
fn after_escape(word: &str) -> Option<&str> {
    match word.as_bytes() {
        [b'n' | b'r' | b't', ..] => Some(&word[1..]),
        [b'u', code @ ..] if code.len() >= 4 && code[..4].iter().all(u8::is_ascii_hexdigit) => Some(&word[5..]),
        _ => None,
    }
}

impl Layout {
    /// A layout that gives `text` for this record, if one is worth it.
    pub(crate) fn derive(record: &Record<'_>, text: &str) -> Option<Self> {
        derive::derive(record, text)
    }

    /// Whether it gives `text` for this record; if so, `rest` becomes what the row must keep.
    pub(crate) fn fits(&self, record: &Record<'_>, text: &str, rest: &mut String, scratch: &mut String) -> bool {
        rest.clear();
        let mut left = text;
        for (place, part) in self.parts.iter().enumerate() {
            if *part == Part::Rest {
                let Some(end) = self.piece_end(place, record, left, scratch) else { return false };
                let (piece, after) = left.split_at(end);
                if piece.contains(PIECE_END) {
                    return false;
                }
                rest.push_str(piece);
                rest.push(PIECE_END);
                left = after;
                continue;
            }
            match part.text(record, scratch).and_then(|text| left.strip_prefix(text)) {
                Some(after) => left = after,
                None => return false,
            }
        }
        left.is_empty()
    }

    /// Where the piece at the start of `left` ends: before the literal that follows, or before the last part.
    fn piece_end(&self, place: usize, record: &Record<'_>, left: &str, scratch: &mut String) -> Option<usize> {
        match self.parts.get(place + 1) {
            None => Some(left.len()),
            Some(Part::Literal(next)) => find(left, next),
            Some(last) if place + 2 == self.parts.len() => {
                let end = left.len().checked_sub(last.text(record, scratch)?.len())?;
                left.is_char_boundary(end).then_some(end)
            }
            Some(_) => None,
        }
    }

    /// The text of a record, from its fields and the row's `rest`; `None` if they do not fit the layout.
    pub(crate) fn write(&self, record: &Record<'_>, rest: &str) -> Option<String> {
        let (mut out, mut scratch) = (String::with_capacity(1024), String::new());
        let mut pieces = rest.split_terminator(PIECE_END);
        for part in &self.parts {
            out.push_str(match part {
                Part::Rest => pieces.next()?,
                part => part.text(record, &mut scratch)?,
            });
        }
        pieces.next().is_none().then_some(out)
    }

    /// Calls `each` with what it writes of this record in other words than the record's fields have.
    pub(crate) fn reworded(&self, record: &Record<'_>, each: &mut dyn FnMut(&str)) {
        let mut scratch = String::new();
        for part in self.parts.iter().filter(|part| part.rewords()) {
            part.text(record, &mut scratch).into_iter().for_each(&mut *each);
        }
    }

    /// Whether [`Layout::reworded`] calls for any record.
    pub(crate) fn rewords(&self) -> bool {
        self.parts.iter().any(Part::rewords)
    }

    /// The literals.
    pub(crate) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| if let Part::Literal(text) = part { Some(&**text) } else { None })
    }

    /// Whether it may write `word` where no literal, no field of the record and no piece of its `rest` has it. Parts are cut where
    /// tokens end, so no word is in two of them.
    pub(crate) fn may_reword(&self, word: Word<'_>, has_token: HasToken<'_>) -> bool {
        self.parts.iter().any(|part| part.may_write(word, has_token))
    }

    /// Whether it writes the time.
    pub(crate) fn has_time(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Time(_)))
    }

    /// A letter for each part, and after it what the part needs (docs/formats/segment.md).
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => {
                    out.push(b'l');
                    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
                Part::Rest => out.push(b'r'),
                Part::Value(place, notation) => {
                    let (letter, number) = match place {
                        Place::Attribute(number) => (b'a', Some(number)),
                        Place::Resource(number) => (b'g', Some(number)),
                        Place::Body => (b'b', None),
                        Place::SeverityText => (b's', None),
                    };
                    out.push(letter);
                    number.into_iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
                    out.push(*notation as u8);
                }
                Part::TraceId => out.push(b't'),
                Part::SpanId => out.push(b'u'),
                Part::Time(digits) => out.extend_from_slice(&[b'c', *digits]),
            }
        }
        out
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut parts = Vec::new();
        while let Some((letter, rest)) = bytes.split_first() {
            bytes = rest;
            parts.push(match letter {
                b'l' => {
                    let len = take_u32(&mut bytes)? as usize;
                    let (text, rest) = bytes.split_at_checked(len)?;
                    bytes = rest;
                    Part::Literal(std::str::from_utf8(text).ok()?.into())
                }
                b'r' => Part::Rest,
                b'a' => Part::Value(Place::Attribute(take_u32(&mut bytes)?), take_notation(&mut bytes)?),
                b'g' => Part::Value(Place::Resource(take_u32(&mut bytes)?), take_notation(&mut bytes)?),
                b'b' => Part::Value(Place::Body, take_notation(&mut bytes)?),
                b's' => Part::Value(Place::SeverityText, take_notation(&mut bytes)?),
                b't' => Part::TraceId,
                b'u' => Part::SpanId,
                b'c' => Part::Time(take_u8(&mut bytes).filter(|digits| *digits <= 9)?),
                _ => return None,
            });
        }
        Some(Self { parts })
    }
}

/// Appends a whole second as sources write times, without the `Z`.
pub(crate) fn write_time(time_ns: i64, out: &mut String) {
    time::write(time_ns, 0, out);
    out.pop();
}

fn take_u8(bytes: &mut &[u8]) -> Option<u8> {
    let (byte, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*byte)
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*number))
}

fn take_notation(bytes: &mut &[u8]) -> Option<Notation> {
    Notation::from_letter(take_u8(bytes)?)
}

/// Where `what` first stands in `text`. Both are short, so preparing a search would cost more than it saves.
fn find(text: &str, what: &str) -> Option<usize> {
    let first = *what.as_bytes().first()?;
    memchr::memchr_iter(first, text.as_bytes()).find(|at| text.as_bytes()[*at..].starts_with(what.as_bytes()))
}

#[cfg(test)]
mod tests;
