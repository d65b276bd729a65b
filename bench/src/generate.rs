//! Makes the file: one day of a company's mesh, with an incident, a few needles, and the truth about all of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use logkeep_meshsim::{Fault, Kind, Mesh, Mix, Options, Simulator, render};

use crate::report;
use crate::truth::{Counter, Question, Truth};

/// 2026-11-20T00:00:00Z: a fixed day, so that the bytes do not depend on when they are made.
const START_NS: i64 = 1_795_132_800_000_000_000;
const DAY_NS: i64 = 86_400_000_000_000;
/// Lines that hold the needle, spread over the day.
const NEEDLES: u64 = 7;
const BAD_SERVICE: &str = "orders-core";

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

fn write(mut out: impl Write, lines: u64, seed: u64) -> anyhow::Result<Truth> {
    let at = |percent: i64| START_NS + DAY_NS / 100 * percent;
    let question = Question {
        needle: format!("needle{:016x}", logkeep_meshsim::Rng::new(seed).next_u64()),
        service: BAD_SERVICE.to_owned(),
        window_ns: at(55)..at(60),
    };
    let options = Options {
        seed,
        start_ns: START_NS,
        ns_per_event: DAY_NS as u64 / lines.max(1),
        mix: Mix::default(),
        fault: Some(Fault { service: BAD_SERVICE.to_owned(), at_ns: at(57), until_ns: Some(at(59)) }),
    };
    let mut counter = Counter::new(question.clone());
    let mut simulator = Simulator::new(Mesh::company(), options);
    let (mut line, mut bytes, mut needles) = (String::with_capacity(4_096), 0, 0);
    for number in 0..lines {
        // The simulation never ends.
        let Some(mut event) = simulator.next() else { break };
        if let Kind::App(app) = &mut event.kind
            && number >= lines * needles / NEEDLES
        {
            app.message.push_str(" ref ");
            app.message.push_str(&question.needle);
            needles += 1;
        }
        if number >= lines / 2 {
            counter.seek_trace(&event);
        }
        counter.add(&event);
        line.clear();
        render::document(&event, &mut line);
        line.push('\n');
        bytes += line.len() as u64;
        out.write_all(line.as_bytes())?;
    }
    out.flush()?;
    Ok(counter.finish(seed, bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::*;

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
