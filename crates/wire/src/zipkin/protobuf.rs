//! Version 2 in protobuf (zipkin.proto3).

use std::borrow::Cow;

use logkeep_record::{SpanKind, Value};
use prost::Message;

use super::span::{Endpoint, Resources, ZipkinSpan};
use crate::Decoded;
use crate::spans::{MAX_VALUES, SpansError, check_count, push, trace_id_of};

const EXPECTED: &str = "a list of Zipkin v2 spans in protobuf";

#[derive(Message)]
struct ListMessage {
    #[prost(bytes = "vec", repeated, tag = "1")]
    spans: Vec<Vec<u8>>,
}

#[derive(Message)]
struct SpanMessage {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    parent_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    id: Vec<u8>,
    #[prost(int32, tag = "4")]
    kind: i32,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(fixed64, tag = "6")]
    timestamp: u64,
    #[prost(uint64, tag = "7")]
    duration: u64,
    #[prost(message, optional, tag = "8")]
    local: Option<EndpointMessage>,
    #[prost(message, optional, tag = "9")]
    remote: Option<EndpointMessage>,
    #[prost(message, repeated, tag = "10")]
    annotations: Vec<AnnotationMessage>,
    // A map on the wire is a list of pairs; so their order is kept.
    #[prost(message, repeated, tag = "11")]
    tags: Vec<TagMessage>,
    #[prost(bool, tag = "12")]
    debug: bool,
    #[prost(bool, tag = "13")]
    shared: bool,
}

#[derive(Message)]
struct EndpointMessage {
    #[prost(string, tag = "1")]
    service_name: String,
    #[prost(bytes = "vec", tag = "2")]
    ipv4: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    ipv6: Vec<u8>,
    #[prost(int32, tag = "4")]
    port: i32,
}

#[derive(Message)]
struct AnnotationMessage {
    #[prost(fixed64, tag = "1")]
    timestamp: u64,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Message)]
struct TagMessage {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

pub(super) fn decode(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, SpansError> {
    let list = ListMessage::decode(body).map_err(|error| SpansError::malformed(EXPECTED)(error.to_string()))?;
    check_count(list.spans.len())?;
    let (mut decoded, mut resources) = (Decoded::default(), Resources::default());
    let mut values_left = MAX_VALUES;
    for bytes in list.spans {
        let message = match SpanMessage::decode(bytes.as_slice()) {
            Ok(message) => message,
            Err(error) => {
                decoded.reject(error.to_string());
                continue;
            }
        };
        values_left = values_left
            .checked_sub(message.tags.len() + message.annotations.len())
            .ok_or(SpansError::TooMany { what: "values", max: MAX_VALUES })?;
        push(&mut decoded, span(message).into_span(&mut resources), received_ns);
    }
    Ok(decoded)
}

fn span(message: SpanMessage) -> ZipkinSpan<'static> {
    let id = |bytes: Vec<u8>| bytes.try_into().ok().and_then(logkeep_record::SpanId::new);
    let number = |number: u64| i64::try_from(number).unwrap_or(0);
    ZipkinSpan {
        trace_id: trace_id_of(&message.trace_id),
        id: id(message.id),
        parent_id: id(message.parent_id),
        kind: match message.kind {
            1 => SpanKind::Client,
            2 => SpanKind::Server,
            3 => SpanKind::Producer,
            4 => SpanKind::Consumer,
            _ => SpanKind::Unspecified,
        },
        name: Cow::Owned(message.name),
        timestamp_us: number(message.timestamp),
        duration_us: Some(number(message.duration)).filter(|lasted| *lasted != 0),
        local: endpoint(message.local),
        remote: endpoint(message.remote),
        annotations: message
            .annotations
            .into_iter()
            .map(|one| (number(one.timestamp), Cow::Owned(one.value)))
            .collect(),
        tags: message.tags.into_iter().map(|tag| (Cow::Owned(tag.key), Value::from(tag.value))).collect(),
        debug: message.debug,
        shared: message.shared,
    }
}

fn endpoint(message: Option<EndpointMessage>) -> Endpoint<'static> {
    let Some(message) = message else { return Endpoint::default() };
    let service = Cow::Owned(message.service_name);
    let mut endpoint = Endpoint { service, port: message.port.into(), ..Endpoint::default() };
    endpoint.add_address(&message.ipv4);
    endpoint.add_address(&message.ipv6);
    endpoint
}
