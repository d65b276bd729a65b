//! Server-sent events (WHATWG HTML, "Server-sent events"), as much of them as the API sends.

use std::io::{self, BufRead, Read};

/// An event or a line of more than this is no record.
const EVENT_BYTES: usize = 64 << 20;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its `event:`; `message` where absent.
    pub(crate) name: String,
    /// Its `data:` lines.
    pub(crate) data: String,
}

/// Reads the next event; `None` at the end of the stream. A half-received last event is dropped, as the standard says.
///
/// # Errors
/// The stream fails, is not UTF-8, or one event is over 64 MiB.
pub(crate) fn next_event(stream: &mut impl BufRead) -> io::Result<Option<Event>> {
    let mut event = Event::default();
    let mut seen = false;
    loop {
        let mut line = String::new();
        let room = (EVENT_BYTES - event.data.len()) as u64;
        if stream.by_ref().take(room + 1).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.len() as u64 > room {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an event of more than 64 MiB"));
        }
        if !line.ends_with('\n') {
            return Ok(None);
        }
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            if seen {
                return Ok(Some(event));
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "data" => {
                if seen {
                    event.data.push('\n');
                }
                seen = true;
                event.data.push_str(value);
            }
            // A comment (empty field name), `id`, `retry`: nothing we use.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let mut stream = text.as_bytes();
        let mut events = Vec::new();
        while let Some(event) = next_event(&mut stream).unwrap() {
            events.push((event.name, event.data));
        }
        let events: Vec<_> = events.iter().map(|(name, data)| (name.as_str(), data.as_str())).collect();
        assert_eq!(events, expected, "{text:?}");
    }

    #[test]
    fn events_and_comments() {
        check(": hello\n\nevent: record\ndata: {\"a\":1}\n\n", &[("record", "{\"a\":1}")]);
        check("event:status\r\ndata:1\r\ndata:2\r\n\r\nid: 5\n\n", &[("status", "1\n2")]);
        check("event: record\ndata: cut", &[]);
        check("event: record\ndata: cut\n", &[]);
        check("", &[]);
    }
}
