//! Records as CSV (RFC 4180).
//!
//! Whoever can have a line logged decides what stands in a cell, and a spreadsheet takes a cell that begins like a formula for one. Such
//! cells get an apostrophe in front, which spreadsheets do not show.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};
use logkeep_query::exec::{Found, QueryError};

use super::super::ApiError;
use super::super::render::time;
use super::columns::{Columns, text};

const PLAIN: [&str; 7] = ["id", "time", "severity", "service", "body", "trace_id", "span_id"];

pub(super) struct Csv {
    columns: Columns,
    has_header: bool,
}

impl Csv {
    pub(super) fn new(columns: Columns) -> Result<Self, ApiError> {
        columns.check_apart_from(&PLAIN)?;
        Ok(Self { columns, has_header: false })
    }

    /// The next lines, after the header if they are the first.
    pub(super) fn write(&mut self, found: &[Found]) -> Result<Vec<u8>, QueryError> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        let fault = |error: csv::Error| QueryError::Internal(error.to_string());
        let mut line = csv::StringRecord::new();
        if !std::mem::replace(&mut self.has_header, true) {
            PLAIN.iter().for_each(|name| line.push_field(name));
            self.columns.names().iter().for_each(|name| line.push_field(&harmless(name)));
            writer.write_record(&line).map_err(fault)?;
        }
        for found in found {
            let record = found.record()?;
            line.clear();
            let mut cell = |text: &str| line.push_field(&harmless(text));
            cell(&found.key.id().to_string());
            cell(&time(record.effective_time_ns()));
            cell(record.severity.name());
            cell(&record.resource.attribute("service.name").map(text).unwrap_or_default());
            cell(&text(&record.body));
            cell(&record.trace_id.map(|id| id.to_string()).unwrap_or_default());
            cell(&record.span_id.map(|id| id.to_string()).unwrap_or_default());
            self.columns.of_record(&record, &mut |text| cell(text.unwrap_or_default()));
            writer.write_record(&line).map_err(fault)?;
        }
        writer.into_inner().map_err(|error| QueryError::Internal(error.to_string()))
    }
}

/// The cell as no spreadsheet takes it for a formula.
fn harmless(cell: &str) -> Cow<'_, str> {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    if is_formula { format!("'{cell}").into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn formulas_are_no_formulas() {
        for cell in ["=1+1", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "-"] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for cell in ["", "-1", "+1.5e3", "-0", "a=1", "'=1", " =1"] {
            assert_eq!(harmless(cell), cell);
        }
    }
}
