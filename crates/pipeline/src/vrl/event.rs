//! A record as a program sees it, and what the program made of it.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use logkeep_record::{Attributes, Record, Resource, Severity, SpanId, TenantId, TraceId, Value};
use vrl::prelude::{KeyString, ObjectMap};
use vrl::value::Value as Vrl;

use super::convert::{Refused, Room, object, to_vrl};
use crate::spec::Signal;

/// A part of the record under its name in programs.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) is_read_only: bool,
}

/// All of them.
pub(super) const PARTS: &[Part] = &[
    Part { name: "body", is_read_only: false },
    Part { name: "attributes", is_read_only: false },
    Part { name: "resource", is_read_only: false },
    Part { name: "severity", is_read_only: false },
    Part { name: "severity_text", is_read_only: false },
    Part { name: "event_name", is_read_only: false },
    Part { name: "time", is_read_only: false },
    Part { name: "trace_id", is_read_only: false },
    Part { name: "span_id", is_read_only: false },
    Part { name: "original", is_read_only: false },
    Part { name: "severity_number", is_read_only: true },
    Part { name: "tenant", is_read_only: true },
    Part { name: "signal", is_read_only: true },
];

/// Whose record it is.
pub(crate) struct Facts<'f> {
    pub(crate) tenant: &'f TenantId,
    pub(crate) signal: Signal,
}

/// The parts of a record that a program names.
pub(super) fn event(record: &Record<'_>, facts: &Facts<'_>, names: &[&'static str]) -> Vrl {
    let given = |text: &str| if text.is_empty() { Vrl::Null } else { Vrl::from(text) };
    let mut event = ObjectMap::new();
    for name in names {
        let value = match *name {
            "body" => to_vrl(&record.body),
            "attributes" => Vrl::Object(object(&record.attributes)),
            "resource" => Vrl::Object(object(record.resource.attributes())),
            "severity" => Vrl::from(record.severity.name()),
            "severity_number" => Vrl::Integer(i64::from(record.severity.number())),
            "severity_text" => given(&record.severity_text),
            "event_name" => given(&record.event_name),
            "time" => record.time_ns.map_or(Vrl::Null, |ns| Vrl::Timestamp(DateTime::<Utc>::from_timestamp_nanos(ns))),
            "trace_id" => record.trace_id.map_or(Vrl::Null, |id| Vrl::from(id.to_string())),
            "span_id" => record.span_id.map_or(Vrl::Null, |id| Vrl::from(id.to_string())),
            "original" => source(record).map_or(Vrl::Null, Vrl::from),
            "tenant" => Vrl::from(facts.tenant.as_str()),
            _ => Vrl::from(facts.signal.name()),
        };
        event.insert(KeyString::from(*name), value);
    }
    Vrl::Object(event)
}

/// The source form, wherever the record keeps it.
fn source<'r>(record: &'r Record<'_>) -> Option<&'r str> {
    record.original.as_deref().or_else(|| record.body.as_str())
}

/// Lays what a program left over the record.
///
/// # Errors
/// [`Refused`]: it cannot be stored, and the record is as it was.
pub(super) fn take_back(record: &mut Record<'_>, after: Vrl, names: &[&'static str]) -> Result<(), Refused> {
    let Vrl::Object(mut after) = after else { return Err("it leaves no record".to_owned()) };
    let mut changed = record.clone();
    let mut room = Room::of_record();
    let mut leaves_out_source = false;
    for name in names {
        let value = after.remove(*name).unwrap_or(Vrl::Null);
        if *name == "original" {
            leaves_out_source = is_source_left_out(record, &value)?;
        } else {
            part(&mut changed, name, value, &mut room)?;
        }
    }
    if leaves_out_source {
        changed.original = None;
    }
    if !leaves_out_source {
        keep_source(&mut changed, &record.body);
    }
    *record = changed;
    Ok(())
}

/// The text as it came is kept, wherever it is then.
pub(crate) fn keep_source(record: &mut Record<'_>, body: &Value<'_>) {
    if record.original.is_none() && record.body != *body {
        record.original = body.as_str().map(|text| Cow::Owned(text.to_owned()));
    }
}

fn part(record: &mut Record<'_>, name: &str, value: Vrl, room: &mut Room) -> Result<(), Refused> {
    match name {
        "body" => record.body = room.value(std::mem::take(&mut record.body), value, 0)?,
        "attributes" => {
            let pairs = std::mem::take(&mut record.attributes);
            record.attributes = room.attributes(pairs, pairs_of(name, value)?, 1)?;
        }
        "resource" => resource(record, pairs_of(name, value)?, room)?,
        "severity" => {
            let word = text(name, &value)?.unwrap_or_default();
            if word != record.severity.name() {
                record.severity = Severity::from_text(&word);
                if record.severity == Severity::UNSPECIFIED && !["", "unspecified"].contains(&word.as_ref()) {
                    return Err(format!("`.severity` is `{}`, which is none", shown(&word)));
                }
            }
        }
        "severity_text" => replace(&mut record.severity_text, name, &value, room)?,
        "event_name" => replace(&mut record.event_name, name, &value, room)?,
        "time" => record.time_ns = time(&value)?,
        "trace_id" => record.trace_id = id(name, &value, TraceId::from_hex)?,
        "span_id" => record.span_id = id(name, &value, SpanId::from_hex)?,
        _ => {}
    }
    Ok(())
}

fn pairs_of(name: &str, value: Vrl) -> Result<ObjectMap, Refused> {
    match value {
        Vrl::Object(object) => Ok(object),
        Vrl::Null => Ok(ObjectMap::new()),
        other => Err(format!("`.{name}` is {}, an object is expected", other.kind_str())),
    }
}

fn text<'v>(name: &str, value: &'v Vrl) -> Result<Option<Cow<'v, str>>, Refused> {
    match value {
        Vrl::Null => Ok(None),
        Vrl::Bytes(bytes) => Ok(Some(String::from_utf8_lossy(bytes))),
        Vrl::String(text) => Ok(Some(Cow::Borrowed(&**text))),
        other => Err(format!("`.{name}` is {}, a string is expected", other.kind_str())),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

fn replace(field: &mut Cow<'_, str>, name: &str, value: &Vrl, room: &mut Room) -> Result<(), Refused> {
    let new = text(name, value)?.unwrap_or_default();
    if **field != *new {
        room.take(new.len())?;
        *field = Cow::Owned(new.into_owned());
    }
    Ok(())
}

fn time(value: &Vrl) -> Result<Option<i64>, Refused> {
    match value {
        Vrl::Null => Ok(None),
        Vrl::Timestamp(time) => {
            time.timestamp_nanos_opt().map(Some).ok_or_else(|| format!("`.time` is {time}, which is out of range"))
        }
        other => Err(format!("`.time` is {}, a timestamp is expected", other.kind_str())),
    }
}

fn id<T>(name: &str, value: &Vrl, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refused> {
    let Some(text) = text(name, value)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    read(&text).map(Some).ok_or_else(|| format!("`.{name}` is `{}`, which is no id", shown(&text)))
}

/// The source form can be left out, and never be made up.
fn is_source_left_out(record: &Record<'_>, value: &Vrl) -> Result<bool, Refused> {
    match text("original", value)? {
        None => Ok(true),
        Some(text) if source(record) == Some(&*text) => Ok(false),
        Some(_) => Err("`.original` is what came; it can be deleted and not be changed".to_owned()),
    }
}

/// Who a record is from and how it came is ours to say, and every record is of some service.
fn keeps_identity(before: &Attributes<'_>, after: &Attributes<'_>) -> Result<(), Refused> {
    fn ours<'p, 'a>(pairs: &'p Attributes<'a>) -> impl Iterator<Item = &'p (Cow<'a, str>, Value<'a>)> {
        pairs.iter().filter(|(name, _)| name.starts_with("logkeep."))
    }
    if !ours(before).eq(ours(after)) {
        return Err(
            "fields of `.resource` called `logkeep.…` say how the record came, and cannot be changed".to_owned()
        );
    }
    let service = |pairs: &Attributes<'_>| {
        pairs.iter().find(|(name, _)| name == "service.name").is_some_and(|(_, name)| name.as_str().is_some())
    };
    if service(before) && !service(after) {
        return Err("`.resource.\"service.name\"` must be left, as a text".to_owned());
    }
    Ok(())
}

fn resource(record: &mut Record<'_>, after: ObjectMap, room: &mut Room) -> Result<(), Refused> {
    let before: &Arc<Resource> = &record.resource;
    let attributes = room.attributes(before.attributes().clone(), after, 1)?;
    if attributes != *before.attributes() {
        keeps_identity(before.attributes(), &attributes)?;
        let attributes =
            attributes.into_iter().map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()));
        let (schema, scope) = (before.schema_url().to_owned(), before.scope().clone());
        record.resource = Resource::new(attributes.collect(), before.dropped_attributes(), schema, scope);
    }
    Ok(())
}
