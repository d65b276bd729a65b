//! Events: a time and a record, and what Fluent Bit puts around them.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Scope, Value, limits};

use crate::msgpack::{MsgpackError, Reader, Token};
use crate::text::{INVALID_UTF8, TRUNCATED_BYTES};

/// Seconds by which Fluent Bit marks the beginning and the end of what shares a resource.
const GROUP_START: u32 = u32::MAX;
const GROUP_END: u32 = u32::MAX - 1;
const NS: i64 = 1_000_000_000;

/// An event as MessagePack: it may be larger than as text, and strings are cut one by one.
fn max_event_bytes() -> usize {
    4 * limits::record_bytes()
}

/// The events of a message, read one at a time.
#[derive(Debug)]
pub struct Events<'a> {
    tag: Cow<'a, str>,
    reader: Reader<'a>,
    form: Form,
    received_ns: i64,
    resource: Arc<Resource>,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// A time and a record without an array around them.
    Bare,
    Counted(usize),
    UntilEnd,
    Over,
}

/// What the time slot says.
#[derive(Debug, PartialEq)]
enum Time {
    At(Option<i64>),
    GroupStart,
    GroupEnd,
}

impl<'a> Events<'a> {
    pub(super) fn one(tag: Cow<'a, str>, bytes: &'a [u8], received_ns: i64) -> Self {
        Self::new(tag, bytes, Form::Bare, received_ns)
    }

    pub(super) fn counted(tag: Cow<'a, str>, bytes: &'a [u8], count: usize, received_ns: i64) -> Self {
        Self::new(tag, bytes, Form::Counted(count), received_ns)
    }

    pub(super) fn packed(tag: Cow<'a, str>, bytes: &'a [u8], received_ns: i64) -> Self {
        Self::new(tag, bytes, Form::UntilEnd, received_ns)
    }

    fn new(tag: Cow<'a, str>, bytes: &'a [u8], form: Form, received_ns: i64) -> Self {
        let resource = Resource::from_attributes(Vec::new());
        Self { tag, reader: Reader::new(bytes), form, received_ns, resource }
    }

    /// The bytes of the next event, without the array around them.
    fn next_bytes(&mut self) -> Option<Result<&'a [u8], MsgpackError>> {
        match self.form {
            Form::Over | Form::Counted(0) => return None,
            Form::UntilEnd if self.reader.is_empty() => return None,
            Form::Bare => {
                self.form = Form::Over;
                return Some(Ok(self.reader.rest()));
            }
            Form::Counted(count) => self.form = Form::Counted(count - 1),
            Form::UntilEnd => {}
        }
        let event = self.reader.skip();
        if event.is_err() {
            // Where the next one begins is not known.
            self.form = Form::Over;
        }
        Some(event.and_then(|event| {
            let mut inside = Reader::new(event);
            match inside.token()? {
                Token::Array(2..) => Ok(inside.rest()),
                other => Err(inside.fault(format!("expected an event, found {}", other.name()))),
            }
        }))
    }

    /// `None` for what only says which resource the following events have.
    fn event(&mut self, bytes: &'a [u8]) -> Result<Option<Record<'a>>, String> {
        if bytes.len() > max_event_bytes() {
            return Err(format!("an event of {} bytes, more than {}", bytes.len(), max_event_bytes()));
        }
        let mut reader = Reader::new(bytes);
        let mut metadata = Value::Null;
        let time = time(&mut reader, Some(&mut metadata)).map_err(|error| error.to_string())?;
        let body = reader.value(0).map_err(|error| error.to_string())?;
        let time_ns = match time {
            Time::At(time_ns) => time_ns,
            Time::GroupStart => {
                self.resource = group(body);
                return Ok(None);
            }
            Time::GroupEnd => {
                self.resource = Resource::from_attributes(Vec::new());
                return Ok(None);
            }
        };
        let mut record = Record::new(self.received_ns, body, Arc::clone(&self.resource));
        record.time_ns = time_ns;
        if !self.tag.is_empty() {
            record.attributes.push((Cow::Borrowed("fluent.tag"), Value::Str(self.tag.clone())));
        }
        if matches!(&metadata, Value::Map(pairs) if !pairs.is_empty()) {
            record.attributes.push((Cow::Borrowed("fluent.metadata"), metadata));
        }
        if reader.truncated_bytes > 0 {
            let truncated = Value::Int(reader.truncated_bytes as i64);
            record.attributes.push((Cow::Borrowed(TRUNCATED_BYTES), truncated));
        }
        if reader.invalid_utf8 {
            record.attributes.push((Cow::Borrowed(INVALID_UTF8), Value::Bool(true)));
        }
        Ok(Some(record))
    }
}

impl<'a> Iterator for Events<'a> {
    /// The record, or why there is none.
    type Item = Result<Record<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let event = match self.next_bytes()? {
                Ok(bytes) => self.event(bytes),
                Err(error) => Err(error.to_string()),
            };
            if let Some(event) = event.transpose() {
                return Some(event);
            }
        }
    }
}

/// Seconds, or an extension of seconds and nanoseconds; in Fluent Bit's dialect an array of that and a map of metadata.
fn time<'a>(reader: &mut Reader<'a>, metadata: Option<&mut Value<'a>>) -> Result<Time, MsgpackError> {
    Ok(match (reader.token()?, metadata) {
        (Token::Array(2), Some(metadata)) => {
            let time = time(reader, None)?;
            *metadata = reader.value(0)?;
            time
        }
        (Token::Int(seconds), _) => Time::At(seconds.checked_mul(NS).filter(|ns| *ns != 0)),
        (Token::Double(seconds), _) if seconds.is_finite() && seconds.abs() < 9e9 => {
            // A double holds a time of today to less than a microsecond.
            Time::At(Some((seconds * 1e6).round() as i64 * 1_000))
        }
        (Token::Ext(0, bytes), _) => {
            let Ok([a, b, c, d, e, f, g, h]) = <[u8; 8]>::try_from(bytes) else {
                return Err(reader.fault(format!("a time of {} bytes", bytes.len())));
            };
            match u32::from_be_bytes([a, b, c, d]) {
                GROUP_START => Time::GroupStart,
                GROUP_END => Time::GroupEnd,
                seconds => {
                    let ns = i64::from(seconds) * NS + i64::from(u32::from_be_bytes([e, f, g, h]));
                    Time::At((ns != 0).then_some(ns))
                }
            }
        }
        (other, _) => return Err(reader.fault(format!("expected a time, found {}", other.name()))),
    })
}

/// The resource and scope that Fluent Bit keeps of OTLP.
fn group(body: Value<'_>) -> Arc<Resource> {
    let Value::Map(parts) = body.into_owned() else { return Resource::from_attributes(Vec::new()) };
    let (mut resource, mut scope) = (Vec::new(), Scope::default());
    for (name, part) in parts {
        match (&*name, part) {
            ("resource", Value::Map(parts)) => resource = attributes(parts),
            ("scope", Value::Map(parts)) => {
                for (name, value) in &parts {
                    match (&**name, value) {
                        ("name", Value::Str(text)) => scope.name = text.clone().into_owned(),
                        ("version", Value::Str(text)) => scope.version = text.clone().into_owned(),
                        _ => {}
                    }
                }
                scope.attributes = attributes(parts);
            }
            _ => {}
        }
    }
    Resource::new(resource, 0, String::new(), scope)
}

fn attributes(parts: Attributes<'static>) -> Attributes<'static> {
    let found = parts.into_iter().find(|(name, _)| name == "attributes");
    match found {
        Some((_, Value::Map(pairs))) => pairs,
        _ => Vec::new(),
    }
}
