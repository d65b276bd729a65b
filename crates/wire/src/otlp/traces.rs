//! Spans in protobuf.
//!
//! They are decoded one by one: what that costs beside decoding the whole at once, one copy of the bytes, is less than what
//! becomes of a span later.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Record, Resource, Span, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId};
use opentelemetry_proto::tonic::trace::v1::Span as SpanMessage;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::{DecodeError, Message};

use super::protobuf::{UNCOUNTED_BYTES, attributes};
use super::{MAX_VALUES, OtlpError, count, lenient, time};
use crate::Decoded;

/// Decodes the body of `POST /v1/traces` or of a gRPC `Export`. The records stand for spans ([`Span::from_record`]).
///
/// # Errors
/// [`OtlpError`]; do not retry.
pub fn decode_traces_protobuf(body: &[u8], received_ns: i64) -> Result<Decoded<'static>, OtlpError> {
    if body.len() > UNCOUNTED_BYTES {
        count::messages(count::Kind::TracesRequest, body, MAX_VALUES)?;
    }
    lenient::decode(body, received_ns, entry)
}

fn entry(bytes: &[u8], received_ns: i64, resource: &Arc<Resource>) -> Result<Record<'static>, DecodeError> {
    let message = SpanMessage::decode(bytes)?;
    let status = message.status.unwrap_or_default();
    let span = Span {
        trace_id: trace_id(message.trace_id),
        span_id: span_id(message.span_id),
        parent_id: span_id(message.parent_span_id),
        trace_state: Cow::Owned(message.trace_state),
        flags: message.flags,
        name: Cow::Owned(message.name),
        kind: SpanKind::from_number(message.kind.into()),
        start_ns: time(message.start_time_unix_nano),
        end_ns: time(message.end_time_unix_nano),
        attributes: attributes(message.attributes),
        dropped_attributes: message.dropped_attributes_count,
        events: message.events.into_iter().map(event).collect(),
        dropped_events: message.dropped_events_count,
        links: message.links.into_iter().map(link).collect(),
        dropped_links: message.dropped_links_count,
        status: SpanStatus::from_number(status.code.into()),
        status_message: Cow::Owned(status.message),
        resource: Arc::clone(resource),
    };
    Ok(span.into_record(received_ns))
}

/// Ids of 64 bits are padded.
fn trace_id(bytes: Vec<u8>) -> Option<TraceId> {
    let mut id = [0; 16];
    let start = 16usize.checked_sub(bytes.len()).filter(|start| matches!(start, 0 | 8))?;
    id[start..].copy_from_slice(&bytes);
    TraceId::new(id)
}

fn span_id(bytes: Vec<u8>) -> Option<SpanId> {
    bytes.try_into().ok().and_then(SpanId::new)
}

fn event(event: Event) -> SpanEvent<'static> {
    SpanEvent {
        name: Cow::Owned(event.name),
        time_ns: time(event.time_unix_nano),
        attributes: attributes(event.attributes),
        dropped_attributes: event.dropped_attributes_count,
    }
}

fn link(link: Link) -> SpanLink<'static> {
    SpanLink {
        trace_id: trace_id(link.trace_id),
        span_id: span_id(link.span_id),
        trace_state: Cow::Owned(link.trace_state),
        flags: link.flags,
        attributes: attributes(link.attributes),
        dropped_attributes: link.dropped_attributes_count,
    }
}
