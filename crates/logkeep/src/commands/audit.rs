//! `logkeep audit`: who asked for what, and what came of it.

use std::io::stdout;
use std::process::ExitCode;

use anyhow::Result;

use crate::client::{Client, Server};
use crate::commands::query::print_pages;
use crate::output::{Format, Printer, use_colour};

const COLUMNS: &[&str] = &["time", "user", "address", "action", "decision", "object", "outcome", "rows", "query"];

/// Arguments of `logkeep audit`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to find in what was asked for, in the query language; everything if empty
    query: Vec<String>,
    /// Beginning of the time range: `-1d`, `now`, RFC 3339 or an epoch number
    #[arg(long, default_value = "-1d", allow_hyphen_values = true, value_name = "TIME")]
    from: String,
    /// End of the time range, not included
    #[arg(long, default_value = "now", allow_hyphen_values = true, value_name = "TIME")]
    to: String,
    /// Only of this user, their tokens among them, or `token:ID`
    #[arg(long, default_value = "", value_name = "NAME")]
    user: String,
    /// Only this action of the policies, such as `query`
    #[arg(long, default_value = "", value_name = "ACTION")]
    action: String,
    /// Only what was decided so: `allow` or `deny`
    #[arg(long, default_value = "", value_name = "DECISION")]
    decision: String,
    /// Only about this, such as `logs` or `users/*`
    #[arg(long, default_value = "", value_name = "OBJECT")]
    object: String,
    /// Most rows to print, newest first
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    limit: u64,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// What to print of each row
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    columns: Vec<String>,
    #[command(flatten)]
    server: Server,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let query = args.query.join(" ");
    let asked = [
        ("q", query.as_str()),
        ("from", &args.from),
        ("to", &args.to),
        ("user", &args.user),
        ("action", &args.action),
        ("decision", &args.decision),
        ("object", &args.object),
    ];
    let whole = args.columns.is_empty();
    let columns = if whole { COLUMNS.iter().map(|name| (*name).to_owned()).collect() } else { args.columns };
    let mut printer = Printer::new(stdout().lock(), args.format, use_colour(), columns);
    print_pages(&client, "/audit", &asked, args.limit, |rows| Ok(printer.records(rows.iter().copied(), whole)?))?;
    Ok(ExitCode::SUCCESS)
}
