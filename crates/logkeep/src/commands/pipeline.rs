//! `logkeep pipeline`: what pipelines make of records, before a server runs them.

mod cases;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use logkeep::config::Config;

/// Arguments of `logkeep pipeline`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run the cases of a file through the configured pipelines; exit code 1 if one fails (docs/guide/pipelines.md)
    Test {
        /// Cases: records, and what is expected of them (YAML)
        file: PathBuf,
        /// The configuration that has the pipelines
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// A file of cases is never larger.
const FILE_BYTES: u64 = 16 << 20;

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let Action::Test { file, config } = args.action;
    let config = Config::load(Some(&config))?;
    let name = file.display();
    let bytes = std::fs::metadata(&file).with_context(|| format!("`{name}` cannot be read"))?.len();
    if bytes > FILE_BYTES {
        bail!("`{name}` has {bytes} bytes; at most {FILE_BYTES} are allowed");
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("`{name}` cannot be read"))?;
    let cases = cases::read(&text).with_context(|| format!("`{name}`"))?;
    let mut out = stdout().lock();
    let mut failed = 0;
    for case in &cases {
        let differences = case.run(&config.patterns, &config.pipelines)?;
        writeln!(out, "{} {}", if differences.is_empty() { "ok  " } else { "FAIL" }, case.name)?;
        for difference in &differences {
            writeln!(out, "       {difference}")?;
        }
        failed += usize::from(!differences.is_empty());
    }
    writeln!(out, "{} passed, {failed} failed", cases.len() - failed)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
