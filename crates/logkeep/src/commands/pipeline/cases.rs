//! Cases of pipelines: a record in, what is expected of it out.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;
use logkeep_pipeline::spec::{Pipeline, Signal};
use logkeep_pipeline::{Dropped, ERRORS, PipelineSet, Place, Run};
use logkeep_record::{Attributes, Record, Resource, Severity, SpanId, TenantId, TraceId, Value, json};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cases: Vec<Case>,
}

/// One case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    /// Only this pipeline; all without one.
    pipeline: Option<String>,
    /// The record, or its body alone.
    input: Json,
    /// `dropped`, or parts of the record.
    expect: Json,
}

pub(super) fn read(text: &str) -> Result<Vec<Case>> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| anyhow!("{}", error.without_snippet()))?;
    if file.cases.is_empty() {
        bail!("there are no cases in it");
    }
    Ok(file.cases)
}

/// Parts of a record that a case may give, and expect beside what `Place` has.
const PARTS: &[&str] = &[
    "body",
    "attributes",
    "resource",
    "severity",
    "severity_text",
    "event_name",
    "time",
    "trace_id",
    "span_id",
    "original",
];

impl Case {
    /// Runs it, and says what is not as expected.
    pub(super) fn run(&self, pipelines: &[Pipeline]) -> Result<Vec<String>> {
        let context = || format!("case `{}`", self.name);
        let chosen: Vec<_> = match &self.pipeline {
            None => pipelines.to_vec(),
            Some(name) => pipelines.iter().filter(|one| one.name == *name).cloned().collect(),
        };
        if let (Some(name), true) = (&self.pipeline, chosen.is_empty()) {
            return Err(anyhow!("there is no pipeline `{name}`")).with_context(context);
        }
        let set = PipelineSet::compile(&chosen).map_err(|faults| anyhow!("{faults:?}"))?;
        let Input { mut record, tenant, signal } = input(&self.input).with_context(context)?;
        let outcome = match Run::new(&Arc::new(set), &tenant, signal) {
            Some(mut run) => run.apply(&mut record),
            None => Ok(None),
        };
        self.differences(&record, outcome).with_context(context)
    }

    fn differences(&self, record: &Record<'_>, outcome: Result<Option<Place>, Dropped>) -> Result<Vec<String>> {
        let by = self.expect.get("dropped");
        let is_to_drop = by.is_some() || self.expect == "dropped";
        Ok(match (outcome, is_to_drop) {
            (Err(Dropped(name)), true) => match by.and_then(Json::as_str).filter(|by| *by != &*name) {
                Some(by) => vec![format!("dropped: expected by {by}, was by {name}")],
                None => Vec::new(),
            },
            (Err(Dropped(name)), false) => vec![format!("expected to be kept, was dropped by {name}")],
            (Ok(_), true) => vec!["expected to be dropped, was kept".to_owned()],
            (Ok(place), false) => {
                let Json::Object(expected) = &self.expect else {
                    bail!("`expect` is `dropped` or parts of the record, like `attributes: {{…}}`");
                };
                compare(expected, record, &place.unwrap_or_default())?
            }
        })
    }
}

fn compare(expected: &Map<String, Json>, record: &Record<'_>, place: &Place) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    let mut differs = |name: &str, expected: &Json, got: Json| {
        if *expected != got {
            differences.push(format!("{name}: expected {expected}, got {got}"));
        }
    };
    for (name, expected) in expected {
        match (name.as_str(), expected) {
            ("attributes" | "resource", Json::Object(pairs)) => {
                let of = if name == "resource" { record.resource.attributes() } else { &record.attributes };
                for (key, expected) in pairs {
                    let value = of.iter().find(|(name, _)| name == key).map_or(Json::Null, |(_, value)| json_of(value));
                    differs(&format!("{name}.{key}"), expected, value);
                }
            }
            ("tenant", _) => differs(name, expected, place.tenant.as_ref().map_or(Json::Null, |to| to.as_str().into())),
            ("class", _) => differs(name, expected, place.class.as_ref().map_or(Json::Null, |to| to.as_str().into())),
            (part, _) if PARTS.contains(&part) => differs(name, expected, part_of(record, part)),
            _ => bail!("`{name}` is no part of a record; there are {}, tenant, class", PARTS.join(", ")),
        }
    }
    let names_errors = expected.get("attributes").is_some_and(|attributes| attributes.get(ERRORS).is_some());
    if let (Some(errors), false) = (record.attribute(ERRORS), names_errors) {
        differences.push(format!("a step failed: {}", json_of(errors)));
    }
    Ok(differences)
}

fn part_of(record: &Record<'_>, part: &str) -> Json {
    let given = |text: &str| if text.is_empty() { Json::Null } else { text.into() };
    match part {
        "body" => json_of(&record.body),
        "severity" => record.severity.name().into(),
        "severity_text" => given(&record.severity_text),
        "event_name" => given(&record.event_name),
        "time" => record.time_ns.map_or(Json::Null, |ns| time(ns).into()),
        "trace_id" => record.trace_id.map_or(Json::Null, |id| id.to_string().into()),
        "span_id" => record.span_id.map_or(Json::Null, |id| id.to_string().into()),
        "original" => record.original.as_deref().map_or(Json::Null, Json::from),
        "resource" => json_of(&Value::Map(record.resource.attributes().clone())),
        _ => json_of(&Value::Map(record.attributes.clone())),
    }
}

fn time(ns: i64) -> String {
    Timestamp::from_nanosecond(ns.into()).map_or_else(|_| ns.to_string(), |time| time.to_string())
}

fn json_of(value: &Value<'_>) -> Json {
    let mut text = String::new();
    json::write(value, &mut text);
    serde_json::from_str(&text).unwrap_or(Json::Null)
}

struct Input {
    record: Record<'static>,
    tenant: TenantId,
    signal: Signal,
}

fn input(given: &Json) -> Result<Input> {
    let mut record = Record::new(0, Value::Null, Resource::from_attributes(Vec::new()));
    let (mut tenant, mut signal) = (TenantId::default(), Signal::Logs);
    match given {
        Json::String(body) => record.body = Value::Str(body.clone().into()),
        Json::Object(parts) => {
            for (name, value) in parts {
                match name.as_str() {
                    "tenant" => tenant = TenantId::new(&text(name, value)?)?,
                    "signal" if value == "spans" => signal = Signal::Spans,
                    "signal" if value == "logs" => {}
                    _ => set(&mut record, name, value)?,
                }
            }
        }
        _ => bail!("`input` is the body of a record, or its parts"),
    }
    Ok(Input { record, tenant, signal })
}

fn set(record: &mut Record<'static>, name: &str, value: &Json) -> Result<()> {
    match name {
        "body" => record.body = value_of(value)?,
        "attributes" => record.attributes = pairs(name, value)?,
        "resource" => record.resource = Resource::from_attributes(pairs(name, value)?),
        "severity" => record.severity = Severity::from_text(&text(name, value)?),
        "severity_text" => record.severity_text = text(name, value)?.into(),
        "event_name" => record.event_name = text(name, value)?.into(),
        "time" => record.time_ns = Some(i64::try_from(text(name, value)?.parse::<Timestamp>()?.as_nanosecond())?),
        "trace_id" => record.trace_id = Some(TraceId::from_hex(&text(name, value)?).context("`trace_id` is no id")?),
        "span_id" => record.span_id = Some(SpanId::from_hex(&text(name, value)?).context("`span_id` is no id")?),
        "original" => record.original = Some(text(name, value)?.into()),
        _ => bail!("`{name}` is no part of a record; there are {}, tenant, signal", PARTS.join(", ")),
    }
    Ok(())
}

fn text(name: &str, value: &Json) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("`{name}` is {value}, a text is expected"))
}

fn value_of(value: &Json) -> Result<Value<'static>> {
    Ok(json::parse(&value.to_string())?.into_owned())
}

fn pairs(name: &str, value: &Json) -> Result<Attributes<'static>> {
    match value_of(value)? {
        Value::Map(pairs) => Ok(pairs),
        _ => bail!("`{name}` is {value}, names and values are expected"),
    }
}
