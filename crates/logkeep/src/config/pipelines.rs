//! Pipelines: a list of sections, each with a name, what it matches, and steps.

mod multiline;
mod steps;

use logkeep_pipeline::spec::{Form, Parse, Pipeline, Sample, Signal, Step, When};
use logkeep_pipeline::{FaultyPart, PipelineSet, pattern_faults};
use logkeep_record::{Severity, TenantId};
use logkeep_redact::Rules;

use super::names;
use super::print::quoted;
use super::read::Reader;
use super::tree::{Entry, Kind, Node};

/// What a pipeline may say.
const PARTS: &[&str] = &["name", "match", "multiline", "steps"];
/// Pipelines at most, and steps of one.
const PIPELINES: usize = 256;
const STEPS: usize = 64;

/// A pipeline, and the lines it and its parts are written on.
struct Written {
    pipeline: Pipeline,
    line: u64,
    multiline: u64,
    steps: Vec<u64>,
}

impl Written {
    /// The line of a part, and what people call it.
    fn place(&self, part: FaultyPart) -> (u64, String) {
        match part {
            FaultyPart::Match => (self.line, "match".to_owned()),
            FaultyPart::Multiline => (self.multiline, "multiline".to_owned()),
            FaultyPart::Step(step) => (self.steps[step], format!("step {}", step + 1)),
        }
    }
}

/// Reads the patterns for grok.
pub(super) fn patterns(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    let Some(node) = reader.written("patterns") else { return Vec::new() };
    let Kind::Map(entries) = &node.kind else {
        let message = format!("`patterns` is {}, expected a section", node.kind.name());
        reader.fault(node.line, message, Some("write `NAME: …` below it".into()));
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for entry in entries {
        match &entry.value.kind {
            Kind::Scalar(text) => patterns.push((entry.key.clone(), text.clone())),
            other => {
                let message = format!("`patterns`: `{}` is {}, expected a single value", entry.key, other.name());
                reader.fault(entry.line, message, None);
                return Vec::new();
            }
        }
    }
    for (place, what) in pattern_faults(&patterns) {
        let entry = &entries[place];
        reader.fault(entry.line, format!("`patterns`: `{}`: {what}", entry.key), None);
    }
    patterns
}

/// Reads the section, and compiles what is in it.
pub(super) fn pipelines(
    reader: &mut Reader<'_>,
    patterns: &[(String, String)],
    tenants: &[TenantId],
    redact: &Rules,
) -> Vec<Pipeline> {
    let Some(node) = reader.written("pipelines") else { return Vec::new() };
    let Kind::List(nodes) = &node.kind else {
        let message = format!("`pipelines` is {}, expected a list", node.kind.name());
        reader.fault(node.line, message, Some("write `- name: …` below it".into()));
        return Vec::new();
    };
    let faults_before = reader.fault_count();
    if nodes.len() > PIPELINES {
        reader.fault(node.line, format!("`pipelines` has more than {PIPELINES}"), None);
    }
    let written: Vec<_> = nodes.iter().filter_map(|node| pipeline(reader, node, tenants)).collect();
    for (place, one) in written.iter().enumerate() {
        let name = &one.pipeline.name;
        if written[..place].iter().any(|before| before.pipeline.name == *name) {
            reader.fault(one.line, format!("`pipelines`: `{name}` is there twice"), None);
        }
        if redact.rules.iter().any(|rule| rule.name == *name) {
            let message = format!("`pipelines`: `{name}` is the name of a rule of `redact`, too");
            reader.fault(one.line, message, Some("the loss ledger counts by name: choose another".into()));
        }
    }
    let pipelines: Vec<_> = written.iter().map(|one| one.pipeline.clone()).collect();
    if reader.fault_count() == faults_before
        && let Err(faults) = PipelineSet::compile_with(patterns, &pipelines)
    {
        for fault in faults {
            let one = &written[fault.pipeline];
            let (line, place) = one.place(fault.part);
            reader.fault(line, format!("`pipelines`: `{}`, {place}: {}", one.pipeline.name, fault.message), None);
        }
    }
    pipelines
}

/// The entries of a section; a fault if it is none.
fn entries<'n>(reader: &mut Reader<'_>, node: &'n Node, what: &str, hint: &str) -> Option<&'n [Entry]> {
    if let Kind::Map(entries) = &node.kind {
        return Some(entries);
    }
    reader.fault(node.line, format!("`pipelines`: {what} is expected, not {}", node.kind.name()), Some(hint.into()));
    None
}

fn unknown(reader: &mut Reader<'_>, entry: &Entry, valid: &[&str]) {
    let message = format!("`pipelines`: unknown key `{}`", entry.key);
    reader.fault(entry.line, message, Some(format!("valid here: {}", valid.join(", "))));
}

fn scalar<'n>(reader: &mut Reader<'_>, entry: &'n Entry) -> Option<&'n str> {
    if let Kind::Scalar(text) = &entry.value.kind {
        return Some(text);
    }
    let message = format!("`pipelines`: `{}` is {}, expected a single value", entry.key, entry.value.kind.name());
    reader.fault(entry.value.line, message, None);
    None
}

fn pipeline(reader: &mut Reader<'_>, node: &Node, tenants: &[TenantId]) -> Option<Written> {
    let faults_before = reader.fault_count();
    let (mut name, mut when, mut steps, mut lines) = (None, When::default(), Vec::new(), Vec::new());
    let (mut multiline, mut multiline_line) = (None, node.line);
    for entry in entries(reader, node, "a pipeline", "write `- name: …`")? {
        match entry.key.as_str() {
            "name" => {
                let text = scalar(reader, entry)?;
                match names::checked(text, "pipeline") {
                    Ok(text) => name = Some(text),
                    Err((fault, hint)) => reader.fault(entry.line, format!("`pipelines`: {fault}"), hint),
                }
            }
            "match" => when = self::when(reader, &entry.value, tenants),
            "multiline" => (multiline, multiline_line) = (multiline::multiline(reader, &entry.value), entry.line),
            "steps" => match &entry.value.kind {
                Kind::List(nodes) => {
                    lines = nodes.iter().map(|node| node.line).collect();
                    steps = nodes.iter().filter_map(|node| steps::step(reader, node, tenants)).collect();
                }
                other => {
                    let message = format!("`pipelines`: `steps` is {}, expected a list", other.name());
                    reader.fault(entry.value.line, message, Some("write `- vrl: …` below it".into()));
                }
            },
            _ => unknown(reader, entry, PARTS),
        }
    }
    if reader.fault_count() > faults_before {
        return None;
    }
    let lacks = match (&name, steps.len()) {
        (None, _) => Some("a pipeline has no `name`"),
        (_, 0) if multiline.is_none() => Some("a pipeline has no `steps`"),
        (_, steps) if steps > STEPS => Some("a pipeline has at most 64 `steps`"),
        _ => None,
    };
    if let Some(what) = lacks {
        reader.fault(node.line, format!("`pipelines`: {what}"), None);
        return None;
    }
    let pipeline = Pipeline { name: name?, when, multiline, steps };
    Some(Written { pipeline, line: node.line, multiline: multiline_line, steps: lines })
}

/// What a section matches.
fn when(reader: &mut Reader<'_>, node: &Node, tenants: &[TenantId]) -> When {
    let mut when = When::default();
    let Some(entries) = entries(reader, node, "what to match", "write `match: {service: \"web-*\"}`") else {
        return when;
    };
    for entry in entries {
        let texts = texts(reader, entry);
        for (line, text) in &texts {
            if let Err((fault, hint)) = condition(&mut when, &entry.key, text, tenants) {
                reader.fault(*line, format!("`pipelines`: {fault}"), hint);
            }
        }
        if !["tenant", "signal", "min_severity"].contains(&entry.key.as_str()) {
            when.fields.push((entry.key.clone(), texts.into_iter().map(|(_, text)| text.to_owned()).collect()));
        }
    }
    when
}

type ValueFault = (String, Option<String>);

fn condition(when: &mut When, key: &str, text: &str, tenants: &[TenantId]) -> Result<(), ValueFault> {
    match key {
        "tenant" => when.tenants.push(tenant(text, tenants)?),
        "signal" => {
            let signals = [Signal::Logs, Signal::Spans];
            let found = signals.into_iter().find(|signal| signal.name() == text);
            when.signals.push(found.ok_or_else(|| (format!("`{text}` is no signal"), Some("logs or spans".into())))?);
        }
        "min_severity" => {
            let severity = Severity::from_text(text);
            if severity == Severity::UNSPECIFIED {
                let hint = "one of trace, debug, info, warn, error, fatal";
                return Err((format!("`{text}` is no severity"), Some(hint.into())));
            }
            when.min_severity = Some(severity);
        }
        _ => {}
    }
    Ok(())
}

fn tenant(text: &str, tenants: &[TenantId]) -> Result<TenantId, ValueFault> {
    let known = tenants.iter().find(|tenant| tenant.as_str() == text);
    known.cloned().ok_or_else(|| (format!("tenant `{text}` is not declared"), Some("add it to `tenants`".into())))
}

/// A single value, or those of a list, with their lines.
fn texts<'n>(reader: &mut Reader<'_>, entry: &'n Entry) -> Vec<(u64, &'n str)> {
    let nodes = match &entry.value.kind {
        Kind::List(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(&entry.value),
    };
    let mut texts = Vec::new();
    for node in nodes {
        match &node.kind {
            Kind::Scalar(text) => texts.push((node.line, text.as_str())),
            other => {
                let message =
                    format!("`pipelines`: `{}` has {}, expected a single value or a list", entry.key, other.name());
                reader.fault(node.line, message, None);
            }
        }
    }
    texts
}

/// The patterns as YAML in one line.
pub(super) fn print_patterns(patterns: &[(String, String)]) -> String {
    let all: Vec<_> = patterns.iter().map(|(name, text)| format!("{name}: {}", quoted(text))).collect();
    format!("{{{}}}", all.join(", "))
}

/// The pipelines as YAML in one line.
pub(super) fn print(pipelines: &[Pipeline]) -> String {
    let all: Vec<_> = pipelines.iter().map(print_pipeline).collect();
    format!("[{}]", all.join(", "))
}

fn print_pipeline(pipeline: &Pipeline) -> String {
    let steps: Vec<_> = pipeline.steps.iter().map(print_step).collect();
    let (when, steps) = (print_when(&pipeline.when), steps.join(", "));
    let multiline =
        pipeline.multiline.as_ref().map(|multiline| format!("multiline: {}, ", multiline::print(multiline)));
    format!("{{name: {}, match: {when}, {}steps: [{steps}]}}", pipeline.name, multiline.unwrap_or_default())
}

fn print_when(when: &When) -> String {
    let list = |texts: Vec<String>| format!("[{}]", texts.join(", "));
    let mut parts = Vec::new();
    if !when.tenants.is_empty() {
        parts.push(format!("tenant: {}", list(when.tenants.iter().map(|tenant| quoted(tenant.as_str())).collect())));
    }
    if !when.signals.is_empty() {
        parts.push(format!("signal: {}", list(when.signals.iter().map(|signal| signal.name().to_owned()).collect())));
    }
    parts.extend(when.min_severity.map(|severity| format!("min_severity: {}", severity.name())));
    let field = |(name, patterns): &(String, Vec<String>)| {
        format!("{}: {}", quoted(name), list(patterns.iter().map(|pattern| quoted(pattern)).collect()))
    };
    parts.extend(when.fields.iter().map(field));
    format!("{{{}}}", parts.join(", "))
}

fn print_step(step: &Step) -> String {
    match step {
        Step::Parse(Parse { field, form, pattern }) => {
            format!("{{parse: {{{}: {}, field: {}}}}}", form.name(), quoted(pattern), quoted(field))
        }
        Step::Vrl { file: Some(file), .. } => format!("{{vrl: {{file: {}}}}}", quoted(&file.to_string_lossy())),
        Step::Vrl { source, .. } => format!("{{vrl: {}}}", quoted(source)),
        Step::Sample(Sample { keep, by, except, .. }) => {
            let except = except.as_ref().map_or(String::new(), |when| format!(", except: {}", print_when(when)));
            format!("{{sample: {{keep: {}, by: {}{except}}}}}", quoted(keep), quoted(by))
        }
        Step::Route { tenant, class } => {
            let tenant = tenant.iter().map(|tenant| format!("tenant: {}", quoted(tenant.as_str())));
            let class = class.iter().map(|class| format!("class: {}", quoted(class.as_str())));
            format!("{{route: {{{}}}}}", tenant.chain(class).collect::<Vec<_>>().join(", "))
        }
    }
}

/// Forms of patterns, for messages.
fn forms() -> Vec<&'static str> {
    Form::NAMES.iter().map(|(name, _)| *name).collect()
}
