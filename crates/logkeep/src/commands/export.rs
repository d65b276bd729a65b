//! `logkeep export`: all records that match, as a file.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::client::{Client, Server};
use crate::commands::query::Order;
use crate::failure::{Failure, REFUSED, UNAVAILABLE};

/// Arguments of `logkeep export`.
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
    /// Most records; all if it is not given
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    limit: Option<u64>,
    /// Newest or oldest first
    #[arg(long, value_enum, default_value_t = Order::Desc)]
    order: Order,
    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Fields that are columns of CSV and Parquet, instead of all attributes in one
    #[arg(long, value_name = "A,B,C")]
    fields: Option<String>,
    /// Where to; standard output if it is not given. The file is there once it is whole
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    server: Server,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A record of JSON a line, with all there is
    Ndjson,
    /// RFC 4180, for spreadsheets
    Csv,
    /// Typed columns
    Parquet,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    if args.output.is_none() && args.format == Format::Parquet && stdout().is_terminal() {
        let text = "Parquet is nothing to read on a terminal; name a file with `--output FILE`".to_owned();
        return Err(Failure { code: REFUSED, text }.into());
    }
    let client = Client::new(&args.server)?;
    let query = args.query.join(" ");
    let limit = args.limit.map(|limit| limit.to_string()).unwrap_or_default();
    let fields = args.fields.unwrap_or_default();
    let asked = [
        ("q", query.as_str()),
        ("from", &args.from),
        ("to", &args.to),
        ("order", args.order.name()),
        ("format", args.format.name()),
        ("limit", &limit),
        ("fields", &fields),
    ];
    let asked: Vec<_> = asked.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let mut answer = client.file("/export", &asked, &query)?;
    match &args.output {
        Some(path) => {
            let bytes = save(&mut answer, path)?;
            writeln!(stderr().lock(), "{bytes} bytes in {}", path.display())?;
        }
        None => {
            let mut out = stdout().lock();
            copy(&mut answer, &mut out)?;
            out.flush()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes beside the file, and gives it its name once all of it is there.
fn save(answer: &mut impl Read, path: &Path) -> Result<u64> {
    let mut name = path.file_name().context("`--output` is not a file")?.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let there = |what: &str| format!("{what} {}", part.display());
    let mut file = File::create_new(&part).with_context(|| there("cannot make"))?;
    let saved = copy(answer, &mut file).and_then(|bytes| {
        file.sync_all().with_context(|| there("cannot write"))?;
        fs::rename(&part, path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(bytes)
    });
    if saved.is_err() {
        // What there is of it would pass for all. If it cannot be removed, its name still says what it is.
        let _ = fs::remove_file(&part);
    }
    saved
}

/// A fault of the answer is the server's, one of the output ours.
fn copy(answer: &mut impl Read, out: &mut impl Write) -> Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        let read = match answer.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cut_short(bytes, &error).into()),
        };
        out.write_all(&buffer[..read])?;
        bytes += read as u64;
    }
}

fn cut_short(bytes: u64, error: &io::Error) -> Failure {
    let text = format!(
        "the export was cut short after {bytes} bytes: {error}\nhint: the server's log and the audit trail say why; narrow the range, or use `--limit`"
    );
    Failure { code: UNAVAILABLE, text }
}
