//! Requests in protobuf with every part that may be bad left as bytes, so that one bad entry costs only itself.

use std::sync::Arc;

use logkeep_record::{Record, Resource};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use prost::{DecodeError, Message};

use super::OtlpError;
use super::protobuf::{Emitter, check_count};
use crate::Decoded;

#[derive(Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<ResourceParts>,
}

#[derive(Message)]
struct ResourceParts {
    #[prost(bytes = "vec", tag = "1")]
    resource: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<ScopeParts>,
    #[prost(bytes = "vec", tag = "3")]
    schema_url: Vec<u8>,
}

#[derive(Message)]
struct ScopeParts {
    #[prost(bytes = "vec", tag = "1")]
    scope: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    entries: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "3")]
    schema_url: Vec<u8>,
}

/// Reads one record or span, which arrived at this time from this resource.
pub(super) type Entry = fn(&[u8], i64, &Arc<Resource>) -> Result<Record<'static>, DecodeError>;

/// Decodes a request for logs or traces, whose outlines are alike. Entries under a resource or scope that does not decode
/// are rejected with it: their origin would be lost.
pub(super) fn decode(body: &[u8], received_ns: i64, entry: Entry) -> Result<Decoded<'static>, OtlpError> {
    let malformed = |error: DecodeError| OtlpError::Malformed { format: "protobuf", what: error.to_string() };
    let request = Request::decode(body).map_err(malformed)?;
    check_count(request.resources.iter().flat_map(|logs| &logs.scopes).map(|logs| logs.entries.len()).sum())?;
    let mut decoded = Decoded::default();
    for parts in request.resources {
        let emitter = ResourceMessage::decode(parts.resource.as_slice())
            .map(|resource| Emitter::new(Some(resource), lossy(&parts.schema_url)));
        for scope in parts.scopes {
            let resource = emitter.as_ref().map_err(Clone::clone).and_then(|emitter| {
                let message = InstrumentationScope::decode(scope.scope.as_slice())?;
                Ok(emitter.under(Some(message), lossy(&scope.schema_url)))
            });
            for bytes in scope.entries {
                match resource.as_ref().map_err(Clone::clone).and_then(|resource| entry(&bytes, received_ns, resource))
                {
                    Ok(record) => decoded.records.push(record),
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
