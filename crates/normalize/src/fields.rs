//! Where the parts of one record are gathered while its keys are read.
//!
//! A key is looked up once and its rule applied at once. Where several keys may say the same thing (the time, the
//! message, the level), the best is kept in a slot and the others stay attributes, so that nothing said is lost.

use std::borrow::Cow;

use logkeep_record::{Attributes, Resource, Severity, SpanId, TraceId, Value, limits};

use crate::family::Family;
use crate::mesh::Mesh;
use crate::resource::{BaseFacts, Lifted, name_or_container};
use crate::semconv::{self, Entry, KUMA, LINKERD_ONLY, Rule};
use crate::shippers::PREFIXES;
use crate::{convert, ids, table};

/// Longer values say something about a record, not about its sender.
const LIFTED_BYTES: usize = 256;
/// Facts about the sender beyond this number stay with the record.
const LIFTED_FACTS: usize = 64;
/// Keys of other vocabularies beyond this number keep their names.
const RENAMED: usize = 64;
const SENDERS_OWN: &str = "sender.";

/// A value that only one key may give, and the rank of the one that did.
pub(crate) struct Slot<'a, T> {
    pub(crate) rank: u8,
    pub(crate) key: Cow<'a, str>,
    pub(crate) sent: Value<'a>,
    pub(crate) read: T,
}

/// What has been read of a record so far.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    pub(crate) attributes: Attributes<'a>,
    pub(crate) dropped: u32,
    pub(crate) family: Family,
    pub(crate) time: Option<Slot<'a, i64>>,
    pub(crate) message: Option<Slot<'a, ()>>,
    pub(crate) level: Option<Slot<'a, Severity>>,
    pub(crate) trace_id: Option<TraceId>,
    pub(crate) span_id: Option<SpanId>,
    pub(crate) flags: Option<u32>,
    pub(crate) lifted: Vec<Lifted<'a>>,
    pub(crate) mesh: Mesh<'a>,
    /// The protocol itself gave the time, so what the document says stays an attribute.
    pub(crate) keep_time: bool,
    /// The time of the envelope that the message came in.
    pub(crate) envelope_time_ns: Option<i64>,
    /// Time and level in front of a line's message; what the message itself says counts for more.
    pub(crate) prefix_time_ns: Option<i64>,
    pub(crate) prefix_level: Option<(Severity, Cow<'a, str>)>,
    /// Values whose standard name another key may have given: the key as sent, the name, the value.
    renamed: Vec<(Cow<'a, str>, &'static str, Value<'a>)>,
    has_method: bool,
}

impl<'a> Fields<'a> {
    /// Reads the pairs of one document, nested maps included. `entries` are those of its first keys, where the caller
    /// has looked them up.
    pub(crate) fn document(&mut self, pairs: Attributes<'a>, family: Family, entries: &[Option<&'static Entry>]) {
        self.family = family;
        self.attributes.reserve(pairs.len() + pairs.len() / 2);
        self.lifted.reserve(8);
        self.has_method = family.is_access()
            && pairs.iter().any(|(key, value)| key == "method" && !convert::is_absent(value))
            || family == Family::WebServer;
        for (place, (key, value)) in pairs.into_iter().enumerate() {
            if let Value::Map(inner) = value {
                if !inner.is_empty() {
                    let mut path = String::with_capacity(64);
                    path.push_str(&key);
                    self.nested(&mut path, inner, 1);
                    continue;
                }
                self.push(key, Value::Map(inner));
                continue;
            }
            let entry = entries.get(place).copied().unwrap_or_else(|| table::lookup(&key));
            self.field(key, entry, value);
        }
    }

    /// Flattens a map under `path`, which is left as it was.
    pub(crate) fn nested(&mut self, path: &mut String, pairs: Attributes<'a>, depth: usize) {
        let base = path.len();
        for (key, value) in pairs {
            path.push('.');
            path.push_str(&key);
            match value {
                Value::Map(inner)
                    if !inner.is_empty() && depth < limits::VALUE_DEPTH && path.len() <= limits::KEY_BYTES =>
                {
                    self.nested(path, inner, depth + 1);
                }
                value => match table::lookup(path) {
                    Some(entry) => self.field(Cow::Borrowed(entry.key), Some(entry), value),
                    None if let Some(prefix) = label_prefix(&path[..=base]) => self.label(prefix, key, value),
                    None if path.len() > limits::KEY_BYTES => self.dropped = self.dropped.saturating_add(1),
                    None => self.field(Cow::Owned(path.clone()), None, value),
                },
            }
            path.truncate(base);
        }
    }

    fn label(&mut self, prefix: &'static str, key: Cow<'a, str>, value: Value<'a>) {
        match value {
            Value::Str(text) if self.can_lift(&text) && key.len() <= LIFTED_BYTES => {
                self.lift_once(Lifted { prefix, name: key, key: None, value: Value::Str(text), rank: None });
            }
            value => self.push(Cow::Owned(format!("{prefix}{key}")), value),
        }
    }

    /// Keeps an attribute within the limits; what is over them is counted.
    pub(crate) fn push(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        if self.attributes.len() >= limits::ATTRIBUTES_PER_RECORD || key.len() > limits::KEY_BYTES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let key = if key.starts_with("logkeep.") { Cow::Owned(format!("{SENDERS_OWN}{key}")) } else { key };
        self.attributes.push((key, value));
    }

    /// Keeps what our own decoder says of the record, under its name.
    pub(crate) fn mark(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        self.attributes.push((key, value));
    }

    pub(crate) fn put(&mut self, name: &'static str, value: Value<'a>) {
        self.push(Cow::Borrowed(name), value);
    }

    /// Applies what is known of one key.
    pub(crate) fn field(&mut self, key: Cow<'a, str>, entry: Option<&'static Entry>, value: Value<'a>) {
        let is_access = self.family.is_access();
        let Some(entry) = entry else {
            if !(is_access && convert::is_absent(&value)) {
                self.push(key, value);
            }
            return;
        };
        if (entry.marks / KUMA) & 0xff > 0 {
            self.mesh.is_kuma();
        }
        if is_access && let Some(rule) = entry.access.filter(|_| self.has_access_meaning(entry)) {
            if !convert::is_absent(&value) {
                self.access(key, rule, value);
            }
            return;
        }
        match entry.general {
            Some(rule) => self.general(key, rule, value),
            None => self.push(key, value),
        }
    }

    fn has_access_meaning(&self, entry: &Entry) -> bool {
        entry.marks != LINKERD_ONLY || self.family == Family::Linkerd
    }

    /// Rules whose key means this only in an access log.
    fn access(&mut self, key: Cow<'a, str>, rule: Rule, value: Value<'a>) {
        match rule {
            Rule::As(name) => self.put(name, value),
            Rule::Int(name) => self.convert(key, name, value, convert::integer),
            Rule::Millis(name) => self.convert(key, name, value, convert::millis),
            Rule::Nanos(name) => self.convert(key, name, value, convert::millis_of_nanos),
            Rule::Size(http, plain) => {
                let name = if self.has_method || self.family == Family::Linkerd { http } else { plain };
                self.convert(key, name, value, convert::integer);
            }
            Rule::Status => match convert::integer(&value) {
                // Envoy writes 0 where no answer was sent; that is no status code.
                Some(Value::Int(0)) => self.mesh.status = Some(0),
                Some(Value::Int(status)) => {
                    self.mesh.status = Some(status);
                    self.put(semconv::HTTP_STATUS, Value::Int(status));
                }
                _ => self.push(key, value),
            },
            Rule::TlsVersion => {
                self.mesh.has_tls = true;
                self.put(semconv::TLS_VERSION, value);
            }
            rule => match value {
                Value::Str(text) => self.access_text(key, rule, text),
                value => self.general(key, rule, value),
            },
        }
    }

    fn convert(
        &mut self,
        key: Cow<'a, str>,
        name: &'static str,
        value: Value<'a>,
        convert: fn(&Value<'a>) -> Option<Value<'a>>,
    ) {
        match convert(&value) {
            Some(converted) => self.put(name, converted),
            None => self.push(key, value),
        }
    }

    fn access_text(&mut self, key: Cow<'a, str>, rule: Rule, text: Cow<'a, str>) {
        match rule {
            Rule::Path => self.path(text),
            Rule::Uri => self.uri(text),
            Rule::Authority => self.address(semconv::SERVER_ADDRESS, semconv::SERVER_PORT, text),
            Rule::Address(address, port) => self.address(address, port, text),
            Rule::Protocol => self.protocol(text),
            Rule::ResponseFlags => {
                self.mesh.failed = crate::mesh::failure_in(&text).is_some();
                self.put(semconv::RESPONSE_FLAGS, Value::Str(text));
            }
            Rule::Cluster => self.cluster(text),
            Rule::Identity(name) => {
                self.mesh.has_identity = true;
                let is_spiffe = text.starts_with("spiffe://");
                let name = match name {
                    _ if is_spiffe => name,
                    semconv::SOURCE_SPIFFE => semconv::SOURCE_IDENTITY,
                    _ => semconv::DESTINATION_IDENTITY,
                };
                self.put(name, Value::Str(text));
            }
            Rule::SecurityPolicy => {
                self.mesh.policy(&text);
                self.put("mesh.security_policy", Value::Str(text));
            }
            rule => self.general(key, rule, Value::Str(text)),
        }
    }

    fn path(&mut self, text: Cow<'a, str>) {
        match memchr::memchr(b'?', text.as_bytes()) {
            Some(at) => {
                let (path, query) = convert::cut(text, at, 1);
                self.put(semconv::URL_PATH, Value::Str(path));
                self.put(semconv::URL_QUERY, Value::Str(query));
            }
            None => self.put(semconv::URL_PATH, Value::Str(text)),
        }
    }

    fn uri(&mut self, text: Cow<'a, str>) {
        let Some(at) = text.find("://").filter(|at| *at > 0 && *at < 16) else { return self.path(text) };
        let (scheme, rest) = convert::cut(text, at, 3);
        self.put(semconv::URL_SCHEME, Value::Str(scheme));
        let Some(at) = rest.find(['/', '?']) else {
            return self.address(semconv::SERVER_ADDRESS, semconv::SERVER_PORT, rest);
        };
        let (authority, path) = convert::cut(rest, at, 0);
        self.address(semconv::SERVER_ADDRESS, semconv::SERVER_PORT, authority);
        self.path(path);
    }

    fn address(&mut self, name: &'static str, port_name: &'static str, text: Cow<'a, str>) {
        let (address, port) = convert::address(text);
        self.put(name, Value::Str(address));
        if let Some(port) = port {
            self.put(port_name, Value::Int(port));
        }
    }

    fn protocol(&mut self, text: Cow<'a, str>) {
        match text.strip_prefix("HTTP/") {
            Some(version) => {
                let version = match version {
                    "1.1" => Cow::Borrowed("1.1"),
                    "2" | "2.0" => Cow::Borrowed("2"),
                    "1.0" => Cow::Borrowed("1.0"),
                    "3" | "3.0" => Cow::Borrowed("3"),
                    other => Cow::Owned(other.to_owned()),
                };
                self.put(semconv::PROTOCOL_NAME, Value::str("http"));
                self.put(semconv::PROTOCOL_VERSION, Value::Str(version));
            }
            None => self.put(semconv::PROTOCOL_NAME, Value::Str(text)),
        }
    }

    fn cluster(&mut self, text: Cow<'a, str>) {
        if let Some(service) = self.mesh.cluster(&text) {
            self.put(semconv::DESTINATION_SERVICE, Value::Str(service));
        }
        self.put(semconv::UPSTREAM_CLUSTER, Value::Str(text));
    }

    /// Rules that hold in any document.
    pub(crate) fn general(&mut self, key: Cow<'a, str>, rule: Rule, value: Value<'a>) {
        match rule {
            Rule::Time(rank) => match crate::time::from_value(&value).filter(|_| !self.keep_time) {
                Some(read) => self.time(Slot { rank, key, sent: value, read }),
                None => self.push(key, value),
            },
            Rule::Message(rank) if matches!(value, Value::Str(_)) => {
                self.message(Slot { rank, key, sent: value, read: () });
            }
            Rule::Level(rank, scale) => match convert::severity(&value, scale) {
                Severity::UNSPECIFIED => self.push(key, value),
                read => self.level(Slot { rank, key, sent: value, read }),
            },
            Rule::TraceId(digits) if self.trace_id.is_none() => match ids::trace_id(&value, digits) {
                Some(id) => self.trace_id = Some(id),
                None => self.push(key, value),
            },
            Rule::SpanId(digits) if self.span_id.is_none() => match ids::span_id(&value, digits) {
                Some(id) => self.span_id = Some(id),
                None => self.push(key, value),
            },
            Rule::Traceparent if self.trace_id.is_none() => match value.as_str().and_then(ids::traceparent) {
                Some((trace, span, flags)) => {
                    (self.trace_id, self.flags) = (Some(trace), Some(flags));
                    self.span_id = self.span_id.or(Some(span));
                }
                None => self.push(key, value),
            },
            Rule::Stream if matches!(value.as_str(), Some("stdout" | "stderr")) => self.put(semconv::IOSTREAM, value),
            Rule::Lift(name) => self.lift(key, Some(name), None, value),
            Rule::LiftName(name) => match value.as_str().and_then(|text| name_or_container(name, text)) {
                Some(name) => self.lift(key, Some(name), None, value),
                None => self.push(key, value),
            },
            Rule::As(name) => self.rename(key, name, value),
            Rule::Int(name) => match convert::integer(&value) {
                Some(number) => self.rename(key, name, number),
                None => self.push(key, value),
            },
            Rule::Name(rank) => self.lift(key, None, Some(rank), value),
            _ => self.push(key, value),
        }
    }

    /// A fact about the sender. Only short texts are; anything else stays with the record under its own key.
    fn lift(&mut self, key: Cow<'a, str>, name: Option<&'static str>, rank: Option<u8>, value: Value<'a>) {
        match value {
            Value::Str(text) if self.can_lift(&text) => {
                let (name, key) = match name {
                    Some(name) => (Cow::Borrowed(name), Some(key)),
                    None => (key, None),
                };
                self.lift_once(Lifted { prefix: "", name, key, value: Value::Str(text), rank });
            }
            value => self.push(key, value),
        }
    }

    /// The first fact of a name counts; what says otherwise stays with the record.
    fn lift_once(&mut self, fact: Lifted<'a>) {
        match self.lifted.iter().find(|known| known.is_called(fact.prefix, &fact.name)) {
            None => self.lifted.push(fact),
            Some(known) if known.value == fact.value => {}
            Some(_) => {
                let (key, value) = fact.into_sent();
                self.push(key, value);
            }
        }
    }

    /// What the sender's resource says counts, because what carried the record knows it; a document that says otherwise may mean
    /// something else by the same word.
    pub(crate) fn keep_contradictions(&mut self, base: &Resource, facts: &BaseFacts) {
        let known: Vec<_> = self.lifted.extract_if(.., |fact| facts.said(base, fact).is_some()).collect();
        for fact in known {
            if facts.said(base, &fact) != Some(&fact.value) {
                let (key, value) = fact.into_sent();
                self.push(key, value);
            }
        }
    }

    fn rename(&mut self, key: Cow<'a, str>, name: &'static str, value: Value<'a>) {
        if self.renamed.len() < RENAMED {
            self.renamed.push((key, name, value));
        } else {
            self.push(key, value);
        }
    }

    /// Gives renamed values their standard names, once all others are known: what another key said under the name stays,
    /// and what differs from it keeps the name it came under.
    pub(crate) fn settle_renamed(&mut self) {
        for (key, name, value) in std::mem::take(&mut self.renamed) {
            match self.attributes.iter().find(|(known, _)| known == name) {
                None => self.put(name, value),
                Some((_, known)) if *known == value => {}
                Some(_) => self.push(key, value),
            }
        }
    }

    fn can_lift(&self, text: &str) -> bool {
        !text.is_empty() && text.len() <= LIFTED_BYTES && self.lifted.len() < LIFTED_FACTS
    }

    fn time(&mut self, slot: Slot<'a, i64>) {
        let loser = contest(&mut self.time, slot);
        self.keep(loser);
    }

    fn message(&mut self, slot: Slot<'a, ()>) {
        let loser = contest(&mut self.message, slot);
        self.keep(loser);
    }

    pub(crate) fn level(&mut self, slot: Slot<'a, Severity>) {
        let loser = contest(&mut self.level, slot);
        self.keep(loser);
    }

    /// What lost a slot stays an attribute.
    pub(crate) fn keep<T>(&mut self, slot: Option<Slot<'a, T>>) {
        if let Some(slot) = slot {
            self.push(slot.key, slot.sent);
        }
    }
}

fn label_prefix(path: &str) -> Option<&'static str> {
    PREFIXES.iter().find(|(theirs, _)| *theirs == path).map(|(_, ours)| *ours)
}

/// Puts the better of the two in the slot and gives back the other.
fn contest<'a, T>(slot: &mut Option<Slot<'a, T>>, challenger: Slot<'a, T>) -> Option<Slot<'a, T>> {
    match slot {
        Some(best) if best.rank <= challenger.rank => Some(challenger),
        _ => slot.replace(challenger),
    }
}
