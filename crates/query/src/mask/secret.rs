//! Values that are hidden, and where else they stand.

use std::borrow::Cow;

use logkeep_record::Value;
use memchr::memmem;

use super::MARKER;
use crate::kql::leaves;

/// Shorter values are in nearly every text: they count only where they stand as a word of their own.
const SHORT: usize = 4;
/// Smaller numbers are equal by chance.
const LARGE: f64 = 9_999.0;

/// The hidden values of one record.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

#[derive(Debug)]
struct Secret {
    /// Its letters and digits.
    folded: String,
    number: Option<f64>,
}

impl Secrets {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a value down, and puts the marker in its place.
    pub(super) fn take(&mut self, value: &mut Value<'_>) {
        if value.is_null() {
            return;
        }
        let before = self.0.len();
        leaves(value, &mut |text| {
            self.0.push(Secret { folded: fold(text), number: text.parse().ok() });
            false
        });
        if self.0.len() == before {
            // An empty list or map: nothing that could stand elsewhere, but the record has something to hide.
            self.0.push(Secret { folded: String::new(), number: None });
        }
        *value = Value::str(MARKER);
    }

    /// Puts the marker in the place of every text, and every large number, that tells one of them.
    pub(super) fn hide_in(&self, value: &mut Value<'_>) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.hide_in(value)),
            Value::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| self.hide_in(value)),
            Value::Str(text) => {
                if self.is_told_by(text) {
                    *value = Value::str(MARKER);
                }
            }
            Value::Int(number) => self.hide_number(*number as f64, value),
            Value::Double(number) => self.hide_number(*number, value),
            Value::Null | Value::Bool(_) | Value::Bytes(_) => {}
        }
    }

    fn hide_number(&self, number: f64, value: &mut Value<'_>) {
        if number.abs() > LARGE && self.0.iter().any(|secret| secret.number == Some(number)) {
            *value = Value::str(MARKER);
        }
    }

    pub(super) fn hide_in_text(&self, text: &mut Cow<'_, str>) {
        if !text.is_empty() && self.is_told_by(text) {
            *text = Cow::Borrowed(MARKER);
        }
    }

    fn is_told_by(&self, text: &str) -> bool {
        if text == MARKER {
            return false;
        }
        let folded = fold(text);
        self.0.iter().any(|secret| secret.is_in(text, &folded))
    }
}

impl Secret {
    fn is_in(&self, text: &str, folded: &str) -> bool {
        let in_letters = match self.folded.chars().count() {
            0 => false,
            count if count < SHORT => words(text).any(|word| fold(word) == self.folded),
            _ => memmem::find(folded.as_bytes(), self.folded.as_bytes()).is_some(),
        };
        in_letters || self.number.is_some_and(|number| numbers(text).any(|found| found == number))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The numbers that are written in a text, in whatever way.
fn numbers(text: &str) -> impl Iterator<Item = f64> {
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    text.split(move |c: char| !is_of_number(c)).filter_map(|word| word.parse().ok())
}

/// The letters and digits of a text in lower case, with `%40`, `\u0040`, `\x40` and the like read as what they mean: what
/// stays the same however a value is quoted.
fn fold(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (read, taken) = match first {
            b'%' => hex(after, 2).map_or((None, 1), |code| (Some(Code::Byte(code as u8)), 3)),
            b'\\' => match after.split_first() {
                Some((b'u', digits)) => hex(digits, 4).map_or((None, 2), |code| (Some(Code::Utf16(code)), 6)),
                Some((b'x', digits)) => hex(digits, 2).map_or((None, 2), |code| (Some(Code::Byte(code as u8)), 4)),
                // `\n`, `\t`, `\\` and the like are no letters.
                Some(_) => (None, 2),
                None => (None, 1),
            },
            byte => (Some(Code::Byte(*byte)), 1),
        };
        match read {
            Some(Code::Byte(byte)) => bytes.push(byte),
            Some(Code::Utf16(code)) => {
                let c = char::from_u32(code).unwrap_or(' ');
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            None => bytes.push(b' '),
        }
        rest = rest.get(taken..).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

enum Code {
    Byte(u8),
    Utf16(u32),
}

fn hex(digits: &[u8], count: usize) -> Option<u32> {
    let digits = digits.get(..count).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_makes_no_difference() {
        for text in ["alice@example.org", "Alice%40example.org", r"alice\u0040EXAMPLE.org", r"alice\x40example\.org"] {
            assert_eq!(fold(text), "aliceexampleorg", "{text}");
        }
        assert_eq!(fold(r"Ü\n%zz\u12"), "üzz12");
        assert_eq!(fold(r"\"), "");
        assert_eq!(fold("%C3%BC"), "ü");
    }

    #[test]
    fn a_value_is_told_by_a_text_that_has_it() {
        let check = |value: Value<'_>, text: &str, expected: bool| {
            let mut secrets = Secrets::default();
            secrets.take(&mut value.clone());
            assert_eq!(secrets.is_told_by(text), expected, "{value:?} in {text}");
        };
        check(Value::str("alice"), "user=Alice", true);
        check(Value::str("alice"), "malice", true);
        check(Value::str("bob"), "bobby", false);
        check(Value::str("bob"), "hello bob!", true);
        check(Value::str(""), "anything", false);
        check(Value::str("+1 (555) 010-99"), "call 155501099 now", true);
        check(Value::Int(42), "took 42 ms", true);
        check(Value::Int(42), "took 142 ms", false);
        check(Value::Int(1_500), "took 1.5e3 ms", true);
        check(Value::Double(2.5), "x=2.50", true);
        check(Value::Bool(true), "ok: true", true);
        check(Value::Array(vec![Value::str("first"), Value::str("second")]), "the second", true);
    }
}
