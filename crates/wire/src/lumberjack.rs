//! The protocol of Beats and Logstash, version 2 (<https://github.com/elastic/go-lumber>).
//!
//! A window says how many events follow, each a JSON document with its number, alone or several in a compressed frame.
//! Windows are acknowledged by the number of the last event that is safe. The protocol has no word for an error: whoever
//! cannot go on closes the connection, and the sender sends everything again that was not acknowledged.
//!
//! Version 1 (pairs of keys and values, obsolete for ten years) is refused by name. Not here: waiting for the rest of a
//! frame (`intake`), what the fields mean (`normalize`).

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value};

use crate::compress::{CompressError, decompress};
use crate::text::{Text, body_and_original};

/// A frame that cannot be read: close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LumberjackError {
    /// Version 1.
    #[error("the sender speaks version 1 of the protocol; only version 2 is supported")]
    Version1,
    /// Something else altogether.
    #[error("the stream is not the Beats protocol: it has {found:02x?} where a frame must begin")]
    NoFrame {
        /// The two bytes that are there.
        found: [u8; 2],
    },
    /// A frame of a kind that has no place there.
    #[error("a frame of the kind `{kind}` {place}")]
    Misplaced {
        /// Its letter.
        kind: char,
        /// Where it stood.
        place: &'static str,
    },
    /// Too large.
    #[error("a frame of {bytes} bytes, more than {max_bytes}; set a smaller `bulk_max_size`")]
    TooLarge {
        /// What it announces.
        bytes: usize,
        /// What is taken.
        max_bytes: usize,
    },
    /// The content of a compressed frame.
    #[error(transparent)]
    Compress(#[from] CompressError),
    /// A compressed frame that ends within a frame.
    #[error("a compressed frame ends in the middle of a frame")]
    CutOff,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// So many events follow.
    Window(u32),
    /// An event, as JSON.
    Event {
        /// Its number in the window.
        sequence: u32,
        /// The document.
        json: &'a [u8],
    },
    /// Frames, compressed.
    Compressed(&'a [u8]),
}

/// The first frame of `bytes` and its length, once it is there in full.
///
/// # Errors
/// [`LumberjackError`]: close the connection.
pub fn frame(bytes: &[u8], max_bytes: usize) -> Result<Option<(Frame<'_>, usize)>, LumberjackError> {
    let (head, kind) = match bytes {
        [b'2', b'W', ..] => (6, b'W'),
        [b'2', b'J', ..] => (10, b'J'),
        [b'2', b'C', ..] => (6, b'C'),
        [b'1', b'W' | b'D' | b'C' | b'J', ..] => return Err(LumberjackError::Version1),
        [b'2', b'A', ..] => return Err(LumberjackError::Misplaced { kind: 'A', place: "comes from a server only" }),
        [first, second, ..] => return Err(LumberjackError::NoFrame { found: [*first, *second] }),
        _ => return Ok(None),
    };
    let Some(numbers) = bytes.get(2..head) else { return Ok(None) };
    let number =
        |place: usize| numbers[place..place + 4].iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    if kind == b'W' {
        return Ok(Some((Frame::Window(number(0)), head)));
    }
    let length = number(head - 6) as usize;
    if length > max_bytes {
        return Err(LumberjackError::TooLarge { bytes: length, max_bytes });
    }
    let Some(content) = bytes.get(head..head + length) else { return Ok(None) };
    let frame =
        if kind == b'C' { Frame::Compressed(content) } else { Frame::Event { sequence: number(0), json: content } };
    Ok(Some((frame, head + length)))
}

/// Opens a compressed frame.
///
/// # Errors
/// [`LumberjackError::Compress`]: close the connection.
pub fn open(content: &[u8], max_bytes: usize) -> Result<Cow<'_, [u8]>, LumberjackError> {
    Ok(decompress(content, "deflate", max_bytes)?)
}

/// The events of a compressed frame that was opened; a window or compressed frame has no place in one.
///
/// # Errors
/// [`LumberjackError`]: close the connection.
pub fn events(mut bytes: &[u8]) -> Result<Vec<(u32, &[u8])>, LumberjackError> {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        let Some((frame, length)) = frame(bytes, bytes.len())? else { return Err(LumberjackError::CutOff) };
        match frame {
            Frame::Event { sequence, json } => events.push((sequence, json)),
            Frame::Window(_) => return Err(LumberjackError::Misplaced { kind: 'W', place: "within a compressed one" }),
            Frame::Compressed(_) => {
                return Err(LumberjackError::Misplaced { kind: 'C', place: "within a compressed one" });
            }
        }
        bytes = &bytes[length..];
    }
    Ok(events)
}

/// The record of an event. One that is no JSON object is its own text. `@metadata` is for routing and says nothing of
/// what happened, so only the original keeps it.
pub fn record(json: &[u8], received_ns: i64, resource: Arc<Resource>) -> Record<'_> {
    let text = Text::new(json);
    let mut record = Record::new(received_ns, Value::Null, resource);
    text.mark(&mut record.attributes);
    (record.body, record.original) = body_and_original(text.text);
    if let Value::Map(pairs) = &mut record.body {
        pairs.retain(|(key, _)| key != "@metadata");
    }
    record
}

/// Acknowledges the events up to this number; 0 only says that we are at work.
pub fn ack(sequence: u32) -> [u8; 6] {
    let [a, b, c, d] = sequence.to_be_bytes();
    [b'2', b'A', a, b, c, d]
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use logkeep_record::json;
    use proptest::prelude::*;

    use super::*;

    fn event(sequence: u8, json: &str) -> Vec<u8> {
        [b"2J\0\0\0".as_slice(), &[sequence], b"\0\0\0", &[json.len() as u8], json.as_bytes()].concat()
    }

    fn compressed(frames: &[u8]) -> Vec<u8> {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(frames).unwrap();
        let content = zlib.finish().unwrap();
        [b"2C".as_slice(), &(content.len() as u32).to_be_bytes(), &content].concat()
    }

    fn check(mut bytes: &[u8], expected: &str) {
        let mut out = String::new();
        while let Some((frame, length)) = match frame(bytes, 1_000) {
            Ok(frame) => frame,
            Err(error) => {
                out.push_str(&error.to_string());
                None
            }
        } {
            let text = |json: &[u8]| String::from_utf8_lossy(json).into_owned();
            match frame {
                Frame::Window(count) => out.push_str(&format!("{count}: ")),
                Frame::Event { sequence, json } => out.push_str(&format!("{sequence} {} ", text(json))),
                Frame::Compressed(content) => {
                    let opened = open(content, 1_000);
                    match opened.as_deref().map_err(Clone::clone).and_then(events) {
                        Ok(events) => {
                            events
                                .iter()
                                .for_each(|(number, json)| out.push_str(&format!("({number} {}) ", text(json))));
                        }
                        Err(error) => out.push_str(&error.to_string()),
                    }
                }
            }
            bytes = &bytes[length..];
        }
        assert_eq!(out.trim_end(), expected);
    }

    #[test]
    fn frames() {
        let (one, two) = (event(1, "{}"), event(2, "[1]"));
        check(&[b"2W\0\0\0\x02".as_slice(), &one, &two].concat(), "2: 1 {} 2 [1]");
        check(
            &[b"2W\0\0\0\x03".as_slice(), &compressed(&[one.clone(), two].concat()), &one].concat(),
            "3: (1 {}) (2 [1]) 1 {}",
        );
        check(b"2W\0\0\0\0", "0:");
        check(b"2W\0\0", "");
        check(&one[..11], "");
        check(b"1W\0\0\0\x01", "the sender speaks version 1 of the protocol; only version 2 is supported");
        check(b"GET / HTTP/1.1", "the stream is not the Beats protocol: it has [47, 45] where a frame must begin");
        check(
            b"2J\0\0\0\x01\xff\xff\xff\xff",
            "a frame of 4294967295 bytes, more than 1000; set a smaller `bulk_max_size`",
        );
        check(&compressed(b"2W\0\0\0\x01"), "a frame of the kind `W` within a compressed one");
        check(&compressed(&one[..11]), "a compressed frame ends in the middle of a frame");
        check(
            &compressed(&[b' '; 2_000]),
            "the body is larger than 1000 bytes when decompressed; send smaller batches",
        );
        assert_eq!(ack(258), *b"2A\0\0\x01\x02");
    }

    #[test]
    fn documents() {
        for (json, body) in [
            (r#"{"@metadata":{"beat":"filebeat"},"message":"hi"}"#, r#"{"message":"hi"}"#),
            ("not json", r#""not json""#),
            ("[1]", r#""[1]""#),
        ] {
            let record = record(json.as_bytes(), 7, Resource::from_attributes(Vec::new()));
            let mut out = String::new();
            json::write(&record.body, &mut out);
            assert_eq!(out, body);
            assert_eq!(record.original.is_some(), json.starts_with('{'));
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), first in 0..4_usize) {
            let bytes = [[b"2W".as_slice(), b"2J", b"2C", b""][first], &bytes].concat();
            let _ = frame(&bytes, 1_000);
            let _ = events(&bytes);
        }
    }
}
