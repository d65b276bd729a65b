//! The protobuf form.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Record, Resource, Scope, Severity, SpanId, TraceId, Value, limits};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use prost::Message;

use super::{MAX_VALUES, OtlpError, count, lenient, time};
use crate::Decoded;

/// Requests up to this size cannot hold enough messages to matter and are not counted.
pub(super) const UNCOUNTED_BYTES: usize = 1 << 20;

/// Decodes the body of `POST /v1/logs` or of a gRPC `Export`.
///
/// # Errors
/// [`OtlpError`]; do not retry.
pub fn decode_protobuf(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, OtlpError> {
    if body.len() > UNCOUNTED_BYTES {
        count::messages(count::Kind::LogsRequest, body, MAX_VALUES)?;
    }
    match ExportLogsServiceRequest::decode(body) {
        Ok(request) => decode_request(request, received_ns),
        Err(_) => lenient::decode(body, received_ns, entry),
    }
}

/// The records of a request that tonic has decoded.
///
/// # Errors
/// [`OtlpError::TooMany`]; do not retry.
pub fn decode_request(request: ExportLogsServiceRequest, received_ns: i64) -> Result<Decoded<'static>, OtlpError> {
    let scopes = || request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
    let count = scopes().map(|logs| logs.log_records.len()).sum();
    check_count(count)?;
    let mut decoded = Decoded { records: Vec::with_capacity(count), rejected: Vec::new() };
    for ResourceLogs { resource, scope_logs, schema_url } in request.resource_logs {
        let emitter = Emitter::new(resource, schema_url);
        for ScopeLogs { scope, log_records, schema_url } in scope_logs {
            let resource = emitter.under(scope, schema_url);
            decoded.records.extend(log_records.into_iter().map(|log| record(log, received_ns, &resource)));
        }
    }
    Ok(decoded)
}

pub(super) fn check_count(count: usize) -> Result<(), OtlpError> {
    let max = limits::RECORDS_PER_REQUEST;
    if count > max { Err(OtlpError::TooMany { what: "records", max }) } else { Ok(()) }
}

/// A resource that still lacks its scope.
pub(super) struct Emitter {
    attributes: Attributes<'static>,
    dropped_attributes: u32,
    schema_url: String,
}

impl Emitter {
    pub(super) fn new(message: Option<ResourceMessage>, schema_url: String) -> Self {
        let message = message.unwrap_or_default();
        Self {
            attributes: attributes(message.attributes),
            dropped_attributes: message.dropped_attributes_count,
            schema_url,
        }
    }

    pub(super) fn under(&self, scope: Option<InstrumentationScope>, schema_url: String) -> Arc<Resource> {
        let scope = scope.unwrap_or_default();
        let scope = Scope {
            name: scope.name,
            version: scope.version,
            attributes: attributes(scope.attributes),
            dropped_attributes: scope.dropped_attributes_count,
            schema_url,
        };
        Resource::new(self.attributes.clone(), self.dropped_attributes, self.schema_url.clone(), scope)
    }
}

fn entry(bytes: &[u8], received_ns: i64, resource: &Arc<Resource>) -> Result<Record<'static>, prost::DecodeError> {
    LogRecord::decode(bytes).map(|log| record(log, received_ns, resource))
}

fn record(log: LogRecord, received_ns: i64, resource: &Arc<Resource>) -> Record<'static> {
    Record {
        time_ns: time(log.time_unix_nano),
        observed_ns: time(log.observed_time_unix_nano),
        received_ns,
        severity: Severity::from_number(log.severity_number.into()),
        severity_text: Cow::Owned(log.severity_text),
        body: log.body.map_or(Value::Null, value),
        original: None,
        attributes: attributes(log.attributes),
        dropped_attributes: log.dropped_attributes_count,
        flags: log.flags,
        trace_id: log.trace_id.try_into().ok().and_then(TraceId::new),
        span_id: log.span_id.try_into().ok().and_then(SpanId::new),
        event_name: Cow::Owned(log.event_name),
        resource: Arc::clone(resource),
    }
}

pub(super) fn attributes(pairs: Vec<KeyValue>) -> Attributes<'static> {
    pairs.into_iter().map(|pair| (Cow::Owned(pair.key), pair.value.map_or(Value::Null, value))).collect()
}

/// Depth is bounded by prost, which refuses messages nested over a hundred deep: fewer than 64 values.
fn value(any: AnyValue) -> Value<'static> {
    match any.value {
        None => Value::Null,
        Some(Any::StringValue(text)) => Value::Str(Cow::Owned(text)),
        Some(Any::BoolValue(value)) => Value::Bool(value),
        // An index into the string table of profiles; logs have no such table, so the number is all there is.
        Some(Any::StringValueStrindex(value)) => Value::Int(value.into()),
        Some(Any::IntValue(number)) => Value::Int(number),
        Some(Any::DoubleValue(number)) => Value::Double(number),
        Some(Any::ArrayValue(list)) => Value::Array(list.values.into_iter().map(value).collect()),
        Some(Any::KvlistValue(list)) => Value::Map(attributes(list.values)),
        Some(Any::BytesValue(bytes)) => Value::Bytes(Cow::Owned(bytes)),
    }
}
