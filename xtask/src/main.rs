//! Checks of the repository that no lint and no test makes: `cargo xtask tidy`, `cargo xtask fuzz`, `cargo xtask sim`
//! and `cargo xtask bench`; and `cargo xtask sbom`, which says what is linked.
//!
//! A rule that nothing checks is a wish. What ARCHITECTURE.md promises about the shape of the code is checked by `tidy`,
//! in a second and without building anything, so that it runs before every commit.

mod bench;
mod fuzz;
mod manifest;
mod sbom;
mod sim;
mod tidy;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask tidy
       cargo xtask fuzz [--check] [--seconds N] [target…]
       cargo xtask sim [--seeds N] [--from S] [--each]
       cargo xtask sbom FILE
       cargo xtask bench [--lines N] [--work FOLDER] [--python PATH]
       cargo xtask bench growth [--millions N] [--work FOLDER]
       cargo xtask bench receivers [--lines N] [--only TEXT…] [--work FOLDER] [--python PATH]

  tidy   dependency arrows, file sizes, dead files, machine paths, lints
  fuzz   each fuzz target for N seconds (default 10), keeping corpus and CPU time;
         with --check without keeping them
  sim    the storage engine on N seeds (default 200) from S on, with every fault a disk can have
  sbom   what is linked into the program and embedded in it, in CycloneDX, into FILE
  bench  a release build beside chdb on N lines (default 2,000,000), or as it fills with N million records
         (default 20), or each receiver with N lines (default 200,000); PATH is a Python with chdb, by default
         one is made in FOLDER (target/bench), for receivers one with clients of queues, by default that of e2e/";

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => report(&mut out),
        ["fuzz", rest @ ..] => match fuzz::Request::parse(rest) {
            Ok(request) => fuzz::run(&root(), &request, &mut out).or_else(|error| failed(&mut out, &error)),
            Err(what) => writeln!(out, "error: {what}\n{USAGE}").map(|()| false),
        },
        ["bench", rest @ ..] => match bench::Request::parse(rest) {
            Ok(request) => bench::run(&root(), &request).or_else(|error| failed(&mut out, &error)),
            Err(what) => writeln!(out, "error: {what}\n{USAGE}").map(|()| false),
        },
        ["sbom", file] => match sbom::run(&root(), Path::new(file)) {
            Ok(parts) => writeln!(out, "sbom: {parts} parts in {file}").map(|()| true),
            Err(error) => failed(&mut out, &error),
        },
        ["sim", rest @ ..] => sim::run(&root(), rest).or_else(|error| failed(&mut out, &error)),
        _ => writeln!(out, "{USAGE}").map(|()| false),
    };
    // A closed pipe is no reason to call an untidy repository tidy.
    if done.unwrap_or(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn report(out: &mut impl Write) -> io::Result<bool> {
    let found = tidy::run(&root())?;
    for note in &found.notes {
        writeln!(out, "note: {note}")?;
    }
    for problem in &found.problems {
        writeln!(out, "error: {problem}")?;
    }
    let (crates, files, problems) = (found.crates, found.files, found.problems.len());
    writeln!(out, "tidy: {crates} crates, {files} source files, {problems} problems")?;
    Ok(found.problems.is_empty())
}

fn failed(out: &mut impl Write, error: &io::Error) -> io::Result<bool> {
    writeln!(out, "error: {error}").map(|()| false)
}

/// Cargo tells where this crate is; its parent is the repository.
fn root() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    own.and_then(|path| path.parent().map(PathBuf::from)).unwrap_or_else(|| PathBuf::from("."))
}
