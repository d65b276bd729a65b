//! What a record has under a name.

use logkeep_record::{Record, Severity, Value};

use super::fields::{Builtin, Place, Target, resolve};
use super::find;

/// A field, to be read from many records.
#[derive(Debug)]
pub struct Field(Target);

impl Field {
    /// The one that filters mean by this name.
    pub fn named(name: &str) -> Self {
        Self(resolve(name))
    }

    /// What a record has there; a list where it has several values under the name. `None` if it has none.
    pub fn of(&self, record: &Record<'_>) -> Option<Value<'static>> {
        let sources = match &self.0 {
            Target::Builtin(builtin) => return builtin_of(*builtin, record),
            Target::Attribute(sources) => sources,
        };
        sources.iter().find_map(|source| {
            let attributes = match source.place {
                Place::Record => &record.attributes,
                Place::Resource => record.resource.attributes(),
                Place::Scope => &record.resource.scope().attributes,
            };
            let mut values = Vec::new();
            find(attributes, &source.name, &mut |value| {
                values.extend((!value.is_null()).then(|| value.clone().into_owned()));
                false
            });
            let last = values.pop()?;
            if values.is_empty() {
                return Some(last);
            }
            values.push(last);
            Some(Value::Array(values))
        })
    }
}

fn builtin_of(builtin: Builtin, record: &Record<'_>) -> Option<Value<'static>> {
    let text = |text: &str| (!text.is_empty()).then(|| Value::str(text).into_owned());
    let severity = Some(record.severity).filter(|severity| *severity != Severity::UNSPECIFIED);
    match builtin {
        Builtin::Body => Some(record.body.clone().into_owned()).filter(|body| !body.is_null()),
        Builtin::Original => text(record.original.as_deref()?),
        Builtin::Severity => text(severity?.name()),
        Builtin::SeverityNumber => Some(Value::Int(severity?.number().into())),
        Builtin::SeverityText => text(&record.severity_text),
        Builtin::TraceId => text(&record.trace_id?.to_string()),
        Builtin::SpanId => text(&record.span_id?.to_string()),
        Builtin::EventName => text(&record.event_name),
        Builtin::ScopeName => text(&record.resource.scope().name),
        Builtin::ScopeVersion => text(&record.resource.scope().version),
        Builtin::Time => Some(Value::Int(record.effective_time_ns())),
        Builtin::Received => Some(Value::Int(record.received_ns)),
    }
}

#[cfg(test)]
mod tests {
    use logkeep_record::Resource;

    use super::*;

    #[test]
    fn as_filters_mean_it() {
        let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
        let mut record = Record::new(7, Value::str("hello"), resource);
        record.severity = Severity::from_text("warn");
        record.attributes = vec![
            ("path".into(), Value::Null),
            ("url.path".into(), Value::str("/a")),
            (
                "list".into(),
                Value::Array(vec![
                    Value::Map(vec![("n".into(), Value::Int(1))]),
                    Value::Map(vec![("n".into(), Value::Int(2))]),
                ]),
            ),
        ];
        let of = |name: &str| Field::named(name).of(&record);
        assert_eq!(of("service"), Some(Value::str("web")));
        assert_eq!(of("path"), Some(Value::str("/a")), "null is nothing, so the alias counts");
        assert_eq!(of("attributes.url.path"), Some(Value::str("/a")));
        assert_eq!(of("list.n"), Some(Value::Array(vec![Value::Int(1), Value::Int(2)])));
        assert_eq!(of("level"), Some(Value::str(record.severity.name())));
        assert_eq!(of("message"), Some(Value::str("hello")));
        assert_eq!(of("trace_id"), None);
        assert_eq!(of("nothing"), None);
    }
}
