//! What both forms of a Jaeger span have, and what it is in ours.

use std::borrow::Cow;
use std::sync::Arc;

use logkeep_record::{Attributes, Resource, Span, SpanEvent, SpanId, SpanLink, TraceId, Value};

use crate::spans::read_tags;

/// How a span refers to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    ChildOf,
    FollowsFrom,
}

impl Reference {
    pub(super) fn from_number(number: i64) -> Self {
        if number == 1 { Self::FollowsFrom } else { Self::ChildOf }
    }
}

/// One reference.
pub(super) struct SpanRef {
    pub(super) kind: Reference,
    pub(super) trace_id: Option<TraceId>,
    pub(super) span_id: Option<SpanId>,
}

/// The resource that a process is.
pub(super) fn process(service: String, tags: Attributes<'static>) -> Arc<Resource> {
    let mut attributes = Attributes::with_capacity(tags.len() + 1);
    if !service.is_empty() {
        attributes.push((Cow::Borrowed("service.name"), Value::from(service)));
    }
    attributes.extend(tags);
    Resource::from_attributes(attributes)
}

/// A log entry of a span: its field `event` is its name.
pub(super) fn event(time_ns: Option<i64>, mut fields: Attributes<'static>) -> SpanEvent<'static> {
    let place = fields.iter().position(|(key, value)| key == "event" && value.as_str().is_some());
    let name = match place.map(|place| fields.remove(place)) {
        Some((_, Value::Str(name))) => name,
        _ => Cow::Borrowed(""),
    };
    SpanEvent { name, time_ns, attributes: fields, dropped_attributes: 0 }
}

/// Gives the span its parent and its links. Without a parent of its own it is the child of the first span of its trace that it
/// says it is a child of.
pub(super) fn refer(span: &mut Span<'static>, references: Vec<SpanRef>) {
    for reference in references {
        let same_trace = reference.trace_id == span.trace_id && reference.kind == Reference::ChildOf;
        if same_trace && (span.parent_id.is_none() || span.parent_id == reference.span_id) {
            span.parent_id = reference.span_id;
            continue;
        }
        let kind = match reference.kind {
            Reference::ChildOf => "child_of",
            Reference::FollowsFrom => "follows_from",
        };
        span.links.push(SpanLink {
            trace_id: reference.trace_id,
            span_id: reference.span_id,
            attributes: vec![(Cow::Borrowed("opentracing.ref_type"), Value::str(kind))],
            ..SpanLink::default()
        });
    }
}

/// The last step: what tags say becomes fields.
pub(super) fn finish(mut span: Span<'static>) -> Span<'static> {
    read_tags(&mut span);
    span
}
