//! Counts the messages of a request without building them.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::OtlpError;

#[derive(Clone, Copy)]
pub(super) enum Kind {
    LogsRequest,
    ResourceLogs,
    Resource,
    ScopeLogs,
    Scope,
    LogRecord,
    TracesRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Pair,
    Any,
    Array,
    Map,
}

impl Kind {
    /// What the length-delimited field `tag` holds, if a message.
    fn child(self, tag: u32) -> Option<Self> {
        match (self, tag) {
            (Self::LogsRequest, 1) => Some(Self::ResourceLogs),
            (Self::ResourceLogs, 1) => Some(Self::Resource),
            (Self::ResourceLogs, 2) => Some(Self::ScopeLogs),
            (Self::ScopeLogs, 1) => Some(Self::Scope),
            (Self::ScopeLogs, 2) => Some(Self::LogRecord),
            (Self::TracesRequest, 1) => Some(Self::ResourceSpans),
            (Self::ResourceSpans, 1) => Some(Self::Resource),
            (Self::ResourceSpans, 2) => Some(Self::ScopeSpans),
            (Self::ScopeSpans, 1) => Some(Self::Scope),
            (Self::ScopeSpans, 2) => Some(Self::Span),
            (Self::Span, 11) => Some(Self::Event),
            (Self::Span, 13) => Some(Self::Link),
            (Self::Span, 9) | (Self::Event, 3) | (Self::Link, 4) => Some(Self::Pair),
            (Self::Resource, 1) | (Self::Scope, 3) | (Self::LogRecord, 6) | (Self::Map, 1) => Some(Self::Pair),
            (Self::LogRecord, 5) | (Self::Pair, 2) | (Self::Array, 1) => Some(Self::Any),
            (Self::Any, 5) => Some(Self::Array),
            (Self::Any, 6) => Some(Self::Map),
            _ => None,
        }
    }
}

/// Anything unreadable ends the count: the decoder proper says what is wrong.
pub(super) fn messages(request: Kind, body: &[u8], max: usize) -> Result<(), OtlpError> {
    let mut left = max;
    match walk(request, body, 0, &mut left) {
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

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use prost::Message;

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
        assert_eq!(super::messages(Kind::LogsRequest, &body, messages + 1), Ok(()));
        assert_eq!(
            super::messages(Kind::LogsRequest, &body, messages),
            Err(OtlpError::TooMany { what: "values", max: messages })
        );
    }
}
