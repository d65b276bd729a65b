//! Label text: `{app="web", pod="a\"b"}`.

use std::borrow::Cow;

use logkeep_record::{Attributes, Value, limits};

/// Label text that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("labels: {what} at byte {at}")]
pub struct LabelError {
    what: &'static str,
    at: usize,
}

/// Labels beyond this make a stream unreadable; Loki itself allows 15.
const MAX_LABELS: usize = 1_024;

/// Reads the text form of a label set (Prometheus: `{name="value", …}` with the escapes of a Go string). Braces may be
/// missing, single quotes and backquotes are taken, a comma may follow the last label.
///
/// # Errors
/// [`LabelError`] says where; the stream's lines are to be rejected.
pub fn parse_labels(text: &str) -> Result<Attributes<'static>, LabelError> {
    let mut reader = Reader { text, at: 0 };
    let braces = reader.take('{');
    let mut labels = Vec::new();
    loop {
        reader.skip_space();
        if reader.peek().is_none_or(|next| braces && next == '}') {
            break;
        }
        if labels.len() == MAX_LABELS {
            return Err(reader.fault("too many labels"));
        }
        labels.push(reader.label()?);
        if !reader.take(',') {
            break;
        }
    }
    if braces && !reader.take('}') {
        return Err(reader.fault("expected `,` or `}`"));
    }
    reader.skip_space();
    if reader.at == text.len() { Ok(labels) } else { Err(reader.fault("expected the end")) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &'static str) -> LabelError {
        LabelError { what, at: self.at }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, expected: char) -> bool {
        self.skip_space();
        let found = self.peek() == Some(expected);
        if found {
            self.at += expected.len_utf8();
        }
        found
    }

    fn label(&mut self) -> Result<(Cow<'static, str>, Value<'static>), LabelError> {
        let name = match self.peek() {
            Some('"') => self.value()?,
            _ => {
                let rest = self.rest();
                let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
                self.at += end;
                rest[..end].to_owned()
            }
        };
        if name.is_empty() || name.len() > limits::KEY_BYTES {
            return Err(self.fault("expected a label name"));
        }
        if !self.take('=') {
            return Err(self.fault("expected `=`"));
        }
        self.skip_space();
        Ok((Cow::Owned(name), Value::from(self.value()?)))
    }

    fn value(&mut self) -> Result<String, LabelError> {
        let Some(quote @ ('"' | '\'' | '`')) = self.peek() else { return Err(self.fault("expected a quoted value")) };
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let Some(next) = self.peek() else { return Err(self.fault("the quotes do not close")) };
            self.at += next.len_utf8();
            match next {
                _ if next == quote => break,
                '\\' if quote != '`' => self.escape(&mut value)?,
                _ => value.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        // Escapes may spell any bytes.
        Ok(String::from_utf8(value).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn escape(&mut self, value: &mut Vec<u8>) -> Result<(), LabelError> {
        let Some(kind) = self.peek() else { return Err(self.fault("the escape does not end")) };
        self.at += kind.len_utf8();
        match kind {
            'n' => value.push(b'\n'),
            't' => value.push(b'\t'),
            'r' => value.push(b'\r'),
            'a' => value.push(7),
            'b' => value.push(8),
            'v' => value.push(11),
            'f' => value.push(12),
            '\\' | '"' | '\'' => value.push(kind as u8),
            'x' => value.push(self.digits(2, 16)? as u8),
            '0'..='7' => {
                self.at -= 1;
                let byte = u8::try_from(self.digits(3, 8)?).map_err(|_| self.fault("no such byte"))?;
                value.push(byte);
            }
            'u' | 'U' => {
                let code = self.digits(if kind == 'u' { 4 } else { 8 }, 16)?;
                let character = char::from_u32(code).ok_or_else(|| self.fault("no such character"))?;
                value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return Err(self.fault("unknown escape")),
        }
        Ok(())
    }

    fn digits(&mut self, count: usize, radix: u32) -> Result<u32, LabelError> {
        let digits = self.rest().get(..count).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok());
        let number = number.ok_or_else(|| self.fault("expected digits"))?;
        self.at += count;
        Ok(number)
    }
}
