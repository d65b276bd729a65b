//! `logkeep query`: records that match, page after page.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Client, Server};
use crate::failure::{Failure, UNAVAILABLE};
use crate::output::{Format, Printer, printable, use_colour};

/// Records asked for at a time, so that the first ones are shown at once and memory stays small.
const PAGE: u64 = 1_000;

/// Arguments of `logkeep query`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to find, in the query language; everything if empty. Put `--` before a query that begins with `-`
    query: Vec<String>,
    /// Beginning of the time range: `-15m`, `now`, RFC 3339 or an epoch number
    #[arg(long, default_value = "-15m", allow_hyphen_values = true, value_name = "TIME")]
    from: String,
    /// End of the time range, not included
    #[arg(long, default_value = "now", allow_hyphen_values = true, value_name = "TIME")]
    to: String,
    /// Most records to print
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    limit: u64,
    /// Newest or oldest first
    #[arg(long, value_enum, default_value_t = Order::Desc)]
    order: Order,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// What to print of each record: `time`, `body`, … or names of attributes
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    columns: Vec<String>,
    #[command(flatten)]
    server: Server,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// Newest first
    Desc,
    /// Oldest first
    Asc,
}

impl Order {
    /// As the API has it.
    pub(crate) fn name(self) -> &'static str {
        if self == Self::Asc { "asc" } else { "desc" }
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, alias = "rows")]
    records: Vec<&'a RawValue>,
    next: Option<String>,
    partial: Option<Partial>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Partial {
    reason: String,
    missing: String,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let query = args.query.join(" ");
    let mut printer = Printer::for_records(stdout().lock(), args.format, use_colour(), &args.columns);
    let asked = [("q", query.as_str()), ("from", &args.from), ("to", &args.to), ("order", args.order.name())];
    let whole = args.columns.is_empty();
    print_pages(&client, "/logs", &asked, args.limit, |records| Ok(printer.records(records.iter().copied(), whole)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Asks for one page after the other until there are so many records, and prints each page as it comes.
pub(crate) fn print_pages(
    client: &Client,
    path: &str,
    asked: &[(&str, &str)],
    limit: u64,
    mut print: impl FnMut(&[&str]) -> Result<()>,
) -> Result<()> {
    let query = asked.iter().find(|(name, _)| *name == "q").map_or("", |(_, query)| query);
    let (mut left, mut after) = (limit, String::new());
    loop {
        let most = left.min(PAGE).to_string();
        let place = [("limit", most.as_str()), ("after", &after)];
        let parameters: Vec<_> =
            asked.iter().chain(&place).copied().filter(|(name, value)| *name == "q" || !value.is_empty()).collect();
        let answer = client.get(path, &parameters, query)?;
        let page: Page<'_> = serde_json::from_str(&answer).map_err(|_| unexpected(client.base()))?;
        let records: Vec<&str> = page.records.iter().map(|record| record.get()).collect();
        print(&records)?;
        warn_if_partial(page.partial.as_ref())?;
        left = left.saturating_sub(records.len() as u64);
        match page.next {
            // The server may not lead us in a circle.
            Some(next) if left > 0 && !records.is_empty() && next != after => after = next,
            _ => return Ok(()),
        }
    }
}

/// An answer that is JSON but not Logkeep's.
pub(crate) fn unexpected(url: &str) -> Failure {
    Failure {
        code: UNAVAILABLE,
        text: format!("the answer of `{url}` is not one of a Logkeep server; is the address right?"),
    }
}

/// An incomplete answer must not pass for a complete one.
fn warn_if_partial(partial: Option<&Partial>) -> Result<()> {
    if let Some(Partial { reason, missing }) = partial {
        let (reason, missing) = (printable(reason), printable(missing));
        writeln!(stderr().lock(), "warning: this answer is incomplete: {reason}; missing: {missing}")?;
    }
    Ok(())
}
