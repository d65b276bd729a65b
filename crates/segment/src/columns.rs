//! Names and types of the physical columns.
//!
//! Fixed columns have the names in [`fixed`]. An attribute column is named `a/<key>/<type letter>`: one key may have
//! values of several types, each in a column of its own, so that no value is ever bent to fit another's type.

use arrow::datatypes::DataType;
use logkeep_record::Value;

/// Names of the columns that every set of rows has.
pub mod fixed {
    /// Effective time, Int64 nanoseconds since the epoch: sender's, else collector's, else ours.
    pub const TIME: &str = "time";
    /// UInt8: 0 where `time` is the sender's, 1 where it is the collector's, 2 where it is ours.
    pub const TIME_FROM: &str = "time_from";
    /// Int64, when a collector saw it; null where unknown.
    pub const OBSERVED: &str = "observed";
    /// Int64, when it reached us.
    pub const RECEIVED: &str = "received";
    /// UInt8, OpenTelemetry severity number.
    pub const SEVERITY: &str = "severity_number";
    /// Utf8, severity as the sender wrote it.
    pub const SEVERITY_TEXT: &str = "severity_text";
    /// Utf8, the body where it is text.
    pub const BODY: &str = "body";
    /// Binary, the canonical bytes of a body that is not text.
    pub const BODY_VALUE: &str = "body_value";
    /// Utf8, the source form where it is not the body and has no layout.
    pub const ORIGINAL: &str = "original";
    /// UInt32, row of the table of layouts; null where there is no source form, or it is in `original`.
    pub const LAYOUT: &str = "layout";
    /// Utf8, the pieces of the source form that no field has, each with U+001F after it; null where there are none.
    pub const REST: &str = "rest";
    /// FixedSizeBinary(16), null where absent.
    pub const TRACE_ID: &str = "trace_id";
    /// FixedSizeBinary(8), null where absent.
    pub const SPAN_ID: &str = "span_id";
    /// UInt32, trace flags.
    pub const FLAGS: &str = "flags";
    /// Utf8, event name.
    pub const EVENT_NAME: &str = "event_name";
    /// UInt32, attributes dropped.
    pub const DROPPED: &str = "dropped_attributes";
    /// UInt32, row of the table of streams.
    pub const STREAM: &str = "stream";
    /// UInt32, row of the table of shapes.
    pub const SHAPE: &str = "shape";
    /// Binary, canonical bytes of the values that have no column of their own, in the order of the shape.
    pub const OVERFLOW: &str = "overflow";
    /// UInt32, number of the message template; null where the body is no text. Only segments have it.
    pub const TEMPLATE: &str = "template";
    /// UInt64, leaf index of the batch.
    pub const BATCH: &str = "batch";
    /// UInt32, index within the batch.
    pub const INDEX: &str = "index";
}

/// The type of an attribute's value, as columns tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ValueType {
    /// No value; has no column.
    Null = b'n',
    /// Boolean.
    Bool = b'b',
    /// Int64.
    Int = b'i',
    /// Float64.
    Double = b'd',
    /// Utf8.
    Str = b's',
    /// Binary.
    Bytes = b'x',
    /// Binary, the canonical bytes of an array or a map.
    Nested = b'v',
}

impl ValueType {
    /// The type of `value`.
    pub fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Double(_) => Self::Double,
            Value::Str(_) => Self::Str,
            Value::Bytes(_) => Self::Bytes,
            Value::Array(_) | Value::Map(_) => Self::Nested,
        }
    }

    pub(crate) fn from_letter(letter: u8) -> Option<Self> {
        [Self::Null, Self::Bool, Self::Int, Self::Double, Self::Str, Self::Bytes, Self::Nested]
            .into_iter()
            .find(|kind| *kind as u8 == letter)
    }

    /// The Arrow type of a column of this type; `None` for null, which needs none.
    pub fn data_type(self) -> Option<DataType> {
        match self {
            Self::Null => None,
            Self::Bool => Some(DataType::Boolean),
            Self::Int => Some(DataType::Int64),
            Self::Double => Some(DataType::Float64),
            Self::Str => Some(DataType::Utf8),
            Self::Bytes | Self::Nested => Some(DataType::Binary),
        }
    }

    /// The word users see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::Double => "double",
            Self::Str => "string",
            Self::Bytes => "bytes",
            Self::Nested => "nested",
        }
    }
}

/// The name of an attribute column, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttributeColumn<'a> {
    /// The attribute's key.
    pub key: &'a str,
    /// The type of its values.
    pub kind: ValueType,
}

impl<'a> AttributeColumn<'a> {
    /// `None` for a fixed column.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (key, letter) = name.strip_prefix("a/")?.rsplit_once('/')?;
        let [letter] = letter.as_bytes() else { return None };
        Some(Self { key, kind: ValueType::from_letter(*letter)? })
    }

    /// The column's name.
    pub fn name(&self) -> String {
        format!("a/{}/{}", self.key, self.kind as u8 as char)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for key in ["http.request.method", "", "a/b", "é/s", "a//"] {
            for kind in [ValueType::Str, ValueType::Int, ValueType::Nested] {
                let column = AttributeColumn { key, kind };
                assert_eq!(AttributeColumn::parse(&column.name()), Some(column));
            }
        }
        assert_eq!(AttributeColumn::parse("time"), None);
    }
}
