//! Datadog's model of a span, and what it is in ours.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Resource, Span, SpanEvent, SpanId, SpanLink, SpanStatus, TraceId, Value, json};

use crate::msgpack::Reader;
use crate::spans::{put, read_tags};

/// Why a span is rejected.
pub(super) type Fault = Cow<'static, str>;

/// The tag of a trace's first span that has the upper half of its id.
pub(super) const UPPER_HALF: &str = "_dd.p.tid";
/// Bytes inside texts and bytes that are opened in one request; a byte may become a value, and what is over stays closed.
pub(super) const OPENED_BYTES: usize = 8 << 20;

/// A span as tracers have it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct DatadogSpan<'a> {
    pub(super) service: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    pub(super) resource: Cow<'a, str>,
    pub(super) kind: Cow<'a, str>,
    pub(super) trace_id: u64,
    pub(super) span_id: u64,
    pub(super) parent_id: u64,
    pub(super) start_ns: i64,
    pub(super) duration_ns: i64,
    pub(super) failed: bool,
    pub(super) meta: Attributes<'a>,
    pub(super) metrics: Attributes<'a>,
    /// Each value is MessagePack.
    pub(super) structures: Attributes<'a>,
    pub(super) links: Vec<SpanLink<'a>>,
    pub(super) events: Vec<SpanEvent<'a>>,
}

impl<'a> DatadogSpan<'a> {
    /// Sets a field of a span that is a map. Numbers over the range of `i64` come as those with the same bits.
    pub(super) fn set(&mut self, key: &str, value: Value<'a>) -> Result<(), Fault> {
        match key {
            "service" => self.service = text(value, "service")?,
            "name" => self.name = text(value, "name")?,
            "resource" => self.resource = text(value, "resource")?,
            "type" => self.kind = text(value, "type")?,
            "trace_id" => self.trace_id = number(&value, "trace_id")? as u64,
            "span_id" => self.span_id = number(&value, "span_id")? as u64,
            "parent_id" => self.parent_id = number(&value, "parent_id")? as u64,
            "start" => self.start_ns = number(&value, "start")?,
            "duration" => self.duration_ns = number(&value, "duration")?,
            "error" => self.failed = number(&value, "error")? != 0,
            "meta" => self.meta = map(value, "meta")?,
            "metrics" => self.metrics = map(value, "metrics")?,
            "meta_struct" => self.structures = map(value, "meta_struct")?,
            "span_links" => self.links = list(value, "span_links", link)?,
            "span_events" => self.events = list(value, "span_events", event)?,
            _ => {}
        }
        Ok(())
    }

    /// A body of another kind must not be taken for spans.
    pub(super) fn checked(self) -> Result<Self, Fault> {
        match (self.trace_id, self.span_id) {
            (0, _) => Err("a span has no `trace_id`".into()),
            (_, 0) => Err("a span has no `span_id`".into()),
            _ => Ok(self),
        }
    }

    pub(super) fn meta(&self, name: &str) -> Option<&str> {
        self.meta.iter().find(|(key, _)| key == name)?.1.as_str()
    }

    /// The upper half of the trace's id, where this span has it.
    pub(super) fn upper_half(&self) -> Option<u64> {
        self.meta(UPPER_HALF).and_then(hex)
    }

    /// The trace's id begins with `upper`; so many bytes may be opened as `opened_left` says.
    pub(super) fn into_span(mut self, upper: u64, resource: Arc<Resource>, opened_left: &mut usize) -> Span<'a> {
        let mut span = Span::new(self.name, resource);
        span.trace_id = trace_id(upper, self.trace_id);
        span.span_id = span_id(self.span_id);
        span.parent_id = span_id(self.parent_id);
        span.start_ns = Some(self.start_ns).filter(|start| *start != 0);
        let lasted_ns = Some(self.duration_ns).filter(|lasted| *lasted >= 0);
        span.end_ns = span.start_ns.zip(lasted_ns).and_then(|(start, lasted)| start.checked_add(lasted));
        (span.links, span.events) = (self.links, self.events);
        self.meta.retain(|(key, value)| match (&**key, value.as_str()) {
            // They are said by the resource and by the trace's id.
            ("env" | "version", Some(text)) => text.is_empty(),
            (UPPER_HALF, Some(text)) => hex(text).is_none(),
            ("events", Some(text)) => !read_list(text, event, &mut span.events, opened_left),
            ("_dd.span_links", Some(text)) => !read_list(text, link, &mut span.links, opened_left),
            _ => true,
        });
        span.attributes = self.meta;
        put(&mut span.attributes, "resource.name", Value::Str(self.resource));
        put(&mut span.attributes, "span.type", Value::Str(self.kind));
        span.attributes.append(&mut self.metrics);
        span.attributes.extend(self.structures.into_iter().map(|pair| structure(pair, opened_left)));
        read_tags(&mut span);
        if self.failed {
            span.status = SpanStatus::Error;
            let said = |name| span.attributes.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_str());
            if let Some(why) = said("error.message").or_else(|| said("error.msg")) {
                span.status_message = Cow::Owned(why.to_owned());
            }
        }
        span
    }
}

/// Version 0.5 has no place for links and events, so tracers write them as JSON into a tag. Gives whether it was read.
fn read_list<'a, T>(
    text: &str,
    read: impl Fn(Value<'a>) -> Result<T, Fault>,
    into: &mut Vec<T>,
    opened_left: &mut usize,
) -> bool {
    if !into.is_empty() || !may_open(text.len(), opened_left) {
        return false;
    }
    let Ok(Value::Array(values)) = json::parse(text).map(Value::into_owned) else { return false };
    match values.into_iter().map(read).collect::<Result<Vec<T>, Fault>>() {
        Ok(read) => *into = read,
        Err(_) => return false,
    }
    true
}

pub(super) fn may_open(bytes: usize, left: &mut usize) -> bool {
    let rest = left.checked_sub(bytes);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

/// `meta_struct.NAME`, with what its bytes say, or the bytes where they say nothing.
fn structure<'a>((name, value): (Cow<'a, str>, Value<'a>), opened_left: &mut usize) -> (Cow<'a, str>, Value<'a>) {
    let name = Cow::Owned(format!("meta_struct.{name}"));
    let Value::Bytes(Cow::Borrowed(bytes)) = value else { return (name, value) };
    if !may_open(bytes.len(), opened_left) {
        return (name, value);
    }
    let mut reader = Reader::new(bytes);
    let read = reader.value(0).ok().filter(|_| reader.is_empty());
    (name, read.unwrap_or(value))
}

/// Its ids are numbers, or texts of base 16 where it is in a tag.
fn link(value: Value<'_>) -> Result<SpanLink<'_>, Fault> {
    let (mut link, mut upper, mut lower) = (SpanLink::default(), 0, 0);
    for (key, value) in map(value, "a link")? {
        match (&*key, value) {
            ("trace_id", Value::Str(text)) => {
                link.trace_id = TraceId::from_hex(&text);
            }
            ("span_id", Value::Str(text)) => link.span_id = SpanId::from_hex(&text),
            ("trace_id", Value::Int(number)) => lower = number as u64,
            ("trace_id_high", Value::Int(number)) => upper = number as u64,
            ("span_id", Value::Int(number)) => link.span_id = span_id(number as u64),
            ("attributes", value) => link.attributes = map(value, "attributes")?,
            ("tracestate", value) => link.trace_state = text(value, "tracestate")?,
            // The highest bit says that the flags are known.
            ("flags", value) => link.flags = number(&value, "flags")? as u32 & 0x7fff_ffff,
            _ => {}
        }
    }
    link.trace_id = link.trace_id.or_else(|| trace_id(upper, lower));
    Ok(link)
}

fn event(value: Value<'_>) -> Result<SpanEvent<'_>, Fault> {
    let mut event = SpanEvent::default();
    for (key, value) in map(value, "an event")? {
        match &*key {
            "name" => event.name = text(value, "name")?,
            "time_unix_nano" => event.time_ns = Some(number(&value, "time_unix_nano")?).filter(|time| *time != 0),
            "attributes" => {
                event.attributes =
                    map(value, "attributes")?.into_iter().map(|(key, value)| (key, typed(value))).collect();
            }
            _ => {}
        }
    }
    Ok(event)
}

/// An attribute of an event: a map of its type and its value, or the value itself.
fn typed(value: Value<'_>) -> Value<'_> {
    let Value::Map(mut pairs) = value else { return value };
    let kind = pairs.iter().find(|(key, _)| key == "type").map(|(_, value)| value.clone());
    let name = match kind {
        Some(Value::Int(0)) => "string_value",
        Some(Value::Int(1)) => "bool_value",
        Some(Value::Int(2)) => "int_value",
        Some(Value::Int(3)) => "double_value",
        Some(Value::Int(4)) => "array_value",
        _ => return Value::Map(pairs),
    };
    let Some(place) = pairs.iter().position(|(key, _)| key == name) else { return Value::Map(pairs) };
    match pairs.swap_remove(place).1 {
        Value::Map(mut inner) if name == "array_value" && inner.len() == 1 && inner[0].0 == "values" => {
            match inner.swap_remove(0).1 {
                Value::Array(values) => Value::Array(values.into_iter().map(typed).collect()),
                other => other,
            }
        }
        value => value,
    }
}

pub(super) fn span_id(id: u64) -> Option<SpanId> {
    SpanId::new(id.to_be_bytes())
}

pub(super) fn trace_id(upper: u64, lower: u64) -> Option<TraceId> {
    TraceId::new((u128::from(upper) << 64 | u128::from(lower)).to_be_bytes())
}

fn hex(text: &str) -> Option<u64> {
    let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

pub(super) fn text<'a>(value: Value<'a>, what: &str) -> Result<Cow<'a, str>, Fault> {
    match value {
        Value::Null => Ok(Cow::Borrowed("")),
        Value::Str(text) => Ok(text),
        _ => Err(format!("`{what}` must be text").into()),
    }
}

pub(super) fn number(value: &Value<'_>, what: &str) -> Result<i64, Fault> {
    match value {
        Value::Null => Some(0),
        Value::Int(number) => Some(*number),
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Double(number) if number.abs() < 9.2e18 => Some(*number as i64),
        _ => None,
    }
    .ok_or_else(|| format!("`{what}` must be a whole number").into())
}

pub(super) fn map<'a>(value: Value<'a>, what: &str) -> Result<Attributes<'a>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Map(pairs) => Ok(pairs),
        _ => Err(format!("`{what}` must be a map").into()),
    }
}

fn list<'a, T>(value: Value<'a>, what: &str, read: impl Fn(Value<'a>) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => values.into_iter().map(read).collect(),
        _ => Err(format!("`{what}` must be a list").into()),
    }
}
