//! Records as Parquet: typed columns, in groups of bounded size.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, TimestampNanosecondBuilder, UInt8Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use logkeep_query::exec::{Found, QueryError};
use logkeep_record::{Record, RecordId};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::super::ApiError;
use super::columns::{Columns, text};

/// Rows of a group at most, and about the bytes at which one is closed earlier.
const GROUP_ROWS: usize = 65_536;
const GROUP_BYTES: usize = 16 << 20;

const NUMBERS: [&str; 3] = ["time", "received", "severity_number"];
const TEXTS: [&str; 9] =
    ["id", "severity", "severity_text", "service", "body", "original", "event_name", "trace_id", "span_id"];

pub(super) struct Parquet {
    columns: Columns,
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
}

impl Parquet {
    pub(super) fn new(columns: Columns) -> Result<Self, ApiError> {
        columns.check_apart_from(&TEXTS)?;
        columns.check_apart_from(&NUMBERS)?;
        let schema = schema(&columns);
        let level = ZstdLevel::try_new(3).map_err(ApiError::bad_request)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer =
            ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).map_err(ApiError::bad_request)?;
        Ok(Self { columns, schema, writer })
    }

    /// What is ready of the file with these records.
    pub(super) fn write(&mut self, found: &[Found]) -> Result<Vec<u8>, QueryError> {
        let mut table = Table::new(&self.columns);
        for found in found {
            table.push(&found.record()?, &found.key.id(), &self.columns);
        }
        let fault = |error: parquet::errors::ParquetError| QueryError::Internal(error.to_string());
        self.writer.write(&table.finish(self.schema.clone())?).map_err(fault)?;
        if self.writer.in_progress_size() > GROUP_BYTES {
            self.writer.flush().map_err(fault)?;
        }
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    pub(super) fn end(mut self: Box<Self>) -> Result<Vec<u8>, QueryError> {
        self.writer.finish().map_err(|error| QueryError::Internal(error.to_string()))?;
        Ok(std::mem::take(self.writer.inner_mut()))
    }
}

fn schema(columns: &Columns) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let plain = NUMBERS
        .into_iter()
        .zip([time.clone(), time, DataType::UInt8])
        .map(|(name, data_type)| Field::new(name, data_type, false));
    let names = TEXTS.map(str::to_owned).into_iter().chain(columns.names());
    Arc::new(Schema::new(plain.chain(names.map(|name| Field::new(name, DataType::Utf8, true))).collect::<Vec<_>>()))
}

struct Table {
    time: TimestampNanosecondBuilder,
    received: TimestampNanosecondBuilder,
    severity_number: UInt8Builder,
    /// Of [`TEXTS`], then of the columns that were asked for.
    texts: Vec<StringBuilder>,
}

impl Table {
    fn new(columns: &Columns) -> Self {
        let texts = TEXTS.len() + columns.names().len();
        Self {
            time: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            received: TimestampNanosecondBuilder::new().with_timezone("UTC"),
            severity_number: UInt8Builder::new(),
            texts: std::iter::repeat_with(StringBuilder::new).take(texts).collect(),
        }
    }

    fn push(&mut self, record: &Record<'_>, id: &RecordId, columns: &Columns) {
        self.time.append_value(record.effective_time_ns());
        self.received.append_value(record.received_ns);
        self.severity_number.append_value(record.severity.number());
        let mut texts = self.texts.iter_mut();
        let mut cell = |text: Option<&str>| {
            if let Some(column) = texts.next() {
                column.append_option(text);
            }
        };
        let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
        cell(Some(&id.to_string()));
        cell(Some(record.severity.name()));
        cell(some(&record.severity_text));
        cell(record.resource.attribute("service.name").map(text).as_deref());
        cell(Some(&record.body).filter(|body| !body.is_null()).map(text).as_deref());
        cell(record.original.as_deref());
        cell(some(&record.event_name));
        cell(record.trace_id.map(|id| id.to_string()).as_deref());
        cell(record.span_id.map(|id| id.to_string()).as_deref());
        columns.of_record(record, &mut cell);
    }

    fn finish(mut self, schema: SchemaRef) -> Result<RecordBatch, QueryError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.time.finish()),
            Arc::new(self.received.finish()),
            Arc::new(self.severity_number.finish()),
        ];
        columns.extend(self.texts.iter_mut().map(|texts| Arc::new(texts.finish()) as ArrayRef));
        RecordBatch::try_new(schema, columns).map_err(|error| QueryError::Internal(error.to_string()))
    }
}
