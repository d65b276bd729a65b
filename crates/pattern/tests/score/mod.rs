//! Grouping accuracy as it is published (Zhu et al., ICSE-SEIP 2019): a line counts if its group is exactly the lines of
//! one statement.

use std::collections::HashMap;

use logkeep_meshsim::Family;
use logkeep_pattern::{Found, Limits, Miner, StreamKey};

/// As many as the public samples have.
pub(crate) const LINES: usize = 2_000;

/// What came of a family's lines.
pub(crate) struct Score {
    /// Share of the lines that count.
    pub(crate) accuracy: f64,
    /// What was found.
    pub(crate) found: Found,
}

/// Mines the lines that a family has for a seed.
pub(crate) fn score(family: &Family, seed: u64) -> Score {
    let lines = family.lines(seed, LINES);
    let mut miner = Miner::new(Limits::default());
    let mut run = miner.begin();
    let numbers: Vec<u32> = lines.iter().map(|line| run.add(StreamKey(1), &line.text)).collect();
    let found = run.finish();
    let mut truth = vec![0_u64; family.statements()];
    let mut both = HashMap::new();
    for (line, number) in lines.iter().zip(&numbers) {
        truth[line.statement] += 1;
        *both.entry((line.statement, found.places[*number as usize])).or_insert(0) += 1;
    }
    let exact = |(statement, place): (usize, u32), count: u64| {
        count == truth[statement] && count == found.list[place as usize].count
    };
    let right: u64 = both.iter().filter(|(pair, count)| exact(**pair, **count)).map(|(_, count)| count).sum();
    Score { accuracy: right as f64 / LINES as f64, found }
}
