//! JSON documents one after the other, as many HTTP senders put them: with line feeds between them, without anything, or
//! in an array.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, json, limits};
use serde_json::value::RawValue;

use crate::text::{Text, body_and_original};

/// The documents of a body; an array stands for what is in it. What is no JSON fails alone, up to the next line.
pub fn documents(body: &str) -> Documents<'_> {
    Documents { rest: body, listed: Vec::new().into_iter() }
}

/// See [`documents`].
#[derive(Debug)]
pub struct Documents<'a> {
    rest: &'a str,
    listed: std::vec::IntoIter<&'a RawValue>,
}

impl<'a> Iterator for Documents<'a> {
    /// The text of a document, or what is wrong with it.
    type Item = Result<&'a str, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(document) = self.listed.next() {
                return Some(Ok(document.get()));
            }
            self.rest = self.rest.trim_ascii_start();
            if self.rest.is_empty() {
                return None;
            }
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<&RawValue>();
            match values.next()? {
                Ok(value) => {
                    self.rest = &self.rest[values.byte_offset()..];
                    match value.get().starts_with('[') {
                        false => return Some(Ok(value.get())),
                        true => match serde_json::from_str::<Vec<&RawValue>>(value.get()) {
                            Ok(listed) => self.listed = listed.into_iter(),
                            Err(error) => return Some(Err(error.to_string())),
                        },
                    }
                }
                Err(error) => {
                    self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
                    return Some(Err(error.to_string()));
                }
            }
        }
    }
}

/// A body as text. Bytes that are not UTF-8 are replaced.
pub fn text(body: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(body)
}

/// The record of a document, whatever it is: an object is a map, anything else its own text.
pub fn record(document: &str, received_ns: i64, resource: Arc<Resource>) -> Record<'_> {
    let text = Text::new(document.as_bytes());
    let mut record = Record::new(received_ns, Value::Null, resource);
    text.mark(&mut record.attributes);
    (record.body, record.original) = body_and_original(text.text);
    record
}

/// The record of what Fluent Bit puts into a queue, `[seconds, {…}]`: the object, at that time. `None` if it is something else.
pub(crate) fn timed(document: &str, received_ns: i64, resource: Arc<Resource>) -> Option<Record<'_>> {
    /// Numbers below it are no times (March 1973).
    const FIRST_NS: i64 = 100_000_000_000_000_000;
    if !document.starts_with('[') || document.len() > limits::record_bytes() {
        return None;
    }
    let Ok(Value::Array(parts)) = json::parse(document) else { return None };
    let [time @ (Value::Int(_) | Value::Double(_)), body @ Value::Map(_)] = <[Value<'_>; 2]>::try_from(parts).ok()?
    else {
        return None;
    };
    let time_ns = seconds(&time).filter(|ns| *ns >= FIRST_NS)?;
    let mut record = Record::new(received_ns, body, resource);
    record.time_ns = Some(time_ns);
    record.original = Some(Cow::Borrowed(document));
    Some(record)
}

/// Seconds, as a number or as text, in nanoseconds.
pub(crate) fn seconds(value: &Value<'_>) -> Option<i64> {
    let text = match value {
        Value::Int(seconds) => return seconds.checked_mul(1_000_000_000),
        Value::Double(seconds) if seconds.is_finite() && seconds.abs() < 9e9 => {
            // A double holds a time of today to less than a microsecond.
            return Some((seconds * 1e6).round() as i64 * 1_000);
        }
        Value::Str(text) => text.trim(),
        _ => return None,
    };
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<9}").parse().ok()?;
    seconds.parse::<i64>().ok()?.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// More documents than one request may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body has more than {} records; send smaller ones", limits::RECORDS_PER_REQUEST)]
pub struct TooMany;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(body: &str, expected: &str) {
        let shown: Vec<_> = documents(body).map(|document| document.map_or("bad", |text| text).to_owned()).collect();
        assert_eq!(shown.join(" "), expected, "{body}");
    }

    #[test]
    fn one_after_the_other() {
        check("", "");
        check(r#"{"a":1}{"b":[2]}"#, r#"{"a":1} {"b":[2]}"#);
        check("{\"a\":1}\n\r\n {\"b\":\n2}", "{\"a\":1} {\"b\":\n2}");
        check(r#"[{"a":1}, 2 ,"x"]{"b":2}"#, r#"{"a":1} 2 "x" {"b":2}"#);
        check("[]", "");
        check("{\"a\":\n{\"b\":2}", "bad {\"b\":2}");
        check("{\"a\":}\n{\"b\":2}\nplain\n[1,]\n3", "bad {\"b\":2} bad bad 3");
        assert!(documents(&"[".repeat(100_000)).all(|document| document.is_err()));
    }

    #[test]
    fn pairs_of_a_time_and_an_object() {
        for (document, expected) in [
            (r#"[1795168800.123456,{"tag":"web"}]"#, Some((1_795_168_800_123_456_000, r#"{"tag":"web"}"#))),
            (r#"[1795168800,{}]"#, Some((1_795_168_800_000_000_000, "{}"))),
            (r#"[5,{"a":1}]"#, None),
            (r#"["1795168800",{"a":1}]"#, None),
            ("[1795168800,7]", None),
            (r#"[1795168800,{},1]"#, None),
            (r#"{"a":1}"#, None),
            ("[", None),
        ] {
            let record = timed(document, 7, Resource::from_attributes(Vec::new()));
            let shown = record.map(|record| {
                assert_eq!(record.original.as_deref(), Some(document));
                let mut body = String::new();
                json::write(&record.body, &mut body);
                (record.time_ns.unwrap(), body)
            });
            assert_eq!(shown.as_ref().map(|(time_ns, body)| (*time_ns, body.as_str())), expected, "{document}");
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics_and_always_ends(body in "[\\[\\]{}\", \n:0a]{0,60}") {
            prop_assert!(documents(&body).count() <= body.len());
        }
    }
}
