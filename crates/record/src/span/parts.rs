//! Parts of a span as attribute values, and back. What is absent or empty is left out.

use std::borrow::Cow;
use std::fmt::Display;

use super::{SpanEvent, SpanLink};
use crate::{Attributes, SpanId, TraceId, Value};

const NAME: &str = "name";
const TIME_NS: &str = "time_ns";
const TRACE_ID: &str = "trace_id";
const SPAN_ID: &str = "span_id";
const TRACE_STATE: &str = "trace_state";
const FLAGS: &str = "flags";
const ATTRIBUTES: &str = "attributes";
const DROPPED: &str = "dropped_attributes";

/// Named values under construction.
pub(super) struct Parts<'a>(pub(super) Attributes<'a>);

impl<'a> Parts<'a> {
    pub(super) fn with_capacity(parts: usize) -> Self {
        Self(Vec::with_capacity(parts))
    }

    fn push(&mut self, name: &'static str, value: Value<'a>) {
        self.0.push((Cow::Borrowed(name), value));
    }

    pub(super) fn text(&mut self, name: &'static str, text: Cow<'a, str>) {
        if !text.is_empty() {
            self.push(name, Value::Str(text));
        }
    }

    pub(super) fn word(&mut self, name: &'static str, word: &'static str) {
        self.push(name, Value::str(word));
    }

    pub(super) fn int(&mut self, name: &'static str, number: Option<i64>) {
        if let Some(number) = number {
            self.push(name, Value::Int(number));
        }
    }

    pub(super) fn count(&mut self, name: &'static str, count: u32) {
        self.int(name, (count > 0).then(|| count.into()));
    }

    pub(super) fn list(&mut self, name: &'static str, values: impl Iterator<Item = Value<'a>>) {
        let values: Vec<Value<'a>> = values.collect();
        if !values.is_empty() {
            self.push(name, Value::Array(values));
        }
    }

    fn map(&mut self, name: &'static str, pairs: Attributes<'a>) {
        if !pairs.is_empty() {
            self.push(name, Value::Map(pairs));
        }
    }
}

pub(super) fn hex<'a>(id: Option<impl Display>) -> Cow<'a, str> {
    id.map_or(Cow::Borrowed(""), |id| Cow::Owned(id.to_string()))
}

pub(super) fn text(value: Value<'_>) -> Cow<'_, str> {
    match value {
        Value::Str(text) => text,
        _ => Cow::Borrowed(""),
    }
}

pub(super) fn int(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

pub(super) fn count(value: &Value<'_>) -> u32 {
    int(value).and_then(|count| count.try_into().ok()).unwrap_or(0)
}

pub(super) fn list<'a, T>(value: Value<'a>, read: fn(Attributes<'a>) -> T) -> Vec<T> {
    let Value::Array(values) = value else { return Vec::new() };
    let maps = values.into_iter().filter_map(|value| if let Value::Map(parts) = value { Some(parts) } else { None });
    maps.map(read).collect()
}

fn pairs(value: Value<'_>) -> Attributes<'_> {
    if let Value::Map(pairs) = value { pairs } else { Vec::new() }
}

impl<'a> SpanEvent<'a> {
    pub(super) fn into_value(self) -> Value<'a> {
        let mut parts = Parts::with_capacity(3);
        parts.text(NAME, self.name);
        parts.int(TIME_NS, self.time_ns);
        parts.map(ATTRIBUTES, self.attributes);
        parts.count(DROPPED, self.dropped_attributes);
        Value::Map(parts.0)
    }

    pub(super) fn from_parts(parts: Attributes<'a>) -> Self {
        let mut event = Self::default();
        for (key, value) in parts {
            match &*key {
                NAME => event.name = text(value),
                TIME_NS => event.time_ns = int(&value),
                ATTRIBUTES => event.attributes = pairs(value),
                DROPPED => event.dropped_attributes = count(&value),
                _ => {}
            }
        }
        event
    }
}

impl<'a> SpanLink<'a> {
    pub(super) fn into_value(self) -> Value<'a> {
        let mut parts = Parts::with_capacity(3);
        parts.text(TRACE_ID, hex(self.trace_id));
        parts.text(SPAN_ID, hex(self.span_id));
        parts.text(TRACE_STATE, self.trace_state);
        parts.count(FLAGS, self.flags);
        parts.map(ATTRIBUTES, self.attributes);
        parts.count(DROPPED, self.dropped_attributes);
        Value::Map(parts.0)
    }

    pub(super) fn from_parts(parts: Attributes<'a>) -> Self {
        let mut link = Self::default();
        for (key, value) in parts {
            match &*key {
                TRACE_ID => link.trace_id = TraceId::from_hex(&text(value)),
                SPAN_ID => link.span_id = SpanId::from_hex(&text(value)),
                TRACE_STATE => link.trace_state = text(value),
                FLAGS => link.flags = count(&value),
                ATTRIBUTES => link.attributes = pairs(value),
                DROPPED => link.dropped_attributes = count(&value),
                _ => {}
            }
        }
        link
    }
}
