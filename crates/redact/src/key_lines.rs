//! Private keys that are logged line by line, a record each.
//!
//! Only the first line and the last say what they are; those between are base64, as much else is. So what follows a first line in
//! the same stream is taken for the rest of the key, up to its last line, or until too many lines are something else.

use std::collections::HashMap;

use logkeep_record::{Record, Value};

/// Streams in which a key is open at once; at this number all are forgotten.
const STREAMS: usize = 1_024;
/// Lines of a key; the longest in use has about 200.
const LINES: u16 = 512;
/// Lines of something else in a row, such as another thread's.
const OTHERS: u16 = 8;
/// A word of base64 that stands behind something else is at least so long; lines of PEM have 64 characters, or 76.
const WORD: usize = 40;
const STREAM: &str = "log.iostream";

/// A sender's resource, and the stream of its process where that is known.
type Stream = ([u8; 32], Option<String>);

/// Where keys have begun and not ended. It may be given on to whoever redacts what the same senders say next.
#[derive(Clone, Debug, Default)]
pub struct KeyLines(HashMap<Stream, Open>);

#[derive(Clone, Copy, Debug, Default)]
struct Open {
    lines: u16,
    others: u16,
}

/// What a line is to a key that has begun.
enum Part<'t> {
    /// This is of the key.
    Inside(&'t str),
    Last(&'t str),
    /// It says how the key is encrypted, or nothing.
    Beside,
    Other,
}

impl KeyLines {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A key begins in this record and does not end there.
    pub(crate) fn begin(&mut self, record: &Record<'_>) {
        if self.0.len() >= STREAMS {
            self.0.clear();
        }
        self.0.insert(stream(record), Open::default());
    }

    /// What of this record is of a key that began in one before it.
    pub(crate) fn next(&mut self, record: &Record<'_>) -> Option<String> {
        let stream = stream(record);
        let open = self.0.get_mut(&stream)?;
        open.lines += 1;
        let part = record.body.as_str().map_or(Part::Other, part);
        open.others = if matches!(part, Part::Other) { open.others + 1 } else { 0 };
        let is_over = matches!(part, Part::Last(_)) || open.lines >= LINES || open.others >= OTHERS;
        if is_over {
            self.0.remove(&stream);
        }
        match part {
            Part::Inside(text) | Part::Last(text) => Some(text.to_owned()),
            Part::Beside | Part::Other => None,
        }
    }
}

fn stream(record: &Record<'_>) -> Stream {
    let stream = record.attribute(STREAM).and_then(Value::as_str).map(str::to_owned);
    (*record.resource.digest(), stream)
}

/// Whether a private key begins in a text and does not end there.
pub(crate) fn begins(text: &str) -> bool {
    let Some((_, rest)) = text.rsplit_once("-----BEGIN ") else { return false };
    rest.split_once("PRIVATE KEY").is_some_and(|(_, rest)| !rest.contains("-----END"))
}

fn part(line: &str) -> Part<'_> {
    if let Some(at) = line.find("-----END ").filter(|at| line[*at..].contains("PRIVATE KEY")) {
        return Part::Last(line[at..].trim_end());
    }
    let line = line.trim();
    if line.is_empty() || line.starts_with("Proc-Type:") || line.starts_with("DEK-Info:") {
        return Part::Beside;
    }
    let word = line.rsplit(char::is_whitespace).next().unwrap_or(line);
    let is_base64 = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    // The last line may be short, but is whole.
    let is_long_enough = word.len() >= WORD || word.len() == line.len() && word.len().is_multiple_of(4);
    if is_base64 && is_long_enough { Part::Inside(word) } else { Part::Other }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use logkeep_record::{Resource, TenantId};

    use super::*;
    use crate::{Action, HashKey, LeftOut, Redaction, Redactor, Rules};

    const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    const MARKER: &str = "[redacted:private_key]";

    fn redaction(secrets: Action) -> Redaction {
        let rules = Rules { secrets, ..Rules::default() };
        Redaction::new(Arc::new(Redactor::new(rules, HashKey::new([1; 32]))), TenantId::default())
    }

    fn line(service: &str, text: &str) -> Record<'static> {
        let resource = Resource::from_attributes(vec![("service.name".into(), Value::from(service.to_owned()))]);
        let mut record = Record::new(0, Value::from(text.to_owned()), resource);
        record.original = Some(format!("<13>1 - - {service} - - - {text}").into());
        record
    }

    fn redacted(redaction: &mut Redaction, service: &str, text: &str) -> String {
        let mut record = line(service, text);
        redaction.apply(&mut record).unwrap();
        let body = record.body.as_str().unwrap().to_owned();
        assert!(record.original.unwrap().ends_with(&body), "the original says no more");
        body
    }

    fn check(lines: &[(&str, &str, &str)]) {
        let mut redaction = redaction(Action::Mask);
        for (service, text, expected) in lines {
            assert_eq!(redacted(&mut redaction, service, text), *expected, "{service}: {text}");
        }
    }

    #[test]
    fn lines_of_a_key_are_hidden_up_to_its_end() {
        check(&[
            ("a", LINE, LINE),
            ("a", "-----BEGIN RSA PRIVATE KEY-----", MARKER),
            ("a", "Proc-Type: 4,ENCRYPTED", "Proc-Type: 4,ENCRYPTED"),
            ("a", "", ""),
            ("a", LINE, MARKER),
            ("b", LINE, LINE),
            ("a", "another thread says this", "another thread says this"),
            ("a", &format!("key: {LINE}"), &format!("key: {MARKER}")),
            ("a", "AbC=", MARKER),
            ("a", "-----END RSA PRIVATE KEY-----", MARKER),
            ("a", LINE, LINE),
        ]);
    }

    #[test]
    fn a_key_that_never_ends_does_not_hide_everything() {
        let mut lines = vec![("a", "-----BEGIN EC PRIVATE KEY-----", MARKER), ("a", LINE, MARKER)];
        lines.extend([("a", "GET /cart 200 0.1", "GET /cart 200 0.1"); OTHERS as usize]);
        lines.push(("a", LINE, LINE));
        check(&lines);
        let mut lines = vec![("a", "-----BEGIN EC PRIVATE KEY-----", MARKER)];
        lines.extend([("a", LINE, MARKER); LINES as usize]);
        lines.push(("a", LINE, LINE));
        check(&lines);
    }

    #[test]
    fn a_key_in_one_record_opens_nothing_and_a_public_one_neither() {
        let whole = format!("-----BEGIN PRIVATE KEY-----\n{LINE}\n-----END PRIVATE KEY-----");
        check(&[("a", &whole, MARKER), ("a", LINE, LINE)]);
        check(&[("a", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----"), ("a", LINE, LINE)]);
    }

    #[test]
    fn streams_of_a_process_are_apart() {
        let mut redaction = redaction(Action::Mask);
        let mut of = |stream: &str, text: &str| {
            let mut record = line("a", text);
            record.attributes.push((STREAM.into(), Value::from(stream.to_owned())));
            redaction.apply(&mut record).unwrap();
            record.body.as_str().unwrap().to_owned()
        };
        of("stderr", "-----BEGIN PRIVATE KEY-----");
        assert_eq!((of("stdout", LINE).as_str(), of("stderr", LINE).as_str()), (LINE, MARKER));
    }

    #[test]
    fn what_the_rules_say_of_keys_holds_for_their_lines() {
        let mut dropping = redaction(Action::DropRecord);
        let left_out = Err(LeftOut("secrets".into()));
        assert_eq!(dropping.apply(&mut line("a", "-----BEGIN PRIVATE KEY-----")), left_out);
        assert_eq!(dropping.apply(&mut line("a", LINE)), left_out);
        let mut keeping = redaction(Action::Keep);
        assert_eq!(redacted(&mut keeping, "a", "-----BEGIN PRIVATE KEY-----"), "-----BEGIN PRIVATE KEY-----");
        assert_eq!(redacted(&mut keeping, "a", LINE), LINE);
    }

    #[test]
    fn open_keys_are_given_on_and_bounded() {
        let mut first = redaction(Action::Mask);
        for number in 0..2 * STREAMS {
            redacted(&mut first, &number.to_string(), "-----BEGIN PRIVATE KEY-----");
            assert!(first.key_lines().0.len() <= STREAMS);
        }
        let last = (2 * STREAMS - 1).to_string();
        let mut next = redaction(Action::Mask);
        next.go_on(first.key_lines().clone());
        assert_eq!(redacted(&mut next, &last, LINE), MARKER);
    }
}
