//! Queues to read: a list of sections for each kind.

use std::path::PathBuf;

use logkeep_record::TenantId;
use logkeep_server::{Common, KafkaOptions, NatsOptions, OutgoingTls, Sasl, SaslMechanism, SourceOptions, Start};
use logkeep_wire::queue::Form;

use super::print::quoted;
use super::read::Reader;
use super::tree::{Entry, Kind, Node};

/// What a section of Kafka may say.
const KAFKA: &[&str] = &["name", "brokers", "group", "topics", "format", "tenant", "start", "tls", "sasl"];
/// … and one of NATS.
const NATS: &[&str] = &[
    "name",
    "servers",
    "stream",
    "group",
    "subject",
    "format",
    "tenant",
    "start",
    "tls",
    "credentials_file",
    "token_file",
    "user",
    "password_file",
];
const TLS: &[&str] = &["ca", "certificate", "key"];
const SASL: &[&str] = &["mechanism", "user", "password_file"];
const STARTS: &[(&str, Start)] = &[("earliest", Start::Earliest), ("latest", Start::Latest)];

/// Reads both lists.
pub(super) fn sources(reader: &mut Reader<'_>, tenants: &[TenantId]) -> Vec<SourceOptions> {
    let mut sources: Vec<SourceOptions> = Vec::new();
    for (path, known, example) in [
        ("sources.kafka", KAFKA, "- {name: orders, brokers: [\"kafka-1:9092\"], group: logkeep, topics: [logs]}"),
        ("sources.nats", NATS, "- {name: edge, servers: [\"nats://nats-1:4222\"], stream: LOGS, group: logkeep}"),
    ] {
        let Some(node) = reader.written(path) else { continue };
        let Kind::List(nodes) = &node.kind else {
            let message = format!("`{path}` is {}, expected a list", node.kind.name());
            reader.fault(node.line, message, Some(format!("write `{example}` below it")));
            continue;
        };
        for node in nodes {
            let Some(mut section) = Section::open(reader, path, node, known) else { continue };
            let source = match path {
                "sources.kafka" => section.kafka(tenants).map(SourceOptions::Kafka),
                _ => section.nats(tenants).map(SourceOptions::Nats),
            };
            let Some(source) = source else { continue };
            let name = &source.common().name;
            if sources.iter().any(|other| other.common().name == *name) {
                let message = format!("`{path}`: there is another source called `{name}`");
                reader.fault(node.line, message, Some("what was read before is known by the name".into()));
            }
            sources.push(source);
        }
    }
    sources
}

/// One section, and where its faults go.
struct Section<'r, 'a> {
    reader: &'r mut Reader<'a>,
    path: String,
    line: u64,
    entries: &'a [Entry],
}

impl<'r, 'a> Section<'r, 'a> {
    fn open(reader: &'r mut Reader<'a>, path: &str, node: &'a Node, known: &[&str]) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            let message = format!("`{path}` has {}, expected a section", node.kind.name());
            reader.fault(node.line, message, Some(format!("valid here: {}", known.join(", "))));
            return None;
        };
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let message = format!("`{path}`: unknown key `{}`", entry.key);
            reader.fault(entry.line, message, Some(format!("valid here: {}", known.join(", "))));
        }
        Some(Self { reader, path: path.to_owned(), line: node.line, entries })
    }

    fn fault(&mut self, line: u64, what: &str, hint: Option<&str>) {
        self.reader.fault(line, format!("`{}`: {what}", self.path), hint.map(str::to_owned));
    }

    fn node(&self, key: &str) -> Option<&'a Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        (!matches!(entry.value.kind, Kind::Null)).then_some(&entry.value)
    }

    /// A single value that need not be there.
    fn text(&mut self, key: &str) -> Option<&'a str> {
        let node = self.node(key)?;
        match &node.kind {
            Kind::Scalar(text) if !text.is_empty() => Some(text),
            Kind::Scalar(_) => {
                self.fault(node.line, &format!("`{key}` is empty"), None);
                None
            }
            other => {
                self.fault(node.line, &format!("`{key}` is {}, expected a single value", other.name()), None);
                None
            }
        }
    }

    /// A single value that must be there.
    fn needed(&mut self, key: &str) -> Option<&'a str> {
        if self.node(key).is_none() {
            self.fault(self.line, &format!("`{key}` is missing"), None);
        }
        self.text(key)
    }

    /// One value or several, and at least one.
    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let nodes = match self.node(key) {
            None => &[],
            Some(Node { kind: Kind::List(nodes), .. }) => nodes.as_slice(),
            Some(node) => std::slice::from_ref(node),
        };
        let mut texts = Vec::new();
        for node in nodes {
            match &node.kind {
                Kind::Scalar(text) if !text.is_empty() => texts.push(text.clone()),
                other => self.fault(node.line, &format!("`{key}` has {}, expected values", other.name()), None),
            }
        }
        if texts.is_empty() {
            self.fault(self.line, &format!("`{key}` names none"), None);
        }
        (!texts.is_empty()).then_some(texts)
    }

    /// One of these names.
    fn one_of<T: Copy>(&mut self, key: &str, names: &[(&str, T)], default: T) -> Option<T> {
        let Some(text) = self.text(key) else { return self.node(key).is_none().then_some(default) };
        let found = names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names = names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            let line = self.node(key).map_or(self.line, |node| node.line);
            self.fault(line, &format!("`{key}`: `{text}` is none of them"), Some(&format!("one of {names}")));
        }
        found
    }

    fn file(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    fn common(&mut self, tenants: &[TenantId]) -> Option<Common> {
        let name = self.needed("name").map(str::to_owned);
        let form = self.one_of("format", Form::NAMES, Form::Text);
        let start = self.one_of("start", STARTS, Start::Earliest);
        let tenant = match self.text("tenant") {
            None => Some(TenantId::default()),
            Some(name) => {
                let found = tenants.iter().find(|tenant| tenant.as_str() == name).cloned();
                if found.is_none() {
                    self.fault(self.line, &format!("tenant `{name}` is not declared"), Some("add it to `tenants`"));
                }
                found
            }
        };
        let tls = self.tls();
        Some(Common { name: name?, tenant: tenant?, form: form?, start: start?, tls: tls? })
    }

    fn below(&mut self, key: &str, known: &[&str]) -> Option<Section<'_, 'a>> {
        let node = self.node(key)?;
        let path = format!("{}.{key}", self.path);
        Section::open(self.reader, &path, node, known)
    }

    /// `true`, `false`, or a section of files.
    fn tls(&mut self) -> Option<Option<OutgoingTls>> {
        match self.node("tls").map(|node| &node.kind) {
            None => return Some(None),
            Some(Kind::Scalar(text)) if text == "true" => return Some(Some(OutgoingTls::default())),
            Some(Kind::Scalar(text)) if text == "false" => return Some(None),
            Some(_) => {}
        }
        let mut section = self.below("tls", TLS)?;
        let (certificate, key) = (section.file("certificate"), section.file("key"));
        let certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => {
                section.fault(section.line, "`certificate` and `key` go together", None);
                return None;
            }
        };
        Some(Some(OutgoingTls { ca: section.file("ca"), certificate }))
    }

    /// Whoever reads from another host in the clear has to say so, as with listeners.
    fn exposed(&mut self, places: &[String]) {
        let reaches_out = |place: &&String| !place.starts_with("tls://") && !is_here(place);
        if self.node("tls").is_none()
            && let Some(place) = places.iter().find(reaches_out)
        {
            let what = format!("what `{place}` sends would come in the clear");
            let hint = "write `tls: true` or a section of files, or `tls: false` if that is what you want";
            self.fault(self.line, &what, Some(hint));
        }
    }

    fn sasl(&mut self) -> Option<Option<Sasl>> {
        if self.node("sasl").is_none() {
            return Some(None);
        }
        let mut section = self.below("sasl", SASL)?;
        let mechanism = section.one_of("mechanism", SaslMechanism::NAMES, SaslMechanism::ScramSha512);
        let (user, password) = (section.needed("user"), section.needed("password_file"));
        Some(Some(Sasl { mechanism: mechanism?, user: user?.to_owned(), password_file: password?.into() }))
    }

    fn kafka(&mut self, tenants: &[TenantId]) -> Option<KafkaOptions> {
        let (common, sasl) = (self.common(tenants), self.sasl());
        let (brokers, topics) = (self.texts("brokers"), self.texts("topics"));
        let group = self.text("group").unwrap_or("logkeep").to_owned();
        self.exposed(brokers.as_deref().unwrap_or_default());
        Some(KafkaOptions { common: common?, brokers: brokers?, group, topics: topics?, sasl: sasl? })
    }

    fn nats(&mut self, tenants: &[TenantId]) -> Option<NatsOptions> {
        let (common, servers) = (self.common(tenants), self.texts("servers"));
        let stream = self.text("stream").map(str::to_owned);
        let subject = self.text("subject").map(str::to_owned);
        if stream.is_none() && subject.is_none() {
            let hint = "a `stream` keeps messages until they are stored; a `subject` alone is heard as it is published";
            self.fault(self.line, "neither `stream` nor `subject` is given", Some(hint));
        }
        let group = self.text("group").unwrap_or("logkeep").to_owned();
        self.exposed(servers.as_deref().unwrap_or_default());
        let user = match (self.text("user"), self.file("password_file")) {
            (Some(user), Some(file)) => Some((user.to_owned(), file)),
            (None, None) => None,
            _ => {
                self.fault(self.line, "`user` and `password_file` go together", None);
                return None;
            }
        };
        let (credentials_file, token_file) = (self.file("credentials_file"), self.file("token_file"));
        let (common, servers) = (common?, servers?);
        Some(NatsOptions { common, servers, stream, group, subject, credentials_file, token_file, user })
    }
}

/// Whether `scheme://user@host:port` is on this machine.
fn is_here(place: &str) -> bool {
    let host = place.rsplit(['/', '@']).next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The sources of one kind as YAML in one line.
pub(super) fn print(sources: &[SourceOptions], kind: &str) -> String {
    let of_kind = sources.iter().filter(|source| source.kind() == kind);
    format!("[{}]", of_kind.map(print_source).collect::<Vec<_>>().join(", "))
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

fn file(path: &std::path::Path) -> String {
    quoted(&path.to_string_lossy())
}

fn print_source(source: &SourceOptions) -> String {
    let common = source.common();
    let mut parts = vec![format!("name: {}", quoted(&common.name))];
    match source {
        SourceOptions::Kafka(KafkaOptions { brokers, group, topics, sasl, .. }) => {
            let group = quoted(group);
            parts.push(format!("brokers: {}, group: {group}, topics: {}", list(brokers), list(topics)));
            parts.extend(sasl.as_ref().map(|Sasl { mechanism, user, password_file }| {
                let (mechanism, user, password) = (mechanism.name(), quoted(user), file(password_file));
                format!("sasl: {{mechanism: {mechanism}, user: {user}, password_file: {password}}}")
            }));
        }
        SourceOptions::Nats(nats) => {
            parts.push(format!("servers: {}, group: {}", list(&nats.servers), quoted(&nats.group)));
            for (name, text) in [("stream", &nats.stream), ("subject", &nats.subject)] {
                parts.extend(text.as_ref().map(|text| format!("{name}: {}", quoted(text))));
            }
            for (name, path) in [("credentials_file", &nats.credentials_file), ("token_file", &nats.token_file)] {
                parts.extend(path.as_ref().map(|path| format!("{name}: {}", file(path))));
            }
            let user = nats.user.as_ref();
            parts.extend(user.map(|(user, path)| format!("user: {}, password_file: {}", quoted(user), file(path))));
        }
    }
    let start = STARTS.iter().find(|(_, start)| *start == common.start).map_or("earliest", |(name, _)| name);
    let (form, tenant) = (common.form.name(), quoted(common.tenant.as_str()));
    parts.push(format!("format: {form}, tenant: {tenant}, start: {start}"));
    parts.push(common.tls.as_ref().map_or_else(|| "tls: false".to_owned(), print_tls));
    format!("{{{}}}", parts.join(", "))
}

fn print_tls(tls: &OutgoingTls) -> String {
    let mut parts: Vec<_> = tls.ca.iter().map(|path| format!("ca: {}", file(path))).collect();
    if let Some((certificate, key)) = &tls.certificate {
        parts.push(format!("certificate: {}, key: {}", file(certificate), file(key)));
    }
    if parts.is_empty() { "tls: true".to_owned() } else { format!("tls: {{{}}}", parts.join(", ")) }
}
