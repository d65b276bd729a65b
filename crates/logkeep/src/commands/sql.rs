//! `logkeep sql`: one statement, one table.

use std::io::{self, Read, Write, stdout};
use std::process::ExitCode;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::client::{Client, Server};
use crate::commands::query::unexpected;
use crate::output::{Format, Printer, use_colour};

/// Arguments of `logkeep sql`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The statement; `-` reads it from standard input
    #[arg(allow_hyphen_values = true)]
    sql: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    server: Server,
}

#[derive(Deserialize)]
struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

/// A statement of more than this is surely something else.
const SQL_BYTES: u64 = 1 << 20;

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let client = Client::new(&args.server)?;
    let sql = match args.sql.as_str() {
        "-" => io::read_to_string(io::stdin().lock().take(SQL_BYTES))?,
        sql => sql.to_owned(),
    };
    let mut out = stdout().lock();
    if args.format == Format::Csv {
        // The server writes CSV itself; its types are better known there.
        io::copy(&mut client.sql(&sql, "text/csv")?, &mut out)?;
        out.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let body = io::read_to_string(client.sql(&sql, "application/json")?)?;
    let answer: Answer = serde_json::from_str(&body).map_err(|_| unexpected(&args.server.url))?;
    let columns = answer.columns.into_iter().map(|column| column.name).collect();
    Printer::new(out, args.format, use_colour(), columns).rows(&answer.rows)?;
    Ok(ExitCode::SUCCESS)
}
