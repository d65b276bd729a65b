//! Zipkin's model of a span (version 2), and what it is in ours.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use logkeep_record::{Attributes, Resource, Span, SpanEvent, SpanId, SpanKind, TraceId, Value};

use crate::spans::{nanoseconds, put, read_tags, set_times};

/// One side of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Endpoint<'a> {
    pub(super) service: Cow<'a, str>,
    pub(super) addresses: Vec<Cow<'a, str>>,
    /// Zero where it is not known.
    pub(super) port: i64,
}

impl<'a> Endpoint<'a> {
    /// Adds an address given as four or sixteen bytes.
    pub(super) fn add_address(&mut self, bytes: &[u8]) {
        let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
        let address = v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from));
        if let Some(address) = address.filter(|address| !address.is_unspecified()) {
            self.addresses.push(Cow::Owned(address.to_string()));
        }
    }

    fn put(self, attributes: &mut Attributes<'a>, address: &'static str, port: &'static str) {
        for text in self.addresses {
            put(attributes, address, Value::Str(text));
        }
        put(attributes, port, (self.port != 0).then_some(Value::Int(self.port)));
    }
}

/// A span as version 2 has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ZipkinSpan<'a> {
    pub(super) trace_id: Option<TraceId>,
    pub(super) id: Option<SpanId>,
    pub(super) parent_id: Option<SpanId>,
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'a, str>,
    /// Zero where it is not known.
    pub(super) timestamp_us: i64,
    pub(super) duration_us: Option<i64>,
    pub(super) local: Endpoint<'a>,
    pub(super) remote: Endpoint<'a>,
    pub(super) annotations: Vec<(i64, Cow<'a, str>)>,
    pub(super) tags: Attributes<'a>,
    pub(super) debug: bool,
    /// The client's span has the same id.
    pub(super) shared: bool,
}

/// The resources of a request, of which most have one.
#[derive(Default)]
pub(super) struct Resources(Option<(String, Arc<Resource>)>);

impl Resources {
    fn of(&mut self, service: &str) -> Arc<Resource> {
        match &self.0 {
            Some((known, resource)) if known == service => resource.clone(),
            _ => {
                let mut attributes = Attributes::new();
                put(&mut attributes, "service.name", Value::from(service.to_owned()));
                let resource = Resource::from_attributes(attributes);
                self.0 = Some((service.to_owned(), resource.clone()));
                resource
            }
        }
    }
}

impl<'a> ZipkinSpan<'a> {
    pub(super) fn into_span(self, resources: &mut Resources) -> Span<'a> {
        let mut span = Span::new(self.name, resources.of(&self.local.service));
        (span.trace_id, span.span_id, span.parent_id) = (self.trace_id, self.id, self.parent_id);
        span.kind = self.kind;
        set_times(&mut span, self.timestamp_us, self.duration_us);
        span.attributes = self.tags;
        self.local.put(&mut span.attributes, "network.local.address", "network.local.port");
        put(&mut span.attributes, "peer.service", Value::Str(self.remote.service.clone()));
        self.remote.put(&mut span.attributes, "network.peer.address", "network.peer.port");
        put(&mut span.attributes, "zipkin.debug", self.debug.then_some(Value::Bool(true)));
        put(&mut span.attributes, "zipkin.shared", self.shared.then_some(Value::Bool(true)));
        let event = |(us, name)| SpanEvent { name, time_ns: nanoseconds(us), ..SpanEvent::default() };
        span.events = self.annotations.into_iter().map(event).collect();
        read_tags(&mut span);
        span
    }
}
