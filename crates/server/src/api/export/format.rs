//! In which form records leave.

use logkeep_query::exec::{Found, QueryError};

use super::super::params::Params;
use super::super::{ApiError, render};
use super::columns::Columns;
use super::csv::Csv;
use super::parquet::Parquet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Ndjson,
    Parquet,
}

impl Format {
    pub(super) fn of(params: &Params) -> Result<Self, ApiError> {
        match params.text("format") {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "parquet" => Ok(Self::Parquet),
            other => {
                Err(ApiError::bad_request(format!("`format` is `{other}`; it must be `csv`, `ndjson` or `parquet`")))
            }
        }
    }

    /// As it is asked for, and as names of files end.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// Writes a file a window at a time.
pub(super) enum Writer {
    Csv(Csv),
    Ndjson,
    Parquet(Box<Parquet>),
    Ended,
}

impl Writer {
    pub(super) fn new(format: Format, columns: Columns) -> Result<Self, ApiError> {
        Ok(match format {
            Format::Csv => Self::Csv(Csv::new(columns)?),
            Format::Ndjson => {
                columns.refuse("`ndjson` has all fields of each record")?;
                Self::Ndjson
            }
            Format::Parquet => Self::Parquet(Box::new(Parquet::new(columns)?)),
        })
    }

    /// The next part of the file.
    pub(super) fn write(&mut self, found: &[Found]) -> Result<Vec<u8>, QueryError> {
        match self {
            Self::Csv(csv) => csv.write(found),
            Self::Ndjson => lines(found),
            Self::Parquet(parquet) => parquet.write(found),
            Self::Ended => Err(QueryError::Internal("an export went on after its end".to_owned())),
        }
    }

    /// The last part of the file.
    pub(super) fn end(&mut self) -> Result<Vec<u8>, QueryError> {
        match std::mem::replace(self, Self::Ended) {
            Self::Csv(mut csv) => csv.write(&[]),
            Self::Parquet(parquet) => parquet.end(),
            Self::Ndjson | Self::Ended => Ok(Vec::new()),
        }
    }
}

fn lines(found: &[Found]) -> Result<Vec<u8>, QueryError> {
    let mut out = String::new();
    for found in found {
        render::record(&found.record()?, &found.key.id(), &mut out);
        out.push('\n');
    }
    Ok(out.into_bytes())
}
