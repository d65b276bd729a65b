//! Zipkin's spans, version 2, in JSON.

use serde_json::{Map, Value, json};

use super::{plain, span::Span};
use crate::receivers::batch::Batch;

/// A list of spans.
pub(in crate::receivers) fn spans(batch: &Batch) -> anyhow::Result<Vec<u8>> {
    let spans: anyhow::Result<Vec<Value>> =
        batch.numbered().map(|(number, event)| Ok(zipkin_span(Span::of(number, event)?))).collect();
    Ok(serde_json::to_vec(&spans?)?)
}

fn zipkin_span(span: Span<'_>) -> Value {
    let (started, lasted) = (span.start_us(), span.duration_us());
    let mut tags: Map<String, Value> =
        span.attributes.into_iter().map(|(key, value)| (key, Value::String(plain(value)))).collect();
    if span.failed {
        tags.insert("error".to_owned(), Value::from("true"));
    }
    let mut out = json!({
        "traceId": format!("{:032x}", span.trace_id), "id": format!("{:016x}", span.span_id), "kind": "SERVER",
        "name": span.name, "timestamp": started, "duration": lasted,
        "localEndpoint": {"serviceName": span.service}, "tags": tags,
    });
    if span.parent_id != 0 {
        out["parentId"] = Value::String(format!("{:016x}", span.parent_id));
    }
    out
}
