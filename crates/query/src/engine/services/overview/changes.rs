//! What counts as a change against the time before (`docs/guide/console.md` says it to users).
//!
//! Counts of what happens by chance differ from one period to the next, the more the fewer there are. So of two counts, or two
//! shares, not the values are compared but the ranges in which the true ones lie as good as certainly: they must not touch. As
//! traffic comes in waves, and no counts are as regular as chance alone would have them, the ratio must be large as well. A slot
//! in which nothing came from anybody (before the first record, while the server was down) says nothing of anybody: it is no
//! time in which something could have been counted.

use std::collections::BTreeSet;

use logkeep_pattern::TemplateId;

use super::grid::{ALL_SLOTS, Counts, SLOTS};
use crate::chance::{LEAST_SHARE, RATIO, poisson, wilson};
use crate::exec::Pattern;

/// New templates that are told of: a new version of a program has many at once.
const MOST_PATTERNS: usize = 5;
/// The least severity number of an error.
const ERROR: usize = 17;
/// Changes of one answer.
pub const MOST_CHANGES: usize = 20;
/// Slots of the time before in which there was anything, below which nothing is compared.
const LEAST_SLOTS: u64 = SLOTS as u64 / 2;
/// Counts below which no volume is compared.
const LEAST_COUNT: u64 = 50;
/// Requests, and errors among them, below which no share of errors is a jump.
const LEAST_REQUESTS: u64 = 20;
const LEAST_ERRORS: u64 = 5;
/// Requests of each period from which percentiles are compared: a 95th of fewer is that of a handful.
const LEAST_FOR_P50: u64 = 50;
const LEAST_FOR_P95: u64 = 200;
const LEAST_MS: f64 = 10.0;
/// What should have come in a silence, and how likely it may be that something new is only seldom.
const LEAST_EXPECTED: f64 = 10.0;
const UNLIKELY: f64 = 0.001;

/// What is counted of a service: the requests that it served if any are known, else its records of logs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// In each slot.
    pub(super) counts: Counts,
    /// Errors among them.
    pub(super) errors: Counts,
    /// Records of logs and requests together, by which it is there at all.
    pub(super) activity: Counts,
    /// 50th and 95th percentile of the durations before and in the range, milliseconds.
    pub(super) duration_ms: [[Option<f64>; 2]; 2],
}

/// A count and the errors among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Errors.
    pub errors: u64,
    /// Of so many.
    pub of: u64,
}

impl Share {
    fn value(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.errors as f64 / self.of as f64 }
    }
}

/// How something differs from the time before.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A larger share fails.
    Errors {
        /// Then.
        before: Share,
        /// Now.
        now: Share,
    },
    /// It answers more slowly, or faster.
    Latency {
        /// 50 or 95.
        percentile: u8,
        /// Then, milliseconds.
        before_ms: f64,
        /// Now.
        now_ms: f64,
    },
    /// Nothing comes any more.
    Silent {
        /// Slots since then.
        slots: u64,
        /// What should have come.
        expected: f64,
    },
    /// It was not there before.
    New {
        /// The slot in which it was first seen.
        first: usize,
        /// How often it was seen since.
        count: u64,
    },
    /// It writes messages of a kind that nobody has written before.
    Pattern {
        /// What the template is called, if the reader may know, and it has a name already.
        id: Option<TemplateId>,
        /// Its text.
        template: String,
        /// Its first record, nanoseconds.
        first_ns: i64,
        /// Records, and errors among them.
        count: Share,
    },
    /// There is much more of it, or much less.
    Volume {
        /// Then, in a slot in which there was anything.
        before: f64,
        /// Now, likewise.
        now: f64,
    },
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Whose; `None` for everything together.
    pub service: Option<String>,
    /// What it is.
    pub what: What,
    /// How much it matters: the larger the earlier it is shown.
    pub weight: f64,
}

/// What of the time before can be compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// Slots of the time before in which anything came.
    pub before: u64,
    /// Likewise of the range.
    pub now: u64,
}

/// The slots in which anything came from anybody.
#[derive(Clone, Debug)]
pub(super) struct Covered([bool; ALL_SLOTS]);

impl Covered {
    pub(super) fn by(activity: &Counts) -> Self {
        Self(activity.map(|count| count > 0))
    }

    fn in_slots(&self, slots: std::ops::Range<usize>) -> u64 {
        self.0[slots].iter().filter(|covered| **covered).count() as u64
    }

    /// `None` where there is too little to compare with.
    pub(super) fn compared(&self) -> Option<Compared> {
        let (before, now) = (self.in_slots(0..SLOTS), self.in_slots(SLOTS..ALL_SLOTS));
        (before >= LEAST_SLOTS && now > 0).then_some(Compared { before, now })
    }
}

/// All changes, the most important first. `patterns` are the templates of the range, if they are known.
pub(super) fn changes<'s>(
    services: impl Iterator<Item = (&'s str, &'s Series)>,
    everything: &Counts,
    (patterns, start_ns): (&[Pattern], i64),
) -> Vec<Change> {
    let covered = Covered::by(everything);
    let mut found = Vec::new();
    found.extend(silence(everything, &Covered([true; ALL_SLOTS])).map(|what| changed(None, what)));
    let mut there_before = BTreeSet::new();
    for (name, series) in services {
        let what = of_service(series, &covered);
        if series.activity[..SLOTS].iter().any(|count| *count > 0) {
            there_before.insert(name);
        }
        found.extend(what.into_iter().map(|what| changed(Some(name.to_owned()), what)));
    }
    if let Some(compared) = covered.compared() {
        let mut new: Vec<Change> =
            patterns.iter().filter_map(|one| pattern(one, start_ns, compared, &there_before)).collect();
        new.sort_by(|one, other| other.weight.total_cmp(&one.weight));
        found.extend(new.into_iter().take(MOST_PATTERNS));
    }
    // Names, so that two of the same weight stay where they are.
    found.sort_by(|one, other| other.weight.total_cmp(&one.weight).then_with(|| one.service.cmp(&other.service)));
    found
}

fn changed(service: Option<String>, what: What) -> Change {
    let weight = what.weight() * if service.is_none() { 4.0 } else { 1.0 };
    Change { service, what, weight }
}

impl What {
    /// Each kind by what it does to those who wait for answers, times how many are touched, on a scale on which ten times as
    /// many are not ten times as important.
    fn weight(&self) -> f64 {
        let (factor, touched) = match self {
            Self::Errors { before, now } => (4.0, now.errors as f64 - before.value() * now.of as f64),
            Self::Silent { expected, .. } => (3.0, *expected),
            Self::Latency { before_ms, now_ms, .. } if now_ms > before_ms => (2.5, 8.0 * now_ms / before_ms),
            Self::Latency { .. } => (0.5, 8.0),
            Self::Volume { before, now } if now < before => (1.5, (before - now) * SLOTS as f64),
            Self::Volume { before, now } => (1.0, (now - before) * SLOTS as f64),
            Self::New { count, .. } => (1.0, *count as f64),
            Self::Pattern { count, .. } => (0.5 + 3.5 * count.value(), count.of as f64),
        };
        factor * (1.0 + touched.max(0.0)).log2()
    }
}

/// Of a service that is new, or silent, nothing else is said: it would follow.
fn of_service(series: &Series, covered: &Covered) -> Vec<What> {
    let compared = covered.compared();
    if let Some(what) = silence(&series.activity, covered) {
        return vec![what];
    }
    let Some(compared) = compared else { return Vec::new() };
    if let Some(what) = appearance(&series.activity, compared) {
        return vec![what];
    }
    let (before, now) = (share(series, 0..SLOTS), share(series, SLOTS..ALL_SLOTS));
    let found = [error_jump(before, now), latency(series, before.of, now.of), volume(before.of, now.of, compared)];
    found.into_iter().flatten().collect()
}

fn share(series: &Series, slots: std::ops::Range<usize>) -> Share {
    let sum = |counts: &Counts| counts[slots.clone()].iter().sum();
    Share { errors: sum(&series.errors), of: sum(&series.counts) }
}

/// More than chance, twice as large at least, and of so many that one can speak of a share.
fn error_jump(before: Share, now: Share) -> Option<What> {
    let is_enough = before.of > 0 && now.of >= LEAST_REQUESTS && now.errors >= LEAST_ERRORS;
    let is_large = now.value() >= before.value() + LEAST_SHARE && now.value() >= before.value() * RATIO;
    (is_enough && is_large && wilson(now.errors, now.of).0 > wilson(before.errors, before.of).1)
        .then_some(What::Errors { before, now })
}

fn latency(series: &Series, before: u64, now: u64) -> Option<What> {
    let requests = before.min(now);
    let [then, since] = series.duration_ms;
    let shift = |place: usize, percentile, least| {
        let (before_ms, now_ms) = (then[place]?, since[place]?);
        let (low, high) = (before_ms.min(now_ms), before_ms.max(now_ms));
        let is_large = requests >= least && high >= low * RATIO && high - low >= LEAST_MS;
        is_large.then_some(What::Latency { percentile, before_ms, now_ms })
    };
    shift(1, 95, LEAST_FOR_P95).or_else(|| shift(0, 50, LEAST_FOR_P50))
}

/// Twice as much, or half, and by more than both counts could be off.
fn volume(before: u64, now: u64, slots: Compared) -> Option<What> {
    if before.max(now) < LEAST_COUNT {
        return None;
    }
    let rate = |count: f64, slots: u64| count / slots as f64;
    let ((before_low, before_high), (now_low, now_high)) = (poisson(before), poisson(now));
    let (then, since) = (rate(before as f64, slots.before), rate(now as f64, slots.now));
    let rises = since >= then * RATIO && rate(now_low, slots.now) > rate(before_high, slots.before);
    let falls = then >= since * RATIO && rate(before_low, slots.before) > rate(now_high, slots.now);
    (rises || falls).then_some(What::Volume { before: then, now: since })
}

/// Nothing comes any more, although by what came before at least ten should have, and it never paused for half as long.
fn silence(activity: &Counts, covered: &Covered) -> Option<What> {
    let first = activity.iter().position(|count| *count > 0)?;
    let last = activity.iter().rposition(|count| *count > 0)?;
    let there = first..last + 1;
    let (spoke, slots) = (covered.in_slots(there.clone()), covered.in_slots(last + 1..ALL_SLOTS));
    let rate = activity[there.clone()].iter().sum::<u64>() as f64 / spoke.max(1) as f64;
    let pause = longest_pause(&activity[there.clone()], &covered.0[there]);
    let expected = rate * slots as f64;
    let is_silent = spoke >= LEAST_SLOTS / 2 && slots >= 2 && slots > 2 * pause && expected >= LEAST_EXPECTED;
    is_silent.then_some(What::Silent { slots, expected })
}

fn longest_pause(activity: &[u64], covered: &[bool]) -> u64 {
    let (mut longest, mut pause) = (0, 0);
    for (count, covered) in activity.iter().zip(covered) {
        pause = if *count > 0 { 0 } else { pause + u64::from(*covered) };
        longest = longest.max(pause);
    }
    longest
}

/// Never seen before, and so often since that this is no chance.
fn appearance(activity: &Counts, slots: Compared) -> Option<What> {
    let first = activity.iter().position(|count| *count > 0).filter(|first| *first >= SLOTS)?;
    let count: u64 = activity.iter().sum();
    is_no_chance(count, slots).then_some(What::New { first, count })
}

/// A kind of message that nobody has written before, of a service that was there.
fn pattern(one: &Pattern, start_ns: i64, slots: Compared, there_before: &BTreeSet<&str>) -> Option<Change> {
    let is_first = one.before == 0 && one.first_seen_ns.is_none_or(|first| first >= start_ns);
    if !is_first || !is_no_chance(one.count, slots) {
        return None;
    }
    let (service, _) = one.services.first().filter(|(service, _)| there_before.contains(service.as_str()))?;
    let count = Share { errors: one.severity[ERROR..].iter().sum(), of: one.count };
    let what = What::Pattern { id: one.id, template: one.template.to_string(), first_ns: one.times_ns.0, count };
    Some(changed(Some(service.clone()), what))
}

/// Whether so many would seldom all fall into the range by chance.
fn is_no_chance(count: u64, slots: Compared) -> bool {
    let share_of_time = slots.now as f64 / (slots.before + slots.now) as f64;
    share_of_time.powf(count as f64) <= UNLIKELY
}

#[cfg(test)]
mod tests;
