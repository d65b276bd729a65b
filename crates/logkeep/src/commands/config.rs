//! `logkeep config`: check a file, or show what it amounts to.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use logkeep::config::Config;
use logkeep_server::{Finding, findings};

use super::serve::server_config;

/// Arguments of `logkeep config`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Report everything wrong with a file; exit code 1 if there is anything
    Check {
        /// The file
        file: PathBuf,
    },
    /// Print the effective configuration as YAML, each key with its meaning and default
    Print {
        /// The file; the defaults without one
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match args.action {
        Action::Check { file } => match Config::load(Some(&file)) {
            Ok(config) => {
                writeln!(out, "{}: no faults", file.display())?;
                // It may be meant; whoever audits the server will ask.
                for Finding { code, listener, text } in findings(&server_config(&config)) {
                    let listener = listener.unwrap_or("server");
                    writeln!(out, "finding: {listener}: {code}: {text}")?;
                }
            }
            Err(faults) => {
                // One fault a paragraph, on standard output: they are what was asked for.
                writeln!(out, "{faults}")?;
                return Ok(ExitCode::FAILURE);
            }
        },
        Action::Print { config } => out.write_all(Config::load(config.as_deref())?.to_yaml().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
