//! What the Datadog Agent and the clients of Datadog's log intake send.
//!
//! Over HTTP an array of documents (or one, or lines of text), over TCP a line with the key in front. `{}` is how an Agent
//! asks whether anyone is there: it is answered well and is no record.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Value};

use crate::documents::record;
use crate::frame::Frame;
use crate::ndjson;

/// Characters of a key that stands in front of a line.
const KEY_CHARS: usize = 32;

/// Tags that say what OpenTelemetry has names for, and the attribute they are kept as.
const TAGS: [(&str, &str); 18] = [
    ("env", "dd.env"),
    ("version", "dd.version"),
    ("kube_cluster_name", "kube_cluster_name"),
    ("kube_namespace", "kube_namespace"),
    ("kube_node", "kube_node"),
    ("kube_deployment", "kube_deployment"),
    ("kube_replica_set", "kube_replica_set"),
    ("kube_stateful_set", "kube_stateful_set"),
    ("kube_daemon_set", "kube_daemon_set"),
    ("kube_job", "kube_job"),
    ("kube_cronjob", "kube_cronjob"),
    ("kube_container_name", "kube_container_name"),
    ("kube_app_name", "kube_app_name"),
    ("pod_name", "pod_name"),
    ("container_id", "container_id"),
    ("container_name", "container_name"),
    ("image_name", "image_name"),
    ("region", "region"),
];

/// The record of a document; `None` for the empty one.
pub fn document(document: &str, received_ns: i64, resource: Arc<Resource>) -> Option<Record<'_>> {
    let mut record = record(document, received_ns, resource);
    let Value::Map(pairs) = &mut record.body else { return Some(record) };
    if pairs.is_empty() {
        return None;
    }
    let mut tags = Vec::new();
    pairs.retain(|(key, value)| match (&**key, value) {
        ("status", Value::Str(status)) if record.severity_text.is_empty() => {
            record.severity_text = status.clone();
            false
        }
        ("timestamp", Value::Int(ms)) if record.time_ns.is_none() && *ms > 0 => {
            record.time_ns = ms.checked_mul(1_000_000);
            record.time_ns.is_none()
        }
        ("ddtags", Value::Str(text)) => {
            tags.extend(known_tags(text));
            true
        }
        _ => true,
    });
    record.attributes.extend(tags);
    Some(record)
}

fn known_tags(text: &str) -> impl Iterator<Item = (Cow<'static, str>, Value<'static>)> {
    text.split(',').filter_map(|tag| {
        let (name, value) = tag.trim().split_once(':')?;
        let (_, key) = TAGS.iter().find(|(known, _)| *known == name)?;
        (!value.is_empty()).then(|| (Cow::Borrowed(*key), Value::from(value.to_owned())))
    })
}

/// The record of a line that came over TCP, without the key in front of it.
pub fn line<'a>(line: &Frame<'a>, received_ns: i64, resource: Arc<Resource>) -> Record<'a> {
    let line = Frame { bytes: without_key(line.bytes), ..*line };
    let text = std::str::from_utf8(line.bytes).ok().filter(|text| text.starts_with('{'));
    text.and_then(|text| document(text, received_ns, resource.clone()))
        .unwrap_or_else(|| ndjson::framed(&line, received_ns, resource))
}

fn without_key(line: &[u8]) -> &[u8] {
    match line.split_at_checked(KEY_CHARS) {
        Some((key, [b' ' | b'/', ..])) if key.iter().all(u8::is_ascii_alphanumeric) => {
            // Sources and tags may follow the key after a slash.
            let end = line.iter().position(|byte| *byte == b' ').unwrap_or(KEY_CHARS);
            line[end..].trim_ascii_start()
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use logkeep_record::json;
    use proptest::prelude::*;

    use super::*;

    fn shown(record: &Record<'_>) -> String {
        let mut out = format!("{} {} ", record.time_ns.unwrap_or(0), record.severity_text);
        json::write(&record.body, &mut out);
        for (key, value) in &record.attributes {
            out.push_str(&format!(" {key}="));
            json::write(value, &mut out);
        }
        out
    }

    #[test]
    fn documents() {
        let resource = Resource::from_attributes(Vec::new());
        for (text, expected) in [
            (
                r#"{"message":"hi","status":"warn","timestamp":1795168800123,"ddtags":"env:prod,a:b,version:1.2, x"}"#,
                Some(
                    r#"1795168800123000000 warn {"message":"hi","ddtags":"env:prod,a:b,version:1.2, x"} dd.env="prod" dd.version="1.2""#,
                ),
            ),
            (
                r#"{"message":"hi","status":200,"timestamp":"x"}"#,
                Some(r#"0  {"message":"hi","status":200,"timestamp":"x"}"#),
            ),
            ("\"text\"", Some("0  \"\\\"text\\\"\"")),
            ("{}", None),
        ] {
            assert_eq!(document(text, 7, resource.clone()).as_ref().map(shown).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn lines() {
        let resource = Resource::from_attributes(Vec::new());
        let key = "0123456789abcdef0123456789abcdef";
        for (text, expected) in [
            (format!("{key} {{\"message\":\"hi\",\"status\":\"info\"}}"), "0 info {\"message\":\"hi\"}"),
            (format!("{key} plain text"), "0  \"plain text\""),
            (format!("{key}/tag plain"), "0  \"plain\""),
            (format!("{key}x plain"), "0  \"0123456789abcdef0123456789abcdefx plain\""),
            ("short plain".to_owned(), "0  \"short plain\""),
            (format!("{key} {{}}"), "0  {}"),
        ] {
            assert_eq!(shown(&line(&Frame::new(text.as_bytes()), 7, resource.clone())), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn junk_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            line(&Frame::new(&bytes), 7, Resource::from_attributes(Vec::new()));
        }
    }
}
