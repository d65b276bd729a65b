//! What an operator may set, and what the program runs with.
//!
//! The YAML file becomes a tree that remembers its lines ([`tree`]); [`read`] walks it with the table of [`keys`] and
//! collects every fault before it gives up, because an operator who mends a file wants to do so once. Only a [`Config`]
//! can start anything, and only a file without a fault becomes one.

mod certificates;
mod key_service;
mod keys;
mod listen;
mod names;
mod oidc;
mod pipelines;
mod print;
mod read;
mod redact;
mod sources;
mod tree;
mod units;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logkeep_pipeline::PipelineSet;
use logkeep_pipeline::spec::Pipeline;
use logkeep_record::TenantId;
use logkeep_redact::Rules;
use logkeep_server::{CertificateRules, SourceOptions};
use logkeep_store::{KeySource, ServiceOptions};

pub use listen::{ClientCertificates, Listen, Listener, Tls};
pub use oidc::Oidc;
pub use units::{format_bytes, format_duration, parse_bytes, parse_duration};

/// A configuration that can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder that holds everything but the key.
    pub data_dir: PathBuf,
    /// The key file as configured; see [`Config::key_file`].
    pub configured_key_file: Option<PathBuf>,
    /// The service that has the key, if it is not in a file.
    pub key_service: Option<ServiceOptions>,
    /// Where to listen.
    pub listen: Listen,
    /// Files of TLS that all listeners have, if they have none of their own.
    pub tls: Tls,
    /// Who may send over Fluentd's Forward protocol.
    pub forward: Forward,
    /// Bounds on what senders may send.
    pub limits: Limits,
    /// Bounds on a query.
    pub query: Query,
    /// Names that senders may use, `default` among them.
    pub tenants: Vec<TenantId>,
    /// Queues that are read.
    pub sources: Vec<SourceOptions>,
    /// Patterns for grok, by name.
    pub patterns: Vec<(String, String)>,
    /// What is done to records before they are redacted and stored.
    pub pipelines: Vec<Pipeline>,
    /// What is hidden in records before they are stored.
    pub redact: Rules,
    /// When live records become a segment.
    pub flush: Flush,
    /// Who may read.
    pub access: Access,
    /// Where people can sign in beside here.
    pub oidc: Option<Oidc>,
    /// How long retries are known.
    pub dedupe: Dedupe,
    /// Bytes held back for a full disk.
    pub reserve_bytes: u64,
    /// What the process gives up before it serves.
    pub hardening: Hardening,
    /// How much the program says about itself: `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// The version that the Elasticsearch API claims; Beats refuse servers older than themselves.
    pub elasticsearch_version: String,
}

/// Who may send over Fluentd's Forward protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// File of the key that senders must know.
    pub shared_key_file: Option<PathBuf>,
    /// File of users and passwords that they must know as well.
    pub users_file: Option<PathBuf>,
}

/// Bounds on what senders may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// A request body as it arrives.
    pub request_bytes: usize,
    /// One record in its source form.
    pub record_bytes: usize,
}

/// Bounds on a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Time it may take.
    pub timeout: Duration,
    /// Memory that all may use together.
    pub memory_bytes: usize,
    /// Memory for columns that were read lately.
    pub cache_bytes: usize,
    /// Memory for the indexes of open segments.
    pub index_bytes: usize,
}

/// When live records become a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flush {
    /// At this size.
    pub bytes: usize,
    /// At this age.
    pub interval: Duration,
}

/// Who may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whether whoever is on this machine need not sign in.
    pub loopback_is_open: bool,
    /// Fields that only those see who are permitted to unmask them.
    pub masked: Vec<String>,
    /// The folder of further policies.
    pub policies: Option<PathBuf>,
    /// Rows that one answer may have.
    pub export_rows: u64,
    /// Rows that one person may read in a day.
    pub export_rows_a_day: u64,
    /// What names in client certificates may do.
    pub certificates: CertificateRules,
    /// A session ends when it has not been used for so long.
    pub session_idle: Duration,
    /// And after so long in any case.
    pub session_max: Duration,
    /// Whether people who sign in with a password can do nothing without a second factor.
    pub second_factor_is_required: bool,
}

/// What the process gives up before it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardening {
    /// Files that the configuration does not name.
    pub landlock: Landlock,
    /// Calls of the system that a log server never makes.
    pub seccomp: bool,
}

/// Whether the kernel is asked to refuse other files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landlock {
    /// It must.
    Require,
    /// If it can.
    BestEffort,
    /// No.
    Off,
}

impl Landlock {
    /// Each, by the name the configuration has for it.
    pub const NAMES: [(&str, Self); 3] =
        [("require", Self::Require), ("best_effort", Self::BestEffort), ("off", Self::Off)];
}

/// How long retries are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedupe {
    /// Since they came.
    pub window: Duration,
    /// Of how many batches at most.
    pub batches: usize,
    /// Of how many documents with an id at most.
    pub documents: usize,
}

/// One thing wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, from 1; 0 where the file as a whole is at fault.
    pub line: u64,
    /// What is wrong.
    pub message: String,
    /// What to do, where we know.
    pub hint: Option<String>,
}

/// Everything wrong with a configuration file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// The file's name, as given.
    pub file: String,
    /// At least one.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.faults.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            match fault.line {
                0 => write!(f, "{}: {}", self.file, fault.message)?,
                line => write!(f, "{}:{line}: {}", self.file, fault.message)?,
            }
            if let Some(hint) = &fault.hint {
                write!(f, "\n  hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

impl Default for Config {
    fn default() -> Self {
        read::defaults()
    }
}

impl Config {
    /// Reads a configuration from YAML; `file` is the name to use in faults.
    ///
    /// # Errors
    /// [`Faults`] has all of them, not the first only.
    pub fn read(file: &str, text: &str) -> Result<Self, Faults> {
        read::read(text).map_err(|faults| Faults { file: file.to_owned(), faults })
    }

    /// Reads a file; without one, the defaults.
    ///
    /// # Errors
    /// The file cannot be read, or has [`Faults`].
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = file else { return Ok(Self::default()) };
        let name = path.display().to_string();
        let fault = |message| Faults { file: name.clone(), faults: vec![Fault { line: 0, message, hint: None }] };
        let size = std::fs::metadata(path).map_err(|error| fault(format!("cannot be read: {error}")))?.len();
        if size > keys::FILE_BYTES {
            return Err(fault(format!("has {size} bytes; the limit is {}", keys::FILE_BYTES)).into());
        }
        let text = std::fs::read_to_string(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
        Ok(Self::read(&name, &text)?)
    }

    /// Where the key is: as configured, or beside the data folder under its name with `.key`. Never inside it, so that
    /// a copy of the folder is not a copy of the key.
    pub fn key_file(&self) -> PathBuf {
        self.configured_key_file.clone().unwrap_or_else(|| sibling_key(&self.data_dir))
    }

    /// The provider of the key that wraps all others.
    pub fn key_source(&self) -> KeySource {
        match &self.key_service {
            None => KeySource::File(self.key_file()),
            Some(service) => KeySource::Service(service.clone()),
        }
    }

    /// The pipelines, compiled. None of those in a [`Config`] has a fault: it would not have become one.
    pub fn pipeline_set(&self) -> PipelineSet {
        PipelineSet::compile_with(&self.patterns, &self.pipelines).unwrap_or_default()
    }

    /// The effective configuration as YAML that reads as itself, each key with what it is and its default.
    pub fn to_yaml(&self) -> String {
        print::to_yaml(self)
    }
}

fn sibling_key(data_dir: &Path) -> PathBuf {
    let mut name = data_dir.file_name().unwrap_or_default().to_owned();
    name.push(".key");
    data_dir.with_file_name(name)
}
