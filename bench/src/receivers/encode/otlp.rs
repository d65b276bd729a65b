//! OTLP: the demo's logs in all encodings, and spans.

use std::collections::BTreeMap;

use logkeep_demo::encode;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status, span, status};
use prost::Message;
use serde_json::Value;

use super::span::Span;
use super::{grpc, gzip};
use crate::receivers::batch::Batch;

type Bytes = anyhow::Result<Vec<u8>>;

/// Logs in protobuf.
pub(in crate::receivers) fn logs(batch: &Batch) -> Bytes {
    Ok(encode::logs(&batch.events))
}

/// The same, compressed.
pub(in crate::receivers) fn logs_gzip(batch: &Batch) -> Bytes {
    gzip(&logs(batch)?)
}

/// Logs as a message of gRPC.
pub(in crate::receivers) fn logs_grpc(batch: &Batch) -> Bytes {
    Ok(grpc(&logs(batch)?))
}

/// Logs in JSON.
pub(in crate::receivers) fn logs_json(batch: &Batch) -> Bytes {
    let request = ExportLogsServiceRequest::decode(logs(batch)?.as_slice())?;
    Ok(serde_json::to_vec(&request)?)
}

/// Spans in protobuf, a resource for each service.
pub(in crate::receivers) fn spans(batch: &Batch) -> Bytes {
    let mut services: BTreeMap<&str, Vec<OtlpSpan>> = BTreeMap::new();
    for (number, event) in batch.numbered() {
        let span = Span::of(number, event)?;
        services.entry(span.service).or_default().push(otlp_span(span));
    }
    let scope = InstrumentationScope { name: "mesh".to_owned(), ..Default::default() };
    let resource_spans = services.into_iter().map(|(service, spans)| {
        let attributes = vec![attribute("service.name".to_owned(), Value::from(service))];
        ResourceSpans {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope.clone()), spans, ..Default::default() }],
            ..Default::default()
        }
    });
    Ok(ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec())
}

fn otlp_span(span: Span<'_>) -> OtlpSpan {
    let code = if span.failed { status::StatusCode::Error } else { status::StatusCode::Unset };
    OtlpSpan {
        trace_id: span.trace_id.to_be_bytes().to_vec(),
        span_id: span.span_id.to_be_bytes().to_vec(),
        parent_span_id: if span.parent_id == 0 { Vec::new() } else { span.parent_id.to_be_bytes().to_vec() },
        name: span.name,
        kind: span::SpanKind::Server.into(),
        start_time_unix_nano: span.start_ns as u64,
        end_time_unix_nano: (span.start_ns + span.duration_ns) as u64,
        attributes: span.attributes.into_iter().map(|(key, value)| attribute(key, value)).collect(),
        status: Some(Status { code: code.into(), ..Default::default() }),
        ..Default::default()
    }
}

fn attribute(key: String, value: Value) -> KeyValue {
    let value = match value {
        Value::Bool(truth) => any_value::Value::BoolValue(truth),
        Value::Number(number) => match number.as_i64() {
            Some(number) => any_value::Value::IntValue(number),
            None => any_value::Value::DoubleValue(number.as_f64().unwrap_or_default()),
        },
        value => any_value::Value::StringValue(super::plain(value)),
    };
    KeyValue { key, value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
