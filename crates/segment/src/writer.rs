//! Rows to the bytes of a segment.
//!
//! ```text
//! Parquet │ tables (zstd): streams, shapes, layouts, batches │ templates (zstd) │ token index │ trailer (64 bytes)
//! ```
//! The trailer gives the lengths of the four parts, rows and time bounds, and the format version; see
//! `docs/formats/segment.md`. The whole is sealed by `store`, which also guards it against change: no checksum here.

use std::sync::Arc;

use logkeep_pattern::Miner;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::columns::fixed;
use crate::index::{BLOCK_ROWS, IndexBuilder};
use crate::layout::Layout;
use crate::mining::Mining;
use crate::payload::put_list;
use crate::rows::{RowError, Rows};
use crate::segment::{SegmentError, Trailer};
use crate::shape::Shape;
use crate::templates::Templates;

/// A segment, ready to be stored.
pub struct Encoded {
    /// What to store.
    pub bytes: Vec<u8>,
    /// Number of rows.
    pub records: u64,
    /// Earliest time, latest time and latest arrival, nanoseconds.
    pub time_bounds: (i64, i64, i64),
}

/// A segment of rows that come in order, merged and with their batches, some whole blocks at a time (the last may be
/// short): see [`crate::Merge::stretches`]. `zstd_level` 1 to 22. The miner gives templates to rows that have none yet;
/// without one none are given.
///
/// # Errors
/// [`SegmentError`] if Parquet refuses the rows, or there are none; nothing has been written anywhere.
pub fn write_segment(
    stretches: impl IntoIterator<Item = Result<Rows, RowError>>,
    zstd_level: i32,
    miner: Option<&mut Miner>,
) -> Result<Encoded, SegmentError> {
    let mut stretches = stretches.into_iter();
    let first = stretches.next().ok_or_else(|| SegmentError::Write("it would have no rows".into()))??;
    let mut mining = miner.map(|miner| Mining::new(miner, first.streams(), first.templates()));
    let mut mined = |rows: Rows| match &mut mining {
        Some(mining) => mining.add(&rows),
        None => Ok(rows),
    };
    let first = mined(first)?;
    let properties = properties(&first, zstd_level)?;
    let mut parquet = ArrowWriter::try_new(Vec::new(), first.table().schema(), Some(properties))?;
    let mut index = IndexBuilder::new(first.streams());
    let mut records = 0;
    let mut bounds = first.time_bounds();
    let tables = tables(&first, zstd_level)?;
    let others = stretches.map(|rows| mined(rows?));
    for rows in std::iter::once(Ok(first)).chain(others) {
        let rows = rows?;
        parquet.write(rows.table())?;
        index.push(&rows);
        records += rows.len() as u64;
        let (min, max, received) = rows.time_bounds();
        bounds = (bounds.0.min(min), bounds.1.max(max), bounds.2.max(received));
    }
    let mut bytes = parquet.into_inner()?;
    let parquet_bytes = bytes.len() as u64;
    bytes.extend_from_slice(&tables);
    let templates = mining.map(|mining| encode(&mining.finish(), zstd_level)).transpose()?.unwrap_or_default();
    bytes.extend_from_slice(&templates);
    let index = index.finish().encode();
    bytes.extend_from_slice(&index);
    let trailer = Trailer {
        parquet_bytes,
        tables_bytes: tables.len() as u64,
        templates_bytes: templates.len() as u64,
        index_bytes: index.len() as u64,
        rows: records,
        min_time_ns: bounds.0,
        max_time_ns: bounds.1,
    };
    bytes.extend_from_slice(&trailer.encode());
    Ok(Encoded { bytes, records, time_bounds: bounds })
}

/// What the numbers in the columns point into, and the batches.
fn tables(rows: &Rows, zstd_level: i32) -> Result<Vec<u8>, SegmentError> {
    let mut tables = Vec::new();
    put_list(&mut tables, rows.streams().iter().map(|stream| stream.canonical()));
    put_list(&mut tables, rows.forms().shapes.iter().map(Shape::encode));
    put_list(&mut tables, rows.forms().layouts.iter().map(Layout::encode));
    put_list(&mut tables, rows.batches().iter().map(encode_batch));
    zstd::bulk::compress(&tables, zstd_level).map_err(|error| SegmentError::Write(error.to_string()))
}

fn encode(templates: &Templates, zstd_level: i32) -> Result<Vec<u8>, SegmentError> {
    templates.encode(zstd_level).map_err(|error| SegmentError::Write(error.to_string()))
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
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(false);
    for field in rows.table().schema_ref().fields() {
        builder = column_properties(builder, field.name());
    }
    Ok(builder.build())
}

fn column_properties(builder: WriterPropertiesBuilder, name: &str) -> WriterPropertiesBuilder {
    let column = ColumnPath::new(vec![name.to_owned()]);
    match name {
        fixed::TIME | fixed::RECEIVED | fixed::OBSERVED => {
            // The bounds of each block's times and streams are what queries prune by; others would only be carried about.
            let bounds = if name == fixed::TIME { EnabledStatistics::Page } else { EnabledStatistics::None };
            builder
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column.clone(), Encoding::DELTA_BINARY_PACKED)
                .set_column_statistics_enabled(column, bounds)
        }
        fixed::STREAM => builder.set_column_statistics_enabled(column, EnabledStatistics::Page),
        // Nearly every value differs: a dictionary would be built and thrown away.
        fixed::BODY | fixed::ORIGINAL | fixed::REST | fixed::TRACE_ID | fixed::SPAN_ID => {
            builder.set_column_dictionary_enabled(column, false)
        }
        _ => builder,
    }
}

impl From<parquet::errors::ParquetError> for SegmentError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        Self::Parquet(Arc::new(error))
    }
}
