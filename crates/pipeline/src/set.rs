//! A set of pipelines, and records on their way through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::vrl::compiler::runtime::Runtime;
use logkeep_record::{Class, Record, Resource, TenantId, Value, limits, span};
use sha2::{Digest, Sha256};

use crate::multiline::Rule;
use crate::parse::{Parser, Patterns};
use crate::sample::Sampler;
use crate::spec::{Pipeline, Signal, Step};
use crate::vrl::{Facts, Outcome, Program};
use crate::when::Condition;

/// Attribute that says which steps could not do their work, and why.
pub const ERRORS: &str = "logkeep.pipeline.errors";
/// What one step says of its failure, in characters at most.
const ERROR_CHARS: usize = 256;

/// The pipeline that leaves a record out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped(pub Arc<str>);

/// A part of a pipeline that may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultyPart {
    /// What it is for.
    Match,
    /// How it joins records.
    Multiline,
    /// A step, from 0.
    Step(usize),
}

/// Something wrong with a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which one, from 0.
    pub pipeline: usize,
    /// What of it.
    pub part: FaultyPart,
    /// What is wrong; for a program, with its place.
    pub message: String,
}

/// Where records go.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// To this tenant instead of their own.
    pub tenant: Option<TenantId>,
    /// Into this class instead of the usual one.
    pub class: Option<Class>,
}

impl Place {
    /// This one, where the later does not say otherwise.
    fn then(self, later: Self) -> Self {
        Self { tenant: later.tenant.or(self.tenant), class: later.class.or(self.class) }
    }
}

/// What a pipeline has done since its set was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Its name.
    pub name: Arc<str>,
    /// Records that it was for.
    pub records: u64,
    /// Records that it left out.
    pub dropped: u64,
    /// Steps that could not do their work.
    pub failed: u64,
}

#[derive(Debug)]
enum Action {
    Parse(Parser),
    Vrl(Program),
    Sample(Sampler),
    Route(Place),
}

#[derive(Debug)]
pub(crate) struct Compiled {
    name: Arc<str>,
    pub(crate) when: Condition,
    pub(crate) multiline: Option<Rule>,
    steps: Vec<Action>,
    records: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
}

/// Pipelines, ready to be used by any number of threads.
#[derive(Debug, Default)]
pub struct PipelineSet {
    pub(crate) pipelines: Vec<Compiled>,
    version: [u8; 32],
}

impl PipelineSet {
    /// Compiles pipelines.
    ///
    /// # Errors
    /// Every [`Fault`] there is, in their order.
    pub fn compile(pipelines: &[Pipeline]) -> Result<Self, Vec<Fault>> {
        Self::compile_with(&[], pipelines)
    }

    /// The same with patterns for grok, by name, that [`pattern_faults`](crate::pattern_faults) has nothing against.
    ///
    /// # Errors
    /// Every [`Fault`] there is, in their order.
    pub fn compile_with(patterns: &[(String, String)], pipelines: &[Pipeline]) -> Result<Self, Vec<Fault>> {
        let (mut compiled, mut faults) = (Vec::new(), Vec::new());
        for (place, pipeline) in pipelines.iter().enumerate() {
            let before = faults.len();
            let mut fault = |part, message| faults.push(Fault { pipeline: place, part, message });
            let when = Condition::new(&pipeline.when).map_err(|message| fault(FaultyPart::Match, message));
            let multiline = pipeline.multiline.as_ref().map(Rule::new).transpose();
            let multiline = multiline.map_err(|message| fault(FaultyPart::Multiline, message));
            let mut steps = Vec::new();
            for (number, step) in pipeline.steps.iter().enumerate() {
                match Action::compile(step, Patterns(patterns)) {
                    Ok(step) => steps.push(step),
                    Err(message) => fault(FaultyPart::Step(number), message),
                }
            }
            if let (Ok(when), Ok(multiline), true) = (when, multiline, faults.len() == before) {
                let zero = || AtomicU64::new(0);
                let (name, records, dropped, failed) = (pipeline.name.as_str().into(), zero(), zero(), zero());
                compiled.push(Compiled { name, when, multiline, steps, records, dropped, failed });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let version =
            if pipelines.is_empty() { [0; 32] } else { Sha256::digest(format!("{patterns:?}{pipelines:?}")).into() };
        Ok(Self { pipelines: compiled, version })
    }

    /// SHA-256 of what the set does; all zero for an empty one. The same in every process of one release.
    pub fn version(&self) -> &[u8; 32] {
        &self.version
    }

    /// The version in hexadecimal.
    pub fn version_hex(&self) -> String {
        self.version.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The beginning of that, for people.
    pub fn short_version(&self) -> String {
        self.version_hex()[..12].to_owned()
    }

    /// Whether it has no pipelines.
    pub fn is_empty(&self) -> bool {
        self.pipelines.is_empty()
    }

    /// What each has done.
    pub fn counts(&self) -> impl Iterator<Item = Count> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.pipelines.iter().map(move |one| Count {
            name: one.name.clone(),
            records: read(&one.records),
            dropped: read(&one.dropped),
            failed: read(&one.failed),
        })
    }
}

impl Action {
    fn compile(step: &Step, patterns: Patterns<'_>) -> Result<Self, String> {
        Ok(match step {
            Step::Parse(parse) => Self::Parse(Parser::new(parse, patterns)?),
            Step::Vrl { source, .. } => Self::Vrl(Program::compile(source)?),
            Step::Sample(sample) => Self::Sample(Sampler::new(sample)?),
            Step::Route { tenant, class } => Self::Route(Place { tenant: tenant.clone(), class: class.clone() }),
        })
    }
}

/// Records of one tenant and kind on their way through one set. Remembers their resources, so one per task.
pub struct Run {
    set: Arc<PipelineSet>,
    tenant: TenantId,
    signal: Signal,
    /// Of the set, those that may be for such records.
    pipelines: Vec<usize>,
    /// The last resource that came, and which of them may be for it.
    last: Option<(Arc<Resource>, Vec<bool>)>,
    runtime: Runtime,
}

impl Run {
    /// `None` if no pipeline can be for such records.
    pub fn new(set: &Arc<PipelineSet>, tenant: &TenantId, signal: Signal) -> Option<Self> {
        let may_hold = |place: &usize| set.pipelines[*place].when.may_hold(signal, tenant);
        let pipelines: Vec<_> = (0..set.pipelines.len()).filter(may_hold).collect();
        let (set, tenant) = (set.clone(), tenant.clone());
        (!pipelines.is_empty()).then(|| Self {
            set,
            tenant,
            signal,
            pipelines,
            last: None,
            runtime: Runtime::default(),
        })
    }

    /// Takes a record through the pipelines, and says where it goes if one of them does.
    ///
    /// # Errors
    /// [`Dropped`]: it is not to be stored.
    pub fn apply(&mut self, record: &mut Record<'_>) -> Result<Option<Place>, Dropped> {
        let mut place = Place::default();
        let set = self.set.clone();
        if !self.last.as_ref().is_some_and(|(last, _)| Arc::ptr_eq(last, &record.resource)) {
            let may_hold = |place: &usize| set.pipelines[*place].when.may_hold_for_resource(record);
            self.last = Some((record.resource.clone(), self.pipelines.iter().map(may_hold).collect()));
        }
        let facts = Facts { tenant: &self.tenant, signal: self.signal };
        for (at, pipeline) in self.pipelines.iter().map(|place| &set.pipelines[*place]).enumerate() {
            let may_hold = match &self.last {
                Some((came, may_hold)) if Arc::ptr_eq(came, &record.resource) => may_hold[at],
                // A pipeline before has changed it.
                _ => pipeline.when.may_hold_for_resource(record),
            };
            if !may_hold || !pipeline.when.holds_for_record(record) {
                continue;
            }
            pipeline.records.fetch_add(1, Ordering::Relaxed);
            match pipeline.apply(record, &facts, &mut self.runtime) {
                Ok(found) => place = place.then(found),
                Err(dropped) => {
                    pipeline.dropped.fetch_add(1, Ordering::Relaxed);
                    return Err(dropped);
                }
            }
        }
        // Spans have one class, in which they are looked for.
        if self.signal == Signal::Spans {
            place.class = None;
        }
        Ok((place != Place::default()).then_some(place))
    }
}

impl Compiled {
    fn apply(&self, record: &mut Record<'_>, facts: &Facts<'_>, runtime: &mut Runtime) -> Result<Place, Dropped> {
        let mut place = Place::default();
        for (number, step) in self.steps.iter().enumerate() {
            let done = match step {
                Action::Parse(parser) => parser.apply(record),
                Action::Vrl(program) => match run(program, runtime, record, facts) {
                    Ok(Outcome::Aborted) => return Err(Dropped(self.name.clone())),
                    Ok(Outcome::Done) => Ok(()),
                    Err(reason) => Err(reason),
                },
                Action::Sample(sampler) if sampler.keeps(record) => Ok(()),
                Action::Sample(_) => return Err(Dropped(self.name.clone())),
                Action::Route(to) => {
                    place = place.then(to.clone());
                    Ok(())
                }
            };
            if let Err(reason) = done {
                self.failed.fetch_add(1, Ordering::Relaxed);
                say(record, &format!("{}, step {}: {reason}", self.name, number + 1));
            }
        }
        Ok(place)
    }
}

/// A span must be a span afterwards.
fn run(
    program: &Program,
    runtime: &mut Runtime,
    record: &mut Record<'_>,
    facts: &Facts<'_>,
) -> Result<Outcome, String> {
    if facts.signal == Signal::Logs {
        return program.run(runtime, record, facts);
    }
    let before = record.clone();
    let outcome = program.run(runtime, record, facts)?;
    if let Err(reason) = is_still(&before, record) {
        *record = before;
        return Err(reason);
    }
    Ok(outcome)
}

/// Whether of what a span is made of only texts were changed.
fn is_still(before: &Record<'_>, after: &Record<'_>) -> Result<(), String> {
    const TEXTS: &[&str] = &[span::name::NAME, span::name::STATUS_MESSAGE];
    for name in span::RESERVED {
        let (old, new) = (before.attribute(name), after.attribute(name));
        let is_text = || TEXTS.contains(name) && new.is_some_and(|new| new.as_str().is_some());
        if old != new && !is_text() {
            return Err(format!("`{name}` is what the span is made of, and cannot be changed"));
        }
    }
    if before.trace_id != after.trace_id || before.span_id != after.span_id || before.time_ns != after.time_ns {
        return Err("ids and times of a span cannot be changed".to_owned());
    }
    Ok(())
}

/// Says in a record what went wrong with it.
fn say(record: &mut Record<'_>, what: &str) {
    let what = Value::Str(what.chars().take(ERROR_CHARS).collect::<String>().into());
    match record.attributes.iter_mut().find(|(name, _)| name == ERRORS) {
        Some((_, Value::Array(all))) if all.len() < limits::VALUE_DEPTH => all.push(what),
        Some(_) => {}
        None => record.attributes.push((ERRORS.into(), Value::Array(vec![what]))),
    }
}
