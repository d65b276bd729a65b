//! `logkeep-sim`: runs seeds, and says which of them break an invariant.

use std::io::{self, Write};
use std::process::ExitCode;

use logkeep_sim::{Counts, Scenario, Simulator, Tally};

const USAGE: &str = "usage: cargo xtask sim [--seeds N] [--from S] [--each] [--crash-at OPERATION]";

struct Request {
    seeds: u64,
    from: u64,
    each: bool,
    crash_at: Option<u64>,
}

fn parse() -> Result<Request, String> {
    let mut request = Request { seeds: 200, from: 0, each: false, crash_at: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok()).ok_or(format!("`{word}` needs a number"));
        match word.as_str() {
            "--seeds" => request.seeds = number()?,
            "--from" => request.from = number()?,
            "--crash-at" => request.crash_at = Some(number()?),
            "--each" => request.each = true,
            other => return Err(format!("`{other}` is unknown")),
        }
    }
    Ok(request)
}

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let request = match parse() {
        Ok(request) => request,
        Err(error) => {
            let _ = writeln!(out, "error: {error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match run(&request, &mut out) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(out, "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many seeds broke an invariant.
fn run(request: &Request, out: &mut impl Write) -> io::Result<u64> {
    let simulator = Simulator::new()?;
    let (mut tally, mut counts, mut steps, mut lives) = (Tally::default(), Counts::default(), 0, 0);
    let (mut checks, mut questions, mut rotations) = (0, 0, 0);
    let mut broken = 0;
    for seed in request.from..request.from.saturating_add(request.seeds) {
        match simulator.run(Scenario { crash_at: request.crash_at, ..Scenario::of(seed) }) {
            Ok(outcome) => {
                if request.each {
                    writeln!(out, "seed {seed}: {outcome:?}")?;
                }
                tally.add(&outcome.tally);
                counts.acked += outcome.counts.acked;
                counts.recognised += outcome.counts.recognised;
                counts.refused += outcome.counts.refused;
                steps += outcome.steps;
                lives += outcome.lives;
                checks += outcome.checks;
                questions += outcome.questions;
                rotations += outcome.rotations;
            }
            Err(what) => {
                broken += 1;
                writeln!(out, "seed {seed}: {what}\n  again: cargo xtask sim --seeds 1 --from {seed} --each")?;
            }
        }
    }
    writeln!(
        out,
        "{} seeds, {lives} lives, {steps} steps, {} operations of the disk, {checks} checks, {questions} questions, {rotations} keys replaced: {broken} broke an invariant",
        request.seeds, tally.operations
    )?;
    writeln!(
        out,
        "batches: {} acknowledged, {} recognised, {} refused",
        counts.acked, counts.recognised, counts.refused
    )?;
    writeln!(out, "faults injected: {} ({tally:?})", tally.faults())?;
    Ok(broken)
}
