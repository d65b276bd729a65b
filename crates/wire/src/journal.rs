//! The journal's export format (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>), as `systemd-journal-upload` sends it.
//!
//! Entries of fields, `NAME=value` a line, or the name, a length and bytes where a value has a line feed in it; an empty
//! line ends an entry. Entries are cut off as they arrive: a sender that follows a journal never ends.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value, limits};

use crate::text::{INVALID_UTF8, TRUNCATED_BYTES, Text};

/// A stream that cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// An entry that could fill the memory.
    #[error("an entry of more than {0} bytes")]
    TooLarge(usize),
    /// A field whose length does not lead to its end.
    #[error("not the journal's export format: the field `{field}` does not end where its length says")]
    Field {
        /// Its name, cut to 64 characters.
        field: String,
    },
}

/// Finds where entries end in bytes that arrive in pieces.
#[derive(Debug, Default)]
pub struct Extent {
    /// Where the next field begins.
    at: usize,
}

fn max_entry_bytes() -> usize {
    8 * limits::record_bytes()
}

impl Extent {
    /// Length of the entry that `bytes` begin with, its end included, once it is there in full. `bytes` must begin with
    /// what was there before.
    ///
    /// # Errors
    /// [`JournalError`]: nothing that follows can be read.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, JournalError> {
        loop {
            if self.at > max_entry_bytes() {
                return Err(JournalError::TooLarge(max_entry_bytes()));
            }
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                let unfinished = self.at.max(bytes.len());
                return if unfinished > max_entry_bytes() {
                    Err(JournalError::TooLarge(max_entry_bytes()))
                } else {
                    Ok(None)
                };
            };
            if end == 0 {
                return Ok(Some(std::mem::take(&mut self.at) + 1));
            }
            match field(rest, end) {
                Field::Whole { length, .. } => self.at += length,
                Field::Unfinished(length) if length > max_entry_bytes() => {
                    return Err(JournalError::TooLarge(max_entry_bytes()));
                }
                Field::Unfinished(_) => return Ok(None),
                Field::Faulty => {
                    let field = String::from_utf8_lossy(&rest[..end]).chars().take(64).collect();
                    return Err(JournalError::Field { field });
                }
            }
        }
    }
}

enum Field<'a> {
    Whole {
        name: &'a [u8],
        value: &'a [u8],
        length: usize,
    },
    /// It will be so long.
    Unfinished(usize),
    Faulty,
}

/// The field that `rest` begins with, whose first line ends at `end`.
fn field(rest: &[u8], end: usize) -> Field<'_> {
    if let Some(equals) = memchr::memchr(b'=', &rest[..end]) {
        return Field::Whole { name: &rest[..equals], value: &rest[equals + 1..end], length: end + 1 };
    }
    let from = end + 1 + 8;
    let Some(length) = rest.get(end + 1..from).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) else {
        return Field::Unfinished(from);
    };
    let to = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX).saturating_add(from);
    match rest.get(to) {
        None => Field::Unfinished(to),
        Some(b'\n') => Field::Whole { name: &rest[..end], value: &rest[from..to], length: to + 1 },
        Some(_) => Field::Faulty,
    }
}

/// The record of an entry, as [`Extent`] found it. `None` if there is nothing in it.
pub fn record(mut entry: &[u8], received_ns: i64, resource: Arc<Resource>) -> Option<Record<'_>> {
    let mut record = Record::new(received_ns, Value::Null, resource);
    let mut pairs = Vec::new();
    let (mut truncated_bytes, mut invalid_utf8) = (0, false);
    while let Some(end) = memchr::memchr(b'\n', entry) {
        let Field::Whole { name, value, length } = field(entry, end) else { break };
        entry = &entry[length..];
        if name.is_empty() {
            continue;
        }
        let text = Text::new(value);
        truncated_bytes += text.truncated_bytes;
        invalid_utf8 |= text.invalid_utf8;
        match (name, &*text.text) {
            (b"__REALTIME_TIMESTAMP", us) => record.observed_ns = micros(us),
            (b"_SOURCE_REALTIME_TIMESTAMP", us) => record.time_ns = micros(us),
            (b"_HOSTNAME", _) => record.attributes.push((Cow::Borrowed("host.name"), Value::Str(text.text.clone()))),
            (b"_MACHINE_ID", _) => record.attributes.push((Cow::Borrowed("host.id"), Value::Str(text.text.clone()))),
            _ => {}
        }
        pairs.push((String::from_utf8_lossy(name), Value::Str(text.text)));
    }
    if pairs.is_empty() {
        return None;
    }
    record.time_ns = record.time_ns.or(record.observed_ns);
    if truncated_bytes > 0 {
        record.attributes.push((Cow::Borrowed(TRUNCATED_BYTES), Value::Int(truncated_bytes as i64)));
    }
    if invalid_utf8 {
        record.attributes.push((Cow::Borrowed(INVALID_UTF8), Value::Bool(true)));
    }
    record.body = Value::Map(pairs);
    Some(record)
}

fn micros(text: &str) -> Option<i64> {
    text.parse::<i64>().ok()?.checked_mul(1_000).filter(|ns| *ns > 0)
}

#[cfg(test)]
mod tests {
    use logkeep_record::json;
    use proptest::prelude::*;

    use super::*;

    const ENTRY: &[u8] = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795168800000001\n_HOSTNAME=web-1\nMESSAGE\n\x05\0\0\0\0\0\0\0a\n\nb=\nPRIORITY=3\n\n";

    fn shown(entry: &[u8]) -> String {
        let Some(record) = record(entry, 7, Resource::from_attributes(Vec::new())) else { return "nothing".to_owned() };
        let mut out = format!("{} ", record.time_ns.unwrap_or(0));
        json::write(&record.body, &mut out);
        for (key, value) in &record.attributes {
            out.push_str(&format!(" {key}="));
            json::write(value, &mut out);
        }
        out
    }

    #[test]
    fn entries() {
        assert_eq!(Extent::default().find(ENTRY), Ok(Some(ENTRY.len())));
        assert_eq!(
            shown(ENTRY),
            r#"1795168800000001000 {"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795168800000001","_HOSTNAME":"web-1","MESSAGE":"a\n\nb=","PRIORITY":"3"} host.name="web-1""#
        );
        assert_eq!(shown(b"\n"), "nothing");
        assert_eq!(shown(b"A=\xff\n\n"), "0 {\"A\":\"\u{fffd}\"} logkeep.invalid_utf8=true");
        let source = b"__REALTIME_TIMESTAMP=5\n_SOURCE_REALTIME_TIMESTAMP=4\nMESSAGE=x\n\n";
        assert!(shown(source).starts_with("4000 "));
    }

    #[test]
    fn what_cannot_be_read() {
        let find = |bytes: &[u8]| Extent::default().find(bytes);
        let field = JournalError::Field { field: "MESSAGE".to_owned() };
        assert_eq!(find(b"MESSAGE\n\x01\0\0\0\0\0\0\0abc\n\n"), Err(field));
        assert_eq!(find(b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc"), Err(JournalError::TooLarge(8 << 20)));
        assert_eq!(find(&vec![b'A'; (8 << 20) + 1]), Err(JournalError::TooLarge(8 << 20)));
        assert_eq!(find(&b"A=b\n".repeat(3 << 20)), Err(JournalError::TooLarge(8 << 20)));
        assert_eq!(find(b"A=b\n"), Ok(None));
    }

    proptest! {
        #[test]
        fn entries_are_found_in_pieces(first in 0..ENTRY.len(), second in 0..ENTRY.len()) {
            let mut extent = Extent::default();
            let both = [ENTRY, ENTRY].concat();
            for end in [first.min(second), first.max(second)] {
                prop_assert_eq!(extent.find(&both[..end]), Ok(None));
            }
            prop_assert_eq!(extent.find(&both), Ok(Some(ENTRY.len())));
            prop_assert_eq!(extent.find(&both[ENTRY.len()..]), Ok(Some(ENTRY.len())));
        }

        #[test]
        fn junk_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Extent::default().find(&bytes);
            record(&bytes, 7, Resource::from_attributes(Vec::new()));
        }
    }
}
