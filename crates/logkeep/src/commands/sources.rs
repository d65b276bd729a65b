//! `logkeep sources`: who sends, and what became of what each sent.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::{Client, Server};
use crate::commands::query::unexpected;
use crate::output::{Format, Printer, use_colour};

/// Arguments of `logkeep sources`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Beginning of the time of arrival: `-24h`, RFC 3339 or an epoch number; its minute is counted in full
    #[arg(long, default_value = "-24h", allow_hyphen_values = true, value_name = "TIME")]
    from: String,
    /// End of the time of arrival
    #[arg(long, default_value = "now", allow_hyphen_values = true, value_name = "TIME")]
    to: String,
    /// Only this protocol, such as `syslog`
    #[arg(long, default_value = "", value_name = "NAME")]
    protocol: String,
    /// A line for each minute of a source instead of one for all
    #[arg(long)]
    per_minute: bool,
    /// Most sources to show
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=5_000), value_name = "N")]
    limit: u64,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Sources {
    sources: Vec<Map<String, Value>>,
    balanced: bool,
    more: bool,
}

const WHO: &[&str] = &["protocol", "peer", "sender"];
const BECAME: &[&str] = &["received", "stored", "deduplicated", "deferred", "rejected", "dropped"];
const WHY: &[&str] = &["rejected_for", "dropped_for"];

/// Runs the command. Its exit code is 1 if the ledger does not balance.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let limit = args.limit.to_string();
    let series = if args.per_minute { "minute" } else { "" };
    let parameters = [
        ("from", args.from.as_str()),
        ("to", &args.to),
        ("protocol", &args.protocol),
        ("series", series),
        ("limit", &limit),
    ];
    let answer = client.get("/sources", &parameters, "")?;
    let found: Sources = serde_json::from_str(&answer).map_err(|_| unexpected(&args.server.url))?;
    let columns: Vec<&str> = match args.per_minute {
        true => [&["time"], WHO, BECAME, WHY].concat(),
        false => [WHO, BECAME, &["bytes", "last_seen", "silent_seconds", "lag_seconds"], WHY].concat(),
    };
    let mut rows = Vec::new();
    for source in &found.sources {
        match source.get("series").and_then(Value::as_array) {
            Some(series) if args.per_minute => {
                let lines = series.iter().filter_map(Value::as_object);
                rows.extend(lines.map(|line| row(&columns, source, line, args.format)));
            }
            _ => rows.push(row(&columns, source, source, args.format)),
        }
    }
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Printer::new(stdout().lock(), args.format, use_colour(), columns).rows(&rows)?;
    if found.more {
        writeln!(stderr().lock(), "warning: there are more; `--limit` says how many sources are shown")?;
    }
    if !found.balanced {
        writeln!(
            stderr().lock(),
            "error: the ledger does not balance: records were received of which nobody knows what became"
        )?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What a line says, or else its source.
fn row(columns: &[&str], source: &Map<String, Value>, line: &Map<String, Value>, format: Format) -> Vec<Value> {
    let value = |name: &&str| match line.get(*name).or_else(|| source.get(*name)) {
        Some(Value::Null) if *name == "peer" && source.get("others") == Some(&Value::Bool(true)) => "(others)".into(),
        Some(Value::Object(reasons)) if format == Format::Table => reasons_of(reasons).into(),
        Some(Value::Number(number)) if format == Format::Table && number.is_f64() => {
            format!("{:.1}", number.as_f64().unwrap_or_default()).into()
        }
        Some(value) => value.clone(),
        None => Value::Null,
    };
    columns.iter().map(value).collect()
}

fn reasons_of(reasons: &Map<String, Value>) -> String {
    reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect::<Vec<_>>().join(", ")
}
