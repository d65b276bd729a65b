//! Datadog's traces, version 0.4: MessagePack, spans of a request put together by their trace.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{msgpack, plain, span::Span};
use crate::receivers::batch::Batch;

/// A list of lists of spans.
pub(in crate::receivers) fn traces(batch: &Batch) -> anyhow::Result<Vec<u8>> {
    let mut traces: BTreeMap<u128, Vec<Span<'_>>> = BTreeMap::new();
    for (number, event) in batch.numbered() {
        let span = Span::of(number, event)?;
        traces.entry(span.trace_id).or_default().push(span);
    }
    let mut out = Vec::with_capacity(batch.events.len() * 1_200);
    msgpack::array(&mut out, traces.len());
    for spans in traces.into_values() {
        msgpack::array(&mut out, spans.len());
        spans.into_iter().for_each(|span| put(&mut out, span));
    }
    Ok(out)
}

/// Text goes to `meta`, numbers to `metrics`; the upper half of the trace's id is a tag.
fn put(out: &mut Vec<u8>, mut span: Span<'_>) {
    let (metrics, mut meta): (Vec<_>, Vec<_>) =
        span.tags().into_iter().partition(|(_, value)| matches!(value, Value::Number(_)));
    meta.push(("_dd.p.tid".to_owned(), Value::from(format!("{:016x}", (span.trace_id >> 64) as u64))));
    msgpack::map(out, 12);
    for (key, value) in
        [("service", span.service), ("name", "server.request"), ("resource", &span.name), ("type", "web")]
    {
        msgpack::text(out, key);
        msgpack::text(out, value);
    }
    for (key, id) in [("trace_id", span.trace_id as u64), ("span_id", span.span_id), ("parent_id", span.parent_id)] {
        msgpack::text(out, key);
        msgpack::unsigned(out, id);
    }
    for (key, number) in [("start", span.start_ns), ("duration", span.duration_ns), ("error", i64::from(span.failed))] {
        msgpack::text(out, key);
        msgpack::signed(out, number);
    }
    msgpack::text(out, "meta");
    msgpack::map(out, meta.len());
    for (key, value) in meta {
        msgpack::text(out, &key);
        msgpack::text(out, &plain(value));
    }
    msgpack::text(out, "metrics");
    msgpack::map(out, metrics.len());
    for (key, value) in metrics {
        msgpack::text(out, &key);
        msgpack::double(out, value.as_f64().unwrap_or_default());
    }
}
