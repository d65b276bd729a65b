//! How well lines of known statements are grouped, family by family: `cargo run --release -p logkeep-pattern --example
//! accuracy`, with a name behind it for the templates of that family, and a seed.

use std::io::{self, Write as _};

use logkeep_meshsim::{Family, families};

#[path = "../tests/score/mod.rs"]
mod score;

const SEEDS: u64 = 5;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut asked = std::env::args().skip(1);
    let name = asked.next();
    let seed = asked.next().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    match name {
        Some(name) => families().filter(|family| family.name == name).try_for_each(|one| show(&mut out, one, seed)),
        None => [("tuned on", true), ("others", false)].iter().try_for_each(|(title, tuned_on)| {
            writeln!(out, "{title}: accuracy, the least of {SEEDS} seeds, statements, templates")?;
            table(&mut out, *tuned_on)
        }),
    }
}

fn table(out: &mut impl io::Write, tuned_on: bool) -> io::Result<()> {
    let mut means = Vec::new();
    for family in families().filter(|family| family.tuned_on == tuned_on) {
        let all: Vec<_> = (1..=SEEDS).map(|seed| score::score(family, seed)).collect();
        let mean = all.iter().map(|one| one.accuracy).sum::<f64>() / SEEDS as f64;
        let least = all.iter().map(|one| one.accuracy).fold(1.0, f64::min);
        let templates = all[0].found.list.len();
        writeln!(out, "  {:14} {mean:.3} {least:.3} {:3} {templates:3}", family.name, family.statements())?;
        means.push(mean);
    }
    writeln!(out, "  {:14} {:.3}", "mean", means.iter().sum::<f64>() / means.len() as f64)
}

fn show(out: &mut impl io::Write, family: &Family, seed: u64) -> io::Result<()> {
    let mut list = score::score(family, seed).found.list;
    list.sort_by_cached_key(|listed| listed.template.to_string());
    list.iter().try_for_each(|listed| writeln!(out, "{:6} {}", listed.count, listed.template))
}
