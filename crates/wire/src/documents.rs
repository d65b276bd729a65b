//! JSON documents one after the other, as many HTTP senders put them: with line feeds between them, without anything, or
//! in an array.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, limits};
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

    proptest! {
        #[test]
        fn junk_never_panics_and_always_ends(body in "[\\[\\]{}\", \n:0a]{0,60}") {
            prop_assert!(documents(&body).count() <= body.len());
        }
    }
}
