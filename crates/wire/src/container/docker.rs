//! `{"log":"content\n","stream":"stdout","time":"2026-11-20T10:00:00.123456789Z"}`: content without a line feed at its end
//! is a part of a longer line.

use std::borrow::Cow;

use logkeep_record::{Value, json, limits};

use super::{Part, Stream, time_ns};

/// `None` if the line is of another form.
pub(super) fn parse(line: &[u8]) -> Option<Part<'_>> {
    // Docker cuts at 16 KiB; escapes may make six bytes of one.
    if line.len() > limits::record_bytes() || !line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let (mut log, mut stream, mut time) = (None, None, None);
    for (key, value) in fields(line)? {
        match (&*key, value) {
            ("log", Value::Str(text)) => log = Some(text),
            ("stream", Value::Str(name)) => stream = Stream::from_name(name.as_bytes()),
            ("time", Value::Str(text)) => time = time_ns(text.as_bytes()),
            _ => {}
        }
    }
    let (content, last) = strip_line_feed(log?);
    Some(Part { time_ns: time?, stream: stream?, last, content })
}

fn fields(line: &[u8]) -> Option<logkeep_record::Attributes<'_>> {
    let value = match std::str::from_utf8(line) {
        Ok(text) => json::parse(text).ok()?,
        Err(_) => json::parse(&String::from_utf8_lossy(line)).ok()?.into_owned(),
    };
    match value {
        Value::Map(fields) => Some(fields),
        _ => None,
    }
}

fn strip_line_feed(text: Cow<'_, str>) -> (Cow<'_, [u8]>, bool) {
    match text {
        Cow::Borrowed(text) => match text.strip_suffix('\n') {
            Some(content) => (Cow::Borrowed(content.strip_suffix('\r').unwrap_or(content).as_bytes()), true),
            None => (Cow::Borrowed(text.as_bytes()), false),
        },
        Cow::Owned(text) => {
            let mut content = text.into_bytes();
            let last = content.pop_if(|b| *b == b'\n').is_some();
            if last {
                content.pop_if(|b| *b == b'\r');
            }
            (Cow::Owned(content), last)
        }
    }
}
