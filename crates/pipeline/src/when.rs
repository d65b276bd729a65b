//! Which records are meant.

use logkeep_record::{Record, Severity, TenantId};
use regex::{Regex, RegexBuilder};

use crate::field::Field;
use crate::spec::{Signal, When};

/// Compiled size of one pattern at most, in bytes.
pub(crate) const PATTERN_BYTES: usize = 1 << 20;

/// A [`When`] that can be asked.
#[derive(Debug)]
pub(crate) struct Condition {
    signals: Vec<Signal>,
    tenants: Vec<TenantId>,
    min_severity: Option<Severity>,
    of_resource: Vec<Pattern>,
    of_record: Vec<Pattern>,
}

/// Patterns of a field, one of which must fit.
#[derive(Debug)]
struct Pattern {
    field: Field,
    any: Vec<Regex>,
}

impl Pattern {
    fn fits(&self, record: &Record<'_>) -> bool {
        self.field.text(record).is_some_and(|text| self.any.iter().any(|regex| regex.is_match(&text)))
    }
}

impl Condition {
    pub(crate) fn new(when: &When) -> Result<Self, String> {
        let (mut of_resource, mut of_record) = (Vec::new(), Vec::new());
        for (name, patterns) in &when.fields {
            // What carried a record is known by the name it has on the resource.
            let name = if name == "protocol" { "resource.logkeep.protocol" } else { name };
            let field = Field::new(name)?;
            let any = patterns.iter().map(|pattern| regex(pattern)).collect::<Result<_, _>>()?;
            let list = if field.is_of_resource() { &mut of_resource } else { &mut of_record };
            list.push(Pattern { field, any });
        }
        let When { signals, tenants, min_severity, .. } = when.clone();
        Ok(Self { signals, tenants, min_severity, of_resource, of_record })
    }

    /// Whether records of this kind and tenant may be meant at all.
    pub(crate) fn may_hold(&self, signal: Signal, tenant: &TenantId) -> bool {
        (self.signals.is_empty() || self.signals.contains(&signal))
            && (self.tenants.is_empty() || self.tenants.contains(tenant))
    }

    /// Whether records of this one's resource may be meant.
    pub(crate) fn may_hold_for_resource(&self, record: &Record<'_>) -> bool {
        self.of_resource.iter().all(|pattern| pattern.fits(record))
    }

    /// Whether this one is, if its resource is.
    pub(crate) fn holds_for_record(&self, record: &Record<'_>) -> bool {
        self.min_severity.is_none_or(|least| record.severity >= least)
            && self.of_record.iter().all(|pattern| pattern.fits(record))
    }

    /// Whether a record is meant, of whatever kind and tenant.
    pub(crate) fn holds(&self, record: &Record<'_>) -> bool {
        self.may_hold_for_resource(record) && self.holds_for_record(record)
    }
}

/// A pattern as configuration has it.
fn regex(pattern: &str) -> Result<Regex, String> {
    let inside = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')).filter(|_| pattern.len() > 1);
    let text = match inside {
        Some(regex) => regex.to_owned(),
        None => format!("(?s)^{}$", pattern.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")),
    };
    let built = RegexBuilder::new(&text).size_limit(PATTERN_BYTES).build();
    built.map_err(|error| format!("`{pattern}` is no pattern: {}", last_line(&error)))
}

/// What a regular expression has wrong, without the picture of it.
pub(crate) fn last_line(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
