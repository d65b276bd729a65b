//! Where one message ends and the next begins on a stream: after a delimiter, or after as many bytes as were announced
//! (RFC 6587).

use logkeep_record::limits;

/// One message as it came, without its framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The message; a line end or NUL may still close it.
    pub bytes: &'a [u8],
    /// How much of it was far over `limits::record_bytes()` and is gone; the decoder cuts the rest.
    pub truncated_bytes: usize,
}

impl<'a> Frame<'a> {
    /// A datagram, or anything else that is one message.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, truncated_bytes: 0 }
    }
}

/// A stream that cannot be read on: close it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length that no message has.
    #[error("octet counting: a length of `{length}…`, over the limit of {} bytes", limits::record_bytes())]
    Length {
        /// Its first digits.
        length: String,
    },
    /// Something else than a length where one must be.
    #[error("octet counting: expected a length and a space, found byte 0x{byte:02x}")]
    NoLength {
        /// What was found.
        byte: u8,
    },
    /// The stream is not in the clear.
    #[error("the stream is {what}, not plain text; change the sender's setting or use the port for it")]
    NotPlain {
        /// What it looks like.
        what: &'static str,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    #[default]
    Unknown,
    Lines,
    Octets,
}

/// What a stream may be cut by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Either way of RFC 6587, as its first bytes show.
    Syslog,
    /// Always after one of these bytes.
    Delimited(u8, u8),
}

/// Cuts the bytes of one connection into messages. It holds at most one unfinished message beside what was pushed last.
#[derive(Debug)]
pub struct Framer {
    kind: Kind,
    framing: Framing,
    pub(crate) buffer: Vec<u8>,
    /// Everything before this was given out.
    start: usize,
    /// Everything before this holds no line end.
    scanned: usize,
    /// Bytes of the current line that were over the limit.
    overflow: usize,
}

/// A character more than is kept in the end, so that the cut can be made between two characters.
fn max_line_bytes() -> usize {
    limits::record_bytes() + 4
}
/// Digits of the largest length.
const MAX_DIGITS: usize = 8;

impl Framer {
    /// Counted octets, or messages that end in a line feed or NUL.
    pub fn syslog() -> Self {
        Self::new(Kind::Syslog)
    }

    /// Messages that end in a line feed.
    pub fn lines() -> Self {
        Self::new(Kind::Delimited(b'\n', b'\n'))
    }

    /// Messages that end in NUL.
    pub fn nul() -> Self {
        Self::new(Kind::Delimited(0, 0))
    }

    fn new(kind: Kind) -> Self {
        Self { kind, framing: Framing::Unknown, buffer: Vec::new(), start: 0, scanned: 0, overflow: 0 }
    }

    /// Whether a message has begun and not ended.
    pub fn is_unfinished(&self) -> bool {
        self.buffer.len() > self.start || self.overflow > 0
    }

    /// Takes bytes as they arrive. Call [`Framer::next_frame`] until it has no more before pushing again.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// [`FrameError`]: close the connection.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        if self.framing == Framing::Unknown {
            self.framing = self.detect()?;
        }
        match self.framing {
            Framing::Unknown => Ok(None),
            Framing::Lines => Ok(self.next_line()),
            Framing::Octets => self.next_counted(),
        }
    }

    /// The last message, if the connection ended within it.
    pub fn finish(&mut self) -> Option<Frame<'_>> {
        let truncated_bytes = std::mem::take(&mut self.overflow);
        let from = std::mem::replace(&mut self.start, self.buffer.len());
        self.scanned = self.start;
        let mut bytes = &self.buffer[from..];
        if self.framing == Framing::Octets
            && let Some(space) = bytes.iter().take(MAX_DIGITS + 1).position(|b| *b == b' ')
        {
            bytes = &bytes[space + 1..];
        }
        let bytes = bytes.trim_ascii_end();
        (!bytes.is_empty()).then_some(Frame { bytes, truncated_bytes })
    }

    fn next_line(&mut self) -> Option<Frame<'_>> {
        loop {
            let (one, other) = match self.kind {
                Kind::Syslog => (b'\n', 0),
                Kind::Delimited(one, other) => (one, other),
            };
            let Some(at) = memchr::memchr2(one, other, &self.buffer[self.scanned..]) else {
                self.drop_overflow();
                return None;
            };
            let (from, end) = (self.start, self.scanned + at);
            self.start = end + 1;
            self.scanned = self.start;
            let mut truncated_bytes = std::mem::take(&mut self.overflow);
            let kept = (end - from).min(max_line_bytes());
            truncated_bytes += end - from - kept;
            if kept > 0 && self.buffer[from..from + kept] != *b"\r" {
                return Some(Frame { bytes: &self.buffer[from..from + kept], truncated_bytes });
            }
        }
    }

    /// Forgets what an unfinished line has over the limit.
    fn drop_overflow(&mut self) {
        let max = self.start + max_line_bytes();
        self.overflow += self.buffer.len().saturating_sub(max);
        self.buffer.truncate(max);
        self.scanned = self.buffer.len();
    }

    fn next_counted(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        // Some senders end a counted message with a line feed they did not count.
        while self.buffer.get(self.start).is_some_and(|b| matches!(b, b'\n' | b'\r' | 0)) {
            self.start += 1;
        }
        self.scanned = self.start;
        let rest = &self.buffer[self.start..];
        let digits = rest.iter().take(MAX_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
        let text = String::from_utf8_lossy(&rest[..digits]).into_owned();
        let length = text.parse().ok().filter(|length| *length <= limits::record_bytes());
        match rest.get(digits) {
            _ if digits > MAX_DIGITS => Err(FrameError::Length { length: text }),
            None => Ok(None),
            Some(b' ') if digits > 0 => {
                let Some(length) = length else { return Err(FrameError::Length { length: text }) };
                let from = self.start + digits + 1;
                if self.buffer.len() - from < length {
                    return Ok(None);
                }
                self.start = from + length;
                self.scanned = self.start;
                Ok(Some(Frame::new(&self.buffer[from..from + length])))
            }
            Some(byte) => Err(FrameError::NoLength { byte: *byte }),
        }
    }
}

/// What is plainly not text: `None` if more bytes are needed to tell.
fn is_plain(start: &[u8]) -> Result<Option<()>, FrameError> {
    match start {
        [0x16, 0x03, ..] => Err(FrameError::NotPlain { what: "TLS" }),
        [0x78, 0x01 | 0x9c | 0xda, ..] => Err(FrameError::NotPlain { what: "compressed with zlib" }),
        [0x16 | 0x78] | [] => Ok(None),
        _ => Ok(Some(())),
    }
}

impl Framer {
    /// Digits and a space open a counted message. A stamp or other text may begin with digits, too.
    fn detect(&self) -> Result<Framing, FrameError> {
        let start = &self.buffer[self.start..];
        if is_plain(start)?.is_none() {
            return Ok(Framing::Unknown);
        }
        if self.kind != Kind::Syslog {
            return Ok(Framing::Lines);
        }
        let digits = start.iter().take_while(|b| b.is_ascii_digit()).count();
        Ok(match start.get(digits) {
            None if digits > 0 && digits <= 2 * MAX_DIGITS => Framing::Unknown,
            Some(b' ') if digits > 0 && start[0] != b'0' => Framing::Octets,
            _ => Framing::Lines,
        })
    }
}
