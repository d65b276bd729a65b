//! JSON: documents as they are, or in the envelope of a protocol.

use std::fmt::Write as _;

use anyhow::ensure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logkeep_demo::encode;
use logkeep_meshsim::{Event, render};
use serde_json::{Map, Value, json};

use super::{document, fields, flat, gzip, line};
use crate::receivers::batch::Batch;

/// A message of GELF must fit into one datagram of an Ethernet.
const GELF_DATAGRAM_BYTES: usize = 1_420;

type Bytes = anyhow::Result<Vec<u8>>;

/// A document a line.
pub(in crate::receivers) fn lines(batch: &Batch) -> Bytes {
    ended_by(batch, "\n", |event| Ok(document(event)))
}

/// Actions and documents of Elasticsearch.
pub(in crate::receivers) fn bulk(batch: &Batch) -> Bytes {
    Ok(encode::bulk(&batch.events))
}

/// A push of Loki in JSON.
pub(in crate::receivers) fn loki_json(batch: &Batch) -> Bytes {
    Ok(encode::push_json(&batch.events))
}

/// A push of Loki in protobuf and snappy, the one that is no JSON here.
pub(in crate::receivers) fn loki_protobuf(batch: &Batch) -> Bytes {
    Ok(encode::push_protobuf(&batch.events))
}

/// An array of documents.
pub(in crate::receivers) fn array(batch: &Batch) -> Bytes {
    let documents: Vec<String> = batch.events.iter().map(document).collect();
    Ok(format!("[{}]", documents.join(",")).into_bytes())
}

fn ended_by(batch: &Batch, end: &str, one: impl Fn(&Event) -> anyhow::Result<String>) -> Bytes {
    let mut out = String::with_capacity(batch.events.len() * 1_100);
    for event in &batch.events {
        out.push_str(&one(event)?);
        out.push_str(end);
    }
    Ok(out.into_bytes())
}

/// Splunk's envelopes around documents, one after the other.
pub(in crate::receivers) fn hec(batch: &Batch) -> Bytes {
    let envelope = |event: &Event| {
        let (seconds, ms) = (event.time_ns / 1_000_000_000, event.time_ns / 1_000_000 % 1_000);
        let (host, service) = (&event.pod.node, &event.pod.service);
        Ok(format!(
            r#"{{"time":{seconds}.{ms:03},"host":"{host}","source":"{service}","sourcetype":"mesh","event":{}}}"#,
            document(event)
        ))
    };
    ended_by(batch, "", envelope)
}

/// Messages of GELF, each before a NUL.
pub(in crate::receivers) fn gelf_frames(batch: &Batch) -> Bytes {
    ended_by(batch, "\0", gelf_message)
}

/// Messages of GELF, alone in a request.
pub(in crate::receivers) fn gelf(batch: &Batch) -> Bytes {
    ended_by(batch, "", gelf_message)
}

/// One message of GELF, compressed, as a datagram.
pub(in crate::receivers) fn gelf_datagram(batch: &Batch) -> Bytes {
    let bytes = gzip(&gelf(batch)?)?;
    ensure!(bytes.len() <= GELF_DATAGRAM_BYTES, "a message of GELF has {} bytes", bytes.len());
    Ok(bytes)
}

fn gelf_message(event: &Event) -> anyhow::Result<String> {
    let mut message = String::new();
    render::message(event, &mut message);
    let mut out = Map::new();
    out.insert("version".to_owned(), json!("1.1"));
    out.insert("host".to_owned(), json!(event.pod.node));
    out.insert("short_message".to_owned(), json!(message));
    out.insert("timestamp".to_owned(), json!((event.time_ns / 1_000_000) as f64 / 1e3));
    out.insert("level".to_owned(), json!(event.level().syslog()));
    let own = fields(event)?.into_iter().filter(|(key, _)| !matches!(&**key, "message" | "@timestamp" | "level"));
    out.extend(own.map(|(key, value)| (format!("_{key}"), flat(value))));
    Ok(Value::Object(out).to_string())
}

/// What Datadog's agent makes of the lines of containers.
pub(in crate::receivers) fn datadog(batch: &Batch) -> Bytes {
    let documents: Vec<Value> = batch.events.iter().map(datadog_document).collect();
    gzip(Value::Array(documents).to_string().as_bytes())
}

/// The same as lines, each after the key.
pub(in crate::receivers) fn datadog_lines(batch: &Batch) -> Bytes {
    ended_by(batch, "\n", |event| Ok(format!("0123456789abcdef0123456789abcdef {}", datadog_document(event))))
}

fn datadog_document(event: &Event) -> Value {
    let pod = &event.pod;
    let tags = [
        ("kube_cluster_name", pod.cluster),
        ("kube_namespace", pod.namespace),
        ("pod_name", &pod.name),
        ("version", pod.version),
    ];
    let tags: Vec<String> = tags.map(|(name, value)| format!("{name}:{value}")).into();
    json!({
        "message": line(event), "status": event.level().lower(), "timestamp": event.time_ns / 1_000_000,
        "hostname": pod.node, "service": pod.service, "ddsource": "mesh", "ddtags": tags.join(","),
    })
}

/// A delivery of Firehose.
pub(in crate::receivers) fn firehose(batch: &Batch) -> Bytes {
    let mut out = format!(r#"{{"requestId":"bench-{}","timestamp":1795132800000,"records":["#, batch.id());
    for (place, event) in batch.events.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(out, r#"{comma}{{"data":"{}"}}"#, STANDARD.encode(document(event)))?;
    }
    out.push_str("]}");
    Ok(out.into_bytes())
}

/// A push of Pub/Sub: one message.
pub(in crate::receivers) fn pubsub(batch: &Batch) -> Bytes {
    let mut out = Vec::new();
    for (number, event) in batch.numbered() {
        let (data, time) = (STANDARD.encode(document(event)), render::rfc3339(event.time_ns));
        let message = json!({"data": data, "messageId": number.to_string(), "publishTime": time});
        serde_json::to_writer(&mut out, &json!({"message": message, "subscription": "projects/p/subscriptions/logs"}))?;
    }
    Ok(out)
}
