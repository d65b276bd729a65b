//! Rows to text: a table for people, JSON lines and CSV for programs.
//!
//! A record is text from strangers. In a table its control characters are shown and not sent, so that no log line can
//! move the cursor or set the title of the terminal that shows it.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use nu_ansi_term::{Color, Style};
use serde_json::Value;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header (RFC 4180)
    Csv,
}

const RECORD_COLUMNS: &[&str] = &["time", "severity", "service", "body"];
/// A column is not padded beyond this, or one long value would push all others off the screen.
const PADDED_CHARS: usize = 40;

/// True where colours are welcome: on a terminal that can, unless `NO_COLOR` says otherwise (<https://no-color.org>).
pub(crate) fn use_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
}

/// Prints rows in one format.
pub(crate) struct Printer<W> {
    out: W,
    format: Format,
    colour: bool,
    columns: Vec<String>,
    header_due: bool,
}

impl<W: Write> Printer<W> {
    /// A printer of rows with these columns.
    pub(crate) fn new(out: W, format: Format, colour: bool, columns: Vec<String>) -> Self {
        Self { out, format, colour, columns, header_due: true }
    }

    /// A printer of records: with the columns asked for, else the usual ones.
    pub(crate) fn for_records(out: W, format: Format, colour: bool, columns: &[String]) -> Self {
        let columns = match columns {
            [] => RECORD_COLUMNS.iter().map(|name| (*name).to_owned()).collect(),
            chosen => chosen.to_vec(),
        };
        Self::new(out, format, colour, columns)
    }

    /// Prints records in the API's form; `whole` prints JSON as it came (order, repeated keys, numbers) instead of the
    /// columns.
    pub(crate) fn records<'r>(&mut self, records: impl IntoIterator<Item = &'r str>, whole: bool) -> io::Result<()> {
        if whole && self.format == Format::Json {
            for record in records {
                // A line break in JSON text is only ever white space.
                writeln!(self.out, "{}", record.replace(['\n', '\r'], " "))?;
            }
            return self.out.flush();
        }
        let mut rows = Vec::new();
        for record in records {
            let record: Value = serde_json::from_str(record)?;
            rows.push(self.columns.iter().map(|column| field(&record, column).clone()).collect());
        }
        self.rows(&rows)
    }

    /// Prints rows, each with a value per column.
    pub(crate) fn rows(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        match self.format {
            Format::Json => rows.iter().try_for_each(|row| self.json(row))?,
            Format::Csv => self.csv(rows)?,
            Format::Table => self.table(rows)?,
        }
        self.out.flush()
    }

    fn json(&mut self, row: &[Value]) -> io::Result<()> {
        self.out.write_all(b"{")?;
        for (place, (column, value)) in self.columns.iter().zip(row).enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(self.out, "{comma}{}:{value}", Value::from(column.as_str()))?;
        }
        self.out.write_all(b"}\n")
    }

    fn csv(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        if std::mem::take(&mut self.header_due) {
            let header: Vec<_> = self.columns.iter().map(|column| csv_field(column)).collect();
            write!(self.out, "{}\r\n", header.join(","))?;
        }
        for row in rows {
            let fields: Vec<_> = row.iter().map(|value| csv_field(&plain(value))).collect();
            write!(self.out, "{}\r\n", fields.join(","))?;
        }
        Ok(())
    }

    fn table(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|value| printable(&plain(value))).collect()).collect();
        let width = |place: usize| {
            let widest = cells.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count()).max();
            widest.unwrap_or(0).min(PADDED_CHARS).max(self.columns[place].chars().count())
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        if std::mem::take(&mut self.header_due) {
            let header: Vec<String> = self.columns.iter().map(|column| printable(column)).collect();
            self.line(&header, &widths, Some(Style::new().bold()))?;
        }
        for row in &cells {
            self.line(row, &widths, None)?;
        }
        Ok(())
    }

    fn line(&mut self, cells: &[String], widths: &[usize], style: Option<Style>) -> io::Result<()> {
        for (place, cell) in cells.iter().enumerate() {
            let last = place + 1 == cells.len();
            let gap = if last { 0 } else { widths[place].saturating_sub(cell.chars().count()) + 2 };
            let style = style.or_else(|| cell_style(&self.columns[place], cell));
            match style.filter(|_| self.colour) {
                Some(style) => write!(self.out, "{}{:gap$}", style.paint(cell), "")?,
                None => write!(self.out, "{cell}{:gap$}", "")?,
            }
        }
        self.out.write_all(b"\n")
    }
}

/// Prints a list of the API's.
pub(crate) fn rows(list: &Value, columns: &[&str], format: Format) -> io::Result<()> {
    let value = |one: &Value, name: &str| match &one[name] {
        Value::Array(parts) if format == Format::Table => parts.iter().map(plain).collect::<Vec<_>>().join(", ").into(),
        value => value.clone(),
    };
    let listed = list.as_array().into_iter().flatten();
    let rows: Vec<Vec<Value>> = listed.map(|one| columns.iter().map(|name| value(one, name)).collect()).collect();
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    Printer::new(io::stdout().lock(), format, use_colour(), columns).rows(&rows)
}

fn cell_style(column: &str, cell: &str) -> Option<Style> {
    match (column, cell) {
        ("time", _) => Some(Style::new().dimmed()),
        ("severity", "fatal") => Some(Color::Red.bold().reverse()),
        ("severity", "error") => Some(Color::Red.bold()),
        ("severity", "warn") => Some(Color::Yellow.normal()),
        ("severity", "debug" | "trace") => Some(Style::new().dimmed()),
        ("service" | "service.name", _) => Some(Color::Cyan.normal()),
        _ => None,
    }
}

/// A column of a record: a part of its own, else the first attribute of that name, else the resource's.
fn field<'a>(record: &'a Value, column: &str) -> &'a Value {
    const NULL: &Value = &Value::Null;
    if let Some(value) = record.get(column).filter(|_| !matches!(column, "attributes" | "resource")) {
        return value;
    }
    let among = |list: &str| {
        let pairs = record.get(list)?.as_array()?;
        pairs.iter().find(|pair| pair.get(0).is_some_and(|name| name == column))?.get(1)
    };
    among("attributes").or_else(|| among("resource")).or_else(|| record.get(column)).unwrap_or(NULL)
}

/// Text as it is, nothing for null, anything else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text with its control characters and those that reorder text escaped.
pub(crate) fn printable(text: &str) -> String {
    let risky = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(risky) {
        return text.to_owned();
    }
    text.chars().map(|c| if risky(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Value {
        serde_json::json!({
            "time": "2026-11-20T10:00:00.000000000Z", "severity": "error", "service": "pay", "body": "a \"b\",\n\u{1b}[2J",
            "attributes": [["n", 5], ["n", 6], ["body", "not this"]], "resource": [["k8s.pod.name", "p-1"], ["n", 7]]
        })
    }

    fn check(format: Format, colour: bool, columns: &[&str], expected: &str) {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut out = Vec::new();
        let mut printer = Printer::for_records(&mut out, format, colour, &columns);
        printer.records([sample().to_string().as_str()], columns.is_empty()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn tables_align_and_escape() {
        let expected = "time                            severity  service  body\n\
                        2026-11-20T10:00:00.000000000Z  error     pay      a \"b\",\\n\\u{1b}[2J\n";
        check(Format::Table, false, &[], expected);
        check(Format::Table, false, &["n", "k8s.pod.name", "gone"], "n  k8s.pod.name  gone\n5  p-1           \n");
        check(Format::Table, true, &["severity"], "\u{1b}[1mseverity\u{1b}[0m\n\u{1b}[1;31merror\u{1b}[0m\n");
    }

    #[test]
    fn csv_and_json() {
        check(Format::Csv, true, &["n", "body"], "n,body\r\n5,\"a \"\"b\"\",\n\u{1b}[2J\"\r\n");
        check(Format::Json, true, &["n", "gone"], "{\"n\":5,\"gone\":null}\n");
        check(Format::Json, true, &[], &format!("{}\n", sample()));
    }

    #[test]
    fn text_that_reorders_is_shown() {
        assert_eq!(printable("a\u{202e}b\u{9b}é日"), "a\\u{202e}b\\u{9b}é日");
    }
}
