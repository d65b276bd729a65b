//! Records and spans as JSON (docs/api.md, "A record" and "A span").

use jiff::Timestamp;
use logkeep_query::exec::PageKey;
use logkeep_record::{Attributes, Record, RecordId, Scope, Span, SpanEvent, SpanLink, Value, json};

/// Nanoseconds as RFC 3339 in UTC with nine digits; a time beyond year 9999 as its number.
pub(crate) fn time(time_ns: i64) -> String {
    match Timestamp::from_nanosecond(time_ns.into()) {
        Ok(time) => format!("{time:.9}"),
        Err(_) => time_ns.to_string(),
    }
}

/// Appends the record.
pub(crate) fn record(record: &Record<'_>, id: &RecordId, out: &mut String) {
    let time_ns = record.effective_time_ns();
    out.push('{');
    text_field("id", &id.to_string(), out);
    text_field("time", &time(time_ns), out);
    text_field("time_ns", &time_ns.to_string(), out);
    text_field("received", &time(record.received_ns), out);
    text_field("severity", record.severity.name(), out);
    field("severity_number", out);
    json::write(&Value::Int(record.severity.number().into()), out);
    text_field("severity_text", &record.severity_text, out);
    field("service", out);
    json::write(record.resource.attribute("service.name").unwrap_or(&Value::Null), out);
    field("body", out);
    json::write(&record.body, out);
    optional_field("original", record.original.as_deref(), out);
    text_field("event_name", &record.event_name, out);
    optional_field("trace_id", record.trace_id.map(|id| id.to_string()).as_deref(), out);
    optional_field("span_id", record.span_id.map(|id| id.to_string()).as_deref(), out);
    field("attributes", out);
    pairs(&record.attributes, out);
    field("resource", out);
    pairs(record.resource.attributes(), out);
    scope(record.resource.scope(), out);
    out.push('}');
}

/// Appends the span that a record stands for (docs/api.md, "A span").
pub(crate) fn span(record: Record<'_>, id: &RecordId, out: &mut String) {
    let time_ns = record.effective_time_ns();
    let received_ns = record.received_ns;
    let span = Span::from_record(record);
    out.push('{');
    text_field("id", &id.to_string(), out);
    optional_field("trace_id", span.trace_id.map(|id| id.to_string()).as_deref(), out);
    optional_field("span_id", span.span_id.map(|id| id.to_string()).as_deref(), out);
    optional_field("parent_span_id", span.parent_id.map(|id| id.to_string()).as_deref(), out);
    text_field("trace_state", &span.trace_state, out);
    count_field("flags", span.flags, out);
    text_field("name", &span.name, out);
    text_field("kind", span.kind.word(), out);
    field("service", out);
    json::write(span.resource.attribute("service.name").unwrap_or(&Value::Null), out);
    text_field("time", &time(time_ns), out);
    text_field("time_ns", &time_ns.to_string(), out);
    optional_field("end", span.end_ns.map(time).as_deref(), out);
    optional_field("end_ns", span.end_ns.map(|end| end.to_string()).as_deref(), out);
    field("duration_ms", out);
    json::write(&span.duration_ns().map_or(Value::Null, |ns| Value::Double(ns as f64 / 1e6)), out);
    text_field("received", &time(received_ns), out);
    text_field("status_code", span.status.word(), out);
    text_field("status_message", &span.status_message, out);
    field("attributes", out);
    pairs(&span.attributes, out);
    list("events", &span.events, event, out);
    list("links", &span.links, link, out);
    count_field("dropped_attributes", span.dropped_attributes, out);
    count_field("dropped_events", span.dropped_events, out);
    count_field("dropped_links", span.dropped_links, out);
    field("resource", out);
    pairs(span.resource.attributes(), out);
    scope(span.resource.scope(), out);
    out.push('}');
}

fn event(event: &SpanEvent<'_>, out: &mut String) {
    text_field("name", &event.name, out);
    optional_field("time", event.time_ns.map(time).as_deref(), out);
    optional_field("time_ns", event.time_ns.map(|at| at.to_string()).as_deref(), out);
    field("attributes", out);
    pairs(&event.attributes, out);
    count_field("dropped_attributes", event.dropped_attributes, out);
}

fn link(link: &SpanLink<'_>, out: &mut String) {
    optional_field("trace_id", link.trace_id.map(|id| id.to_string()).as_deref(), out);
    optional_field("span_id", link.span_id.map(|id| id.to_string()).as_deref(), out);
    text_field("trace_state", &link.trace_state, out);
    count_field("flags", link.flags, out);
    field("attributes", out);
    pairs(&link.attributes, out);
    count_field("dropped_attributes", link.dropped_attributes, out);
}

fn list<T>(name: &str, parts: &[T], write: fn(&T, &mut String), out: &mut String) {
    field(name, out);
    out.push('[');
    for (place, part) in parts.iter().enumerate() {
        out.push_str(if place > 0 { ",{" } else { "{" });
        write(part, out);
        out.push('}');
    }
    out.push(']');
}

fn scope(scope: &Scope, out: &mut String) {
    field("scope", out);
    out.push('{');
    text_field("name", &scope.name, out);
    text_field("version", &scope.version, out);
    field("attributes", out);
    pairs(&scope.attributes, out);
    out.push('}');
}

fn count_field(name: &str, count: u32, out: &mut String) {
    field(name, out);
    json::write(&Value::Int(count.into()), out);
}

fn field(name: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    json::write_str(name, out);
    out.push(':');
}

fn text_field(name: &str, text: &str, out: &mut String) {
    field(name, out);
    json::write_str(text, out);
}

fn optional_field(name: &str, text: Option<&str>, out: &mut String) {
    field(name, out);
    match text {
        Some(text) => json::write_str(text, out),
        None => out.push_str("null"),
    }
}

fn pairs(attributes: &Attributes<'_>, out: &mut String) {
    out.push('[');
    for (place, (key, value)) in attributes.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push('[');
        json::write_str(key, out);
        out.push(',');
        json::write(value, out);
        out.push(']');
    }
    out.push(']');
}

/// A place in the order of records, as `next` and `after` have it.
pub(crate) fn cursor(key: &PageKey) -> String {
    format!("{}~{}", key.time_ns, key.id())
}

/// Reads a cursor back.
pub(crate) fn parse_cursor(text: &str) -> Option<PageKey> {
    let (time_ns, id) = text.split_once('~')?;
    let id: RecordId = id.parse().ok()?;
    Some(PageKey { time_ns: time_ns.parse().ok()?, class: id.class, batch: id.batch, index: id.index })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nine_digits() {
        assert_eq!(time(1_795_168_800_123_456_789), "2026-11-20T10:00:00.123456789Z");
        assert_eq!(time(0), "1970-01-01T00:00:00.000000000Z");
    }

    #[test]
    fn cursors_come_back() {
        let key = PageKey { time_ns: -5, class: logkeep_record::Class::default(), batch: 3, index: 4 };
        assert_eq!(parse_cursor(&cursor(&key)), Some(key));
        for text in ["", "1", "1~x", "x~default.1.2"] {
            assert_eq!(parse_cursor(text), None, "{text}");
        }
    }

    #[test]
    fn a_record_is_json() {
        let resource = logkeep_record::Resource::from_attributes(vec![("service.name".into(), Value::str("a\"b"))]);
        let mut source = Record::new(1, Value::Map(vec![("k".into(), Value::Double(f64::NAN))]), resource);
        source.attributes.push(("x".into(), Value::Array(vec![Value::Null])));
        source.attributes.push(("x".into(), Value::Int(1)));
        let mut out = String::new();
        record(&source, &"default.1.2".parse().unwrap(), &mut out);
        let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(parsed["service"], "a\"b");
        assert_eq!(parsed["attributes"], serde_json::json!([["x", [null]], ["x", 1]]));
        assert_eq!(parsed["scope"]["name"], "");
    }
}
