//! The tree to a [`Config`], with every fault on the way.

mod listen;

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use logkeep_query::mask::Mask;
use logkeep_record::TenantId;
use logkeep_server::Policies;

use super::tree::{self, Entry, Kind, Node};
use super::units::{format_bytes, format_duration, parse_bytes, parse_duration};
use super::{
    Access, Config, Dedupe, Fault, Flush, Forward, Hardening, Landlock, Limits, Query, certificates, key_service, keys,
    oidc, pipelines, redact, sibling_key, sources,
};

const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];
const MIB: u64 = 1 << 20;

/// What is wrong with one value, and what to do.
type ValueFault = (String, Option<String>);

pub(super) fn defaults() -> Config {
    read("").expect("the defaults of the table are valid, which a test shows")
}

pub(super) fn read(text: &str) -> Result<Config, Vec<Fault>> {
    let root = tree::parse(text).map_err(|fault| vec![fault])?;
    let mut reader = Reader { values: Vec::new(), faults: Vec::new() };
    reader.collect(&root, "");
    let config = reader.config();
    let mut faults = reader.faults;
    if faults.is_empty() {
        return Ok(config);
    }
    faults.sort_by_key(|fault| fault.line);
    Err(faults)
}

pub(super) struct Reader<'a> {
    values: Vec<(&'static str, &'a Node)>,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// Takes in the known keys under `section`.
    fn collect(&mut self, node: &'a Node, section: &str) {
        let entries = match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Null => return,
            other => {
                let what = if section.is_empty() { "the file" } else { section };
                let hint = keys::names_under(section).first().map(|name| format!("write `{name}: …`"));
                return self.fault(node.line, format!("`{what}` is {}, expected a section", other.name()), hint);
            }
        };
        for entry in entries {
            let path = if section.is_empty() { entry.key.clone() } else { format!("{section}.{}", entry.key) };
            if let Some(key) = keys::KEYS.iter().find(|key| key.path == path) {
                self.values.push((&key.path, &entry.value));
            } else if keys::is_section(&path) {
                self.collect(&entry.value, &path);
            } else {
                let hint = nearest(section, &entry.key);
                self.fault(entry.line, format!("unknown key `{path}`"), Some(hint));
            }
        }
    }

    pub(super) fn fault_count(&self) -> usize {
        self.faults.len()
    }

    pub(super) fn fault(&mut self, line: u64, message: String, hint: Option<String>) {
        self.faults.push(Fault { line, message, hint });
    }

    pub(super) fn written(&self, path: &str) -> Option<&'a Node> {
        let node = self.values.iter().find(|(key, _)| *key == path).map(|(_, node)| *node)?;
        (!matches!(node.kind, Kind::Null)).then_some(node)
    }

    /// The line a key is written on, 0 if it is not.
    pub(super) fn line(&self, path: &str) -> u64 {
        self.written(path).map_or(0, |node| node.line)
    }

    /// Reads one value with `parse`; faults are noted, and stand in the way of a `Config` later.
    pub(super) fn value<T>(&mut self, path: &str, parse: impl Fn(&str) -> Result<T, ValueFault>) -> Option<T> {
        let key = keys::find(path);
        let (text, line) = match self.written(path) {
            None => (&*key.default, 0),
            Some(node) => match &node.kind {
                Kind::Scalar(text) => (text.as_str(), node.line),
                other => {
                    let message = format!("`{path}` is {}, expected a single value", other.name());
                    self.fault(node.line, message, example(path));
                    return None;
                }
            },
        };
        match parse(text) {
            Ok(value) => Some(value),
            Err((message, hint)) => {
                self.fault(line, format!("`{path}`: {message}"), hint);
                None
            }
        }
    }

    /// A size; where it is faulty the default, so that it causes no faults elsewhere.
    fn bytes(&mut self, path: &str, min: u64, max: u64) -> usize {
        let value = self.value(path, |text| {
            let bytes = parse_bytes(text).ok_or_else(|| {
                (
                    format!("`{text}` is no size"),
                    Some("a size is a number of bytes, or one with KiB, MiB or GiB".into()),
                )
            })?;
            within(bytes, min, max, text, format_bytes)
        });
        let bytes = value.or_else(|| parse_bytes(&keys::find(path).default)).unwrap_or(min);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// A number; where it is faulty the least.
    fn count(&mut self, path: &str, min: usize, max: usize) -> usize {
        let value = self.value(path, |text| {
            let count = text.parse().map_err(|_| (format!("`{text}` is no whole number"), None))?;
            within(count, min, max, text, |count| count.to_string())
        });
        value.unwrap_or(min)
    }

    /// A duration; where it is faulty the shortest.
    fn duration(&mut self, path: &str, min: Duration, max: Duration) -> Duration {
        let value = self.value(path, |text| {
            let duration = parse_duration(text).ok_or_else(|| {
                (format!("`{text}` is no duration"), Some("a duration has a unit: 500ms, 30s, 5m, 1h".into()))
            })?;
            within(duration, min, max, text, format_duration)
        });
        value.unwrap_or(min)
    }

    fn config(&mut self) -> Config {
        let (listen, tls) = self.listen();
        let forward = self.forward();
        let limits = self.limits();
        let query = Query {
            timeout: self.duration("query.timeout", Duration::from_millis(100), Duration::from_secs(3_600)),
            memory_bytes: self.bytes("query.memory", 16 * MIB, 1 << 40),
            cache_bytes: self.bytes("query.cache", MIB, 1 << 40),
            index_bytes: self.bytes("query.index_memory", 16 * MIB, 1 << 40),
        };
        let flush = Flush {
            bytes: self.bytes("flush.bytes", MIB, 4096 * MIB),
            interval: self.duration("flush.interval", Duration::from_secs(1), Duration::from_secs(3_600)),
        };
        let loopback = |text: &str| match text {
            "open" => Ok(true),
            "sign_in" => Ok(false),
            other => Err((format!("`{other}` is neither `open` nor `sign_in`"), None)),
        };
        let tenants = self.tenants();
        let second_factor = |text: &str| match text {
            "required" => Ok(true),
            "optional" => Ok(false),
            other => Err((format!("`{other}` is neither `optional` nor `required`"), None)),
        };
        let access = Access {
            loopback_is_open: self.value("access.loopback", loopback).unwrap_or_default(),
            masked: self.masked(),
            policies: self.policies(),
            export_rows: self.count("access.export_rows", 1, usize::MAX) as u64,
            export_rows_a_day: self.count("access.export_rows_a_day", 1, usize::MAX) as u64,
            certificates: certificates::rules(self, &tenants),
            session_idle: self.duration(
                "access.session_idle",
                Duration::from_secs(1),
                Duration::from_secs(30 * 24 * 3_600),
            ),
            session_max: self.duration(
                "access.session_max",
                Duration::from_secs(1),
                Duration::from_secs(30 * 24 * 3_600),
            ),
            second_factor_is_required: self.value("access.second_factor", second_factor).unwrap_or_default(),
        };
        let dedupe = Dedupe {
            window: self.duration("dedupe.window", Duration::from_secs(1), Duration::from_secs(30 * 24 * 3_600)),
            batches: self.count("dedupe.batches", 1_024, 1 << 28),
            documents: self.count("dedupe.documents", 1_024, 1 << 28),
        };
        let reserve_bytes = self.bytes("disk.reserve", MIB, 1 << 40) as u64;
        let key_service = key_service::read(self);
        let (data_dir, configured_key_file) = self.paths();
        let sources = sources::sources(self, &tenants);
        let redact = redact::rules(self, &tenants);
        let patterns = pipelines::patterns(self);
        let pipelines = pipelines::pipelines(self, &patterns, &tenants, &redact);
        let hardening = self.hardening();
        let log_level = self.value("log.level", level).unwrap_or_default();
        let elasticsearch_version = self.value("elasticsearch.version", version).unwrap_or_default();
        Config {
            data_dir,
            configured_key_file,
            key_service,
            listen,
            tls,
            forward,
            limits,
            query,
            tenants,
            sources,
            patterns,
            pipelines,
            redact,
            flush,
            access,
            oidc: oidc::oidc(self),
            dedupe,
            reserve_bytes,
            hardening,
            log_level,
            elasticsearch_version,
        }
    }

    fn hardening(&mut self) -> Hardening {
        let landlock = self.value("hardening.landlock", |text| {
            // YAML has `off` as false.
            let text = if text == "false" { "off" } else { text };
            let found = Landlock::NAMES.iter().find(|(name, _)| *name == text);
            found
                .map(|(_, wanted)| *wanted)
                .ok_or_else(|| (format!("`{text}` is none of require, best_effort, off"), None))
        });
        let seccomp = self.value("hardening.seccomp", |text| match text {
            "on" | "true" => Ok(true),
            "off" | "false" => Ok(false),
            other => Err((format!("`{other}` is neither `on` nor `off`"), None)),
        });
        Hardening { landlock: landlock.unwrap_or(Landlock::BestEffort), seccomp: seccomp.unwrap_or(true) }
    }

    fn limits(&mut self) -> Limits {
        let faults_before = self.faults.len();
        let request_bytes = self.bytes("limits.request_bytes", 1 << 10, 1024 * MIB);
        let record_bytes = self.bytes("limits.record_bytes", 1 << 10, 64 * MIB);
        let line = self.line("limits.record_bytes");
        if record_bytes > request_bytes && line > 0 && self.faults.len() == faults_before {
            let (request, record) = (format_bytes(request_bytes as u64), format_bytes(record_bytes as u64));
            let message = format!("`limits.record_bytes` ({record}) is more than `limits.request_bytes` ({request})");
            self.fault(line, message, Some("no record can be larger than the request it came in".into()));
        }
        // A smaller limit on requests alone lowers the one on records with it.
        Limits { request_bytes, record_bytes: record_bytes.min(request_bytes) }
    }

    fn forward(&mut self) -> Forward {
        let (shared_key_file, users_file) = (self.path("forward.shared_key_file"), self.path("forward.users_file"));
        if users_file.is_some() && self.written("forward.shared_key_file").is_none() {
            let message = "`forward.users_file` needs `forward.shared_key_file`".to_owned();
            let hint = "senders give a password only to a server that has asked for the key";
            self.fault(self.line("forward.users_file"), message, Some(hint.into()));
        }
        Forward { shared_key_file, users_file }
    }

    /// A path that need not be given.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.written(key).and_then(|_| self.value(key, path))
    }

    fn paths(&mut self) -> (PathBuf, Option<PathBuf>) {
        let data_dir = self.value("data_dir", path).unwrap_or_default();
        let key_file = self.path("key_file");
        let written_line = self.line("key_file").max(self.line("data_dir"));
        if key_file.is_none() && data_dir.file_name().is_none() && !data_dir.as_os_str().is_empty() {
            let message =
                format!("`data_dir`: `{}` has no name of its own to name the key file after", data_dir.display());
            self.fault(written_line, message, Some("set `key_file` as well".into()));
        }
        let key = key_file.clone().unwrap_or_else(|| sibling_key(&data_dir));
        if !data_dir.as_os_str().is_empty() && plain(&key).starts_with(plain(&data_dir)) {
            let message = format!("`key_file`: `{}` is inside `data_dir`", key.display());
            let hint = "keep the key elsewhere: whoever copies the folder must not get the key with it";
            self.fault(written_line, message, Some(hint.into()));
        }
        (data_dir, key_file)
    }

    /// The fields that are masked, each of which can be.
    fn masked(&mut self) -> Vec<String> {
        let fields = self.names("access.masked", "[user.email, client.address]");
        let mut masked = Vec::new();
        for (line, field) in fields {
            match Mask::new([field.as_str()]) {
                Ok(_) => masked.push(field),
                Err(fault) => self.fault(line, format!("`access.masked`: {fault}"), None),
            }
        }
        masked
    }

    /// The folder of policies, if they can be used.
    fn policies(&mut self) -> Option<PathBuf> {
        let folder = self.path("access.policies")?;
        if let Err(error) = Policies::with_folder(&folder) {
            self.fault(self.line("access.policies"), format!("`access.policies`: {error}"), None);
        }
        Some(folder)
    }

    /// A list of names, each with its line.
    fn names(&mut self, path: &str, example: &str) -> Vec<(u64, String)> {
        let Some(node) = self.written(path) else { return Vec::new() };
        let Kind::List(nodes) = &node.kind else {
            let message = format!("`{path}` is {}, expected a list", node.kind.name());
            let last = path.rsplit('.').next().unwrap_or(path);
            self.fault(node.line, message, Some(format!("write `{last}: {example}`")));
            return Vec::new();
        };
        let mut names = Vec::new();
        for node in nodes {
            match &node.kind {
                Kind::Scalar(name) => names.push((node.line, name.clone())),
                other => self.fault(node.line, format!("`{path}`: a name is expected, not {}", other.name()), None),
            }
        }
        names
    }

    fn tenants(&mut self) -> Vec<TenantId> {
        let mut tenants = vec![TenantId::default()];
        for (line, name) in self.names("tenants", "[default, shop]") {
            match TenantId::new(&name) {
                Ok(tenant) if tenants.contains(&tenant) => {
                    if tenant != TenantId::default() {
                        self.fault(line, format!("`tenants`: `{name}` is there twice"), None);
                    }
                }
                Ok(tenant) => tenants.push(tenant),
                Err(error) => self.fault(line, format!("`tenants`: {error}"), None),
            }
        }
        tenants
    }
}

fn nearest(section: &str, wrong: &str) -> String {
    let names = keys::names_under(section);
    let wanted = wrong.to_lowercase().replace('-', "_");
    let near = names.iter().map(|name| (strsim::damerau_levenshtein(&wanted, name), *name)).min();
    if let Some((_, name)) = near.filter(|(distance, name)| *distance <= 1 + name.len() / 4) {
        return format!("did you mean `{name}`?");
    }
    // The right name in the wrong section is as common as a typing error.
    let elsewhere = |key: &&keys::Key| key.path.ends_with(&format!(".{wanted}")) || key.path == wanted;
    if let Some(key) = keys::KEYS.iter().find(elsewhere) {
        return format!("did you mean `{}`?", key.path);
    }
    format!("valid here: {}", names.join(", "))
}

fn example(path: &str) -> Option<String> {
    let key = keys::find(path);
    let name = path.rsplit('.').next().unwrap_or(path);
    (!key.default.is_empty()).then(|| format!("for example `{name}: {}`", key.default))
}

fn within<T: PartialOrd + Copy>(value: T, min: T, max: T, text: &str, show: fn(T) -> String) -> Result<T, ValueFault> {
    if value < min || value > max {
        return Err((format!("`{text}` is not between {} and {}", show(min), show(max)), None));
    }
    Ok(value)
}

fn path(text: &str) -> Result<PathBuf, ValueFault> {
    match text {
        "" => Err(("is empty".to_owned(), Some("give a path".to_owned()))),
        text => Ok(PathBuf::from(text)),
    }
}

fn level(text: &str) -> Result<String, ValueFault> {
    let lower = text.to_ascii_lowercase();
    if LEVELS.contains(&lower.as_str()) {
        return Ok(lower);
    }
    Err((format!("`{text}` is no level"), Some(format!("one of {}", LEVELS.join(", ")))))
}

fn version(text: &str) -> Result<String, ValueFault> {
    let parts: Vec<_> = text.split('.').collect();
    if parts.len() == 3 && parts.iter().all(|part| part.parse::<u16>().is_ok()) {
        return Ok(text.to_owned());
    }
    Err((format!("`{text}` is no version"), Some("write three numbers, like `8.17.0`".to_owned())))
}

/// An absolute path without `.` and `..`, by its text alone: the files need not exist yet.
fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut out = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}
