//! Lines that are one text, such as a stack trace, in one record each.
//!
//! They are joined before any step sees them, so that a pattern or a program sees what was meant, and redaction, too. A record
//! that continues another need only be of the same sender, resource and stream; what a pipeline is for is asked of the one that
//! begins.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logkeep_record::{JOINED_PARTS, Record, Severity, TenantId, Value, limits};
use regex::Regex;

use crate::parse::build;
use crate::set::PipelineSet;
use crate::spec::{self, Signal};
use crate::waiting::{Done, Parts, Sequence, Waiting};

/// Attributes that tell the streams of one resource apart.
const STREAMS: &[&str] = &["log.iostream", "fluent.tag", "messaging.destination.partition.id"];
/// How long a record may be asked to wait.
const LONGEST: Duration = Duration::from_secs(60);
/// Records that one may be made of, at most.
const MOST_LINES: usize = 100_000;

/// How to tell that a record continues the one before it.
#[derive(Debug)]
pub(crate) struct Rule {
    starts: Option<Regex>,
    continues: Option<Regex>,
    max_lines: usize,
    max_bytes: usize,
    timeout: Duration,
}

impl Rule {
    pub(crate) fn new(multiline: &spec::Multiline) -> Result<Self, String> {
        let regex = |pattern: &Option<String>| pattern.as_deref().map(build).transpose();
        let (starts, continues) = (regex(&multiline.starts)?, regex(&multiline.continues)?);
        let spec::Multiline { max_lines, max_bytes, timeout, .. } = *multiline;
        let fault = match () {
            () if starts.is_none() && continues.is_none() => "it has neither `starts` nor `continues`",
            () if !(2..=MOST_LINES).contains(&max_lines) => "`max_lines` is 2 to 100,000",
            () if max_bytes == 0 => "`max_bytes` is not nothing",
            () if timeout.is_zero() || timeout > LONGEST => "`timeout` is more than nothing and at most 60s",
            () => return Ok(Self { starts, continues, max_lines, max_bytes, timeout }),
        };
        Err(fault.to_owned())
    }

    fn is_continued_by(&self, text: &str) -> bool {
        let starts = self.starts.as_ref().is_some_and(|starts| starts.is_match(text));
        !starts && self.continues.as_ref().is_none_or(|continues| continues.is_match(text))
    }

    fn has_room(&self, lines: &Lines, record: &Record<'_>, text: &str) -> bool {
        let source = record.original.as_deref().unwrap_or(text);
        let sources = lines.original.as_ref().unwrap_or(&lines.body).len() + 1 + source.len();
        let bytes = lines.body.len() + 1 + text.len();
        lines.count < self.max_lines && bytes <= self.max_bytes && bytes.max(sources) <= limits::record_bytes()
    }
}

/// Lines that have come of a text.
#[derive(Clone, Debug)]
struct Lines {
    /// Place of the pipeline whose rule it is.
    pipeline: usize,
    /// The first, without its body and original.
    first: Record<'static>,
    body: String,
    /// Their source forms, once one of them is not in the body.
    original: Option<String>,
    count: usize,
    /// Records that they were made of.
    parts: i64,
}

impl Lines {
    fn new(pipeline: usize, record: Record<'_>) -> Self {
        let mut first = record.into_owned();
        let body = match std::mem::take(&mut first.body) {
            Value::Str(text) => text.into_owned(),
            _ => String::new(),
        };
        let original = first.original.take().map(Cow::into_owned);
        let parts = parts_of(&first);
        Self { pipeline, first, body, original, count: 1, parts }
    }

    fn add(&mut self, record: Record<'_>) {
        let text = record.body.as_str().unwrap_or_default();
        if record.original.is_some() || self.original.is_some() {
            let sources = self.original.get_or_insert_with(|| self.body.clone());
            append(sources, record.original.as_deref().unwrap_or(text));
        }
        append(&mut self.body, text);
        self.count += 1;
        self.parts = self.parts.saturating_add(parts_of(&record));
        self.add_facts(record);
    }

    /// What the lines before do not say.
    fn add_facts(&mut self, record: Record<'_>) {
        let first = &mut self.first;
        first.time_ns = first.time_ns.or(record.time_ns);
        first.observed_ns = first.observed_ns.or(record.observed_ns);
        first.trace_id = first.trace_id.or(record.trace_id);
        first.span_id = first.span_id.or(record.span_id);
        first.dropped_attributes = first.dropped_attributes.saturating_add(record.dropped_attributes);
        if first.severity == Severity::UNSPECIFIED && first.severity_text.is_empty() {
            first.severity = record.severity;
            first.severity_text = Cow::Owned(record.severity_text.into_owned());
        }
        for (name, value) in record.attributes {
            if first.attributes.len() < limits::ATTRIBUTES_PER_RECORD && first.attribute(&name).is_none() {
                first.attributes.push((Cow::Owned(name.into_owned()), value.into_owned()));
            }
        }
    }
}

impl Parts for Lines {
    fn bytes(&self) -> usize {
        self.body.len() + self.original.as_ref().map_or(0, String::len) + self.first.bytes()
    }

    fn joined(self) -> Record<'static> {
        let mut record = self.first;
        record.body = Value::Str(Cow::Owned(self.body));
        record.original = self.original.map(Cow::Owned);
        if self.parts > 1 {
            record.attributes.retain(|(name, _)| name != JOINED_PARTS);
            record.attributes.push((Cow::Borrowed(JOINED_PARTS), Value::Int(self.parts)));
        }
        record
    }
}

fn append(text: &mut String, line: &str) {
    text.push('\n');
    text.push_str(line);
}

fn parts_of(record: &Record<'_>) -> i64 {
    match record.attribute(JOINED_PARTS) {
        Some(Value::Int(parts)) => (*parts).max(1),
        _ => 1,
    }
}

/// Log records of one tenant, joined as a set of pipelines has it.
#[derive(Clone, Debug)]
pub struct Joining {
    set: Arc<PipelineSet>,
    /// Of the set, those that join records of this tenant.
    pipelines: Vec<usize>,
    waiting: Waiting<Lines>,
}

impl Joining {
    /// `None` if no pipeline joins such records.
    pub fn new(set: &Arc<PipelineSet>, tenant: &TenantId) -> Option<Self> {
        let joins = |place: &usize| {
            let pipeline = &set.pipelines[*place];
            pipeline.multiline.is_some() && pipeline.when.may_hold(Signal::Logs, tenant)
        };
        let pipelines: Vec<_> = (0..set.pipelines.len()).filter(joins).collect();
        (!pipelines.is_empty()).then(|| Self { set: set.clone(), pipelines, waiting: Waiting::default() })
    }

    /// Whether it is of this set and no other.
    pub fn is_of(&self, set: &Arc<PipelineSet>) -> bool {
        Arc::ptr_eq(&self.set, set)
    }

    /// Takes a record as it comes from `peer`. Gives it back if it need not wait; `done` gets those that wait no more because of it,
    /// which came before it.
    pub fn take<'a>(
        &mut self,
        record: Record<'a>,
        peer: Option<IpAddr>,
        now: Instant,
        done: &mut Vec<Done>,
    ) -> Option<Record<'a>> {
        let set = self.set.clone();
        let Some(text) = record.body.as_str() else { return Some(record) };
        let sequence = || Sequence { peer, resource: *record.resource.digest(), stream: stream(&record) };
        let mut known = None;
        if !self.waiting.is_empty() {
            let sequence = known.insert(sequence());
            if let Some(mut slot) = self.waiting.take(sequence) {
                let rule = set.pipelines[slot.parts.pipeline].multiline.as_ref();
                if rule.is_some_and(|rule| rule.is_continued_by(text) && rule.has_room(&slot.parts, &record, text)) {
                    slot.parts.add(record);
                    self.waiting.put(sequence.clone(), slot, done);
                    return None;
                }
                done.push((peer, slot.parts.joined()));
            }
        }
        let begins = |place: &&usize| set.pipelines[**place].when.holds(&record);
        let Some(place) = self.pipelines.iter().find(begins).copied() else { return Some(record) };
        let Some(rule) = &set.pipelines[place].multiline else { return Some(record) };
        let sequence = known.unwrap_or_else(sequence);
        self.waiting.begin(sequence, Lines::new(place, record), now + rule.timeout, done);
        None
    }

    /// What has waited long enough by `now`, and all of it without a time.
    pub fn leave(&mut self, now: Option<Instant>) -> Vec<Done> {
        self.waiting.leave(now)
    }

    /// When the first record has waited long enough.
    pub fn until(&self) -> Option<Instant> {
        self.waiting.until()
    }

    /// About how much memory what waits takes.
    pub fn bytes(&self) -> usize {
        self.waiting.bytes()
    }

    /// Whose records wait, each as often as it has one.
    pub fn peers(&self) -> impl Iterator<Item = Option<IpAddr>> {
        self.waiting.peers()
    }
}

fn stream(record: &Record<'_>) -> Box<str> {
    let mut stream = String::new();
    for name in STREAMS {
        if let Some(text) = record.attribute(name).and_then(Value::as_str) {
            stream.push_str(text);
        }
        stream.push('\0');
    }
    stream.into()
}
