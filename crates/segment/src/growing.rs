//! Columns that grow by a value at a time, in buffers that are used again.
//!
//! A column of rows is a copy of just its size: rows may stay in memory for a minute, and what grows by doubling has up to
//! twice what it needs. The buffers stay behind for the next rows: to ask the system for the same memory again for every
//! request costs more than to fill it.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, FixedSizeBinaryArray, NullBufferBuilder, PrimitiveArray,
    StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, Float64Type, Int64Type};
use logkeep_record::{Value, encode_value};

use crate::columns::ValueType;

/// Which rows have a value.
struct Valid(NullBufferBuilder);

impl Default for Valid {
    fn default() -> Self {
        Self(NullBufferBuilder::new(0))
    }
}

/// Numbers, or null.
#[derive(Default)]
pub(crate) struct Numbers<N> {
    values: Vec<N>,
    valid: Valid,
}

impl<N: Copy + Default> Numbers<N> {
    pub(crate) fn push(&mut self, value: Option<N>) {
        self.values.push(value.unwrap_or_default());
        self.valid.0.append(value.is_some());
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn pad(&mut self, rows: usize) {
        self.valid.0.append_n_nulls(rows - self.values.len());
        self.values.resize(rows, N::default());
    }

    fn capacity_bytes(&self) -> usize {
        self.values.capacity() * size_of::<N>()
    }
}

impl<N: ArrowNativeType> Numbers<N> {
    /// The column; nothing is left.
    pub(crate) fn take<T: ArrowPrimitiveType<Native = N>>(&mut self) -> ArrayRef {
        let column = PrimitiveArray::<T>::new(exact(&self.values), self.valid.0.finish());
        self.values.clear();
        Arc::new(column)
    }
}

impl Numbers<bool> {
    fn take_bools(&mut self) -> ArrayRef {
        let column = BooleanArray::new(BooleanBuffer::from(self.values.as_slice()), self.valid.0.finish());
        self.values.clear();
        Arc::new(column)
    }
}

fn exact<N: ArrowNativeType>(values: &[N]) -> ScalarBuffer<N> {
    ScalarBuffer::from(values.to_vec())
}

/// A column of numbers without nulls.
pub(crate) fn take_all<T: ArrowPrimitiveType>(values: &mut Vec<T::Native>) -> ArrayRef {
    let column = PrimitiveArray::<T>::new(exact(values), None);
    values.clear();
    Arc::new(column)
}

/// Texts or bytes, or null.
#[derive(Default)]
pub(crate) struct Pieces {
    ends: Vec<i32>,
    bytes: Vec<u8>,
    valid: Valid,
}

impl Pieces {
    pub(crate) fn push(&mut self, piece: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(piece.as_ref());
        self.valid.0.append_non_null();
        self.end();
    }

    pub(crate) fn push_null(&mut self) {
        self.valid.0.append_null();
        self.end();
    }

    pub(crate) fn push_option(&mut self, piece: Option<impl AsRef<[u8]>>) {
        match piece {
            Some(piece) => self.push(piece),
            None => self.push_null(),
        }
    }

    /// A batch is bounded by what a request may hold, which is far below what fits.
    fn end(&mut self) {
        self.ends.push(i32::try_from(self.bytes.len()).expect("a batch of less than 2 GiB"));
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn pad(&mut self, rows: usize) {
        self.valid.0.append_n_nulls(rows - self.ends.len());
        let last = self.ends.last().copied().unwrap_or_default();
        self.ends.resize(rows, last);
    }

    fn take(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let mut offsets = Vec::with_capacity(self.ends.len() + 1);
        offsets.push(0);
        offsets.extend_from_slice(&self.ends);
        let parts =
            (OffsetBuffer::new(offsets.into()), Buffer::from_slice_ref(self.bytes.as_slice()), self.valid.0.finish());
        self.ends.clear();
        self.bytes.clear();
        parts
    }

    /// The column of pieces that are all text; nothing is left.
    pub(crate) fn take_text(&mut self) -> ArrayRef {
        let (offsets, bytes, valid) = self.take();
        Arc::new(StringArray::new(offsets, bytes, valid))
    }

    /// The column; nothing is left.
    pub(crate) fn take_binary(&mut self) -> ArrayRef {
        let (offsets, bytes, valid) = self.take();
        Arc::new(BinaryArray::new(offsets, bytes, valid))
    }

    pub(crate) fn capacity_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<i32>()
    }
}

/// Ids of `N` bytes, or null.
#[derive(Default)]
pub(crate) struct Ids<const N: usize> {
    bytes: Vec<u8>,
    valid: Valid,
}

impl<const N: usize> Ids<N> {
    pub(crate) fn push(&mut self, id: Option<&[u8; N]>) {
        self.bytes.extend_from_slice(id.unwrap_or(&[0; N]));
        self.valid.0.append(id.is_some());
    }

    /// The column; nothing is left.
    pub(crate) fn take(&mut self) -> ArrayRef {
        let bytes = Buffer::from_slice_ref(self.bytes.as_slice());
        let column = FixedSizeBinaryArray::new(N as i32, bytes, self.valid.0.finish());
        self.bytes.clear();
        Arc::new(column)
    }
}

/// The values of an attribute, all of one type.
pub(crate) enum Values {
    Bool(Numbers<bool>),
    Int(Numbers<i64>),
    Double(Numbers<f64>),
    Str(Pieces),
    Binary(Pieces),
}

impl Values {
    pub(crate) fn new(kind: ValueType) -> Self {
        match kind {
            ValueType::Bool => Self::Bool(Numbers::default()),
            ValueType::Int => Self::Int(Numbers::default()),
            ValueType::Double => Self::Double(Numbers::default()),
            ValueType::Str => Self::Str(Pieces::default()),
            ValueType::Null | ValueType::Bytes | ValueType::Nested => Self::Binary(Pieces::default()),
        }
    }

    /// Appends `value` as that of `row`, after nulls for the rows in between; gives about the bytes it takes.
    pub(crate) fn push(&mut self, value: &Value<'_>, row: usize) -> usize {
        self.pad(row);
        match (self, value) {
            (Self::Bool(values), Value::Bool(value)) => values.push(Some(*value)),
            (Self::Int(values), Value::Int(value)) => values.push(Some(*value)),
            (Self::Double(values), Value::Double(value)) => values.push(Some(*value)),
            (Self::Str(pieces), Value::Str(text)) => {
                pieces.push(text.as_ref());
                return text.len() + 4;
            }
            (Self::Binary(pieces), Value::Bytes(bytes)) => {
                pieces.push(bytes);
                return bytes.len() + 4;
            }
            (Self::Binary(pieces), nested) => {
                let mut bytes = Vec::new();
                encode_value(nested, &mut bytes);
                pieces.push(&bytes);
                return bytes.len() + 4;
            }
            // The shape gave the column by the value's own type.
            (other, _) => other.pad(row + 1),
        }
        8
    }

    fn pad(&mut self, rows: usize) {
        match self {
            Self::Bool(values) if values.len() < rows => values.pad(rows),
            Self::Int(values) if values.len() < rows => values.pad(rows),
            Self::Double(values) if values.len() < rows => values.pad(rows),
            Self::Str(pieces) | Self::Binary(pieces) if pieces.len() < rows => pieces.pad(rows),
            _ => {}
        }
    }

    /// The column of so many rows; nothing is left.
    pub(crate) fn take(&mut self, rows: usize) -> ArrayRef {
        self.pad(rows);
        match self {
            Self::Bool(values) => values.take_bools(),
            Self::Int(values) => values.take::<Int64Type>(),
            Self::Double(values) => values.take::<Float64Type>(),
            Self::Str(pieces) => pieces.take_text(),
            Self::Binary(pieces) => pieces.take_binary(),
        }
    }

    pub(crate) fn capacity_bytes(&self) -> usize {
        match self {
            Self::Bool(values) => values.capacity_bytes(),
            Self::Int(values) => values.capacity_bytes(),
            Self::Double(values) => values.capacity_bytes(),
            Self::Str(pieces) | Self::Binary(pieces) => pieces.capacity_bytes(),
        }
    }
}
