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

use super::{MAX_VALUES, OtlpError, time};
use crate::Decoded;

/// Requests up to this size cannot hold enough messages to matter and are not counted.
const UNCOUNTED_BYTES: usize = 1 << 20;

/// Decodes the body of `POST /v1/logs` or of a gRPC `Export`.
///
/// # Errors
/// [`OtlpError`]; do not retry.
pub fn decode_protobuf(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, OtlpError> {
    if body.len() > UNCOUNTED_BYTES {
        count::messages(body, MAX_VALUES)?;
    }
    match ExportLogsServiceRequest::decode(body) {
        Ok(request) => decode_request(request, received_ns),
        Err(_) => lenient::decode(body, received_ns),
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

fn check_count(count: usize) -> Result<(), OtlpError> {
    let max = limits::RECORDS_PER_REQUEST;
    if count > max { Err(OtlpError::TooMany { what: "records", max }) } else { Ok(()) }
}

/// A resource that still lacks its scope.
struct Emitter {
    attributes: Attributes<'static>,
    dropped_attributes: u32,
    schema_url: String,
}

impl Emitter {
    fn new(message: Option<ResourceMessage>, schema_url: String) -> Self {
        let message = message.unwrap_or_default();
        Self {
            attributes: attributes(message.attributes),
            dropped_attributes: message.dropped_attributes_count,
            schema_url,
        }
    }

    fn under(&self, scope: Option<InstrumentationScope>, schema_url: String) -> Arc<Resource> {
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

fn attributes(pairs: Vec<KeyValue>) -> Attributes<'static> {
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

/// The same messages with every part that may be bad left as bytes.
mod lenient {
    use super::*;

    #[derive(Message)]
    struct Request {
        #[prost(message, repeated, tag = "1")]
        resource_logs: Vec<ResourceParts>,
    }

    #[derive(Message)]
    struct ResourceParts {
        #[prost(bytes = "vec", tag = "1")]
        resource: Vec<u8>,
        #[prost(message, repeated, tag = "2")]
        scope_logs: Vec<ScopeParts>,
        #[prost(bytes = "vec", tag = "3")]
        schema_url: Vec<u8>,
    }

    #[derive(Message)]
    struct ScopeParts {
        #[prost(bytes = "vec", tag = "1")]
        scope: Vec<u8>,
        #[prost(bytes = "vec", repeated, tag = "2")]
        log_records: Vec<Vec<u8>>,
        #[prost(bytes = "vec", tag = "3")]
        schema_url: Vec<u8>,
    }

    /// Records under a resource or scope that does not decode are rejected with it: their origin would be lost.
    pub(super) fn decode(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, OtlpError> {
        let malformed =
            |error: prost::DecodeError| OtlpError::Malformed { format: "protobuf", what: error.to_string() };
        let request = Request::decode(body).map_err(malformed)?;
        check_count(
            request.resource_logs.iter().flat_map(|logs| &logs.scope_logs).map(|logs| logs.log_records.len()).sum(),
        )?;
        let mut decoded = Decoded::default();
        for parts in request.resource_logs {
            let emitter = ResourceMessage::decode(parts.resource.as_slice())
                .map(|resource| Emitter::new(Some(resource), lossy(&parts.schema_url)));
            for scope in parts.scope_logs {
                let resource = emitter.as_ref().map_err(Clone::clone).and_then(|emitter| {
                    let message = InstrumentationScope::decode(scope.scope.as_slice())?;
                    Ok(emitter.under(Some(message), lossy(&scope.schema_url)))
                });
                for bytes in scope.log_records {
                    let log =
                        resource.clone().and_then(|resource| Ok((LogRecord::decode(bytes.as_slice())?, resource)));
                    match log {
                        Ok((log, resource)) => decoded.records.push(record(log, received_ns, &resource)),
                        Err(error) => decoded.reject(error.to_string()),
                    }
                }
            }
        }
        Ok(decoded)
    }

    fn lossy(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }
}

/// Counts the messages of a request without building them.
mod count {
    use prost::encoding::{WireType, decode_key, decode_varint};

    use super::OtlpError;

    #[derive(Clone, Copy)]
    enum Kind {
        Request,
        ResourceLogs,
        Resource,
        ScopeLogs,
        Scope,
        LogRecord,
        Pair,
        Any,
        Array,
        Map,
    }

    impl Kind {
        /// What the length-delimited field `tag` holds, if a message.
        fn child(self, tag: u32) -> Option<Self> {
            match (self, tag) {
                (Self::Request, 1) => Some(Self::ResourceLogs),
                (Self::ResourceLogs, 1) => Some(Self::Resource),
                (Self::ResourceLogs, 2) => Some(Self::ScopeLogs),
                (Self::ScopeLogs, 1) => Some(Self::Scope),
                (Self::ScopeLogs, 2) => Some(Self::LogRecord),
                (Self::Resource, 1) | (Self::Scope, 3) | (Self::LogRecord, 6) | (Self::Map, 1) => Some(Self::Pair),
                (Self::LogRecord, 5) | (Self::Pair, 2) | (Self::Array, 1) => Some(Self::Any),
                (Self::Any, 5) => Some(Self::Array),
                (Self::Any, 6) => Some(Self::Map),
                _ => None,
            }
        }
    }

    /// Anything unreadable ends the count: the decoder proper says what is wrong.
    pub(super) fn messages(body: &[u8], max: usize) -> Result<(), OtlpError> {
        let mut left = max;
        match walk(Kind::Request, body, 0, &mut left) {
            None if left == 0 => Err(OtlpError::TooMany { what: "values", max }),
            _ => Ok(()),
        }
    }

    fn walk(kind: Kind, mut body: &[u8], depth: usize, left: &mut usize) -> Option<()> {
        *left = left.checked_sub(1).filter(|left| *left > 0).or_else(|| {
            *left = 0;
            None
        })?;
        while !body.is_empty() {
            let (tag, wire_type) = decode_key(&mut body).ok()?;
            let skip = match wire_type {
                WireType::Varint => {
                    decode_varint(&mut body).ok()?;
                    0
                }
                WireType::SixtyFourBit => 8,
                WireType::ThirtyTwoBit => 4,
                WireType::LengthDelimited => {
                    let len = usize::try_from(decode_varint(&mut body).ok()?).ok()?;
                    if let Some(child) = kind.child(tag).filter(|_| depth < 100) {
                        walk(child, body.get(..len)?, depth + 1, left)?;
                    }
                    len
                }
                WireType::StartGroup | WireType::EndGroup => return None,
            };
            body = body.get(skip..)?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_at_every_depth() {
        let pair = KeyValue { value: Some(AnyValue { value: Some(Any::BoolValue(true)) }), ..KeyValue::default() };
        let log = LogRecord { attributes: vec![pair; 10], ..LogRecord::default() };
        let logs = ScopeLogs { log_records: vec![log; 3], ..ScopeLogs::default() };
        let logs = ResourceLogs { scope_logs: vec![logs], ..ResourceLogs::default() };
        let body = ExportLogsServiceRequest { resource_logs: vec![logs] }.encode_to_vec();
        // The request, one of each kind of logs, and three records of ten pairs with a value each.
        let messages = 3 + 3 * (1 + 2 * 10);
        assert_eq!(count::messages(&body, messages + 1), Ok(()));
        assert_eq!(count::messages(&body, messages), Err(OtlpError::TooMany { what: "values", max: messages }));
    }
}
