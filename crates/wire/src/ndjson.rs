//! Lines: JSON documents, plain text, or both mixed.
//!
//! This is what `curl` and a shell produce, and what most files hold. No line is refused: one that is no JSON object is
//! its own message, one that is too long is cut and says so. Reading is lazy, because a body of tiny lines would be a
//! hundred times larger as records.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value};

use crate::frame::Frame;
use crate::text::{TRUNCATED_BYTES, Text, body_and_original, trim_cr};

/// The lines of `body`, in order; empty lines are skipped and the last one need not end in a line feed.
pub fn lines(body: &[u8]) -> Lines<'_> {
    Lines { rest: body }
}

/// See [`lines`].
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let line = split_line(&mut self.rest);
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
        None
    }
}

/// Takes the first line off `rest`, without its line end.
pub(crate) fn split_line<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let (line, after) = match memchr::memchr(b'\n', rest) {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (*rest, &rest[rest.len()..]),
    };
    *rest = after;
    trim_cr(line)
}

/// The records of `body`, one a line.
pub fn records<'a>(
    body: &'a [u8],
    received_ns: i64,
    resource: Arc<Resource>,
) -> impl Iterator<Item = Record<'a>> + use<'a> {
    lines(body).map(move |line| record(line, received_ns, Arc::clone(&resource)))
}

/// The record of one line: the body of a JSON object is a map, that of any other line is its text.
pub fn record(line: &[u8], received_ns: i64, resource: Arc<Resource>) -> Record<'_> {
    let text = Text::new(line);
    let mut record = Record::new(received_ns, Value::Null, resource);
    text.mark(&mut record.attributes);
    (record.body, record.original) = body_and_original(text.text);
    record
}

/// The record of a line that a stream was cut into.
pub fn framed<'a>(line: &Frame<'a>, received_ns: i64, resource: Arc<Resource>) -> Record<'a> {
    let mut record = record(line.bytes, received_ns, resource);
    if line.truncated_bytes > 0 {
        record.attributes.push((Cow::Borrowed(TRUNCATED_BYTES), Value::Int(line.truncated_bytes as i64)));
    }
    record
}

#[cfg(test)]
mod tests {
    use logkeep_record::{json, limits};
    use proptest::prelude::*;

    use super::*;

    fn decode(body: &[u8]) -> Vec<Record<'_>> {
        records(body, 7, Resource::from_attributes(Vec::new())).collect()
    }

    fn check(body: &[u8], expected: &str) {
        let mut out = String::new();
        for record in decode(body) {
            json::write(&record.body, &mut out);
            out.push_str(if record.original.is_some() { "+original " } else { " " });
            for (key, value) in &record.attributes {
                out.push_str(key);
                out.push('=');
                json::write(value, &mut out);
                out.push(' ');
            }
        }
        assert_eq!(out.trim_end(), expected);
    }

    #[test]
    fn documents_and_plain_lines() {
        check(b"{\"a\":1}\n\nplain text\r\n  \n {\"b\":[2]}", r#"{"a":1}+original "plain text" {"b":[2]}+original"#);
        check(b"{broken\n[1,2]\n42", r#""{broken" "[1,2]" "42""#);
        check(b"", "");
        check(b"{\"a\":\"\xff\"}\n", "{\"a\":\"\u{fffd}\"}+original logkeep.invalid_utf8=true");
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let body = [vec![b'a'; limits::RECORD_BYTES - 1], "é".into(), b"\nnext".to_vec()].concat();
        let records = decode(&body);
        assert_eq!(records[0].body.as_str().unwrap().len(), limits::RECORD_BYTES - 1);
        assert_eq!(records[0].attribute("logkeep.truncated_bytes"), Some(&2.into()));
        assert_eq!(records[1].body.as_str(), Some("next"));
    }

    #[test]
    fn text_is_borrowed_from_the_request() {
        let records = decode(b"{\"key\":\"value\"}");
        assert!(matches!(records[0].original, Some(Cow::Borrowed(_))));
    }

    proptest! {
        #[test]
        fn every_line_with_content_becomes_one_record(lines in proptest::collection::vec("[ -~]{0,40}", 0..20)) {
            let body = lines.join("\n");
            let expected = lines.iter().filter(|line| !line.trim().is_empty()).count();
            prop_assert_eq!(decode(body.as_bytes()).len(), expected);
        }

        #[test]
        fn junk_never_panics(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            decode(&body);
        }
    }
}
