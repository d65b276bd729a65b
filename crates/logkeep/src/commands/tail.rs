//! `logkeep tail`: records as they arrive, and at the end an honest word about those that were not shown.

use std::io::{self, BufReader, Read, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::client::{ApiError, Client, Server, explain};
use crate::failure::{Failure, REFUSED, UNAVAILABLE};
use crate::output::{Format, Printer, use_colour};
use crate::sse::{Event, next_event};

const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LONGEST: Duration = Duration::from_secs(5);
/// 128 + SIGINT, as shells have it.
const INTERRUPTED: i32 = 130;

/// Arguments of `logkeep tail`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to show, in the query language; everything if empty. Put `--` before a query that begins with `-`
    query: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// What to print of each record: `time`, `body`, … or names of attributes
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    columns: Vec<String>,
    /// Stop after so many records
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    limit: Option<u64>,
    /// Times to reconnect in a row before giving up
    #[arg(long, default_value_t = 20, value_name = "N")]
    retries: u32,
    #[command(flatten)]
    server: Server,
}

/// What the server said about its stream.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Status {
    dropped: u64,
}

/// What became of the records, over all connections.
#[derive(Clone, Copy, Default)]
struct Totals {
    shown: u64,
    dropped_before: u64,
    dropped_now: u64,
    reconnects: u64,
}

impl Totals {
    fn line(self) -> String {
        let dropped = self.dropped_before + self.dropped_now;
        let mut line = format!("{} shown, {dropped} dropped", self.shown);
        if dropped > 0 {
            line.push_str(" because this reader was too slow");
        }
        if self.reconnects > 0 {
            let times = if self.reconnects == 1 { "once" } else { "several times" };
            line.push_str(&format!("; the connection was lost {times}, what arrived meanwhile is not shown"));
        }
        line
    }
}

/// Shared with the thread that waits for the interrupt.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Totals>>);

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Totals)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn get(&self) -> Totals {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why one connection ended.
enum End {
    LimitReached,
    /// Lost; whether anything came over it.
    Lost {
        alive: bool,
    },
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let totals = Shared::default();
    report_on_interrupt(totals.clone())?;
    let result = follow(&args, &totals);
    // A closed pipe says that nobody wants to hear more.
    let is_closed_pipe = |error: &anyhow::Error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if !result.as_ref().is_err_and(is_closed_pipe) {
        writeln!(stderr().lock(), "{}", totals.get().line())?;
    }
    result
}

fn follow(args: &Args, totals: &Shared) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let query = args.query.join(" ");
    let mut printer = Printer::for_records(stdout().lock(), args.format, use_colour(), &args.columns);
    let mut wait = RETRY_FIRST;
    let mut failures = 0;
    loop {
        let end = match client.stream("/tail", &query) {
            Ok(stream) => show(stream, args, &query, &mut printer, totals)?,
            Err(error) if failures == 0 && totals.get().reconnects == 0 => return Err(error),
            Err(error) if may_pass(&error) => End::Lost { alive: false },
            Err(error) => return Err(error),
        };
        match end {
            End::LimitReached => return Ok(ExitCode::SUCCESS),
            End::Lost { alive: true } => (wait, failures) = (RETRY_FIRST, 0),
            End::Lost { alive: false } => {}
        }
        failures += 1;
        if failures > args.retries {
            let text = format!("the connection is lost, and {} attempts did not bring it back", args.retries);
            return Err(Failure { code: UNAVAILABLE, text }.into());
        }
        if failures == 1 {
            totals.change(|totals| totals.reconnects += 1);
            writeln!(stderr().lock(), "connection lost; reconnecting")?;
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(RETRY_LONGEST);
    }
}

fn may_pass(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.code == UNAVAILABLE)
}

/// Prints what one connection brings.
fn show<W: Write>(
    stream: impl Read,
    args: &Args,
    query: &str,
    printer: &mut Printer<W>,
    totals: &Shared,
) -> Result<End> {
    let mut stream = BufReader::new(stream);
    let mut alive = false;
    let end = loop {
        let Ok(Some(event)) = next_event(&mut stream) else { break End::Lost { alive } };
        alive = true;
        handle(&event, args, query, printer, totals)?;
        if args.limit.is_some_and(|limit| totals.get().shown >= limit) {
            break End::LimitReached;
        }
    };
    totals.change(|totals| totals.dropped_before += std::mem::take(&mut totals.dropped_now));
    Ok(end)
}

fn handle<W: Write>(event: &Event, args: &Args, query: &str, printer: &mut Printer<W>, totals: &Shared) -> Result<()> {
    match event.name.as_str() {
        "record" => {
            printer.records([event.data.as_str()], args.columns.is_empty())?;
            totals.change(|totals| totals.shown += 1);
        }
        "status" => {
            let status: Status = serde_json::from_str(&event.data).unwrap_or_default();
            totals.change(|totals| totals.dropped_now = status.dropped.max(totals.dropped_now));
        }
        "error" => {
            let error: ApiError = serde_json::from_str::<ErrorEvent>(&event.data).map(ErrorEvent::into_error)?;
            return Err(Failure { code: REFUSED, text: explain(&error, query) }.into());
        }
        _ => {}
    }
    Ok(())
}

/// The error form, with or without its outer `error`.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorEvent {
    Wrapped { error: ApiError },
    Bare(ApiError),
}

impl ErrorEvent {
    fn into_error(self) -> ApiError {
        match self {
            Self::Wrapped { error } | Self::Bare(error) => error,
        }
    }
}

/// An interrupt is how a tail usually ends, so the last word must be said there too. The handler is in place when this
/// returns.
fn report_on_interrupt(totals: Shared) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut interrupts = {
        let _entered = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    std::thread::spawn(move || {
        if runtime.block_on(interrupts.recv()).is_some() {
            // Standard error may be closed too; then there is nobody left to tell.
            let _ = writeln!(stderr().lock(), "{}", totals.get().line());
            std::process::exit(INTERRUPTED);
        }
    });
    Ok(())
}
