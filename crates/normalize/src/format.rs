//! Which form the lines of a file have, for `logkeep import`.
//!
//! A record is read by its own form whatever the file's, so this only decides what must be known before: whether lines
//! are documents, whether partial lines are to be joined, whether a syslog header comes first.

use std::fmt;
use std::str::FromStr;

use logkeep_record::{Value, json};

use crate::family::Family;
use crate::semconv::KUMA;
use crate::{table, text};

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// The form of a file's lines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum LineFormat {
            $($(#[$doc])* $variant,)+
        }

        impl LineFormat {
            /// Every format, for `--help`.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

formats! {
    /// One JSON document a line.
    NdJson = "nd-json",
    /// Kubernetes container logs: time, stream, `F` or `P`, message.
    Cri = "cri",
    /// Docker's json-file driver.
    DockerJson = "docker-json",
    /// Envoy's default text.
    EnvoyText = "envoy-text",
    /// Istio's default text.
    IstioText = "istio-text",
    /// Envoy's or Istio's JSON.
    EnvoyJson = "envoy-json",
    /// Linkerd's JSON.
    LinkerdJson = "linkerd-json",
    /// Linkerd's `apache` text.
    LinkerdApache = "linkerd-apache",
    /// Syslog, RFC 3164 or 5424.
    Syslog = "syslog",
    /// Istio's ztunnel, text or JSON.
    Ztunnel = "ztunnel",
    /// Cilium's Hubble exporter.
    Hubble = "hubble",
    /// Consul's proxies.
    Consul = "consul",
    /// Kuma's proxies, text or JSON.
    Kuma = "kuma",
    /// The Common or Combined Log Format of web servers.
    CommonLog = "common-log",
    /// Anything else.
    PlainText = "plain-text",
}

impl fmt::Display for LineFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no format.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{name}` is no line format; one of {known}")]
pub struct UnknownFormat {
    name: String,
    known: String,
}

impl FromStr for LineFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.iter().copied().find(|format| format.name() == name).ok_or_else(|| UnknownFormat {
            name: name.chars().take(64).collect(),
            known: Self::ALL.iter().map(|format| format.name()).collect::<Vec<_>>().join(", "),
        })
    }
}

impl LineFormat {
    fn is_json(self) -> bool {
        matches!(self, Self::NdJson | Self::DockerJson | Self::EnvoyJson | Self::LinkerdJson | Self::Hubble)
    }
}

/// Lines looked at.
const SAMPLE: usize = 256;

/// The format that at least half of the lines have; `NdJson` where they are documents of several kinds, else
/// `PlainText`. Empty lines do not count.
pub fn detect(sample: &[&str]) -> LineFormat {
    let lines = sample.iter().map(|line| line.trim_end()).filter(|line| !line.is_empty()).take(SAMPLE);
    let found: Vec<LineFormat> = lines.map(of_line).collect();
    let count = |format: LineFormat| found.iter().filter(|other| **other == format).count();
    let best =
        LineFormat::ALL.iter().copied().max_by_key(|format| count(*format)).filter(|f| count(*f) * 2 >= found.len());
    if found.is_empty() {
        return LineFormat::PlainText;
    }
    let documents = found.iter().filter(|format| format.is_json()).count();
    best.unwrap_or(if documents * 2 >= found.len() { LineFormat::NdJson } else { LineFormat::PlainText })
}

fn of_line(line: &str) -> LineFormat {
    if line.trim_start().starts_with('{') {
        return of_document(line);
    }
    if text::is_cri(line) {
        return LineFormat::Cri;
    }
    if is_syslog(line) {
        return LineFormat::Syslog;
    }
    let Some(parsed) = text::access_line(line) else { return LineFormat::PlainText };
    let has = |key: &str| parsed.pairs.iter().any(|(name, _)| name == key);
    match parsed.family {
        Family::Envoy if has("kuma_mesh") => LineFormat::Kuma,
        Family::Envoy if has("upstream_cluster") => LineFormat::IstioText,
        Family::Envoy => LineFormat::EnvoyText,
        Family::Linkerd => LineFormat::LinkerdApache,
        Family::Ztunnel => LineFormat::Ztunnel,
        Family::WebServer => LineFormat::CommonLog,
        Family::App | Family::Hubble => LineFormat::PlainText,
    }
}

fn of_document(line: &str) -> LineFormat {
    let Ok(Value::Map(pairs)) = json::parse(line) else { return LineFormat::PlainText };
    let has = |key: &str| pairs.iter().any(|(name, _)| name == key);
    let cluster = pairs.iter().find(|(key, _)| key == "upstream_cluster").and_then(|(_, value)| value.as_str());
    let is_kuma = || pairs.iter().filter_map(|(key, _)| table::lookup(key)).any(|entry| entry.marks == KUMA);
    match Family::of(&pairs) {
        Family::Envoy if is_kuma() => LineFormat::Kuma,
        Family::Envoy if cluster.is_some_and(|name| name.contains(".consul")) => LineFormat::Consul,
        Family::Envoy => LineFormat::EnvoyJson,
        Family::Linkerd => LineFormat::LinkerdJson,
        Family::Ztunnel => LineFormat::Ztunnel,
        Family::Hubble => LineFormat::Hubble,
        Family::App | Family::WebServer if has("log") && has("stream") && has("time") && pairs.len() <= 4 => {
            LineFormat::DockerJson
        }
        Family::App | Family::WebServer => LineFormat::NdJson,
    }
}

/// A priority in angle brackets, or the traditional `Nov 20 10:00:00 host app: `.
fn is_syslog(line: &str) -> bool {
    if let Some((priority, _)) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        return priority.parse::<u16>().is_ok_and(|priority| priority <= 191);
    }
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let bytes = line.as_bytes();
    bytes.len() > 16
        && MONTHS.iter().any(|month| line.starts_with(month))
        && [(3, b' '), (6, b' '), (9, b':'), (12, b':'), (15, b' ')].iter().all(|(at, byte)| bytes[*at] == *byte)
}
