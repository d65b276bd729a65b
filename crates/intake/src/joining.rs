//! Records that are put together before they are stored: parts of a line, and lines of a text.
//!
//! What comes together, in one request, message or window, is joined at once and nothing of it waits, because one answer stands for
//! all of it. Only what comes of senders that are never answered waits a moment for its rest: it is in nobody's hands but ours in
//! any case. It is counted once it is a record.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use logkeep_normalize::{Arrival, Normalizer};
use logkeep_pipeline::{Done, Joining, Parts, Sequence, Waiting};
use logkeep_record::Record;
use logkeep_redact::KeyLines;
use logkeep_wire::container::{LinePart, PartLine};

use crate::entry::Policies;

/// How long parts of a line wait for the others.
const PARTS_TIMEOUT: Duration = Duration::from_secs(1);
/// Senders whose resources are remembered at once; at this number all are forgotten and the ones in use come back.
const SOURCES: usize = 1_024;

#[derive(Clone)]
struct HeldLine(PartLine);

impl Parts for HeldLine {
    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn joined(self) -> Record<'static> {
        self.0.into_record()
    }
}

/// What waits for its rest.
#[derive(Clone, Default)]
pub(crate) struct Held {
    parts: Waiting<HeldLine>,
    /// `None` if no pipeline joins records.
    lines: Option<Joining>,
    /// Private keys of which lines are to come. Nothing waits for them.
    pub(crate) keys: KeyLines,
}

impl Held {
    /// Nothing yet.
    pub(crate) fn of(policies: &Policies) -> Self {
        Self { lines: policies.joining(), ..Self::default() }
    }

    /// Follows these policies from now on; gives what waited because of others.
    pub(crate) fn follow(&mut self, policies: &Policies) -> Vec<Done> {
        if self.lines.as_ref().is_some_and(|lines| policies.is_source_of(lines)) {
            return Vec::new();
        }
        let before = std::mem::replace(&mut self.lines, policies.joining());
        before.map_or_else(Vec::new, |mut lines| lines.leave(None))
    }

    /// Takes a record as it was decoded. Gives it back unless it is a part of a line.
    pub(crate) fn part<'a>(
        &mut self,
        record: Record<'a>,
        peer: Option<IpAddr>,
        now: Instant,
        done: &mut Vec<Done>,
    ) -> Option<Record<'a>> {
        let Some(part) = LinePart::of(&record) else { return Some(record) };
        let sequence = Sequence { peer, resource: *record.resource.digest(), stream: part.line.clone() };
        match self.parts.take(&sequence) {
            None if part.is_last => return Some(record),
            None => {
                let line = HeldLine(PartLine::begin(record, &part));
                self.parts.begin(sequence, line, now + PARTS_TIMEOUT, done);
            }
            Some(mut slot) => {
                slot.parts.0.add(&record, &part);
                if part.is_last {
                    done.push((peer, slot.parts.joined()));
                } else {
                    self.parts.put(sequence, slot, done);
                }
            }
        }
        None
    }

    /// Takes a normalised record. Gives it back unless it is a line of a text.
    pub(crate) fn line<'a>(
        &mut self,
        record: Record<'a>,
        peer: Option<IpAddr>,
        now: Instant,
        done: &mut Vec<Done>,
    ) -> Option<Record<'a>> {
        match &mut self.lines {
            Some(lines) => lines.take(record, peer, now, done),
            None => Some(record),
        }
    }

    /// Lines of which no more parts are waited for: those that have waited long enough by `now`, and all without a time.
    pub(crate) fn leave_parts(&mut self, now: Option<Instant>) -> Vec<Done> {
        self.parts.leave(now)
    }

    /// The same of texts.
    pub(crate) fn leave_lines(&mut self, now: Option<Instant>) -> Vec<Done> {
        self.lines.as_mut().map_or_else(Vec::new, |lines| lines.leave(now))
    }

    /// When the first has waited long enough; `None` if nothing waits.
    pub(crate) fn until(&self) -> Option<tokio::time::Instant> {
        let until = self.parts.until().into_iter().chain(self.lines.as_ref().and_then(Joining::until)).min();
        until.map(tokio::time::Instant::from_std)
    }

    /// Whether something has waited long enough: at the end, whatever waits.
    pub(crate) fn is_due(&self, is_end: bool) -> bool {
        self.until().is_some_and(|until| is_end || until <= tokio::time::Instant::now())
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.parts.bytes() + self.lines.as_ref().map_or(0, Joining::bytes)
    }

    /// Whose records wait, each as often as it has one.
    pub(crate) fn peers(&self) -> Vec<Option<IpAddr>> {
        self.parts.peers().chain(self.lines.iter().flat_map(Joining::peers)).collect()
    }
}

/// Who brings records into our words.
pub(crate) enum Normalizers {
    /// Nobody: they come normalised.
    None,
    /// The same for all.
    One(Box<Normalizer>),
    /// One for each sender.
    Each {
        /// Over which they send.
        protocol: &'static str,
        /// What is remembered of them.
        by_source: HashMap<Option<IpAddr>, Normalizer>,
    },
}

impl Normalizers {
    /// One for each sender of a protocol.
    pub(crate) fn of_each(protocol: &'static str) -> Self {
        Self::Each { protocol, by_source: HashMap::new() }
    }

    pub(crate) fn one(arrival: Arrival) -> Self {
        Self::One(Box::new(Normalizer::new(arrival)))
    }

    pub(crate) fn normalize<'a>(&mut self, peer: Option<IpAddr>, record: Record<'a>) -> Record<'a> {
        match self {
            Self::None => record,
            Self::One(normalizer) => normalizer.normalize(record),
            Self::Each { protocol, by_source } => {
                if by_source.len() >= SOURCES && !by_source.contains_key(&peer) {
                    by_source.clear();
                }
                let normalizer = by_source.entry(peer).or_insert_with(|| {
                    let source = peer.map_or_else(String::new, |peer| peer.to_canonical().to_string());
                    Normalizer::new(Arrival { protocol, source })
                });
                normalizer.normalize(record)
            }
        }
    }
}
