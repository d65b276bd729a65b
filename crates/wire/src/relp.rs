//! RELP, rsyslog's reliable protocol (<https://github.com/rsyslog/librelp/blob/master/doc/relp.html>).
//!
//! Every frame has a number that its answer repeats, so a sender keeps each message until it is told that it is safe.

use logkeep_record::limits;

/// A stream that cannot be read on: close it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelpError {
    /// The head of a frame.
    #[error("the stream is not RELP: expected {expected} in the head of a frame, found byte 0x{byte:02x}")]
    Head {
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        byte: u8,
    },
    /// A length no message has.
    #[error("a frame of {0} bytes, more than {max}", max = max_bytes())]
    Length(usize),
}

/// What a frame asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To begin.
    Open,
    /// To store a message.
    Syslog,
    /// To end.
    Close,
    /// Something that was not offered.
    Unknown,
}

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its number.
    pub number: u32,
    /// What it asks for.
    pub command: Command,
    /// Its content.
    pub data: &'a [u8],
}

/// Longer messages are cut like any other; only what could fill the memory is refused.
fn max_bytes() -> usize {
    4 * limits::record_bytes()
}

/// The first frame of `bytes` and its length, once it is there in full.
///
/// # Errors
/// [`RelpError`]: close the connection.
pub fn frame(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, RelpError> {
    let mut reader = Head { bytes, at: 0 };
    // Some senders end a frame with more than one line feed.
    while bytes.get(reader.at) == Some(&b'\n') {
        reader.at += 1;
    }
    let Some(number) = reader.number(9)? else { return Ok(None) };
    let Some(()) = reader.space()? else { return Ok(None) };
    let Some(command) = reader.word()? else { return Ok(None) };
    let Some(()) = reader.space()? else { return Ok(None) };
    let Some(length) = reader.number(9)? else { return Ok(None) };
    if length as usize > max_bytes() {
        return Err(RelpError::Length(length as usize));
    }
    if length > 0 && reader.space()?.is_none() {
        return Ok(None);
    }
    let end = reader.at + length as usize;
    let Some(data) = bytes.get(reader.at..end) else { return Ok(None) };
    // An empty frame may have a space before its line feed.
    let end = if length == 0 && bytes.get(end) == Some(&b' ') { end + 1 } else { end };
    match bytes.get(end) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((Frame { number, command: command_of(command), data }, end + 1))),
        Some(byte) => Err(RelpError::Head { expected: "the end", byte: *byte }),
    }
}

fn command_of(word: &[u8]) -> Command {
    match word {
        b"open" => Command::Open,
        b"syslog" => Command::Syslog,
        b"close" => Command::Close,
        _ => Command::Unknown,
    }
}

struct Head<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Head<'a> {
    /// Bytes of a kind, up to one of another; `None` if they may go on.
    fn run(&mut self, max: usize, expected: &'static str, is: fn(&u8) -> bool) -> Result<Option<&'a [u8]>, RelpError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(max + 1).take_while(|byte| is(byte)).count();
        match rest.get(length.min(max)) {
            Some(byte) if length == 0 || length > max => Err(RelpError::Head { expected, byte: *byte }),
            Some(_) => {
                self.at += length;
                Ok(Some(&rest[..length]))
            }
            None => Ok(None),
        }
    }

    fn number(&mut self, max: usize) -> Result<Option<u32>, RelpError> {
        let digits = self.run(max, "a number", u8::is_ascii_digit)?;
        Ok(digits.map(|digits| digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))))
    }

    fn word(&mut self) -> Result<Option<&'a [u8]>, RelpError> {
        self.run(32, "a command", u8::is_ascii_alphabetic)
    }

    fn space(&mut self) -> Result<Option<()>, RelpError> {
        match self.bytes.get(self.at) {
            None => Ok(None),
            Some(b' ') => {
                self.at += 1;
                Ok(Some(()))
            }
            Some(byte) => Err(RelpError::Head { expected: "a space", byte: *byte }),
        }
    }
}

/// Answers a frame.
pub fn response(number: u32, text: &str) -> Vec<u8> {
    match text.len() {
        0 => format!("{number} rsp 0\n").into_bytes(),
        length => format!("{number} rsp {length} {text}\n").into_bytes(),
    }
}

/// The answer to [`Command::Open`], with what we offer.
pub fn opened(number: u32) -> Vec<u8> {
    response(number, "200 OK\nrelp_version=0\nrelp_software=logkeep\ncommands=syslog")
}

/// The server ends the session.
pub const SERVER_CLOSE: &[u8] = b"0 serverclose 0\n";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(mut bytes: &[u8], expected: &str) {
        let mut out = String::new();
        loop {
            match frame(bytes) {
                Ok(Some((Frame { number, command, data }, length))) => {
                    out.push_str(&format!("{number} {command:?} `{}` ", String::from_utf8_lossy(data)));
                    bytes = &bytes[length..];
                }
                Ok(None) => break,
                Err(error) => {
                    out.push_str(&error.to_string());
                    break;
                }
            }
        }
        assert_eq!(out.trim_end(), expected);
    }

    #[test]
    fn frames() {
        check(
            b"1 open 14 relp_version=0\n2 syslog 6 <13>hi\n3 close 0\n",
            "1 Open `relp_version=0` 2 Syslog `<13>hi` 3 Close ``",
        );
        check(b"3 close 0 \n4 starttls 1 x\n", "3 Close `` 4 Unknown `x`");
        check(b"2 syslog 3 a\nb\n\n", "2 Syslog `a\nb`");
        check(b"2 syslog 99 <13>", "");
        let not = |expected: &str, byte: &str| {
            format!("the stream is not RELP: expected {expected} in the head of a frame, found byte 0x{byte}")
        };
        check(b"<13>hi\n", &not("a number", "3c"));
        check(b"1  syslog", &not("a command", "20"));
        check(b"1 syslog 2 abc\n", &not("the end", "63"));
        check(b"1234567890 syslog", &not("a number", "30"));
        check(b"1 syslog 99999999 x", "a frame of 99999999 bytes, more than 4194304");
        assert_eq!(response(7, "200 OK"), b"7 rsp 6 200 OK\n");
        assert_eq!(response(7, ""), b"7 rsp 0\n");
    }

    proptest! {
        #[test]
        fn frames_are_found_in_pieces(data in "[ -~\n]{1,40}") {
            let whole = format!("12 syslog {} {data}\n", data.len());
            for end in 0..whole.len() {
                prop_assert_eq!(frame(&whole.as_bytes()[..end]), Ok(None));
            }
            let found = frame(whole.as_bytes()).unwrap().unwrap();
            prop_assert_eq!((found.0.data, found.1), (data.as_bytes(), whole.len()));
        }

        #[test]
        fn junk_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = frame(&bytes);
        }
    }
}
