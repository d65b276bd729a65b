//! `2026-11-20T10:00:00.123456789Z stdout F content`.

use std::borrow::Cow;

use super::{Part, Stream, time_ns};

/// `None` if the line is of another form.
pub(super) fn parse(line: &[u8]) -> Option<Part<'_>> {
    let mut fields = line.splitn(4, |b| *b == b' ');
    let (time, stream, tags) = (fields.next()?, fields.next()?, fields.next()?);
    // Further tags may follow the first one, behind colons.
    let last = match tags.split(|b| *b == b':').next()? {
        b"F" => true,
        b"P" => false,
        _ => return None,
    };
    let content = Cow::Borrowed(fields.next().unwrap_or_default());
    Some(Part { stream: Stream::from_name(stream)?, time_ns: time_ns(time)?, last, content })
}
