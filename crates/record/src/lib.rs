//! What a log record and a span are, and nothing else.
//!
//! Every protocol decodes into [`Record`], every store reads from it, and every proof is about its canonical bytes.
//! It follows the OpenTelemetry log data model (<https://opentelemetry.io/docs/specs/otel/logs/data-model/>), so that
//! nothing a sender says has to be bent to fit.
//!
//! Not here: bytes on the wire (`wire`), Arrow or Parquet (`segment`), trees and signatures (`tlog`).

mod canonical;
mod ids;
pub mod json;
pub mod limits;
mod record;
mod severity;
pub mod span;
mod value;

pub use canonical::{
    BatchSeed, DecodeError, Group, GroupError, GroupHashes, RecordHasher, Salt, decode_record, decode_resource,
    decode_value, decode_value_prefix, encode_attributes, encode_group, encode_value,
};
pub use ids::{BatchNumber, Class, NameError, RecordId, RecordIdError, SpanId, TenantId, TimeRange, TraceId};
pub use record::{JOINED_PARTS, Record, Resource, Scope};
pub use severity::Severity;
pub use span::{Span, SpanEvent, SpanKind, SpanLink, SpanStatus};
pub use value::{Attributes, Value};
