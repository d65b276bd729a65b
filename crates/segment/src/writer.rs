//! Rows to the bytes of a segment.
//!
//! ```text
//! Parquet │ tables (zstd): streams, shapes, layouts, batches │ token index │ trailer (56 bytes)
//! ```
//! The trailer gives the lengths of the three parts, rows and time bounds, and the format version; see
//! `docs/formats/segment.md`. The whole is sealed by `store`, which also guards it against change: no checksum here.

use std::sync::Arc;

use arrow::datatypes::DataType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::columns::fixed;
use crate::index::{BLOCK_ROWS, TokenIndex};
use crate::layout::Layout;
use crate::payload::put_list;
use crate::rows::Rows;
use crate::segment::{SegmentError, Trailer};
use crate::shape::Shape;

/// The bytes of a segment holding `rows`, which must be merged (in order, with batches). `zstd_level` 1 to 22.
///
/// # Errors
/// [`SegmentError`] if Parquet refuses the rows; nothing has been written anywhere.
pub fn write_segment(rows: &Rows, zstd_level: i32) -> Result<Vec<u8>, SegmentError> {
    let mut out = Vec::with_capacity(rows.memory_bytes() / 4);
    let properties = properties(rows, zstd_level)?;
    let mut writer = ArrowWriter::try_new(&mut out, rows.table().schema(), Some(properties))?;
    writer.write(rows.table())?;
    writer.close()?;
    let parquet_bytes = out.len() as u64;
    let mut tables = Vec::new();
    put_list(&mut tables, rows.streams().iter().map(|stream| stream.canonical()));
    put_list(&mut tables, rows.forms().shapes.iter().map(Shape::encode));
    put_list(&mut tables, rows.forms().layouts.iter().map(Layout::encode));
    put_list(&mut tables, rows.batches().iter().map(encode_batch));
    let tables = zstd::bulk::compress(&tables, zstd_level).map_err(|e| SegmentError::Write(e.to_string()))?;
    out.extend_from_slice(&tables);
    let index = TokenIndex::build(rows).encode();
    out.extend_from_slice(&index);
    let (min_time_ns, max_time_ns, _) = rows.time_bounds();
    let trailer = Trailer {
        parquet_bytes,
        tables_bytes: tables.len() as u64,
        index_bytes: index.len() as u64,
        rows: rows.len() as u64,
        min_time_ns,
        max_time_ns,
    };
    out.extend_from_slice(&trailer.encode());
    Ok(out)
}

fn encode_batch(batch: &crate::BatchInfo) -> Vec<u8> {
    let mut out = Vec::with_capacity(44);
    out.extend_from_slice(&batch.number.to_le_bytes());
    out.extend_from_slice(&batch.records.to_le_bytes());
    out.extend_from_slice(batch.seed.as_bytes());
    out
}

fn properties(rows: &Rows, zstd_level: i32) -> Result<WriterProperties, SegmentError> {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(zstd_level)?))
        // One row group: a segment is small enough to prune by page, and dictionaries are shared by all its rows.
        .set_max_row_group_row_count(Some(usize::MAX))
        .set_data_page_row_count_limit(BLOCK_ROWS)
        .set_data_page_size_limit(1 << 30)
        .set_write_batch_size(BLOCK_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_offset_index_disabled(false);
    for field in rows.table().schema_ref().fields() {
        builder = column_properties(builder, field.name(), field.data_type());
    }
    Ok(builder.build())
}

fn column_properties(builder: WriterPropertiesBuilder, name: &str, data_type: &DataType) -> WriterPropertiesBuilder {
    let column = ColumnPath::new(vec![name.to_owned()]);
    match name {
        fixed::TIME | fixed::RECEIVED | fixed::OBSERVED => builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED),
        // Nearly every value differs: a dictionary would be built and thrown away. Bounds of free text prune nothing.
        fixed::BODY | fixed::ORIGINAL | fixed::REST | fixed::TRACE_ID | fixed::SPAN_ID => builder
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_statistics_enabled(column, EnabledStatistics::None),
        _ if matches!(data_type, DataType::Binary) => {
            builder.set_column_statistics_enabled(column, EnabledStatistics::None)
        }
        _ => builder,
    }
}

impl From<parquet::errors::ParquetError> for SegmentError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Parquet(Arc::new(error))
    }
}
