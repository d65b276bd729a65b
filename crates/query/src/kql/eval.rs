//! Whether one record matches: what the live tail runs, and the oracle for every faster way.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use logkeep_record::{Attributes, Record, Severity, Value, json};

use super::ast::{Expr, Literal, Op, Predicate, TextPattern};
use super::fields::{self, Builtin, Place, Source, Target};
use super::number::Number;
use super::text::{TextMatcher, compile_regex};
use super::tokens::lower;
use super::{KqlError, Wildcard};

/// Whether `record` matches. To test many records, compile once with [`Compiled::new`]. An expression that does not
/// compile, which none from [`super::parse`] is, matches nothing.
pub fn matches(expr: &Expr, record: &Record<'_>) -> bool {
    Compiled::new(expr).is_ok_and(|compiled| compiled.matches(record))
}

/// An expression made ready to be run over many records.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub(crate) node: Node,
    /// See [`Compiled::text`].
    text: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    All,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Text(TextMatcher),
    Field(Target, Test),
}

/// A predicate, made ready for the kind of field it is about.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Exists,
    Text(TextMatcher),
    Equals {
        lower: String,
        number: Option<Number>,
    },
    Pattern(Wildcard),
    Regex(regex::Regex),
    Range {
        op: Op,
        literal: Literal,
        number: Option<Number>,
    },
    SeverityIn(RangeInclusive<u8>),
    SeverityRange(Op, RangeInclusive<u8>),
    TimeAt(i64),
    TimeRange(Op, i64),
    /// One of these texts, as it is. More of them than a query can have.
    OneOf(HashSet<String>),
    Never,
}

impl Compiled {
    /// Compiles an expression.
    ///
    /// # Errors
    /// A regular expression in it is wrong or too large.
    pub fn new(expr: &Expr) -> Result<Self, KqlError> {
        Ok(Self { node: compile(expr)?, text: Some(expr.to_string().into()) })
    }

    /// Of the records that an expression selects, those whose field has one of these texts.
    pub(crate) fn with_one_of(expr: &Expr, name: &str, texts: HashSet<String>) -> Result<Self, KqlError> {
        let one_of = Node::Field(fields::resolve(name), Test::OneOf(texts));
        Ok(Self { node: Node::And(vec![compile(expr)?, one_of]), text: None })
    }

    /// Whether `record` matches.
    pub fn matches(&self, record: &Record<'_>) -> bool {
        self.node.matches(record)
    }

    /// The expression in canonical form, if it can be written: what has the same text matches the same records.
    pub(crate) fn text(&self) -> Option<&Arc<str>> {
        self.text.as_ref()
    }
}

fn compile(expr: &Expr) -> Result<Node, KqlError> {
    let all = |parts: &[Expr]| parts.iter().map(compile).collect::<Result<Vec<_>, _>>();
    Ok(match expr {
        Expr::All => Node::All,
        Expr::And(parts) => Node::And(all(parts)?),
        Expr::Or(parts) => Node::Or(all(parts)?),
        Expr::Not(inner) => Node::Not(Box::new(compile(inner)?)),
        Expr::Text { pattern, .. } => Node::Text(TextMatcher::new(pattern)?),
        Expr::Field { name, predicate, .. } => {
            let target = fields::resolve(name);
            let test = match target {
                Target::Builtin(Builtin::Severity) => severity_test(predicate)?,
                Target::Builtin(Builtin::Time | Builtin::Received) => time_test(predicate),
                _ if fields::is_text(name) => text_test(predicate)?,
                _ => value_test(predicate)?,
            };
            Node::Field(target, test)
        }
    })
}

fn severity_test(predicate: &Predicate) -> Result<Test, KqlError> {
    let within = |text: &str| fields::severity_range(text).map_or(Test::Never, Test::SeverityIn);
    match predicate {
        Predicate::Equals(literal) => Ok(within(&literal.text)),
        Predicate::Phrase(text) => Ok(within(text)),
        Predicate::Range { op, literal } => Ok(match fields::severity_range(&literal.text) {
            Some(range) => Test::SeverityRange(*op, range),
            None => Test::Never,
        }),
        other => value_test(other),
    }
}

fn time_test(predicate: &Predicate) -> Test {
    let at = |text: &str| crate::time::parse_absolute(text).ok();
    match predicate {
        Predicate::Exists => Test::Exists,
        Predicate::Equals(literal) => at(&literal.text).map_or(Test::Never, Test::TimeAt),
        Predicate::Phrase(text) => at(text).map_or(Test::Never, Test::TimeAt),
        Predicate::Range { op, literal } => at(&literal.text).map_or(Test::Never, |time| Test::TimeRange(*op, time)),
        Predicate::Pattern(_) | Predicate::Regex(_) => Test::Never,
    }
}

fn text_test(predicate: &Predicate) -> Result<Test, KqlError> {
    let pattern = match predicate {
        Predicate::Equals(literal) => TextPattern::Phrase(literal.text.clone()),
        Predicate::Phrase(text) => TextPattern::Phrase(text.clone()),
        Predicate::Pattern(wildcard) => TextPattern::Wildcard(wildcard.clone()),
        Predicate::Regex(source) => TextPattern::Regex(source.clone()),
        other => return value_test(other),
    };
    TextMatcher::new(&pattern).map(Test::Text)
}

fn value_test(predicate: &Predicate) -> Result<Test, KqlError> {
    Ok(match predicate {
        Predicate::Exists => Test::Exists,
        Predicate::Equals(literal) => {
            Test::Equals { lower: lower(&literal.text).into_owned(), number: literal.number() }
        }
        Predicate::Phrase(text) => Test::Equals { lower: lower(text).into_owned(), number: None },
        Predicate::Pattern(wildcard) => Test::Pattern(wildcard.clone()),
        Predicate::Range { op, literal } => Test::Range { op: *op, literal: literal.clone(), number: literal.number() },
        Predicate::Regex(source) => Test::Regex(compile_regex(source)?),
    })
}

impl Node {
    pub(crate) fn matches(&self, record: &Record<'_>) -> bool {
        match self {
            Self::All => true,
            Self::And(parts) => parts.iter().all(|part| part.matches(record)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(record)),
            Self::Not(inner) => !inner.matches(record),
            Self::Text(matcher) => for_each_text(record, &mut |text| matcher.matches(text)),
            Self::Field(Target::Builtin(builtin), test) => test.accepts_builtin(*builtin, record),
            Self::Field(Target::Attribute(sources), test) => test.accepts_attribute(sources, record),
        }
    }
}

/// Calls `visit` for every text that free text searches, until it returns true; returns whether it did. These are the
/// leaves of the body, the original, the leaves of the attributes of record and resource, the severity text and the trace
/// and span ids. Keys are not among them.
pub fn for_each_text(record: &Record<'_>, visit: &mut dyn FnMut(&str) -> bool) -> bool {
    leaves(&record.body, visit)
        || record.original.as_deref().is_some_and(&mut *visit)
        || record.attributes.iter().any(|(_, value)| leaves(value, visit))
        || record.resource.attributes().iter().any(|(_, value)| leaves(value, visit))
        || (!record.severity_text.is_empty() && visit(&record.severity_text))
        || record.trace_id.is_some_and(|id| visit(&id.to_string()))
        || record.span_id.is_some_and(|id| visit(&id.to_string()))
}

pub(crate) fn leaves(value: &Value<'_>, visit: &mut dyn FnMut(&str) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| leaves(value, visit)),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| leaves(value, visit)),
        scalar => scalar_text(scalar).is_some_and(|text| visit(&text)),
    }
}

/// The text of a scalar: text as it is, numbers and booleans as in JSON, bytes in base 16. None for null.
fn scalar_text<'a>(value: &'a Value<'_>) -> Option<Cow<'a, str>> {
    match value {
        Value::Null | Value::Array(_) | Value::Map(_) => None,
        Value::Str(text) => Some(Cow::Borrowed(text)),
        Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Value::Int(_) | Value::Double(_) | Value::Bytes(_) => {
            let mut out = String::new();
            json::write(value, &mut out);
            Some(Cow::Owned(out.trim_matches('"').to_owned()))
        }
    }
}

impl Test {
    fn accepts_builtin(&self, builtin: Builtin, record: &Record<'_>) -> bool {
        let text = |text: &str| !text.is_empty() && self.accepts(&Value::str(text));
        match builtin {
            Builtin::Body => self.accepts(&record.body),
            Builtin::Original => record.original.as_deref().is_some_and(|text| self.accepts(&Value::str(text))),
            Builtin::Severity => self.accepts_severity(record.severity),
            Builtin::SeverityNumber => {
                record.severity.number() != 0 && self.accepts(&Value::Int(record.severity.number().into()))
            }
            Builtin::SeverityText => text(&record.severity_text),
            Builtin::TraceId => record.trace_id.is_some_and(|id| text(&id.to_string())),
            Builtin::SpanId => record.span_id.is_some_and(|id| text(&id.to_string())),
            Builtin::EventName => text(&record.event_name),
            Builtin::ScopeName => text(&record.resource.scope().name),
            Builtin::ScopeVersion => text(&record.resource.scope().version),
            Builtin::Time => self.accepts_time(record.effective_time_ns()),
            Builtin::Received => self.accepts_time(record.received_ns),
        }
    }

    pub(crate) fn accepts_severity(&self, severity: Severity) -> bool {
        match self {
            Self::SeverityIn(range) => range.contains(&severity.number()),
            Self::SeverityRange(op, range) => fields::severity_accepts(severity.number(), *op, range),
            Self::Exists => severity != Severity::UNSPECIFIED,
            other => other.accepts(&Value::str(severity.name())),
        }
    }

    pub(crate) fn accepts_time(&self, time_ns: i64) -> bool {
        match self {
            Self::Exists => true,
            Self::TimeAt(at) => time_ns == *at,
            Self::TimeRange(op, at) => op.accepts(time_ns.cmp(at)),
            _ => false,
        }
    }

    fn accepts_attribute(&self, sources: &[Source], record: &Record<'_>) -> bool {
        for source in sources {
            let attributes: &Attributes<'_> = match source.place {
                Place::Record => &record.attributes,
                Place::Resource => record.resource.attributes(),
                Place::Scope => &record.resource.scope().attributes,
            };
            let mut found = false;
            let accepted = find(attributes, &source.name, &mut |value| {
                found |= !value.is_null();
                self.accepts(value)
            });
            if found {
                return accepted;
            }
        }
        false
    }

    pub(crate) fn accepts(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (_, Value::Null) => false,
            (Self::Exists, _) => true,
            (Self::Text(matcher), value) => leaves(value, &mut |text| matcher.matches(text)),
            (_, Value::Array(values)) => values.iter().any(|value| self.accepts(value)),
            (_, Value::Map(_)) => false,
            (test, scalar) => test.accepts_scalar(scalar),
        }
    }

    fn accepts_scalar(&self, value: &Value<'_>) -> bool {
        let text = || scalar_text(value).unwrap_or_default();
        match self {
            Self::Equals { lower: wanted, number } => match (number, typed_number(value)) {
                (Some(wanted), Some(number)) => number.compare(*wanted).is_some_and(std::cmp::Ordering::is_eq),
                _ => lower(&text()) == wanted.as_str(),
            },
            Self::OneOf(texts) => value.as_str().is_some_and(|text| texts.contains(text)),
            Self::Pattern(wildcard) => wildcard.matches_whole(&text()),
            Self::Regex(regex) => regex.is_match(&text()),
            Self::Range { op, literal, number } => {
                let ordering = match number {
                    Some(wanted) => {
                        let number = typed_number(value).or_else(|| Number::read(value.as_str()?));
                        number.and_then(|number| number.compare(*wanted))
                    }
                    None => value.as_str().map(|text| text.cmp(&literal.text)),
                };
                ordering.is_some_and(|ordering| op.accepts(ordering))
            }
            _ => false,
        }
    }
}

fn typed_number(value: &Value<'_>) -> Option<Number> {
    match value {
        Value::Int(value) => Some(Number::Int(*value)),
        Value::Double(value) => Some(Number::Double(*value)),
        _ => None,
    }
}

/// Calls `visit` for every value under `name`, also where dots lead into nested maps, until it returns true.
pub(crate) fn find(attributes: &Attributes<'_>, name: &str, visit: &mut dyn FnMut(&Value<'_>) -> bool) -> bool {
    attributes.iter().any(|(key, value)| {
        if key == name {
            return visit(value);
        }
        match name.strip_prefix(key.as_ref()).and_then(|rest| rest.strip_prefix('.')) {
            Some(rest) if !rest.is_empty() => find_nested(value, rest, visit),
            _ => false,
        }
    })
}

fn find_nested(value: &Value<'_>, name: &str, visit: &mut dyn FnMut(&Value<'_>) -> bool) -> bool {
    match value {
        Value::Map(pairs) => find(pairs, name, visit),
        Value::Array(values) => values.iter().any(|value| find_nested(value, name, visit)),
        _ => false,
    }
}
