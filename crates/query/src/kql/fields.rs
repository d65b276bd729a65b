//! Which part of a record a field name means.
//!
//! Every alias is in this file and nowhere else. A short name is an alias only where it can mean one thing: `host` is
//! none (`host.name`? `server.address`?). A field that a record really has under the short name goes before the alias,
//! so an alias hides nothing.

use std::ops::RangeInclusive;

use logkeep_record::Severity;

use super::ast::{Op, Predicate};

/// A part every record has a place for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// The message. Searched as text.
    Body,
    /// The source line. Searched as text.
    Original,
    /// The severity: words mean families or steps, numbers compare with the number.
    Severity,
    /// `SeverityNumber` as a number.
    SeverityNumber,
    /// `SeverityText` as sent.
    SeverityText,
    /// Trace id in base 16.
    TraceId,
    /// Span id in base 16.
    SpanId,
    /// `EventName`.
    EventName,
    /// Name of the instrumentation scope.
    ScopeName,
    /// Version of the instrumentation scope.
    ScopeVersion,
    /// The effective time.
    Time,
    /// When it reached us.
    Received,
}

/// Whose attributes to look in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The record's own.
    Record,
    /// The resource's.
    Resource,
    /// The instrumentation scope's.
    Scope,
}

/// One place to look for an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Whose attribute.
    pub place: Place,
    /// Its name.
    pub name: String,
}

/// What a field name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A fixed part of the record.
    Builtin(Builtin),
    /// An attribute: the first of these sources where the record has a value that is not null.
    Attribute(Vec<Source>),
}

const BUILTINS: &[(&str, Builtin)] = &[
    ("body", Builtin::Body),
    ("message", Builtin::Body),
    ("msg", Builtin::Body),
    ("original", Builtin::Original),
    ("log.record.original", Builtin::Original),
    ("event.original", Builtin::Original),
    ("severity", Builtin::Severity),
    ("level", Builtin::Severity),
    ("log.level", Builtin::Severity),
    ("severity_number", Builtin::SeverityNumber),
    ("severity_text", Builtin::SeverityText),
    ("trace_id", Builtin::TraceId),
    ("trace", Builtin::TraceId),
    ("trace.id", Builtin::TraceId),
    ("span_id", Builtin::SpanId),
    ("span.id", Builtin::SpanId),
    ("event_name", Builtin::EventName),
    ("scope.name", Builtin::ScopeName),
    ("otel.scope.name", Builtin::ScopeName),
    ("scope.version", Builtin::ScopeVersion),
    ("otel.scope.version", Builtin::ScopeVersion),
    ("time", Builtin::Time),
    ("timestamp", Builtin::Time),
    ("@timestamp", Builtin::Time),
    ("received", Builtin::Received),
];

const ALIASES: &[(&str, &str)] = &[
    ("service", "service.name"),
    ("status", "http.response.status_code"),
    ("method", "http.request.method"),
    ("path", "url.path"),
    ("ns", "k8s.namespace.name"),
    ("namespace", "k8s.namespace.name"),
    ("pod", "k8s.pod.name"),
    ("container", "k8s.container.name"),
    ("user_agent", "user_agent.original"),
];

/// Attributes that hold prose. Like the body they are searched for words, all others by their whole value.
const TEXT_ATTRIBUTES: &[&str] =
    &["exception.message", "exception.stacktrace", "error.message", "error.stack_trace", "event.reason"];

/// What `name` means.
pub fn resolve(name: &str) -> Target {
    if let Some((_, builtin)) = BUILTINS.iter().find(|(known, _)| *known == name) {
        return Target::Builtin(*builtin);
    }
    let everywhere = |name: &str| {
        [Place::Record, Place::Resource, Place::Scope].map(|place| Source { place, name: name.to_owned() })
    };
    let mut sources = everywhere(name).to_vec();
    if let Some((_, canonical)) = ALIASES.iter().find(|(alias, _)| *alias == name) {
        sources.extend(everywhere(canonical));
    }
    for (prefix, place) in [("attributes.", Place::Record), ("resource.", Place::Resource), ("scope.", Place::Scope)] {
        if let Some(rest) = name.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
            sources.push(Source { place, name: rest.to_owned() });
        }
    }
    Target::Attribute(sources)
}

/// Every built-in name and alias, for completion and for [`super::suggest_field`].
pub fn known_names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().map(|(name, _)| *name).chain(ALIASES.iter().map(|(name, _)| *name))
}

/// Whether values of this field are searched for words instead of compared as a whole.
pub fn is_text(name: &str) -> bool {
    match resolve(name) {
        Target::Builtin(builtin) => matches!(builtin, Builtin::Body | Builtin::Original),
        Target::Attribute(_) => TEXT_ATTRIBUTES.contains(&name),
    }
}

/// The severity numbers a word or number means: a family's word its four steps (`error` 17 to 20), a step's word
/// that step (`critical` 18), a number itself. `None` for anything else.
pub fn severity_range(text: &str) -> Option<RangeInclusive<u8>> {
    if let Ok(number) = text.parse::<u8>() {
        return (number <= 24).then_some(number..=number);
    }
    if text.eq_ignore_ascii_case("unspecified") {
        return Some(0..=0);
    }
    let number = Severity::from_text(text).number();
    match number {
        0 => None,
        _ if number % 4 == 1 => Some(number..=number + 3),
        _ => Some(number..=number),
    }
}

/// Whether a severity number compares so with the numbers a word means. Unspecified compares with nothing.
pub fn severity_accepts(number: u8, op: Op, range: &RangeInclusive<u8>) -> bool {
    number != 0
        && match op {
            Op::Lt => number < *range.start(),
            Op::Le => number <= *range.end(),
            Op::Gt => number > *range.end(),
            Op::Ge => number >= *range.start(),
        }
}

/// Whether the predicate makes sense for the field; if not, what to say.
pub(super) fn check(name: &str, predicate: &Predicate) -> Result<(), String> {
    let text = match predicate {
        Predicate::Equals(literal) | Predicate::Range { literal, .. } => &literal.text,
        Predicate::Phrase(text) => text,
        Predicate::Exists | Predicate::Pattern(_) | Predicate::Regex(_) => return Ok(()),
    };
    match resolve(name) {
        Target::Builtin(Builtin::Severity) if severity_range(text).is_none() => Err(format!(
            "`{text}` is no severity; use trace, debug, info, warn, error, fatal, unspecified or a number from 1 to 24"
        )),
        Target::Builtin(Builtin::Time | Builtin::Received) if crate::time::parse_absolute(text).is_err() => {
            Err(format!("`{text}` is no time; use RFC 3339 like `2026-11-20T10:00:00Z`, or set the time range"))
        }
        _ => Ok(()),
    }
}
