//! What the spans of one request share: the tracer they come from, the ids of their traces, and what they may add up to.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use logkeep_record::{Attributes, Resource, Value, limits};

use super::Tracer;
use super::span::{DatadogSpan, Fault, OPENED_BYTES};
use crate::Decoded;
use crate::spans::{MAX_VALUES, SpansError, check_count, count, push, put};

/// Text that all spans together may point to, and their resources may hold: what the largest body without a table could.
const MAX_TEXT_BYTES: usize = limits::REQUEST_DECOMPRESSED_BYTES;

/// The spans taken so far.
pub(super) struct Taken<'a> {
    decoded: Decoded<'a>,
    received_ns: i64,
    /// Facts of the tracer, for all its services.
    pub(super) facts: Attributes<'static>,
    resources: HashMap<[String; 3], Arc<Resource>>,
    values_left: usize,
    text_left: usize,
    opened_left: usize,
}

/// A span, or why it is none.
pub(super) type Read<'a> = Result<DatadogSpan<'a>, Fault>;

impl<'a> Taken<'a> {
    pub(super) fn new(tracer: &Tracer, received_ns: i64) -> Self {
        let mut facts = Attributes::new();
        for (name, text) in [
            ("telemetry.sdk.language", &tracer.language),
            ("process.runtime.version", &tracer.language_version),
            ("telemetry.sdk.version", &tracer.version),
            ("container.id", &tracer.container_id),
        ] {
            put(&mut facts, name, Value::from(text.clone()));
        }
        Self {
            decoded: Decoded::default(),
            received_ns,
            facts,
            resources: HashMap::new(),
            values_left: MAX_VALUES,
            text_left: MAX_TEXT_BYTES,
            opened_left: OPENED_BYTES,
        }
    }

    /// What follows is of another tracer, of which this is known.
    pub(super) fn turn_to(&mut self, facts: Attributes<'static>) {
        self.facts = facts;
        self.resources.clear();
    }

    /// Sets a fact of the tracer; the last one said counts.
    pub(super) fn know(&mut self, name: &'static str, text: Cow<'_, str>) {
        if !text.is_empty() {
            self.facts.retain(|(key, _)| key != name);
            self.facts.push((Cow::Borrowed(name), Value::from(text.into_owned())));
        }
    }

    /// Counts a span that is about to be taken.
    pub(super) fn count(&mut self, span: &DatadogSpan<'_>) -> Result<(), SpansError> {
        let lists = [&span.meta, &span.metrics, &span.structures];
        let pairs = lists.iter().flat_map(|pairs| pairs.iter()).map(|(_, value)| count(value)).sum::<usize>();
        let links = span.links.iter().map(|link| 1 + link.attributes.len()).sum::<usize>();
        let events = span.events.iter().flat_map(|event| &event.attributes).map(|(_, value)| 1 + count(value));
        self.take_values(pairs + links + span.events.len() + events.sum::<usize>())
    }

    pub(super) fn take_values(&mut self, values: usize) -> Result<(), SpansError> {
        let too_many = SpansError::TooMany { what: "values", max: MAX_VALUES };
        self.values_left = self.values_left.checked_sub(values).ok_or(too_many)?;
        Ok(())
    }

    pub(super) fn take_text(&mut self, bytes: usize) -> Result<(), SpansError> {
        let too_much = SpansError::TooMany { what: "bytes of text", max: MAX_TEXT_BYTES };
        self.text_left = self.text_left.checked_sub(bytes).ok_or(too_much)?;
        Ok(())
    }

    /// Takes the spans of one trace. Only the first of them says how the trace's id begins.
    pub(super) fn chunk(&mut self, spans: Vec<Read<'a>>) -> Result<(), SpansError> {
        check_count(self.decoded.place() + spans.len())?;
        let mut upper = HashMap::new();
        for span in spans.iter().flatten() {
            if let Some(half) = span.upper_half() {
                upper.entry(span.trace_id).or_insert(half);
            }
        }
        for span in spans {
            match span {
                Ok(span) => {
                    let half = upper.get(&span.trace_id).copied().unwrap_or(0);
                    let resource = self.resource(&span)?;
                    let span = span.into_span(half, resource, &mut self.opened_left);
                    push(&mut self.decoded, span, self.received_ns);
                }
                Err(fault) => self.decoded.reject(fault),
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Decoded<'a> {
        self.decoded
    }

    fn resource(&mut self, span: &DatadogSpan<'_>) -> Result<Arc<Resource>, SpansError> {
        let said = [Some(&*span.service), span.meta("env"), span.meta("version")];
        let key = said.map(|text| text.unwrap_or_default().to_owned());
        if let Some(known) = self.resources.get(&key) {
            return Ok(known.clone());
        }
        let names = ["service.name", "deployment.environment.name", "service.version"];
        let mut attributes = Attributes::new();
        for (name, text) in names.into_iter().zip(&key) {
            put(&mut attributes, name, Value::from(text.clone()));
        }
        // What a span says of itself counts for more than what its tracer says of all.
        let unsaid = |(name, _): &&(Cow<'_, str>, _)| !attributes.iter().any(|(known, _)| known == name);
        let facts: Attributes<'static> = self.facts.iter().filter(unsaid).cloned().collect();
        attributes.extend(facts);
        let resource = Resource::from_attributes(attributes);
        self.take_text(resource.canonical().len())?;
        self.resources.insert(key, resource.clone());
        Ok(resource)
    }
}
