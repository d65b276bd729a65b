//! Fluentd's Forward protocol, version 1, and Fluent Bit's dialect of it
//! (<https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1>).
//!
//! A stream of MessagePack arrays without any framing. Each has a tag and events in one of four modes, and a chunk id if
//! its sender waits for an ack. An event that is none costs only itself, as far as its end can be found. The `size` a
//! sender gives is never looked at: some give bytes, some events.
//!
//! Not here: what the fields mean (`normalize`), waiting for the rest of a message (`intake`).

mod event;
pub mod handshake;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::compress::{CompressError, decompress};
use crate::msgpack::{MsgpackError, Reader, Token, write_str};
pub use event::Events;

/// A message that cannot be read at all: close the connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// It is not MessagePack, or not a message.
    #[error(transparent)]
    Malformed(#[from] MsgpackError),
    /// Its events cannot be decompressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Where its sender routes it; every event has it, unless it is empty.
    pub tag: Cow<'a, str>,
    /// Set if its sender waits for [`ack`]: the same again for the same events.
    pub chunk: Option<&'a [u8]>,
    entries: Entries<'a>,
    compressed: &'a [u8],
    /// 0 for logs; 1 for metrics and 2 for traces, which Fluent Bit sends the same way.
    signal: i64,
}

#[derive(Clone, Copy, Debug)]
enum Entries<'a> {
    /// A time and a record, one after the other.
    One(&'a [u8]),
    /// As many arrays of the two.
    Array(&'a [u8], usize),
    /// The same without a count.
    Packed(&'a [u8]),
}

/// Reads a whole message, as [`crate::msgpack::Extent`] found it. `None` is a heartbeat.
///
/// # Errors
/// [`ForwardError`]: close the connection.
pub fn message(bytes: &[u8]) -> Result<Option<Message<'_>>, ForwardError> {
    let mut reader = Reader::new(bytes);
    let parts = match reader.token()? {
        Token::Nil => return Ok(None),
        Token::Array(parts @ 2..=4) => parts,
        Token::Array(parts) => return Err(reader.fault(format!("a message of {parts} parts")).into()),
        other => return Err(reader.fault(format!("expected a message, found {}", other.name())).into()),
    };
    let tag = match reader.token()? {
        Token::Str(tag) | Token::Bin(tag) => String::from_utf8_lossy(tag),
        other => return Err(reader.fault(format!("expected a tag, found {}", other.name())).into()),
    };
    let (entries, used) = entries(&mut reader)?;
    let mut message = Message { tag, chunk: None, entries, compressed: b"", signal: 0 };
    match parts.checked_sub(used) {
        Some(0) => {}
        Some(1) => message.options(&mut reader)?,
        _ => return Err(reader.fault(format!("a message of {parts} parts")).into()),
    }
    Ok(Some(message))
}

/// The events, and how many parts of the message they and the tag are.
fn entries<'a>(reader: &mut Reader<'a>) -> Result<(Entries<'a>, usize), MsgpackError> {
    let from = reader.rest();
    match reader.token()? {
        Token::Str(packed) | Token::Bin(packed) => Ok((Entries::Packed(packed), 2)),
        Token::Array(count) => {
            let inside = reader.rest();
            // Fluent Bit's time is an array, too, though of an extension and a map.
            let is_time = count == 2 && !matches!(reader.clone().token(), Ok(Token::Array(_)));
            for _ in 0..count {
                reader.skip()?;
            }
            if is_time {
                reader.skip()?;
                return Ok((Entries::One(&from[..from.len() - reader.rest().len()]), 3));
            }
            Ok((Entries::Array(&inside[..inside.len() - reader.rest().len()], count), 2))
        }
        Token::Nil | Token::Bool(_) | Token::Map(_) => Err(reader.fault("expected events")),
        Token::Int(_) | Token::Large(_) | Token::Double(_) | Token::Ext(..) => {
            reader.skip()?;
            Ok((Entries::One(&from[..from.len() - reader.rest().len()]), 3))
        }
    }
}

impl<'a> Message<'a> {
    fn options(&mut self, reader: &mut Reader<'a>) -> Result<(), MsgpackError> {
        let count = match reader.token()? {
            Token::Nil => 0,
            Token::Map(count) => count,
            other => return Err(reader.fault(format!("expected options, found {}", other.name()))),
        };
        for _ in 0..count {
            let Token::Str(key) = reader.token()? else { return Err(reader.fault("an option without a name")) };
            let value = Reader::new(reader.skip()?).token()?;
            match (key, value) {
                (b"chunk", Token::Str(chunk) | Token::Bin(chunk)) => self.chunk = Some(chunk),
                (b"compressed", Token::Str(name)) => self.compressed = name,
                (b"fluent_signal", Token::Int(signal)) => self.signal = signal,
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether its events are log records; others are not stored, though they are acked.
    pub fn is_logs(&self) -> bool {
        self.signal == 0
    }

    /// The events' bytes, decompressed if need be.
    ///
    /// # Errors
    /// [`ForwardError::Compress`]: close the connection.
    pub fn body(&self, max_bytes: usize) -> Result<Cow<'a, [u8]>, ForwardError> {
        let bytes = match self.entries {
            Entries::One(bytes) | Entries::Array(bytes, _) => return Ok(Cow::Borrowed(bytes)),
            Entries::Packed(bytes) => bytes,
        };
        let encoding = match self.compressed {
            b"" | b"text" => return Ok(Cow::Borrowed(bytes)),
            name => String::from_utf8_lossy(name),
        };
        Ok(decompress(bytes, &encoding, max_bytes)?)
    }

    /// The events in what [`Message::body`] gave.
    pub fn events<'b>(&self, body: &'b [u8], received_ns: i64) -> Events<'b> {
        let tag = Cow::Owned(self.tag.clone().into_owned());
        match self.entries {
            Entries::One(_) => Events::one(tag, body, received_ns),
            Entries::Array(_, count) => Events::counted(tag, body, count, received_ns),
            Entries::Packed(_) => Events::packed(tag, body, received_ns),
        }
    }
}

/// Whether a body is nothing but events, as Fluent Bit's output for HTTP has them. No text begins so.
pub fn is_events(body: &[u8]) -> bool {
    const PAIR: u8 = 0x92;
    body.first() == Some(&PAIR)
}

/// The events of such a body. They have no tag.
pub fn events(body: &[u8], received_ns: i64) -> Events<'_> {
    Events::packed(Cow::Borrowed(""), body, received_ns)
}

/// What a sender that gave a chunk id waits for, to be sent once its events are durable.
pub fn ack(chunk: &[u8]) -> Vec<u8> {
    let mut out = vec![0x81];
    write_str(b"ack", &mut out);
    write_str(chunk, &mut out);
    out
}
