//! Who sent a record: the sender's own resource, the facts lifted from its documents, and what we know of the
//! connection, as one shared `Resource`.
//!
//! A resource is hashed when it is made, so making one per record would cost more than all else here. Records of the
//! same pod carry the same facts; these are written one after another and compared with the last ones seen under their
//! hash, and the resource is reused. Equality is checked in full: a sender must not be able to appear as another by a
//! crafted hash.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use logkeep_record::{Attributes, Resource, Severity, Value, encode_value};
use xxhash_rust::xxh3::xxh3_64;

use crate::naming::workload_of;
use crate::semconv::{self, Rule, Scale};
use crate::shippers::is_name;
use crate::{Arrival, convert, table, unique};

/// Resources kept at once; at this number all are let go and the ones in use come back.
const KEPT: usize = 8_192;
/// Canonical bytes of the resources kept at once, for one connection.
const KEPT_BYTES: usize = 8 << 20;
/// A sender's resource longer than this is taken as it is: joined with each record's own facts it would make a
/// request of a megabyte into gigabytes.
const EXTENDED_BYTES: usize = 4 << 10;
/// Ranks after those of `semconv`: pods, containers, then what a proxy talks to, then files.
const RANK_PROXY: u8 = 7;
const RANK_WORKLOAD: u8 = 8;
const RANK_POD: u8 = 9;
const RANK_CONTAINER: u8 = 10;
const RANK_FILE: u8 = 30;
/// Stands for a fact that names nothing, among ranks.
const UNRANKED: u8 = u8::MAX;
/// What an Envoy calls the service it stands in front of.
const PROXY_CLUSTER: &str = "mesh.proxy.cluster";
/// How an Envoy names itself; elsewhere these keys mean Kubernetes' own.
const PROXY: [(&str, &str); 4] = [
    ("log_name", "mesh.log_name"),
    ("cluster_name", PROXY_CLUSTER),
    ("node_name", "mesh.proxy.id"),
    ("zone_name", "cloud.availability_zone"),
];
/// A container's name where there is no Kubernetes around it.
const PLAIN_CONTAINER: &str = "container.name";
const UNKNOWN_SERVICE: &str = "unknown_service";

/// A fact about the sender found in a record.
#[derive(Clone, Debug)]
pub(crate) struct Lifted<'a> {
    /// In front of `name`; kept apart so that nothing is joined unless the resource is new.
    pub(crate) prefix: &'static str,
    pub(crate) name: Cow<'a, str>,
    /// The key that it came under, where that is another.
    pub(crate) key: Option<Cow<'a, str>>,
    pub(crate) value: Value<'a>,
    /// How well it names the service, if it may.
    pub(crate) rank: Option<u8>,
}

/// Whether facts of single records may be joined to this resource.
pub(crate) fn can_extend(base: &Resource) -> bool {
    base.canonical().len() <= EXTENDED_BYTES
}

impl<'a> Lifted<'a> {
    /// As an attribute of the record.
    pub(crate) fn into_attribute(self) -> (Cow<'a, str>, Value<'a>) {
        let name = if self.prefix.is_empty() { self.name } else { format!("{}{}", self.prefix, self.name).into() };
        (name, self.value)
    }

    /// The same under the key that it came under, because its name is another's.
    pub(crate) fn into_sent(mut self) -> (Cow<'a, str>, Value<'a>) {
        match self.key.take() {
            Some(key) => (key, self.value),
            None => self.into_attribute(),
        }
    }

    /// Whether it is said under this name.
    pub(crate) fn is_called(&self, prefix: &str, name: &str) -> bool {
        if self.prefix.len() == prefix.len() {
            // Names of one length begin alike: most are told apart by how they end.
            self.name.len() == name.len()
                && self.name.as_bytes().last() == name.as_bytes().last()
                && self.name == name
                && self.prefix == prefix
        } else {
            self.prefix.len() + self.name.len() == prefix.len() + name.len()
                && self.prefix.bytes().chain(self.name.bytes()).eq(prefix.bytes().chain(name.bytes()))
        }
    }

    /// Appends what it says. The key that it came under is no part of a resource, so records need not agree in it to share one.
    fn write(&self, out: &mut Vec<u8>) {
        let name = [self.prefix.as_bytes(), self.name.as_bytes()];
        write_len(name[0].len() + name[1].len(), out);
        name.iter().for_each(|part| out.extend_from_slice(part));
        out.push(self.rank.unwrap_or(UNRANKED));
        encode_value(&self.value, out);
    }

    fn into_owned(self) -> Lifted<'static> {
        Lifted {
            prefix: self.prefix,
            name: Cow::Owned(self.name.into_owned()),
            key: None,
            value: self.value.into_owned(),
            rank: self.rank,
        }
    }
}

/// What the sender's resource says that concerns each of its records.
#[derive(Clone, Default)]
pub(crate) struct BaseFacts {
    /// A level kept as a label, as Loki's senders do.
    pub(crate) level: Option<(Severity, String)>,
    /// It names the service, or has something to derive the name from.
    names_service: bool,
    /// What it says, under our names, but for a name of the service that is none; once it was asked for.
    attributes: OnceCell<Attributes<'static>>,
}

impl BaseFacts {
    /// What `base`, whose facts these are, says under the name of a fact.
    pub(crate) fn said(&self, base: &Resource, fact: &Lifted<'_>) -> Option<&Value<'static>> {
        let attributes = self.attributes.get_or_init(|| {
            let mut attributes = if can_extend(base) { standard_attributes(base) } else { Vec::new() };
            attributes.retain(|(name, value)| name != semconv::SERVICE_NAME || !is_vague(value));
            attributes
        });
        attributes.iter().find(|(name, _)| fact.is_called("", name)).map(|(_, value)| value)
    }
}

struct Known {
    /// What it was made of, as one text: a record is compared with it in one step.
    facts: Box<[u8]>,
    resource: Arc<Resource>,
}

/// Resources in use, by a hash of what they were made of.
pub(crate) struct Interner {
    known: HashMap<u64, Known>,
    known_bytes: usize,
    /// The facts of the record at hand.
    facts: Vec<u8>,
    last_base: Option<(Arc<Resource>, BaseFacts)>,
}

impl Interner {
    pub(crate) fn new() -> Self {
        Self { known: HashMap::new(), known_bytes: 0, facts: Vec::new(), last_base: None }
    }

    /// Facts of the sender's resource, remembered for the run of records that share it.
    pub(crate) fn base_facts(&mut self, base: &Arc<Resource>) -> &BaseFacts {
        let is_last = matches!(&self.last_base, Some((last, _)) if Arc::ptr_eq(last, base));
        if !is_last {
            self.last_base = None;
        }
        &self.last_base.get_or_insert_with(|| (Arc::clone(base), facts_of(base))).1
    }

    /// The resource for these facts. `upstream` names the service where nothing else does.
    pub(crate) fn resource(
        &mut self,
        arrival: &Arrival,
        base: &Arc<Resource>,
        lifted: Vec<Lifted<'_>>,
        upstream: Option<Cow<'_, str>>,
    ) -> Arc<Resource> {
        let names_service = self.base_facts(base).names_service || lifted.iter().any(names_service);
        let upstream = upstream.filter(|_| !names_service);
        self.facts.clear();
        write_facts(base, &lifted, upstream.as_deref(), &mut self.facts);
        let hash = xxh3_64(&self.facts);
        if let Some(known) = self.known.get(&hash)
            && *known.facts == *self.facts
        {
            return Arc::clone(&known.resource);
        }
        if self.known.len() >= KEPT || self.known_bytes >= KEPT_BYTES {
            self.known.clear();
            self.known_bytes = 0;
        }
        let lifted: Vec<_> = lifted.into_iter().map(Lifted::into_owned).collect();
        let resource = build(arrival, base, &lifted, upstream.as_deref());
        self.known_bytes += resource.canonical().len() + self.facts.len();
        self.known.insert(hash, Known { facts: self.facts.as_slice().into(), resource: Arc::clone(&resource) });
        resource
    }
}

/// Appends all that a resource is made of, so that no two differ and are written alike.
fn write_facts(base: &Resource, lifted: &[Lifted<'_>], upstream: Option<&str>, out: &mut Vec<u8>) {
    out.extend_from_slice(base.digest());
    write_len(lifted.len(), out);
    lifted.iter().for_each(|fact| fact.write(out));
    out.push(u8::from(upstream.is_some()));
    out.extend_from_slice(upstream.unwrap_or_default().as_bytes());
}

fn write_len(len: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(len as u64).to_le_bytes());
}

fn facts_of(base: &Resource) -> BaseFacts {
    let mut facts = BaseFacts::default();
    let is_proxy = is_proxy(base);
    for (key, value) in base.attributes() {
        let rule = table::lookup(key).and_then(|entry| entry.general);
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else { continue };
        facts.names_service |= name_rank(standard_name(key, value, rule, is_proxy), rule).is_some();
        if let Some(Rule::Level(..)) = rule
            && facts.level.is_none()
        {
            let severity = convert::severity(value, Scale::SyslogOrPino);
            facts.level = (severity != Severity::UNSPECIFIED).then(|| (severity, text.to_owned()));
        }
    }
    facts
}

/// What a resource says, each name once.
fn standard_attributes(base: &Resource) -> Attributes<'static> {
    let is_proxy = is_proxy(base);
    let mut taken: HashSet<Cow<'_, str>> = base.attributes().iter().map(|(key, _)| key.clone()).collect();
    let named = base.attributes().iter().map(|(key, value)| {
        if key.starts_with("logkeep.") {
            return (Cow::Owned(format!("sender.{key}")), value.clone());
        }
        let rule = table::lookup(key).and_then(|entry| entry.general);
        let name = standard_name(key, value, rule, is_proxy);
        // What another key says under our name stays.
        let is_ours = name == key || taken.insert(Cow::Owned(name.to_owned()));
        (if is_ours { Cow::Owned(name.to_owned()) } else { key.clone() }, value.clone())
    });
    named.collect()
}

/// SDKs say `unknown_service:java` where they were told nothing.
fn is_vague(value: &Value<'_>) -> bool {
    value.as_str().is_none_or(|name| name.trim().is_empty() || name.trim().starts_with(UNKNOWN_SERVICE))
}

fn names_service(fact: &Lifted<'_>) -> bool {
    fact.rank.is_some() || fact.prefix.is_empty() && name_rank(&fact.name, None).is_some_and(|rank| rank < RANK_FILE)
}

fn standard_name<'k>(key: &'k str, value: &Value<'_>, rule: Option<Rule>, is_proxy: bool) -> &'k str {
    if let Some((_, ours)) = PROXY.iter().find(|(theirs, _)| is_proxy && *theirs == key) {
        return ours;
    }
    match (rule, value) {
        (Some(Rule::Lift(name)), Value::Str(_)) => name,
        (Some(Rule::LiftName(name)), Value::Str(text)) => name_or_container(name, text).unwrap_or(key),
        _ => key,
    }
}

/// Whether an Envoy names itself here, as its access logs over gRPC and OpenTelemetry do.
fn is_proxy(base: &Resource) -> bool {
    base.attribute("log_name").is_some()
        && ["node_name", "cluster_name"].iter().any(|key| base.attribute(key).is_some())
}

/// What a label that may be Kubernetes' stands for: a name of its, or of a container that runs without it.
pub(crate) fn name_or_container(name: &'static str, text: &str) -> Option<&'static str> {
    match name {
        name if is_name(text) => Some(name),
        semconv::CONTAINER_NAME => Some(PLAIN_CONTAINER),
        _ => None,
    }
}

/// How well an attribute names the service; `service.name` itself has no rank, it is the name.
fn name_rank(name: &str, rule: Option<Rule>) -> Option<u8> {
    match (name, rule) {
        (_, Some(Rule::Name(rank))) => Some(rank),
        (semconv::SERVICE_NAME, _) => Some(0),
        ("k8s.pod.label.app.kubernetes.io/name", _) => Some(0),
        ("k8s.pod.label.app", _) => Some(1),
        ("k8s.pod.label.k8s-app", _) => Some(2),
        (PROXY_CLUSTER, _) => Some(RANK_PROXY),
        ("k8s.deployment.name" | "k8s.statefulset.name" | "k8s.daemonset.name", _) => Some(RANK_WORKLOAD),
        (semconv::POD_NAME, _) => Some(RANK_POD),
        (semconv::CONTAINER_NAME | PLAIN_CONTAINER, _) => Some(RANK_CONTAINER),
        (semconv::FILE_PATH, _) => Some(RANK_FILE),
        _ => None,
    }
}

fn build(arrival: &Arrival, base: &Resource, lifted: &[Lifted<'static>], upstream: Option<&str>) -> Arc<Resource> {
    let mut attributes = standard_attributes(base);
    let sent_as = sent_as(base, &attributes);
    for fact in lifted {
        let (name, value) = fact.clone().into_attribute();
        if name == semconv::SERVICE_NAME {
            replace_name(&mut attributes);
        }
        attributes.push((name, value));
    }
    let mut dropped = base.dropped_attributes().saturating_add(unique::settle(&mut attributes));
    let (name, derived_from) = service_name(&attributes, upstream, arrival);
    if let Some(derived_from) = derived_from {
        replace_name(&mut attributes);
        attributes.push((semconv::SERVICE_NAME.into(), name.into()));
        attributes.push((semconv::DERIVED_FROM.into(), derived_from.into()));
        dropped = dropped.saturating_add(unique::settle(&mut attributes));
    }
    attributes.push((semconv::PROTOCOL.into(), Value::str(arrival.protocol)));
    attributes.push((semconv::SOURCE.into(), arrival.source.clone().into()));
    attributes.extend(sent_as);
    let (schema_url, scope) = (base.schema_url().to_owned(), base.scope().clone());
    Resource::new(attributes, dropped, schema_url, scope)
}

/// What a sender calls the labels whose names are ours now. What a document calls its fields is in the record's original.
fn sent_as(base: &Resource, standard: &Attributes<'static>) -> Attributes<'static> {
    let renamed = base
        .attributes()
        .iter()
        .zip(standard)
        .filter(|((sent, _), (ours, _))| sent != ours && !sent.starts_with("logkeep."));
    renamed.map(|((sent, _), (ours, _))| (format!("logkeep.{ours}.sent_as").into(), Value::Str(sent.clone()))).collect()
}

/// Makes room for a name of the service. What stands there is no name; if it is no text, it says something else.
fn replace_name(attributes: &mut Attributes<'static>) {
    for (key, value) in attributes.iter_mut() {
        if key == semconv::SERVICE_NAME && value.as_str().is_none() {
            *key = Cow::Owned(format!("sender.{key}"));
        }
    }
    attributes.retain(|(key, _)| key != semconv::SERVICE_NAME);
}

/// The name, and what it was derived from where the sender did not give it.
fn service_name(
    attributes: &Attributes<'static>,
    upstream: Option<&str>,
    arrival: &Arrival,
) -> (String, Option<String>) {
    let text = |value: &Value<'_>| value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let given = attributes.iter().find(|(key, _)| key == semconv::SERVICE_NAME).and_then(|(_, value)| text(value));
    // SDKs say `unknown_service:java`; that is worth keeping only if there is nothing better.
    let (given, vague) = match given {
        Some(name) if name.starts_with(UNKNOWN_SERVICE) => (None, Some(name)),
        given => (given, None),
    };
    if let Some(name) = given {
        return (name, None);
    }
    let rank = |key: &str| name_rank(key, table::lookup(key).and_then(|entry| entry.general));
    let candidates = attributes.iter().filter_map(|(key, value)| Some((rank(key)?, key, value)));
    let best = candidates
        .filter(|(_, key, value)| *key != semconv::SERVICE_NAME && text(value).is_some())
        .min_by_key(|(rank, ..)| *rank);
    if let Some((rank, key, value)) = best.filter(|(rank, ..)| *rank < RANK_FILE || upstream.is_none()) {
        let text = text(value).unwrap_or_default();
        let name = match (rank, key.as_ref()) {
            (_, "job") => text.rsplit('/').next().unwrap_or_default().to_owned(),
            (RANK_POD, _) => workload_of(&text).to_owned(),
            (RANK_FILE, _) => file_stem(&text).to_owned(),
            _ => text,
        };
        return (name, Some(key.clone().into_owned()));
    }
    if let Some(service) = upstream {
        let name = service.split('.').next().unwrap_or(service);
        return (name.to_owned(), Some(semconv::UPSTREAM_CLUSTER.to_owned()));
    }
    if arrival.protocol == "import" && !file_stem(&arrival.source).is_empty() {
        return (file_stem(&arrival.source).to_owned(), Some(semconv::SOURCE.to_owned()));
    }
    match vague {
        Some(name) => (name, None),
        None => (UNKNOWN_SERVICE.to_owned(), Some("none".to_owned())),
    }
}

/// A file's name without folders and endings such as `.log.gz`.
fn file_stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.split('.').find(|part| !part.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        for (path, stem) in [("/var/log/pay.log.gz", "pay"), ("a", "a"), ("/x/.hidden.log", "hidden"), ("", "")] {
            assert_eq!(file_stem(path), stem, "{path}");
        }
    }

    #[test]
    fn equal_facts_share_a_resource_and_others_do_not() {
        let arrival = Arrival { protocol: "ndjson", source: "127.0.0.1".into() };
        let base = Resource::from_attributes(Vec::new());
        let mut interner = Interner::new();
        let mut get = |pod: &'static str| {
            let (name, value) = (semconv::POD_NAME.into(), Value::str(pod));
            let fact = Lifted { prefix: "", name, key: Some("pod".into()), value, rank: None };
            interner.resource(&arrival, &base, vec![fact], None)
        };
        let first = get("a");
        assert!(Arc::ptr_eq(&first, &get("a")));
        assert_ne!(first, get("b"));
        for place in 0..KEPT + 10 {
            get(Box::leak(format!("pod-{place}").into_boxed_str()));
        }
        assert!(interner.known.len() <= KEPT);
    }
}
