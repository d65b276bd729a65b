//! MessagePack, as far as senders of logs use it (<https://github.com/msgpack/msgpack/blob/master/spec.md>).
//!
//! A decoder of our own, because those there are build a tree of their own first, do not borrow, and leave the bounds to
//! the caller. Values go straight to [`Value`]; nesting is bounded by `limits::VALUE_DEPTH`, lengths by what is there, and
//! finding the end of a value takes no memory at all.

use std::borrow::Cow;

use logkeep_record::{Value, json, limits};

use crate::text::Text;

/// Bytes that are not MessagePack, or not what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not MessagePack as expected at byte {at}: {what}")]
pub struct MsgpackError {
    /// Offset where reading stopped.
    pub at: usize,
    /// What was wrong there.
    pub what: String,
}

/// Why the end of a message cannot be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtentError {
    /// Nothing that follows can be read.
    #[error(transparent)]
    Malformed(MsgpackError),
    /// It says that it has more bytes than this.
    #[error("a message is larger than {0} bytes")]
    TooLarge(usize),
}

/// One value without its content.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Over the range of `i64`.
    Large(u64),
    Double(f64),
    /// Text, by its type; senders put bytes there, too.
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Ext(i8, &'a [u8]),
    Array(usize),
    Map(usize),
}

/// What a first byte says of the value.
enum Head {
    /// Bytes of length that follow, and then what they count.
    Sized(usize, Counts),
    /// A count that is in the byte itself.
    Fixed(usize, Counts),
    Unused,
}

#[derive(Clone, Copy, PartialEq)]
enum Counts {
    Bytes,
    /// One more for the type of an extension.
    Typed,
    Values,
    Pairs,
}

fn head(first: u8) -> Head {
    use Counts::{Bytes, Pairs, Typed, Values};
    match first {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Head::Fixed(0, Bytes),
        0x80..=0x8f => Head::Fixed(usize::from(first & 0x0f), Pairs),
        0x90..=0x9f => Head::Fixed(usize::from(first & 0x0f), Values),
        0xa0..=0xbf => Head::Fixed(usize::from(first & 0x1f), Bytes),
        0xc1 => Head::Unused,
        0xc4 | 0xd9 => Head::Sized(1, Bytes),
        0xc5 | 0xda => Head::Sized(2, Bytes),
        0xc6 | 0xdb => Head::Sized(4, Bytes),
        0xc7 => Head::Sized(1, Typed),
        0xc8 => Head::Sized(2, Typed),
        0xc9 => Head::Sized(4, Typed),
        0xcc | 0xd0 => Head::Fixed(1, Bytes),
        0xcd | 0xd1 => Head::Fixed(2, Bytes),
        0xca | 0xce | 0xd2 => Head::Fixed(4, Bytes),
        0xcb | 0xcf | 0xd3 => Head::Fixed(8, Bytes),
        0xd4..=0xd8 => Head::Fixed(1 << (first - 0xd4), Typed),
        0xdc => Head::Sized(2, Values),
        0xdd => Head::Sized(4, Values),
        0xde => Head::Sized(2, Pairs),
        0xdf => Head::Sized(4, Pairs),
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Finds the end of a value in bytes that arrive in pieces, without looking at any of them twice.
#[derive(Debug)]
pub struct Extent {
    at: usize,
    /// Values that are still to come.
    open: u64,
    max_bytes: usize,
}

impl Extent {
    /// For one value of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self { at: 0, open: 1, max_bytes }
    }

    /// Length of the value that `bytes` begin with, once it is there in full. `bytes` must begin with what was there
    /// before.
    ///
    /// # Errors
    /// [`ExtentError`]: the connection has to end.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, ExtentError> {
        let fault = |at, what: String| ExtentError::Malformed(MsgpackError { at, what });
        while self.open > 0 {
            let Some(first) = bytes.get(self.at) else { return Ok(None) };
            let (counted, length, counts) = match head(*first) {
                Head::Unused => return Err(fault(self.at, "0xc1 is never used".to_owned())),
                Head::Fixed(length, counts) => (0, length as u64, counts),
                Head::Sized(width, counts) => {
                    let Some(length) = bytes.get(self.at + 1..self.at + 1 + width) else { return Ok(None) };
                    (width, big_endian(length), counts)
                }
            };
            let (content, inner) = match counts {
                Counts::Bytes => (length, 0),
                Counts::Typed => (length + 1, 0),
                Counts::Values => (0, length),
                Counts::Pairs => (0, 2 * length),
            };
            let end = self.at as u64 + 1 + counted as u64 + content;
            self.open = self.open - 1 + inner;
            // Each value that is still to come has a byte at least.
            if end + self.open > self.max_bytes as u64 {
                return Err(ExtentError::TooLarge(self.max_bytes));
            }
            // The end of what is skipped need not be here yet.
            self.at = end as usize;
        }
        Ok((bytes.len() >= self.at).then_some(self.at))
    }
}

/// Reads values off bytes that are all there.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
    /// Integers over the range of `i64` come as those with the same bits, not as the nearest double.
    wide_integers: bool,
    /// Bytes cut off texts that were longer than a record may be.
    pub(crate) truncated_bytes: usize,
    pub(crate) invalid_utf8: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { whole: bytes, at: 0, wide_integers: false, truncated_bytes: 0, invalid_utf8: false }
    }

    /// For values among which there are ids of 64 bits.
    pub(crate) fn with_wide_integers(bytes: &'a [u8]) -> Self {
        Self { wide_integers: true, ..Self::new(bytes) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.whole.len()
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.whole[self.at..]
    }

    pub(crate) fn fault(&self, what: impl Into<String>) -> MsgpackError {
        MsgpackError { at: self.at, what: what.into() }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], MsgpackError> {
        let Some(taken) = self.whole.get(self.at..).and_then(|rest| rest.get(..length)) else {
            return Err(self.fault("it ends in the middle of a value"));
        };
        self.at += length;
        Ok(taken)
    }

    /// The next value's head, and its content unless that is values.
    pub(crate) fn token(&mut self) -> Result<Token<'a>, MsgpackError> {
        let first = self.take(1)?[0];
        let (length, counts) = match head(first) {
            Head::Unused => return Err(self.fault("0xc1 is never used")),
            Head::Fixed(length, counts) => (length, counts),
            Head::Sized(width, counts) => (big_endian(self.take(width)?) as usize, counts),
        };
        Ok(match counts {
            Counts::Values => Token::Array(length),
            Counts::Pairs => Token::Map(length),
            Counts::Typed => {
                let kind = self.take(1)?[0] as i8;
                Token::Ext(kind, self.take(length)?)
            }
            Counts::Bytes => scalar(first, self.take(length)?),
        })
    }

    /// An array, and how many values it has.
    pub(crate) fn array(&mut self) -> Result<usize, MsgpackError> {
        match self.token()? {
            Token::Array(count) => Ok(count),
            other => Err(self.fault(format!("expected an array, found {}", other.name()))),
        }
    }

    /// Passes over one value, however deep.
    pub(crate) fn skip(&mut self) -> Result<&'a [u8], MsgpackError> {
        let rest = self.rest();
        match Extent::new(rest.len()).find(rest) {
            Ok(Some(length)) => self.take(length),
            _ => Err(self.fault("it ends in the middle of a value")),
        }
    }

    /// One value with all that is in it.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Value<'a>, MsgpackError> {
        let token = self.token()?;
        self.content(token, depth)
    }

    pub(crate) fn content(&mut self, token: Token<'a>, depth: usize) -> Result<Value<'a>, MsgpackError> {
        if depth >= limits::VALUE_DEPTH && matches!(token, Token::Array(_) | Token::Map(_)) {
            return Err(self.fault(format!("nested more than {} deep", limits::VALUE_DEPTH)));
        }
        Ok(match token {
            Token::Nil => Value::Null,
            Token::Bool(value) => Value::Bool(value),
            Token::Int(value) => Value::Int(value),
            Token::Large(value) if self.wide_integers => Value::Int(value as i64),
            Token::Large(value) => Value::Double(value as f64),
            Token::Double(value) => Value::Double(value),
            Token::Str(bytes) => Value::Str(self.text(bytes)),
            Token::Bin(bytes) if std::str::from_utf8(bytes).is_ok() => Value::Str(self.text(bytes)),
            Token::Bin(bytes) | Token::Ext(_, bytes) => Value::Bytes(Cow::Borrowed(bytes)),
            Token::Array(count) => {
                // What is announced need not be there.
                let mut values = Vec::with_capacity(count.min(16));
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::Array(values)
            }
            Token::Map(count) => {
                let mut pairs = Vec::with_capacity(count.min(32));
                for _ in 0..count {
                    pairs.push((self.key()?, self.value(depth + 1)?));
                }
                Value::Map(pairs)
            }
        })
    }

    /// Keys are text nearly always, and otherwise plain values, which are written as JSON. What has values inside is no key:
    /// written as text within text within text, sixty levels of it would fill any memory.
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>, MsgpackError> {
        let token = self.token()?;
        if matches!(token, Token::Array(_) | Token::Map(_)) {
            return Err(self.fault(format!("{} where a key must be", token.name())));
        }
        Ok(match self.content(token, 0)? {
            Value::Str(text) => text,
            other => {
                let mut text = String::new();
                json::write(&other, &mut text);
                Cow::Owned(text)
            }
        })
    }

    fn text(&mut self, bytes: &'a [u8]) -> Cow<'a, str> {
        let text = Text::new(bytes);
        self.truncated_bytes += text.truncated_bytes;
        self.invalid_utf8 |= text.invalid_utf8;
        text.text
    }
}

fn scalar(first: u8, content: &[u8]) -> Token<'_> {
    let number = || big_endian(content);
    match first {
        0x00..=0x7f => Token::Int(i64::from(first)),
        0xe0..=0xff => Token::Int(i64::from(first as i8)),
        0xc2 | 0xc3 => Token::Bool(first == 0xc3),
        0xa0..=0xbf | 0xd9..=0xdb => Token::Str(content),
        0xc4..=0xc6 => Token::Bin(content),
        0xca => Token::Double(f64::from(f32::from_bits(number() as u32))),
        0xcb => Token::Double(f64::from_bits(number())),
        0xcc..=0xcf => i64::try_from(number()).map_or(Token::Large(number()), Token::Int),
        0xd0 => Token::Int(i64::from(number() as i8)),
        0xd1 => Token::Int(i64::from(number() as i16)),
        0xd2 => Token::Int(i64::from(number() as i32)),
        0xd3 => Token::Int(number() as i64),
        _ => Token::Nil,
    }
}

impl Token<'_> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Large(_) => "an integer",
            Self::Double(_) => "a float",
            Self::Str(_) => "a string",
            Self::Bin(_) => "binary",
            Self::Ext(..) => "an extension",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
        }
    }
}

/// Appends a text, as every answer needs.
pub(crate) fn write_str(text: &[u8], out: &mut Vec<u8>) {
    match text.len() {
        length @ 0..=31 => out.push(0xa0 | length as u8),
        length @ 32..=255 => out.extend([0xd9, length as u8]),
        length @ 256..=65_535 => {
            out.push(0xda);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(0xdb);
            out.extend((length as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

/// Appends up to 255 bytes as binary.
pub(crate) fn write_short_bin(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend([0xc4, bytes.len() as u8]);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        let mut reader = Reader::new(bytes);
        let shown = match reader.value(0) {
            Ok(value) => {
                let mut out = String::new();
                json::write(&value, &mut out);
                out
            }
            Err(error) => error.what,
        };
        assert_eq!(shown, expected, "{bytes:02x?}");
        let extent = Extent::new(1 << 20).find(bytes);
        assert_eq!(matches!(extent, Ok(Some(_))), !shown.contains("ends in the middle") && !shown.contains("never"));
    }

    #[test]
    fn every_type() {
        for (bytes, expected) in [
            (b"\xc0".as_slice(), "null"),
            (b"\xc2", "false"),
            (b"\xc3", "true"),
            (b"\x7f", "127"),
            (b"\xe0", "-32"),
            (b"\xcc\xff", "255"),
            (b"\xcd\x01\x00", "256"),
            (b"\xce\x00\x01\x00\x00", "65536"),
            (b"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "9223372036854775807"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "1.8446744073709552e19"),
            (b"\xd0\x80", "-128"),
            (b"\xd1\x80\x00", "-32768"),
            (b"\xd2\x80\x00\x00\x00", "-2147483648"),
            (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", "-1"),
            (b"\xca\x3f\xc0\x00\x00", "1.5"),
            (b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "1.5"),
            (b"\xa3abc", "\"abc\""),
            (b"\xd9\x01a", "\"a\""),
            (b"\xda\x00\x01a", "\"a\""),
            (b"\xdb\x00\x00\x00\x01a", "\"a\""),
            (b"\xa2\xff\xfe", "\"\u{fffd}\u{fffd}\""),
            (b"\xc4\x01a", "\"a\""),
            (b"\xc5\x00\x02\xff\xfe", "\"fffe\""),
            (b"\xc6\x00\x00\x00\x00", "\"\""),
            (b"\xd4\x01\xaa", "\"aa\""),
            (b"\xd8\x01AAAAAAAAAAAAAAAA", "\"41414141414141414141414141414141\""),
            (b"\xc7\x01\x05\xaa", "\"aa\""),
            (b"\xc8\x00\x01\x05\xaa", "\"aa\""),
            (b"\xc9\x00\x00\x00\x01\x05\xaa", "\"aa\""),
            (b"\x92\x01\x90", "[1,[]]"),
            (b"\xdc\x00\x01\x01", "[1]"),
            (b"\xdd\x00\x00\x00\x01\x01", "[1]"),
            (b"\x82\xa1a\x01\x02\xc0", "{\"a\":1,\"2\":null}"),
            (b"\xde\x00\x01\xa1a\x01", "{\"a\":1}"),
            (b"\xdf\x00\x00\x00\x01\xa1a\x01", "{\"a\":1}"),
            (b"\x81\x82\xc0\xc0\xc0\xc0\xc0", "a map where a key must be"),
            (b"\xc1", "0xc1 is never used"),
            (b"", "it ends in the middle of a value"),
            (b"\xa3ab", "it ends in the middle of a value"),
            (b"\xdd\xff\xff\xff\xff\x01", "it ends in the middle of a value"),
            (b"\xdf\xff\xff\xff\xff", "it ends in the middle of a value"),
        ] {
            check(bytes, expected);
        }
    }

    #[test]
    fn bombs() {
        let deep = vec![0x91; 1_000_000];
        assert_eq!(Reader::new(&deep).value(0).unwrap_err().what, "nested more than 64 deep");
        assert_eq!(Extent::new(1 << 20).find(b"\xdd\xff\xff\xff\xff"), Err(ExtentError::TooLarge(1 << 20)));
        assert_eq!(Extent::new(100).find(b"\xdb\x00\x00\x00\x60"), Err(ExtentError::TooLarge(100)));
        let mut extent = Extent::new(1 << 20);
        assert_eq!(extent.find(&deep), Ok(None));
    }

    #[test]
    fn texts_longer_than_a_record_are_cut() {
        let mut bytes = vec![0xdb];
        bytes.extend((limits::RECORD_BYTES as u32 + 5).to_be_bytes());
        bytes.extend(vec![b'a'; limits::RECORD_BYTES + 5]);
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.value(0).unwrap().as_str().unwrap().len(), limits::RECORD_BYTES);
        assert_eq!((reader.truncated_bytes, reader.is_empty()), (5, true));
    }

    proptest! {
        #[test]
        fn the_end_is_found_in_pieces_and_reading_ends_there(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            let read = reader.value(0).is_ok();
            let mut extent = Extent::new(1 << 20);
            let found = (0..=bytes.len()).find_map(|end| extent.find(&bytes[..end]).transpose());
            if read {
                prop_assert_eq!(found, Some(Ok(bytes.len() - reader.rest().len())));
            }
        }
    }
}
