//! Measures Logkeep and compares it with a peer on the same bytes.
//!
//! `generate` makes the lines and the true answers, `ingest` and `query` drive a running server, `compare` puts the
//! results of two stores side by side, holds them to what must be reached and fails where an answer differs. `run` does
//! all of that with servers of its own, `growth` follows one store as it fills, and `receivers` sends the same lines through
//! every receiver. The peer's driver is `chdb_driver.py`; both read `queries.json`, so neither is asked an easier question.

mod compare;
mod evict;
mod generate;
mod goals;
mod growth;
mod ingest;
mod peer;
mod procfs;
mod query;
mod receivers;
mod report;
mod run;
mod server;
mod truth;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

#[derive(Parser)]
#[command(name = "logkeep-bench", version, about = "Generates mesh logs and measures log stores with them")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write mesh logs of one day as NDJSON, and beside them the true answers (FILE.truth.json)
    Generate(Generate),
    /// Send a generated file to a server and measure
    Ingest(Ingest),
    /// Ask a server, or two in turn, the ten queries and measure
    Query(Query),
    /// Compare the results of two stores, and their answers with the truth
    Compare(Compare),
    /// Measure both stores on the same lines and print what was reached
    Run(Run),
    /// Fill one store and measure how it slows down
    Growth(Growth),
    /// Send the same lines through every receiver and measure what each takes
    Receivers(Receivers),
}

#[derive(clap::Args)]
struct Generate {
    /// How many lines
    #[arg(long, default_value_t = 2_000_000)]
    lines: u64,
    /// Everything follows from it
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Where to
    #[arg(long)]
    out: PathBuf,
}

#[derive(clap::Args)]
struct Ingest {
    /// Server
    #[arg(long, default_value = "http://127.0.0.1:7280")]
    url: String,
    /// Generated file
    #[arg(long)]
    file: PathBuf,
    /// Requests at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    connections: u16,
    /// Megabytes (10^6 bytes) of lines a request
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    body_mb: u16,
    /// How to send
    #[arg(long, value_enum, default_value_t = Protocol::Bulk)]
    protocol: Protocol,
    /// Process id of the server, to read its CPU time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Data folder of the server, to measure after it has settled
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Wait at most this many seconds for the server to finish its work in the background
    #[arg(long, default_value_t = 60)]
    settle: u64,
    /// Then let it rest this many seconds more and read its memory
    #[arg(long)]
    idle: Option<u64>,
    /// Write the result as JSON there
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Query {
    /// Server
    #[arg(long, default_value = "http://127.0.0.1:7280")]
    url: String,
    /// The peer, as its driver prints it
    #[arg(long)]
    peer: Option<String>,
    /// Generated file whose lines the server has
    #[arg(long)]
    file: PathBuf,
    /// Warm repeats of each query
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// Process id of the server, to read its CPU time and memory
    #[arg(long)]
    pid: Option<u32>,
    /// Write times and answers as JSON there
    #[arg(long)]
    json: Option<PathBuf>,
    /// Those of the peer there
    #[arg(long)]
    peer_json: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Compare {
    /// Generated file
    #[arg(long)]
    file: PathBuf,
    /// Results of `ingest` and `query`
    #[arg(long, required = true, num_args = 1..)]
    ours: Vec<PathBuf>,
    /// Results of the peer
    #[arg(long, required = true, num_args = 1..)]
    peer: Vec<PathBuf>,
    /// Write every figure and both results as JSON there
    #[arg(long)]
    json: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Run {
    /// How many lines
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    lines: u64,
    /// Everything follows from it
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Folder for lines, data and results; data of an earlier run in it is removed
    #[arg(long)]
    work: PathBuf,
    /// The program `logkeep`
    #[arg(long)]
    server: PathBuf,
    /// A Python with chdb
    #[arg(long)]
    python: PathBuf,
    /// The peer's driver, `chdb_driver.py`
    #[arg(long)]
    driver: PathBuf,
    /// Warm repeats of each query
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
    /// Seconds after the server came to rest until its memory is read
    #[arg(long, default_value_t = 60)]
    idle: u64,
}

#[derive(clap::Args)]
struct Growth {
    /// How many million records in all
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    millions: u64,
    /// What to call a million: less, to try the command out
    #[arg(long, value_name = "RECORDS", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    million: u64,
    /// Everything follows from it
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Folder for lines, data and results; data of an earlier run in it is removed
    #[arg(long)]
    work: PathBuf,
    /// The program `logkeep`
    #[arg(long)]
    server: PathBuf,
    /// Seconds after the server came to rest until its memory is read
    #[arg(long, default_value_t = 60)]
    idle: u64,
}

#[derive(clap::Args)]
struct Receivers {
    /// How many lines each receiver gets
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    lines: u64,
    /// Everything follows from it
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Folder for requests, data and results; data of an earlier run in it is removed
    #[arg(long)]
    work: PathBuf,
    /// The program `logkeep`
    #[arg(long)]
    server: PathBuf,
    /// Only receivers whose names have one of these in them, beside NDJSON
    #[arg(long, num_args = 1.., value_name = "TEXT")]
    only: Vec<String>,
    /// A Python with what the end-to-end tests need, for Kafka and NATS
    #[arg(long, requires = "driver")]
    python: Option<PathBuf>,
    /// The driver of these, `queue_driver.py`
    #[arg(long, requires = "python")]
    driver: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// Elasticsearch `_bulk`
    Bulk,
    /// Logkeep's own NDJSON
    Ndjson,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Generate(options) => generate::run(&options.out, options.lines, options.seed),
        Command::Ingest(options) => ingest::run(&options),
        Command::Query(options) => query::run(&options),
        Command::Compare(options) => compare::run(&options.file, &options.ours, &options.peer, options.json.as_deref()),
        Command::Run(options) => run::run(&options),
        Command::Growth(options) => growth::run(&options),
        Command::Receivers(options) => receivers::run(&options),
    }
}
