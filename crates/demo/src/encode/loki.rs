//! Loki push: entries grouped under the labels of their stream, as protobuf in a snappy block or as JSON.

use std::collections::BTreeMap;

use logkeep_meshsim::{Event, Kind, render};
use prost::Message;

/// `logproto.PushRequest`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) streams: Vec<Stream>,
}

/// `logproto.StreamAdapter`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Stream {
    #[prost(string, tag = "1")]
    pub(crate) labels: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) entries: Vec<Entry>,
}

/// `logproto.EntryAdapter`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {
    #[prost(message, optional, tag = "1")]
    pub(crate) timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    pub(crate) line: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) structured_metadata: Vec<Label>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

/// `logproto.LabelPairAdapter`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Label {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

/// Label names are sorted, as clients send them.
fn labels(event: &Event) -> [(&'static str, &str); 5] {
    let pod = &event.pod;
    let container = match event.kind {
        Kind::App(_) => "app",
        Kind::LinkerdAccess(_) => "linkerd-proxy",
        Kind::IstioAccess(_) => "istio-proxy",
        Kind::EnvoyAccess(_) => "envoy-sidecar",
        Kind::Audit(_) => "kube-apiserver",
    };
    [
        ("cluster", pod.cluster),
        ("container", container),
        ("namespace", pod.namespace),
        ("pod", &pod.name),
        ("service_name", &pod.service),
    ]
}

fn metadata(event: &Event) -> Vec<(&'static str, String)> {
    let mut pairs = vec![("level", event.level().lower().to_owned()), ("version", event.pod.version.to_owned())];
    if let Some(trace) = event.trace {
        pairs.push(("trace_id", format!("{:032x}", trace.trace_id)));
        pairs.push(("span_id", format!("{:016x}", trace.span_id)));
    }
    pairs
}

fn line(event: &Event) -> String {
    let mut out = String::with_capacity(900);
    render::line(event, &mut out);
    out
}

fn streams(events: &[Event]) -> BTreeMap<[(&'static str, &str); 5], Vec<&Event>> {
    let mut streams: BTreeMap<_, Vec<&Event>> = BTreeMap::new();
    for event in events {
        streams.entry(labels(event)).or_default().push(event);
    }
    streams
}

/// Protobuf in a raw snappy block.
pub fn push_protobuf(events: &[Event]) -> Vec<u8> {
    let stream = |(labels, events): ([(&str, &str); 5], Vec<&Event>)| Stream {
        labels: selector(&labels),
        entries: events.into_iter().map(entry).collect(),
    };
    let request = PushRequest { streams: streams(events).into_iter().map(stream).collect() };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).expect("a batch is far below snappy's 4 GiB")
}

fn entry(event: &Event) -> Entry {
    let label = |(name, value): (&str, String)| Label { name: name.to_owned(), value };
    Entry {
        timestamp: Some(Timestamp {
            seconds: event.time_ns.div_euclid(1_000_000_000),
            nanos: event.time_ns.rem_euclid(1_000_000_000) as i32,
        }),
        line: line(event),
        structured_metadata: metadata(event).into_iter().map(label).collect(),
    }
}

/// Label values here hold no quotes or backslashes: Kubernetes does not allow them in names.
fn selector(labels: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// JSON, times as nanoseconds in text.
pub fn push_json(events: &[Event]) -> Vec<u8> {
    use serde_json::{Map, Value, json};
    let object = |pairs: &[(&str, &str)]| {
        Value::Object(pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
    };
    let value = |event: &Event| {
        let pairs: Map<String, Value> =
            metadata(event).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        json!([event.time_ns.to_string(), line(event), pairs])
    };
    let streams: Vec<Value> = streams(events)
        .into_iter()
        .map(|(labels, events)| {
            json!({"stream": object(&labels), "values": events.into_iter().map(value).collect::<Vec<_>>()})
        })
        .collect();
    json!({"streams": streams}).to_string().into_bytes()
}
