//! JSON text to [`Value`] and back.
//!
//! Keys and strings without escapes are borrowed from the text, order and duplicate keys are kept, and integers stay
//! integers. Nesting is bounded here and not left to the parser: sonic-rs recurses without a limit of its own, but it
//! can only recurse through our visitor, which counts.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::{Attributes, Value, limits};

/// Text that is not JSON (RFC 8259), or is nested too deeply.
#[derive(Debug, thiserror::Error)]
#[error("not JSON at byte {at}: {what}")]
pub struct JsonError {
    /// Offset in the text where reading stopped.
    pub at: usize,
    /// What was wrong there.
    pub what: String,
}

/// Reads one JSON value that fills the text, white space aside.
///
/// Integers that fit `i64` become `Int`, all other numbers `Double`; `-0` is a `Double`, because only that has the sign.
///
/// # Errors
/// [`JsonError`] for anything that is not exactly one JSON value nested at most `limits::VALUE_DEPTH` deep.
pub fn parse(text: &str) -> Result<Value<'_>, JsonError> {
    let mut deserializer = sonic_rs::Deserializer::from_str(text);
    let zero = Cell::new(false);
    let mut value = ValueSeed { depth: 0, zero: &zero }.deserialize(&mut deserializer).map_err(fault)?;
    deserializer.end().map_err(fault)?;
    if zero.get() && text.contains("-0") {
        restore_signs(&mut value, &mut Numbers { rest: text.as_bytes() });
    }
    Ok(value)
}

/// The parser reads −0 as 0; this gives each zero the sign that stands in the text. `value` is what was read of it.
fn restore_signs(value: &mut Value<'_>, numbers: &mut Numbers<'_>) {
    match value {
        Value::Int(_) => drop(numbers.next()),
        Value::Double(number) => {
            if numbers.next() == Some(true) && *number == 0.0 {
                *number = -0.0;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| restore_signs(value, numbers)),
        Value::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| restore_signs(value, numbers)),
        Value::Null | Value::Bool(_) | Value::Str(_) | Value::Bytes(_) => {}
    }
}

/// The numbers in a text known to be JSON, in order: whether each has a minus.
struct Numbers<'a> {
    rest: &'a [u8],
}

impl Iterator for Numbers<'_> {
    type Item = bool;

    fn next(&mut self) -> Option<bool> {
        let mut in_string = false;
        while let Some((byte, after)) = self.rest.split_first() {
            self.rest = after;
            match byte {
                b'\\' if in_string => self.rest = after.get(1..).unwrap_or_default(),
                b'"' => in_string = !in_string,
                b'-' | b'0'..=b'9' if !in_string => {
                    let len = after.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
                    self.rest = &after[len.count()..];
                    return Some(*byte == b'-');
                }
                _ => {}
            }
        }
        None
    }
}

fn fault(error: sonic_rs::Error) -> JsonError {
    let text = error.to_string();
    // The parser appends an excerpt of the text on further lines; a log line does not belong in an error message.
    let what = text.lines().next().unwrap_or_default();
    let what = what.split(" at line ").next().unwrap_or_default().to_owned();
    JsonError { at: error.offset(), what }
}

#[derive(Clone, Copy)]
struct ValueSeed<'s> {
    depth: usize,
    /// Set when a double is zero.
    zero: &'s Cell<bool>,
}

impl ValueSeed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= limits::VALUE_DEPTH {
            return Err(E::custom(format_args!("nested more than {} deep", limits::VALUE_DEPTH)));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(value).map_or(Value::Double(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        self.zero.set(self.zero.get() || value == 0.0);
        Ok(Value::Double(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Str(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut pairs = Vec::with_capacity(if self.depth == 0 { 24 } else { 4 });
        while let Some(key) = map.next_key_seed(KeySeed)? {
            pairs.push((key, map.next_value_seed(inner)?));
        }
        Ok(Value::Map(pairs))
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }
}

/// Appends `value` as JSON. Bytes become base16 text, and doubles that JSON has no form for become the texts `NaN`,
/// `Infinity` and `-Infinity` (as in OTLP/JSON, which follows the protobuf JSON mapping).
pub fn write(value: &Value<'_>, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(itoa::Buffer::new().format(*value)),
        Value::Double(value) => write_double(*value, out),
        Value::Str(text) => write_str(text, out),
        Value::Bytes(bytes) => {
            out.push('"');
            bytes.iter().for_each(|byte| out.push_str(&format!("{byte:02x}")));
            out.push('"');
        }
        Value::Array(values) => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Map(pairs) => write_object(pairs, out),
    }
}

/// Appends pairs as an object.
pub fn write_object(pairs: &Attributes<'_>, out: &mut String) {
    out.push('{');
    for (place, (key, value)) in pairs.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write_str(key, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn write_double(value: f64, out: &mut String) {
    if value.is_finite() {
        out.push_str(ryu::Buffer::new().format_finite(value));
    } else if value.is_nan() {
        out.push_str("\"NaN\"");
    } else {
        out.push_str(if value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
    }
}

/// Appends `text` as a JSON string; control characters are escaped.
pub fn write_str(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 | 0x7f => {
                out.push_str(&text[from..at]);
                out.push_str(&format!("\\u{byte:04x}"));
                from = at + 1;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut out = String::new();
        match parse(text) {
            Ok(value) => write(&value, &mut out),
            Err(error) => out = error.to_string(),
        }
        assert!(out.starts_with(expected), "{text}: got {out}, expected {expected}");
    }

    #[test]
    fn values() {
        check(
            r#" {"b":1,"a":[true,null,-0.5,1e3,"x\n\u00e9"],"b":2} "#,
            r#"{"b":1,"a":[true,null,-0.5,1000.0,"x\né"],"b":2}"#,
        );
        check("9223372036854775807", "9223372036854775807");
        check("9223372036854775808", "9.223372036854776e18");
        check(r#""\u0001\u007f""#, r#""\u0001\u007f""#);
    }

    #[test]
    fn zeroes_keep_their_sign() {
        check("-0", "-0.0");
        check("-0e-7", "-0.0");
        check("[0.0,-0.0,0,-1,-1e-999]", "[0.0,-0.0,0,-1,-0.0]");
        check(r#"{"\"-0\\":-0.0,"a":["-0",{"b":0e5,"b":-0}]}"#, r#"{"\"-0\\":-0.0,"a":["-0",{"b":0.0,"b":-0.0}]}"#);
    }

    #[test]
    fn faults() {
        for text in ["", "{", "[1,]", "{\"a\":1}x", "nul", "\"\\ud800\"", "01", "{1:2}"] {
            check(text, "not JSON at byte");
        }
        assert!(parse(&"[".repeat(1_000_000)).is_err());
        assert!(parse(&"{\"a\":".repeat(1_000_000)).unwrap_err().what.contains("nested more than 64 deep"));
        let deepest = "[".repeat(64) + &"]".repeat(64);
        assert!(parse(&deepest).is_ok());
    }

    #[test]
    fn text_is_borrowed() {
        let Ok(Value::Map(pairs)) = parse(r#"{"key":"plain"}"#) else { panic!("a map") };
        assert!(matches!(pairs[0], (Cow::Borrowed("key"), Value::Str(Cow::Borrowed("plain")))));
    }
}
