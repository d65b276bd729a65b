//! Version 1, where annotations say what version 2 has fields for.
//!
//! `cs` and `cr` stand for begin and end at a client, `sr` and `ss` at a server, `ms` and `mr` for a message sent and
//! received, `sa`, `ca` and `ma` for the address of the other side.

use std::borrow::Cow;

use logkeep_record::{SpanId, SpanKind, TraceId, Value};

use super::span::{Endpoint, ZipkinSpan};

#[derive(Default)]
pub(super) struct Annotation<'a> {
    pub(super) timestamp_us: i64,
    pub(super) value: Cow<'a, str>,
    pub(super) endpoint: Option<Endpoint<'a>>,
}

#[derive(Default)]
pub(super) struct BinaryAnnotation<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) value: Value<'a>,
    pub(super) endpoint: Option<Endpoint<'a>>,
}

impl BinaryAnnotation<'_> {
    /// Who knows only the other side's address is on this side.
    fn kind(&self) -> Option<SpanKind> {
        match (&*self.key, &self.value) {
            ("sa", Value::Bool(true)) => Some(SpanKind::Client),
            ("ca", Value::Bool(true)) => Some(SpanKind::Server),
            _ => None,
        }
    }
}

#[derive(Default)]
pub(super) struct V1Span<'a> {
    pub(super) trace_id: Option<TraceId>,
    pub(super) id: Option<SpanId>,
    pub(super) parent_id: Option<SpanId>,
    pub(super) name: Cow<'a, str>,
    pub(super) timestamp_us: i64,
    pub(super) duration_us: Option<i64>,
    pub(super) debug: bool,
    pub(super) annotations: Vec<Annotation<'a>>,
    pub(super) tags: Vec<BinaryAnnotation<'a>>,
}

/// The begin and end of each kind, where they are the span's own times.
const BOUNDS: &[(&str, &str, SpanKind)] = &[
    ("cs", "cr", SpanKind::Client),
    ("sr", "ss", SpanKind::Server),
    ("ms", "", SpanKind::Producer),
    ("mr", "", SpanKind::Consumer),
];

impl<'a> V1Span<'a> {
    /// A span that client and server report together, which only the oldest tracers do, is the client's, and the server's
    /// annotations are its events.
    pub(super) fn into_v2(self) -> ZipkinSpan<'a> {
        let mut span = ZipkinSpan {
            trace_id: self.trace_id,
            id: self.id,
            parent_id: self.parent_id,
            name: self.name,
            timestamp_us: self.timestamp_us,
            duration_us: self.duration_us,
            debug: self.debug,
            ..ZipkinSpan::default()
        };
        let at = |name: &str| {
            self.annotations.iter().find(|one| one.value == name && !name.is_empty()).map(|one| one.timestamp_us)
        };
        let bounds = BOUNDS.iter().find(|(begin, end, _)| at(begin).or_else(|| at(end)).is_some());
        if let Some((begin, end, kind)) = bounds {
            span.kind = *kind;
            if span.timestamp_us == 0 {
                span.timestamp_us = at(begin).unwrap_or(0);
            }
            let lasted = at(end).zip(at(begin)).and_then(|(end, begin)| end.checked_sub(begin));
            span.duration_us = span.duration_us.or(lasted).filter(|lasted| *lasted > 0);
        }
        if bounds.is_none() {
            span.kind = self.tags.iter().find_map(BinaryAnnotation::kind).unwrap_or_default();
        }
        for Annotation { timestamp_us, value, endpoint } in self.annotations {
            span.keep_local(endpoint);
            if !bounds.is_some_and(|(begin, end, _)| value == *begin || value == *end) {
                span.annotations.push((timestamp_us, value));
            }
        }
        for BinaryAnnotation { key, value, endpoint } in self.tags {
            let address = matches!(&*key, "sa" | "ca" | "ma") && value == Value::Bool(true);
            let other_side = (key == "ca") == (span.kind == SpanKind::Server);
            match endpoint {
                // The client's address is the other side for a server only, and the server's for all others.
                Some(endpoint) if address && other_side => span.remote = endpoint,
                endpoint => {
                    span.keep_local(endpoint);
                    if !address {
                        span.tags.push((key, value));
                    }
                }
            }
        }
        span
    }
}

impl<'a> ZipkinSpan<'a> {
    /// The first endpoint that has a name is the span's own.
    fn keep_local(&mut self, endpoint: Option<Endpoint<'a>>) {
        if let Some(endpoint) = endpoint.filter(|_| self.local.service.is_empty()) {
            self.local = endpoint;
        }
    }
}
