//! What becomes the body, and what the original.
//!
//! What was sent always stays, byte for byte: as the body where it is itself what one wants to read (a plain line, a
//! line of an access log, a document without a message), else as the original beside the message taken from it.

use std::borrow::Cow;

use logkeep_record::{Attributes, Value, json};

use crate::family::Family;
use crate::fields::Fields;
use crate::text::{self, Parsed};

/// Envelopes inside envelopes: a container runtime's line that holds a shipper's document that holds a line.
const ENVELOPES: usize = 3;

/// The body, and the source where that is something else.
pub(crate) struct Content<'a> {
    pub(crate) body: Cow<'a, str>,
    pub(crate) original: Option<Cow<'a, str>>,
}

impl<'a> Content<'a> {
    fn whole(body: Cow<'a, str>) -> Self {
        Self { body, original: None }
    }
}

/// A document's text: as received, or written anew for a protocol whose maps are no text (OTLP).
pub(crate) fn source<'a>(pairs: Attributes<'a>, received: Option<Cow<'a, str>>) -> (Attributes<'a>, Cow<'a, str>) {
    if let Some(text) = received {
        return (pairs, text);
    }
    let map = Value::Map(pairs);
    let mut text = String::new();
    json::write(&map, &mut text);
    let Value::Map(pairs) = map else { return (Vec::new(), Cow::Owned(text)) };
    (pairs, Cow::Owned(text))
}

/// Reads a body into fields.
pub(crate) struct Reader<'r, 'a> {
    pub(crate) fields: &'r mut Fields<'a>,
    pub(crate) received_ns: i64,
}

impl<'a> Reader<'_, 'a> {
    /// Reads a document whose text is `source`.
    pub(crate) fn document(&mut self, pairs: Attributes<'a>, source: Cow<'a, str>, depth: usize) -> Content<'a> {
        let (family, entries) = Family::with_entries(&pairs);
        self.fields.document(pairs, family, &entries);
        let Some(slot) = self.fields.message.take() else { return Content::whole(source) };
        match slot.sent {
            Value::Str(message) if !message.trim().is_empty() => {
                let content = self.text(without_line_end(message), depth + 1);
                Content { body: content.body, original: Some(source) }
            }
            sent => {
                self.fields.push(slot.key, sent);
                Content::whole(source)
            }
        }
    }

    /// Reads a text: a document, a line of a known form, or neither.
    pub(crate) fn text(&mut self, text: Cow<'a, str>, depth: usize) -> Content<'a> {
        if depth >= ENVELOPES {
            return Content::whole(text);
        }
        if text.trim_ascii_start().starts_with('{') {
            return match parse_document(&text) {
                Some(pairs) => self.document(pairs, text, depth),
                None => Content::whole(text),
            };
        }
        let parsed = match &text {
            Cow::Borrowed(text) => text::parse(text, self.received_ns),
            Cow::Owned(text) => text::parse(text, self.received_ns).map(Parsed::into_owned),
        };
        match parsed {
            Some(parsed) => self.parsed(parsed, text, depth),
            None => Content::whole(text),
        }
    }

    fn parsed(&mut self, parsed: Parsed<'a>, text: Cow<'a, str>, depth: usize) -> Content<'a> {
        let fields = &mut *self.fields;
        fields.prefix_time_ns = parsed.time_ns.or(fields.prefix_time_ns);
        if parsed.severity != logkeep_record::Severity::UNSPECIFIED {
            fields.prefix_level = Some((parsed.severity, parsed.severity_text));
        }
        if !parsed.pairs.is_empty() {
            fields.document(parsed.pairs, parsed.family, &[]);
            // The line is the body, and the message is in it.
            fields.message = None;
        }
        match parsed.message {
            Some(message) => {
                let content = self.text(message, depth + 1);
                Content { body: content.body, original: Some(text) }
            }
            None => Content::whole(text),
        }
    }
}

fn parse_document<'a>(text: &Cow<'a, str>) -> Option<Attributes<'a>> {
    let value = match text {
        Cow::Borrowed(text) => json::parse(text).ok()?,
        Cow::Owned(text) => json::parse(text).ok()?.into_owned(),
    };
    match value {
        Value::Map(pairs) if !pairs.is_empty() => Some(pairs),
        _ => None,
    }
}

fn without_line_end(text: Cow<'_, str>) -> Cow<'_, str> {
    let end = text.trim_end_matches(['\n', '\r']).len();
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..end]),
        Cow::Owned(mut text) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}
