//! Jaeger's batches: a process and its spans, in protobuf (model.proto, collector.proto) and in Thrift (jaeger.thrift).

use prost::Message;
use serde_json::Value;

use super::thrift::{Form, Writer};
use super::{grpc, plain, span::Span};
use crate::receivers::batch::Batch as Lines;

type Bytes = anyhow::Result<Vec<u8>>;

#[derive(Message)]
struct PostSpans {
    #[prost(message, optional, tag = "1")]
    batch: Option<Batch>,
}

#[derive(Message)]
struct Batch {
    #[prost(message, repeated, tag = "1")]
    spans: Vec<JaegerSpan>,
    #[prost(message, optional, tag = "2")]
    process: Option<Process>,
}

#[derive(Message)]
struct Process {
    #[prost(string, tag = "1")]
    service_name: String,
}

#[derive(Message)]
struct JaegerSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    operation_name: String,
    #[prost(message, repeated, tag = "4")]
    references: Vec<Reference>,
    #[prost(message, optional, tag = "6")]
    start_time: Option<Time>,
    #[prost(message, optional, tag = "7")]
    duration: Option<Time>,
    #[prost(message, repeated, tag = "8")]
    tags: Vec<KeyValue>,
}

/// To the parent, unless it says otherwise.
#[derive(Message)]
struct Reference {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
}

#[derive(Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(string, tag = "3")]
    text: String,
    #[prost(bool, tag = "4")]
    truth: bool,
    #[prost(int64, tag = "5")]
    integer: i64,
}

/// A call of `PostSpans`.
pub(in crate::receivers) fn post_spans(lines: &Lines) -> Bytes {
    let spans: anyhow::Result<Vec<_>> =
        lines.numbered().map(|(number, event)| Ok(jaeger_span(Span::of(number, event)?))).collect();
    let batch = Batch { spans: spans?, process: Some(Process { service_name: service(lines).to_owned() }) };
    Ok(grpc(&PostSpans { batch: Some(batch) }.encode_to_vec()))
}

fn service(lines: &Lines) -> &str {
    lines.events.first().map_or("", |event| &event.pod.service)
}

fn jaeger_span(mut span: Span<'_>) -> JaegerSpan {
    let trace_id = span.trace_id.to_be_bytes().to_vec();
    let parent = Reference { trace_id: trace_id.clone(), span_id: span.parent_id.to_be_bytes().to_vec() };
    JaegerSpan {
        tags: span.tags().into_iter().map(tag).collect(),
        trace_id,
        span_id: span.span_id.to_be_bytes().to_vec(),
        operation_name: span.name,
        references: if span.parent_id == 0 { Vec::new() } else { vec![parent] },
        start_time: Some(time(span.start_ns)),
        duration: Some(time(span.duration_ns)),
    }
}

fn time(ns: i64) -> Time {
    Time { seconds: ns / 1_000_000_000, nanos: (ns % 1_000_000_000) as i32 }
}

fn tag((key, value): (String, Value)) -> KeyValue {
    match value {
        Value::Bool(truth) => KeyValue { key, kind: 1, truth, ..Default::default() },
        Value::Number(number) if number.is_i64() => {
            KeyValue { key, kind: 2, integer: number.as_i64().unwrap_or_default(), ..Default::default() }
        }
        value => KeyValue { key, text: plain(value), ..Default::default() },
    }
}

/// A batch in Thrift, without the envelope of a call.
pub(in crate::receivers) fn thrift(lines: &Lines) -> Bytes {
    let mut out = Writer::new(Form::Binary);
    out.begin();
    thrift_batch(&mut out, lines)?;
    Ok(out.finish())
}

/// A datagram of port 6831.
pub(in crate::receivers) fn compact_datagram(lines: &Lines) -> Bytes {
    datagram(Form::Compact, lines)
}

/// A datagram of port 6832.
pub(in crate::receivers) fn binary_datagram(lines: &Lines) -> Bytes {
    datagram(Form::Binary, lines)
}

fn datagram(form: Form, lines: &Lines) -> Bytes {
    let mut out = Writer::call(form, "emitBatch");
    out.begin();
    out.structure(1);
    thrift_batch(&mut out, lines)?;
    out.end();
    Ok(out.finish())
}

/// The fields of a batch that is open, and its end.
fn thrift_batch(out: &mut Writer, lines: &Lines) -> anyhow::Result<()> {
    out.structure(1);
    out.text(1, service(lines));
    out.end();
    out.structures(2, lines.events.len());
    for (number, event) in lines.numbered() {
        thrift_span(out, Span::of(number, event)?);
    }
    out.end();
    Ok(())
}

fn thrift_span(out: &mut Writer, mut span: Span<'_>) {
    out.begin();
    out.int64(1, span.trace_id as i64);
    out.int64(2, (span.trace_id >> 64) as i64);
    out.int64(3, span.span_id as i64);
    out.int64(4, span.parent_id as i64);
    out.text(5, &span.name);
    out.int32(7, 1);
    out.int64(8, span.start_us());
    out.int64(9, span.duration_us());
    let tags = span.tags();
    out.structures(10, tags.len());
    for (key, value) in tags {
        thrift_tag(out, &key, value);
    }
    out.end();
}

/// The type of a tag says in which field its value is.
fn thrift_tag(out: &mut Writer, key: &str, value: Value) {
    out.begin();
    out.text(1, key);
    match value {
        Value::Bool(truth) => {
            out.int32(2, 2);
            out.truth(5, truth);
        }
        Value::Number(number) if number.is_i64() => {
            out.int32(2, 3);
            out.int64(6, number.as_i64().unwrap_or_default());
        }
        value => {
            out.int32(2, 0);
            out.text(3, &plain(value));
        }
    }
    out.end();
}
