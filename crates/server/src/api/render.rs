//! A record as JSON (docs/api.md, "A record").

use jiff::Timestamp;
use logkeep_query::exec::PageKey;
use logkeep_record::{Attributes, Record, RecordId, Value, json};

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
    field("scope", out);
    let scope = record.resource.scope();
    out.push('{');
    text_field("name", &scope.name, out);
    text_field("version", &scope.version, out);
    field("attributes", out);
    pairs(&scope.attributes, out);
    out.push_str("}}");
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
