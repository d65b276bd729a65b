//! Cases of pipelines: a record in, what is expected of it out.

use std::slice;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::Timestamp;
use logkeep_pipeline::spec::{Pipeline, Signal};
use logkeep_pipeline::{Dropped, ERRORS, Joining, PipelineSet, Place, Run};
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
    /// The record, or its body alone; a list of those that come one after the other.
    input: Json,
    /// `dropped`, or parts of the record; a list of what becomes of a list.
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
    pub(super) fn run(&self, patterns: &[(String, String)], pipelines: &[Pipeline]) -> Result<Vec<String>> {
        let context = || format!("case `{}`", self.name);
        let chosen: Vec<_> = match &self.pipeline {
            None => pipelines.to_vec(),
            Some(name) => pipelines.iter().filter(|one| one.name == *name).cloned().collect(),
        };
        if let (Some(name), true) = (&self.pipeline, chosen.is_empty()) {
            return Err(anyhow!("there is no pipeline `{name}`")).with_context(context);
        }
        let set = PipelineSet::compile_with(patterns, &chosen).map_err(|faults| anyhow!("{faults:?}"))?;
        self.run_through(&Arc::new(set)).with_context(context)
    }

    fn run_through(&self, set: &Arc<PipelineSet>) -> Result<Vec<String>> {
        let (inputs, expected) = match (&self.input, &self.expect) {
            (Json::Array(inputs), Json::Array(expected)) => (&inputs[..], &expected[..]),
            (Json::Array(_), _) => bail!("`expect` is a list where `input` is one"),
            (input, expected) => (slice::from_ref(input), slice::from_ref(expected)),
        };
        let inputs = inputs.iter().map(input).collect::<Result<Vec<_>>>()?;
        let [Input { tenant, signal, .. }, ..] = &inputs[..] else { bail!("`input` has no record") };
        let (tenant, signal) = (tenant.clone(), *signal);
        if inputs.iter().any(|input| (&input.tenant, input.signal) != (&tenant, signal)) {
            bail!("records that come one after the other are of one tenant and signal");
        }
        let joining = if signal == Signal::Logs { Joining::new(set, &tenant) } else { None };
        let records = joined(joining, inputs.into_iter().map(|input| input.record));
        if records.len() != expected.len() {
            let bodies: Vec<_> = records.iter().map(|record| json_of(&record.body).to_string()).collect();
            let (wanted, got) = (expected.len(), bodies.len());
            return Ok(vec![format!("expected {wanted} records, got {got}: {}", bodies.join(", "))]);
        }
        let mut run = Run::new(set, &tenant, signal);
        let mut differences = Vec::new();
        for (mut record, expected) in records.into_iter().zip(expected) {
            let outcome = run.as_mut().map_or(Ok(None), |run| run.apply(&mut record));
            differences.extend(self::differences(expected, &record, outcome)?);
        }
        Ok(differences)
    }
}

/// Records as they are once all have come.
fn joined(joining: Option<Joining>, records: impl Iterator<Item = Record<'static>>) -> Vec<Record<'static>> {
    let Some(mut joining) = joining else { return records.collect() };
    let (now, mut done) = (Instant::now(), Vec::new());
    for record in records {
        let left = joining.take(record, None, now, &mut done);
        done.extend(left.map(|record| (None, record)));
    }
    done.extend(joining.leave(None));
    done.into_iter().map(|(_, record)| record).collect()
}

fn differences(expected: &Json, record: &Record<'_>, outcome: Result<Option<Place>, Dropped>) -> Result<Vec<String>> {
    let by = expected.get("dropped");
    let is_to_drop = by.is_some() || expected == "dropped";
    Ok(match (outcome, is_to_drop) {
        (Err(Dropped(name)), true) => match by.and_then(Json::as_str).filter(|by| *by != &*name) {
            Some(by) => vec![format!("dropped: expected by {by}, was by {name}")],
            None => Vec::new(),
        },
        (Err(Dropped(name)), false) => vec![format!("expected to be kept, was dropped by {name}")],
        (Ok(_), true) => vec!["expected to be dropped, was kept".to_owned()],
        (Ok(place), false) => {
            let Json::Object(expected) = expected else {
                bail!("`expect` is `dropped` or parts of the record, like `attributes: {{…}}`");
            };
            compare(expected, record, &place.unwrap_or_default())?
        }
    })
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
