//! SQL over HTTP: JSON, CSV or Arrow, by what the asker accepts.

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use bytes::Bytes;
use logkeep_access::Action;
use logkeep_query::exec::{QueryError, SqlAnswer};
use logkeep_record::json;
use serde::Deserialize;

use super::answer::{JSON, answered, outcome, release, stats};
use super::caller::Caller;
use super::{ApiError, AppState};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlRequest {
    sql: String,
}

/// Longest text of a query, in bytes.
const SQL_BYTES: usize = 64 << 10;

pub(crate) async fn sql(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let request: SqlRequest = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body must be {{\"sql\": \"select …\"}}: {error}")))?;
    if request.sql.len() > SQL_BYTES {
        return Err(ApiError::bad_request(format!("the query is longer than {SQL_BYTES} bytes")));
    }
    let subject = [("audit.object", "sql".to_owned()), ("audit.query", request.sql.clone())];
    // The tables that may not be read are not there: whoever may read one of them may ask.
    let action = if state.access.may(&who, Action::Query) { Action::Query } else { Action::QueryAudit };
    let grant = state.access.authorize(&who, action, &subject).await?;
    let budget = state.query.budget();
    let answer = state.query.sql(&grant, &request.sql, &budget).await;
    let (grant, answer) = answered(grant, answer, &budget).await?;
    let rows = answer.batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let rendered = if accept.contains("text/csv") {
        csv(&answer).map(|body| (body, "text/csv; charset=utf-8"))
    } else if accept.contains("application/vnd.apache.arrow.stream") {
        ipc(&answer).map(|body| (body, "application/vnd.apache.arrow.stream"))
    } else {
        rows_json(&answer).map(|mut body| {
            body.push_str(&format!(",\"truncated\":{},\"stats\":{}}}", answer.truncated, stats(&budget)));
            (body.into_bytes(), JSON)
        })
    };
    let (grant, (body, content_type)) =
        outcome(grant, rendered.map_err(|error| QueryError::Internal(error.to_string()))).await?;
    release(grant, body, content_type, rows).await
}

fn csv(answer: &SqlAnswer) -> Result<Vec<u8>, ArrowError> {
    let mut out = Vec::new();
    let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut out);
    if answer.batches.is_empty() {
        writer.write(&RecordBatch::new_empty(answer.schema.clone()))?;
    }
    answer.batches.iter().try_for_each(|batch| writer.write(batch))?;
    drop(writer);
    Ok(out)
}

fn ipc(answer: &SqlAnswer) -> Result<Vec<u8>, ArrowError> {
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &answer.schema)?;
    answer.batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.into_inner()
}

/// `{"columns": […], "rows": […]`, still open.
fn rows_json(answer: &SqlAnswer) -> Result<String, ArrowError> {
    let mut out = String::from("{\"columns\":[");
    for (place, field) in answer.schema.fields().iter().enumerate() {
        out.push_str(if place > 0 { ",{\"name\":" } else { "{\"name\":" });
        json::write_str(field.name(), &mut out);
        out.push_str(",\"type\":");
        json::write_str(type_name(field.data_type()), &mut out);
        out.push('}');
    }
    out.push_str("],\"rows\":[");
    let mut first = true;
    for batch in &answer.batches {
        let cells = batch.columns().iter().map(Cells::new).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            out.push_str(if first { "[" } else { ",[" });
            first = false;
            for (place, cells) in cells.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                cells.write(row, &mut out)?;
            }
            out.push(']');
        }
    }
    out.push(']');
    Ok(out)
}

fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "boolean",
        data_type if data_type.is_integer() => "integer",
        data_type if data_type.is_floating() => "double",
        DataType::Timestamp(..) => "timestamp",
        _ => "string",
    }
}

/// A column ready to be written cell by cell.
enum Cells {
    Bool(ArrayRef),
    Int(ArrayRef),
    Unsigned(ArrayRef),
    Double(ArrayRef),
    Time(ArrayRef),
    Text(ArrayRef),
    Other(ArrayRef),
}

impl Cells {
    fn new(column: &ArrayRef) -> Result<Self, ArrowError> {
        Ok(match column.data_type() {
            DataType::Boolean => Self::Bool(column.clone()),
            DataType::UInt64 => Self::Unsigned(column.clone()),
            data_type if data_type.is_integer() => Self::Int(cast(column, &DataType::Int64)?),
            data_type if data_type.is_floating() => Self::Double(cast(column, &DataType::Float64)?),
            DataType::Timestamp(..) => {
                let nanoseconds = DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, None);
                Self::Time(cast(&cast(column, &nanoseconds)?, &DataType::Int64)?)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
                Self::Text(cast(column, &DataType::Utf8)?)
            }
            _ => Self::Other(column.clone()),
        })
    }

    fn write(&self, row: usize, out: &mut String) -> Result<(), ArrowError> {
        use logkeep_record::Value;
        let array = match self {
            Self::Bool(a)
            | Self::Int(a)
            | Self::Unsigned(a)
            | Self::Double(a)
            | Self::Time(a)
            | Self::Text(a)
            | Self::Other(a) => a,
        };
        if array.is_null(row) {
            out.push_str("null");
            return Ok(());
        }
        match self {
            Self::Bool(array) => json::write(&Value::Bool(array.as_boolean().value(row)), out),
            Self::Int(array) => json::write(&Value::Int(array.as_primitive::<Int64Type>().value(row)), out),
            Self::Unsigned(array) => out.push_str(&array.as_primitive::<UInt64Type>().value(row).to_string()),
            Self::Double(array) => json::write(&Value::Double(array.as_primitive::<Float64Type>().value(row)), out),
            Self::Time(array) => {
                json::write_str(&super::render::time(array.as_primitive::<Int64Type>().value(row)), out)
            }
            Self::Text(array) => json::write_str(array.as_string::<i32>().value(row), out),
            Self::Other(array) => {
                let options = FormatOptions::default();
                json::write_str(&ArrayFormatter::try_new(array, &options)?.value(row).to_string(), out);
            }
        }
        Ok(())
    }
}
