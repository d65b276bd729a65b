//! The true answers to the ten queries, counted while the lines are made.
//!
//! A store that agrees with its peer may still be wrong with it. So the generator counts for itself, from the events
//! and not from the lines, and each store is held to that.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use anyhow::Context;
use logkeep_meshsim::{Event, Level, Side, render};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `ORD-` and eight digits, of which the sixth and seventh are 7: what `regex` in the parameters says.
const REGEX: &str = "ORD-[0-9]{5}77[0-9]";
const NAMESPACE: &str = "logistics";

/// What a generated file holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Truth {
    pub(crate) seed: u64,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// What the queries ask for, by the names used in `queries.json`.
    pub(crate) parameters: HashMap<String, String>,
    /// Rows by the id of the query.
    pub(crate) answers: HashMap<String, Vec<Vec<Value>>>,
}

impl Truth {
    /// Where the truth of `file` lies.
    pub(crate) fn path(file: &Path) -> PathBuf {
        let mut name = file.as_os_str().to_owned();
        name.push(".truth.json");
        name.into()
    }

    /// Reads it.
    pub(crate) fn load(file: &Path) -> anyhow::Result<Self> {
        let path = Self::path(file);
        let text = std::fs::read(&path).with_context(|| format!("{}: run `generate` first", path.display()))?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }
}

/// What the queries ask about, fixed before the first line.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) needle: String,
    pub(crate) service: String,
    pub(crate) window_ns: std::ops::Range<i64>,
}

/// Counts as the lines go by.
#[derive(Debug)]
pub(crate) struct Counter {
    question: Question,
    trace_id: Option<u128>,
    needles: u64,
    trace_rows: Vec<Vec<Value>>,
    refused: HashMap<String, u64>,
    minutes: HashMap<i64, u64>,
    matches: u64,
    last_errors: VecDeque<Vec<Value>>,
    paths: HashMap<String, u64>,
    durations: HashMap<String, Vec<u32>>,
    addresses: HashSet<[u8; 4]>,
    lines: u64,
    message: String,
}

impl Counter {
    pub(crate) fn new(question: Question) -> Self {
        Self {
            question,
            trace_id: None,
            needles: 0,
            trace_rows: Vec::new(),
            refused: HashMap::new(),
            minutes: HashMap::new(),
            matches: 0,
            last_errors: VecDeque::new(),
            paths: HashMap::new(),
            durations: HashMap::new(),
            addresses: HashSet::new(),
            lines: 0,
            message: String::new(),
        }
    }

    /// From here on, ask for the trace of the next request of some length. Its line at the entry is its first, so
    /// that none is missed.
    pub(crate) fn seek_trace(&mut self, event: &Event) {
        // A successful request that took long has passed through several services.
        let enters = event.access().is_some_and(|access| {
            access.caller.is_none()
                && access.side == Side::Inbound
                && access.status < 400
                && access.duration_us > 60_000
        });
        if let (None, true, Some(trace)) = (self.trace_id, enters, event.trace) {
            self.trace_id = Some(trace.trace_id);
        }
    }

    /// Counts one event.
    pub(crate) fn add(&mut self, event: &Event) {
        self.lines += 1;
        self.message.clear();
        render::message(event, &mut self.message);
        self.needles += u64::from(self.message.contains(&self.question.needle));
        self.matches += u64::from(matches_regex(&self.message));
        if self.trace_id.is_some() && event.trace.map(|trace| trace.trace_id) == self.trace_id {
            self.trace_rows.push(vec![json!(event.pod.service), json!(self.message)]);
        }
        if event.level() == Level::Error {
            *self.minutes.entry(event.time_ns.div_euclid(60_000_000_000)).or_default() += 1;
            self.add_error(event);
        }
        self.add_access(event);
    }

    fn add_error(&mut self, event: &Event) {
        if event.pod.service == self.question.service && self.question.window_ns.contains(&event.time_ns) {
            if self.last_errors.len() == 100 {
                self.last_errors.pop_front();
            }
            self.last_errors.push_back(vec![json!(render::rfc3339(event.time_ns)), json!(self.message)]);
        }
    }

    fn add_access(&mut self, event: &Event) {
        let Some(access) = event.access() else { return };
        let service = &event.pod.service;
        if access.status >= 500 {
            add_to(&mut self.refused, service);
        }
        let path = access.path.split_once('?').map_or(access.path.as_str(), |(path, _)| path);
        add_to(&mut self.paths, path);
        let linkerd = event.pod.platform == logkeep_meshsim::Platform::Linkerd;
        let us = if linkerd { access.duration_us } else { access.duration_ms() * 1_000 };
        match self.durations.get_mut(service) {
            Some(durations) => durations.push(us as u32),
            None => drop(self.durations.insert(service.clone(), vec![us as u32])),
        }
        if event.pod.namespace == NAMESPACE {
            self.addresses.insert(access.peer().0);
        }
    }

    /// The answers.
    pub(crate) fn finish(self, seed: u64, bytes: u64) -> Truth {
        let one = |number: usize| vec![vec![json!(number)]];
        let mut minutes: Vec<_> = self.minutes.into_iter().collect();
        minutes.sort_unstable();
        let minutes = minutes.into_iter().map(|(at, n)| vec![json!(render::rfc3339(at * 60_000_000_000)), json!(n)]);
        let mut paths: Vec<_> = self.paths.into_iter().collect();
        paths.sort_by(|(path, n), (other, m)| m.cmp(n).then_with(|| path.cmp(other)));
        let paths = paths.into_iter().take(20).map(|(path, n)| vec![json!(path), json!(n)]);
        let mut refused: Vec<_> = self.refused.into_iter().collect();
        refused.sort();
        let refused = refused.into_iter().map(|(service, n)| vec![json!(service), json!(n)]);
        let answers = [
            ("needle", one(self.needles as usize)),
            ("trace", self.trace_rows),
            ("errors_by_service", refused.collect()),
            ("errors_per_minute", minutes.collect()),
            ("regex", one(self.matches as usize)),
            ("last_errors", self.last_errors.into_iter().rev().collect()),
            ("top_paths", paths.collect()),
            ("quantiles", quantiles(self.durations)),
            ("addresses", one(self.addresses.len())),
            ("count", one(self.lines as usize)),
        ];
        let parameters = [
            ("needle", self.question.needle),
            ("trace_id", format!("{:032x}", self.trace_id.unwrap_or_default())),
            ("service", self.question.service),
            ("window_from", render::rfc3339(self.question.window_ns.start)),
            ("window_to", render::rfc3339(self.question.window_ns.end)),
            ("namespace", NAMESPACE.to_owned()),
            ("regex", REGEX.to_owned()),
        ];
        Truth {
            seed,
            lines: self.lines,
            bytes,
            parameters: parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            answers: answers.into_iter().map(|(id, rows)| (id.to_owned(), rows)).collect(),
        }
    }
}

fn add_to(counts: &mut HashMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => drop(counts.insert(key.to_owned(), 1)),
    }
}

/// Whether [`REGEX`] matches, without a regex engine that might share a fault with a store's.
fn matches_regex(message: &str) -> bool {
    message.match_indices("ORD-").any(|(at, _)| {
        let digits = message.as_bytes().get(at + 4..at + 12).unwrap_or_default();
        digits.len() == 8 && digits.iter().all(u8::is_ascii_digit) && &digits[5..7] == b"77"
    })
}

/// Interpolated between neighbours, as SQL's `percentile_cont` is.
fn quantiles(durations: HashMap<String, Vec<u32>>) -> Vec<Vec<Value>> {
    let mut rows: Vec<_> = durations.into_iter().collect();
    rows.sort();
    let row = |(service, mut us): (String, Vec<u32>)| {
        us.sort_unstable();
        let at = |share: f64| {
            let place = share * (us.len() - 1) as f64;
            let (low, high) = (us[place.floor() as usize], us[place.ceil() as usize]);
            (f64::from(low) + f64::from(high - low) * place.fract()) / 1_000.0
        };
        vec![json!(service), json!(at(0.5)), json!(at(0.95)), json!(at(0.99))]
    };
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_found_by_hand() {
        for (message, expected) in [
            ("order ORD-12345770 moved", true),
            ("ORD-1234577", false),
            ("ORD-12345670 ORD-00000779", true),
            ("ORD-123457x0", false),
            ("ORD-", false),
        ] {
            assert_eq!(matches_regex(message), expected, "{message}");
        }
    }

    #[test]
    fn quantiles_are_interpolated() {
        let rows = quantiles(HashMap::from([("a".to_owned(), vec![5_000, 1_000, 2_000, 3_000, 4_000])]));
        assert_eq!(rows, [[json!("a"), json!(3.0), json!(4.8), json!(4.96)]]);
    }
}
