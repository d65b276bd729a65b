//! Makes the lines: days of a company's mesh, with an incident, a few needles, and the truth about all of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use logkeep_meshsim::{Event, Fault, Kind, Mesh, Mix, Options, Simulator, render};

use crate::report;
use crate::truth::{Counter, Question, Truth};

/// 2026-11-20T00:00:00Z: a fixed day, so that the bytes do not depend on when they are made.
pub(crate) const START_NS: i64 = 1_795_132_800_000_000_000;
pub(crate) const DAY_NS: i64 = 86_400_000_000_000;
/// Lines that hold the needle.
pub(crate) const NEEDLES: u64 = 7;
pub(crate) const BAD_SERVICE: &str = "orders-core";

/// The word that the needles hold.
pub(crate) fn needle(seed: u64) -> String {
    format!("needle{:016x}", logkeep_meshsim::Rng::new(seed).next_u64())
}

/// What to make lines of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Everything follows from it.
    pub(crate) seed: u64,
    /// Time of the first line.
    pub(crate) start_ns: i64,
    pub(crate) ns_per_line: u64,
    /// The needles are spread over this many lines from the start.
    pub(crate) needles_over: u64,
}

/// Lines without end, one after another.
pub(crate) struct Lines {
    simulator: Simulator,
    needles_over: u64,
    needle: String,
    needles: u64,
    number: u64,
    line: String,
}

impl Lines {
    pub(crate) fn new(plan: Plan) -> Self {
        let at = |percent: i64| plan.start_ns + DAY_NS / 100 * percent;
        let options = Options {
            seed: plan.seed,
            start_ns: plan.start_ns,
            ns_per_event: plan.ns_per_line,
            mix: Mix::default(),
            fault: Some(Fault { service: BAD_SERVICE.to_owned(), at_ns: at(57), until_ns: Some(at(59)) }),
        };
        Self {
            simulator: Simulator::new(Mesh::company(), options),
            needles_over: plan.needles_over,
            needle: needle(plan.seed),
            needles: 0,
            number: 0,
            line: String::with_capacity(4_096),
        }
    }

    /// Writes the next `count` lines and shows each event with its number; returns their bytes.
    pub(crate) fn write(
        &mut self,
        out: &mut impl Write,
        count: u64,
        mut each: impl FnMut(u64, &Event),
    ) -> anyhow::Result<u64> {
        let mut bytes = 0;
        for _ in 0..count {
            let Some((number, event)) = self.next() else { break };
            each(number, &event);
            self.line.clear();
            render::document(&event, &mut self.line);
            self.line.push('\n');
            bytes += self.line.len() as u64;
            out.write_all(self.line.as_bytes())?;
        }
        Ok(bytes)
    }

    /// The next event and its number. The simulation never ends.
    pub(crate) fn next(&mut self) -> Option<(u64, Event)> {
        let mut event = self.simulator.next()?;
        self.hide_needle(&mut event);
        self.number += 1;
        Some((self.number - 1, event))
    }

    fn hide_needle(&mut self, event: &mut Event) {
        let due = self.needles < NEEDLES && self.number >= self.needles_over * self.needles / NEEDLES;
        if let (true, Kind::App(app)) = (due, &mut event.kind) {
            app.message.push_str(" ref ");
            app.message.push_str(&self.needle);
            self.needles += 1;
        }
    }
}

/// Writes `lines` lines to `out` and the truth beside it.
pub(crate) fn run(out: &Path, lines: u64, seed: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    let file = File::create(out).with_context(|| out.display().to_string())?;
    let truth = write(BufWriter::with_capacity(1 << 20, file), lines, seed)?;
    let path = Truth::path(out);
    std::fs::write(&path, serde_json::to_vec_pretty(&truth)?).with_context(|| path.display().to_string())?;
    let seconds = started.elapsed().as_secs_f64();
    report::line(&format!(
        "{lines} lines, {} bytes ({} a line) in {seconds:.1} s: {:.0} MB/s",
        truth.bytes,
        truth.bytes / lines.max(1),
        truth.bytes as f64 / seconds / 1e6
    ))
}

/// One day of `lines` lines.
fn write(mut out: impl Write, lines: u64, seed: u64) -> anyhow::Result<Truth> {
    let at = |percent: i64| START_NS + DAY_NS / 100 * percent;
    let question = Question { needle: needle(seed), service: BAD_SERVICE.to_owned(), window_ns: at(55)..at(60) };
    let plan = Plan { seed, start_ns: START_NS, ns_per_line: DAY_NS as u64 / lines.max(1), needles_over: lines };
    let mut counter = Counter::new(question);
    let bytes = Lines::new(plan).write(&mut out, lines, |number, event| {
        if number >= lines / 2 {
            counter.seek_trace(event);
        }
        counter.add(event);
    })?;
    out.flush()?;
    Ok(counter.finish(seed, bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn slices_are_the_lines_of_one_piece() {
        let plan = Plan { seed: 7, start_ns: START_NS, ns_per_line: 1_000_000, needles_over: 300 };
        let (mut whole, mut sliced) = (Vec::new(), Vec::new());
        Lines::new(plan).write(&mut whole, 1_000, |_, _| ()).unwrap();
        let mut lines = Lines::new(plan);
        let mut numbers = Vec::new();
        for count in [1, 399, 600] {
            lines.write(&mut sliced, count, |number, _| numbers.push(number)).unwrap();
        }
        assert!(whole == sliced);
        assert!(numbers.into_iter().eq(0..1_000));
        let text = String::from_utf8(whole).unwrap();
        let places: Vec<usize> =
            text.lines().zip(0..).filter(|(line, _)| line.contains(&needle(7))).map(|(_, at)| at).collect();
        assert_eq!(places.len() as u64, NEEDLES);
        assert!(places.iter().all(|at| *at < 400), "{places:?}");
    }

    /// The truth against a plain reading of the lines.
    #[test]
    fn the_truth_agrees_with_the_lines() {
        let mut bytes = Vec::new();
        let truth = write(&mut bytes, 60_000, 42).unwrap();
        assert_eq!(truth.bytes, bytes.len() as u64);
        let documents: Vec<Value> =
            bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        assert_eq!(documents.len(), 60_000);
        let count = |keep: &dyn Fn(&Value) -> bool| documents.iter().filter(|document| keep(document)).count();
        let message = |document: &Value| document["message"].as_str().unwrap_or_default().to_owned();
        let parameter = |name: &str| truth.parameters[name].clone();

        let needle = parameter("needle");
        assert_eq!(truth.answers["needle"], [[json!(count(&|document| message(document).contains(&needle)))]]);
        assert_eq!(truth.answers["needle"], [[json!(NEEDLES)]]);

        let of_trace = count(&|document| document["trace_id"] == json!(parameter("trace_id")));
        assert!(of_trace > 1 && of_trace == truth.answers["trace"].len(), "{of_trace}");

        let errors = count(&|document| document["level"] == "error");
        let per_minute: u64 = truth.answers["errors_per_minute"].iter().filter_map(|row| row[1].as_u64()).sum();
        assert_eq!(errors as u64, per_minute);

        let status = |document: &Value| document["response_code"].as_u64().or(document["status"].as_u64());
        let refused = count(&|document| status(document).is_some_and(|status| status >= 500));
        let by_service: u64 = truth.answers["errors_by_service"].iter().filter_map(|row| row[1].as_u64()).sum();
        assert_eq!(refused as u64, by_service);

        let (from, to) = (parameter("window_from"), parameter("window_to"));
        let in_window = count(&|document| {
            let time = document["@timestamp"].as_str().unwrap_or_default();
            document["service"] == BAD_SERVICE && document["level"] == "error" && *time >= *from && *time < *to
        });
        assert_eq!(in_window.min(100), truth.answers["last_errors"].len());
        assert!(in_window > 3, "{in_window}");

        let address = |document: &Value| {
            let text = document["downstream_remote_address"].as_str().or(document["client.addr"].as_str())?;
            Some(text.split(':').next().unwrap_or_default().to_owned())
        };
        let there = documents.iter().filter(|document| document["namespace"] == json!(parameter("namespace")));
        let addresses: HashSet<String> = there.filter_map(address).collect();
        assert_eq!(truth.answers["addresses"], [[json!(addresses.len())]]);
        assert_eq!(truth.answers["top_paths"].len(), 20);
        assert_eq!(truth.answers["quantiles"].len(), 60);
    }
}
