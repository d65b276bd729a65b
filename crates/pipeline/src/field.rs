//! Names of what a record holds, as configuration gives them.

use std::borrow::Cow;

use logkeep_record::{Record, Value};

/// Longest name of a field that is kept.
const NAME_BYTES: usize = logkeep_record::limits::KEY_BYTES;

/// One field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Body,
    Original,
    Severity,
    SeverityText,
    EventName,
    TraceId,
    SpanId,
    Attribute(Box<str>),
    Resource(Box<str>),
    /// An attribute of the record or, if it has none of this name, of its resource.
    Either(Box<str>),
}

impl Field {
    /// Reads a name: a part of the record, `attributes.…`, `resource.…`, or the name of an attribute.
    pub(crate) fn new(name: &str) -> Result<Self, String> {
        let attribute = |name: &str| -> Result<Box<str>, String> {
            if name.is_empty() || name.len() > NAME_BYTES {
                return Err(format!("a name of a field has 1 to {NAME_BYTES} bytes"));
            }
            Ok(name.into())
        };
        Ok(match name {
            "body" => Self::Body,
            "original" => Self::Original,
            "severity" => Self::Severity,
            "severity_text" => Self::SeverityText,
            "event_name" => Self::EventName,
            "trace_id" => Self::TraceId,
            "span_id" => Self::SpanId,
            "service" => Self::Resource("service.name".into()),
            "namespace" => Self::Either("k8s.namespace.name".into()),
            name => match (name.strip_prefix("attributes."), name.strip_prefix("resource.")) {
                (Some(name), _) => Self::Attribute(attribute(name)?),
                (_, Some(name)) => Self::Resource(attribute(name)?),
                _ => Self::Either(attribute(name)?),
            },
        })
    }

    /// Whether it is the same for all records of a resource.
    pub(crate) fn is_of_resource(&self) -> bool {
        matches!(self, Self::Resource(_))
    }

    /// Its value as text; `None` where the record has none, or one that is no single value.
    pub(crate) fn text<'r>(&self, record: &'r Record<'_>) -> Option<Cow<'r, str>> {
        let given = |text: &'r str| (!text.is_empty()).then_some(Cow::Borrowed(text));
        match self {
            Self::Body => text(&record.body),
            Self::Original => record.original.as_deref().map(Cow::Borrowed).or_else(|| text(&record.body)),
            Self::Severity => Some(Cow::Borrowed(record.severity.name())),
            Self::SeverityText => given(&record.severity_text),
            Self::EventName => given(&record.event_name),
            Self::TraceId => record.trace_id.map(|id| Cow::Owned(id.to_string())),
            Self::SpanId => record.span_id.map(|id| Cow::Owned(id.to_string())),
            Self::Attribute(name) => record.attribute(name).and_then(text),
            Self::Resource(name) => record.resource.attribute(name).and_then(text),
            Self::Either(name) => match record.attribute(name) {
                Some(value) => text(value),
                None => record.resource.attribute(name).and_then(text),
            },
        }
    }
}

fn text<'r>(value: &'r Value<'_>) -> Option<Cow<'r, str>> {
    match value {
        Value::Str(text) => Some(Cow::Borrowed(text)),
        Value::Bool(_) | Value::Int(_) | Value::Double(_) => {
            let mut out = String::new();
            logkeep_record::json::write(value, &mut out);
            Some(Cow::Owned(out))
        }
        Value::Null | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => None,
    }
}
