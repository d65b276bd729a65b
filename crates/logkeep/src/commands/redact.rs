//! `logkeep redact`: how well secrets are recognised, and what would be hidden in a file.

mod measure;

use std::io::{BufRead, BufReader, Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use logkeep::config::Config;
use logkeep_record::{Record, Resource, TenantId, Value};
use logkeep_redact::{Action, Find, HashKey, Kind, LeftOut, Redaction, Redactor, Rule, Rules};

/// Arguments of `logkeep redact`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Recognise a generated set of lines of which the truth is known: precision and recall, and time per record
    Measure {
        /// The set follows from it
        #[arg(long, default_value_t = 1, value_name = "N")]
        seed: u64,
        /// Lines of each sort
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000), value_name = "N")]
        lines: u64,
    },
    /// Show the lines of a file in which something would be hidden, without it
    Test {
        /// The file
        file: PathBuf,
        /// Rules of this configuration; the defaults without one
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Everything that can be recognised, whatever the rules are
        #[arg(long, conflicts_with = "config")]
        all: bool,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.action {
        Command::Measure { seed, lines } => measure::run(seed, lines as usize)?,
        Command::Test { file, config, all } => {
            let rules = if all { everything() } else { Config::load(config.as_deref())?.redact };
            test(&file, rules)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Rules that hide all that can be recognised.
pub(crate) fn everything() -> Rules {
    let find = Find::Kinds(Kind::ALL.to_vec());
    let rule = Rule { name: String::new(), find, tenants: Vec::new(), services: Vec::new(), action: Action::Mask };
    Rules { rules: vec![rule], secrets: Action::Mask }
}

/// A redactor whose hashes nobody can compare with those of a server.
fn redactor(rules: Rules) -> Arc<Redactor> {
    Arc::new(Redactor::new(rules, HashKey::new([0; 32])))
}

fn test(file: &std::path::Path, rules: Rules) -> Result<()> {
    let opened = std::fs::File::open(file).with_context(|| format!("`{}` cannot be opened", file.display()))?;
    let redactor = redactor(rules);
    let mut redaction = Redaction::new(redactor.clone(), TenantId::default());
    let resource = Resource::from_attributes(Vec::new());
    let mut out = stdout().lock();
    let (mut lines, mut found) = (0u64, 0u64);
    for line in BufReader::new(opened).split(b'\n') {
        let line = line.with_context(|| format!("`{}` cannot be read", file.display()))?;
        let text = String::from_utf8_lossy(&line);
        lines += 1;
        let mut record = Record::new(0, Value::str(&text), resource.clone());
        let after = match redaction.apply(&mut record) {
            Err(LeftOut(policy)) => format!("(dropped by {policy})"),
            Ok(()) => record.body.as_str().unwrap_or_default().to_owned(),
        };
        if after != text {
            found += 1;
            writeln!(out, "{lines}: {after}")?;
        }
    }
    writeln!(out, "{found} of {lines} lines")?;
    for (kind, count) in redactor.counts().filter(|(_, count)| *count > 0) {
        writeln!(out, "  {:<16} {count}", kind.name())?;
    }
    Ok(())
}
