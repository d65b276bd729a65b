//! Rows of records, in memory and on disk.
//!
//! A log platform lives or dies by its columns: each attribute is a typed column of its own, whatever its name, and a
//! record still comes back exactly as it was sealed (order, duplicate keys, integer against double, NaN, −0). The trick
//! is the **shape**: the ordered list of a record's keys and types, stored once per distinct shape. Values sit in flat
//! columns; the shape says how to put them back in order. Who emitted a record (its stream: resource and scope) is a
//! number into a table of streams beside the rows.
//!
//! - [`RowsBuilder`]: records → [`Rows`] (Arrow, searchable at once, the payload of a WAL frame)
//! - [`Rows::record`]: a row → the record
//! - [`write_segment`] / [`Segment`]: rows ↔ one object: Parquet, then streams, batches and token index
//!
//! Not here: where an object lies and how it is encrypted (`store`), which segments exist (`catalog`), what a query
//! means (`query`).

mod builder;
mod columns;
mod filter;
mod growing;
mod index;
mod interned;
mod layout;
mod merge;
mod mining;
mod payload;
mod rows;
mod segment;
mod shape;
mod templates;
mod tokens;
mod types;
mod writer;

#[cfg(test)]
mod tests;

pub use builder::RowsBuilder;
pub use columns::{AttributeColumn, ValueType, fixed};
pub use filter::BlockFilter;
pub use index::{BLOCK_ROWS, TokenIndex, is_second_fraction};
pub use layout::Word;
pub use merge::{Merge, merge};
pub use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
pub use payload::PayloadError;
pub use rows::{BatchInfo, RowError, Rows, column_value};
pub use segment::{RangeReader, Segment, SegmentError};
pub use shape::OverflowKeys;
pub use templates::{Known, Templates, stream_key};
pub use tokens::{for_each_token, token_hash};
pub use types::{AttributeTypes, ValueTypes};
pub use writer::{Encoded, write_segment};

/// Lets go of the buffers that this thread keeps for the rows that it builds next, of which there may be some megabytes.
pub fn forget_buffers() {
    RowsBuilder::forget_buffers();
    payload::forget_buffers();
}
