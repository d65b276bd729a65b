//! `logkeep trace`: the spans of one trace as a tree, with the log records that carry its id where they happened.

mod tree;

use std::collections::HashSet;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use anyhow::Result;
use nu_ansi_term::{Color, Style};
use serde::Deserialize;

use crate::client::{Client, Server};
use crate::commands::query::unexpected;
use crate::output::{printable, use_colour};
use tree::{Line, lines};

/// Arguments of `logkeep trace`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The trace id, 1 to 32 hexadecimal digits
    id: String,
    /// Print the answer of the server instead of a tree
    #[arg(long)]
    json: bool,
    /// Most spans to show
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=50_000), value_name = "N")]
    spans: u64,
    /// Most log records to show
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=10_000), value_name = "N")]
    logs: u64,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Trace {
    trace_id: String,
    spans: Vec<Span>,
    logs: Vec<Log>,
    more_spans: bool,
    more_logs: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Span {
    span_id: Option<String>,
    parent_span_id: Option<String>,
    name: String,
    kind: String,
    service: Option<String>,
    time: String,
    time_ns: Nanoseconds,
    duration_ms: Option<f64>,
    status_code: String,
    status_message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Log {
    span_id: Option<String>,
    time_ns: Nanoseconds,
    severity: String,
    service: Option<String>,
    body: serde_json::Value,
}

/// As the API writes it: decimal digits in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Nanoseconds(i64);

impl<'de> Deserialize<'de> for Nanoseconds {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let (spans, logs) = (args.spans.to_string(), args.logs.to_string());
    // The server says what a trace id is; here only what would be another path is kept from it.
    let id: String = args.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let answer = client.get(&format!("/traces/{id}"), &[("spans", &spans), ("logs", &logs)], "")?;
    let trace: Trace = serde_json::from_str(&answer).map_err(|_| unexpected(&args.server.url))?;
    let mut out = stdout().lock();
    if args.json {
        writeln!(out, "{}", answer.trim_end())?;
    } else {
        show(&trace, use_colour(), &mut out)?;
    }
    out.flush()?;
    for (more, what) in [(trace.more_spans, "spans"), (trace.more_logs, "logs")] {
        if more {
            writeln!(stderr().lock(), "warning: there are more; `--{what}` says how many {what} are shown")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(trace: &Trace, colour: bool, out: &mut impl Write) -> Result<()> {
    let starts = trace.spans.iter().map(|span| span.time_ns).chain(trace.logs.iter().map(|log| log.time_ns));
    let start = starts.min().unwrap_or_default();
    let services: HashSet<&str> = trace.spans.iter().filter_map(|span| span.service.as_deref()).collect();
    let began = trace.spans.iter().min_by_key(|span| span.time_ns).map(|span| format!(", {}", printable(&span.time)));
    writeln!(
        out,
        "trace {}: {}, {}, {}{}",
        printable(&trace.trace_id),
        count(trace.spans.len(), "span"),
        count(services.len(), "service"),
        count(trace.logs.len(), "log record"),
        began.unwrap_or_default(),
    )?;
    for line in lines(&trace.spans, &trace.logs) {
        match line {
            Line::Span { span, branch, lost_parent } => show_span(span, start, &branch, lost_parent, colour, out)?,
            Line::Log { log, branch } => show_log(log, start, &branch, colour, out)?,
        }
    }
    Ok(())
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The columns of times: since the first of all, and how long.
fn times(at: Nanoseconds, start: Nanoseconds, duration_ms: Option<f64>) -> String {
    let since = at.0.saturating_sub(start.0) as f64 / 1e6;
    let lasted = duration_ms.map(|ms| format!("{ms:.3} ms")).unwrap_or_default();
    format!("{:>14} {lasted:>14}", format!("+{since:.3} ms"))
}

fn show_span(
    span: &Span,
    start: Nanoseconds,
    branch: &str,
    lost_parent: bool,
    colour: bool,
    out: &mut impl Write,
) -> Result<()> {
    let paint = |style: Style, text: &str| match colour {
        true => style.paint(text).to_string(),
        false => text.to_owned(),
    };
    let failed = span.status_code == "error";
    let (name, kind) = (printable(&span.name), printable(&span.kind));
    let service = printable(span.service.as_deref().unwrap_or("?"));
    let name = if failed { paint(Color::Red.bold(), &name) } else { name };
    let mut notes = format!(" [{kind}]");
    if failed {
        notes.push_str(" error");
        if !span.status_message.is_empty() {
            notes.push_str(&format!(": {}", printable(&span.status_message)));
        }
    }
    if lost_parent {
        notes.push_str(&format!(
            " (its parent {} is not here)",
            printable(span.parent_span_id.as_deref().unwrap_or_default())
        ));
    }
    let times = paint(Style::new().dimmed(), &times(span.time_ns, start, span.duration_ms));
    writeln!(out, "{times}  {branch}{} {name}{notes}", paint(Color::Cyan.normal(), &service))?;
    Ok(())
}

fn show_log(log: &Log, start: Nanoseconds, branch: &str, colour: bool, out: &mut impl Write) -> Result<()> {
    let body = match &log.body {
        serde_json::Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    };
    let service = printable(log.service.as_deref().unwrap_or("?"));
    let line = format!("{}  {branch}{service} {}: {body}", times(log.time_ns, start, None), printable(&log.severity));
    if colour {
        writeln!(out, "{}", Style::new().dimmed().paint(line))?
    } else {
        writeln!(out, "{line}")?
    }
    Ok(())
}
