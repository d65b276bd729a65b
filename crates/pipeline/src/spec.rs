//! Pipelines as an operator writes them, not yet looked at more closely.

use std::path::PathBuf;
use std::time::Duration;

use logkeep_record::{Class, Severity, TenantId};

/// One pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// Under which the ledger counts what it drops, and by which its failures are told.
    pub name: String,
    /// Which records pass it.
    pub when: When,
    /// How records that are lines of one text are joined, if they are.
    pub multiline: Option<Multiline>,
    /// What is done with them, in order.
    pub steps: Vec<Step>,
}

/// Of what kind records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Spans of traces.
    Spans,
}

impl Signal {
    /// As configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
        }
    }
}

/// Which records are meant: those for which all of it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// One of these kinds; empty for all.
    pub signals: Vec<Signal>,
    /// Of one of these tenants; empty for all.
    pub tenants: Vec<TenantId>,
    /// At least as severe.
    pub min_severity: Option<Severity>,
    /// Names of fields, and patterns of which one fits: `*` stands for any characters, `/…/` is a regular expression.
    pub fields: Vec<(String, Vec<String>)>,
}

/// How to tell lines of one text. A record continues the one before it if `starts` does not fit and `continues` does, of
/// those of the two that are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Multiline {
    /// A regular expression that fits the first line of a text.
    pub starts: Option<String>,
    /// One that fits the other lines.
    pub continues: Option<String>,
    /// Records that one may be made of.
    pub max_lines: usize,
    /// Bytes of the joined text.
    pub max_bytes: usize,
    /// How long a record waits for what continues it, from its arrival on.
    pub timeout: Duration,
}

/// One step of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes a text apart.
    Parse(Parse),
    /// Runs a program in VRL.
    Vrl {
        /// The program.
        source: String,
        /// Where it was read from, if it was.
        file: Option<PathBuf>,
    },
    /// Keeps some of the records.
    Sample(Sample),
    /// Says where records go.
    Route {
        /// To this tenant instead of their own.
        tenant: Option<TenantId>,
        /// Into this class instead of the usual one.
        class: Option<Class>,
    },
}

/// How a text is taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parse {
    /// The field that has the text.
    pub field: String,
    /// The form of the text.
    pub form: Form,
    /// The pattern.
    pub pattern: String,
}

/// Forms of patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Logstash's `%{PATTERN:name}`.
    Grok,
    /// A regular expression with named groups.
    Regex,
    /// `%{name}` between what separates them.
    Dissect,
}

impl Form {
    /// All of them, by the names that configuration has.
    pub const NAMES: &[(&str, Self)] = &[("grok", Self::Grok), ("regex", Self::Regex), ("dissect", Self::Dissect)];

    /// As configuration has it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, form)| *form == self).map_or("", |(name, _)| name)
    }
}

/// Which records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Of 2⁶⁴ values of the hash, those below are kept.
    pub below: u64,
    /// As it was written.
    pub keep: String,
    /// The field whose hash decides.
    pub by: String,
    /// Records that are kept in any case.
    pub except: Option<When>,
}
