//! The `logkeep` program: the command line, and nothing a library could do.
//!
//! Each subcommand is one file under `commands`, with its arguments and a `run`. What is printed for the user to use goes to
//! standard output; what is said about it goes to standard error.

mod client;
mod commands;
mod failure;
mod hardening;
mod memory;
mod output;
mod sse;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; finding nothing is no failure, and neither is a reader that closes the pipe
  1  refused: a wrong query, a faulty configuration, a failed check, a file that cannot be read
  2  a wrong command line
  3  the server cannot be reached, is busy, or failed; trying again may help
  4  asked for, and not done yet: somebody else must approve it
  130  interrupted";

/// A log platform for service meshes: takes in logs, seals them, finds them.
#[derive(Parser)]
#[command(name = "logkeep", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(commands::serve::Args),
    /// Run the server on a scratch folder with a simulated mesh that sends to it
    Demo(commands::demo::Args),
    /// Search the records of a running server
    Query(commands::query::Args),
    /// Write all matching records to a file
    Export(commands::export::Args),
    /// Show matching records as they arrive
    Tail(commands::tail::Args),
    /// Show one trace: its spans as a tree, with its log records
    Trace(commands::trace::Args),
    /// Show who sends, and what became of what each sent
    Sources(commands::sources::Args),
    /// Show who asked for what, what was decided, and what came of it
    Audit(commands::audit::Args),
    /// Ask who may do what, and why
    Access(commands::access::Args),
    /// Run an SQL query over `logs` and `spans`
    Sql(commands::sql::Args),
    /// Check that a data folder holds exactly what was acknowledged, or that a proof of one record holds
    Verify(commands::verify::Args),
    /// Copy the data folder, also while a server runs on it, into a folder or bucket of backups
    Backup(commands::backup::Args),
    /// Make a data folder of the latest backup, and prove that it is what was backed up
    Restore(commands::restore::Args),
    /// Give the data folder another key, without rewriting data
    Keys(commands::keys::Args),
    /// Make, list and end tokens, by which machines are known
    Token(commands::token::Args),
    /// Add people, and change what they may do
    User(commands::user::Args),
    /// See what waits for a second person, and decide about it
    Approval(commands::approval::Args),
    /// See and set for how long what a tenant has is kept
    Retention(commands::retention::Args),
    /// See, place and release legal holds: what is held is not destroyed
    Hold(commands::retention::HoldArgs),
    /// Make certificates for listeners and senders
    Certs(commands::certs::Args),
    /// Read files of logs into a running server
    Import(commands::import::Args),
    /// Measure how secrets are recognised, or see what would be hidden in a file
    Redact(commands::redact::Args),
    /// See what the configured pipelines make of records
    Pipeline(commands::pipeline::Args),
    /// Confine a process as `serve` is, and try what it must not be able to do
    Hardening(commands::hardening::Args),
    /// Check or print the configuration
    Config(commands::config::Args),
}

fn main() -> ExitCode {
    memory::prepare();
    hardening::keep_memory_private();
    let command = Cli::parse().command;
    let result = match command {
        Command::Serve(args) => commands::serve::run(args),
        Command::Demo(args) => commands::demo::run(args),
        Command::Verify(args) => commands::verify::run(args),
        Command::Backup(args) => commands::backup::run(args),
        Command::Restore(args) => commands::restore::run(args),
        Command::Keys(args) => commands::keys::run(args),
        Command::Token(args) => commands::token::run(args),
        Command::User(args) => commands::user::run(args),
        Command::Approval(args) => commands::approval::run(args),
        Command::Retention(args) => commands::retention::run(args),
        Command::Hold(args) => commands::retention::run_hold(args),
        Command::Certs(args) => commands::certs::run(args),
        Command::Query(args) => commands::query::run(args),
        Command::Export(args) => commands::export::run(args),
        Command::Tail(args) => commands::tail::run(args),
        Command::Trace(args) => commands::trace::run(args),
        Command::Sources(args) => commands::sources::run(args),
        Command::Audit(args) => commands::audit::run(args),
        Command::Access(args) => commands::access::run(args),
        Command::Sql(args) => commands::sql::run(args),
        Command::Import(args) => commands::import::run(args),
        Command::Redact(args) => commands::redact::run(args),
        Command::Pipeline(args) => commands::pipeline::run(args),
        Command::Hardening(args) => commands::hardening::run(args),
        Command::Config(args) => commands::config::run(args),
    };
    result.unwrap_or_else(|error| report(&error))
}

/// Says what went wrong and picks the exit code for it.
fn report(error: &anyhow::Error) -> ExitCode {
    let is_closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.downcast_ref::<failure::Failure>().is_none() && error.chain().any(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    // Standard error may be closed too; then there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "error: {error:#}");
    failure::exit_code(error)
}
