//! One reader over two protocols: how a value is written differs, how values are nested does not.

use std::marker::PhantomData;

use super::{Call, MAX_DEPTH, MAX_VALUES, Thrift, ThriftError};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In the compact protocol the type says which.
    Truth(bool),
    Bool,
    Byte,
    Int16,
    Int32,
    Int64,
    Double,
    Bytes,
    Struct,
    Map,
    List,
    Uuid,
}

/// How a protocol writes.
pub(super) trait Protocol: Sized {
    /// The type and number of the next field; `None` at the end of a struct. `last` is the number before it.
    fn field(reader: &mut Reader<'_, Self>, last: i16) -> Result<Option<(Kind, i16)>, ThriftError>;
    /// The type and number of the elements of a list.
    fn list(reader: &mut Reader<'_, Self>) -> Result<(Kind, usize), ThriftError>;
    /// The types and number of the entries of a map.
    fn map(reader: &mut Reader<'_, Self>) -> Result<(Kind, Kind, usize), ThriftError>;
    /// An integer of so many bytes.
    fn int(reader: &mut Reader<'_, Self>, bytes: usize) -> Result<i64, ThriftError>;
    /// A length.
    fn length(reader: &mut Reader<'_, Self>) -> Result<usize, ThriftError>;
    /// From the eight bytes of a double.
    fn double(bytes: [u8; 8]) -> f64;
    /// The name of a call, with what stands around it.
    fn envelope<'a>(reader: &mut Reader<'a, Self>) -> Result<&'a [u8], ThriftError>;
}

pub(super) struct Binary;
pub(super) struct Compact;

pub(super) struct Reader<'a, P> {
    bytes: &'a [u8],
    at: usize,
    values_left: usize,
    protocol: PhantomData<P>,
}

impl<'a, P: Protocol> Reader<'a, P> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, values_left: MAX_VALUES, protocol: PhantomData }
    }

    pub(super) fn call(mut self) -> Result<Call<'a>, ThriftError> {
        let name = P::envelope(&mut self)?;
        Ok(Call { name, arguments: self.whole(Kind::Struct)? })
    }

    /// A value that fills the rest.
    pub(super) fn whole(mut self, kind: Kind) -> Result<Thrift<'a>, ThriftError> {
        let value = self.value(kind, 0)?;
        if self.at == self.bytes.len() { Ok(value) } else { Err(self.fault("bytes are left over")) }
    }

    fn fault(&self, what: &'static str) -> ThriftError {
        ThriftError { at: self.at, what }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ThriftError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.fault("the message is cut off"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ThriftError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, ThriftError> {
        Ok(self.array::<1>()?[0])
    }

    fn value(&mut self, kind: Kind, depth: usize) -> Result<Thrift<'a>, ThriftError> {
        self.values_left = self.values_left.checked_sub(1).ok_or_else(|| self.fault("too many values"))?;
        if depth > MAX_DEPTH {
            return Err(self.fault("nested too deeply"));
        }
        Ok(match kind {
            Kind::Truth(value) => Thrift::Bool(value),
            Kind::Bool => Thrift::Bool(self.byte()? == 1),
            Kind::Byte => Thrift::Int((self.byte()? as i8).into()),
            Kind::Int16 => Thrift::Int(P::int(self, 2)?),
            Kind::Int32 => Thrift::Int(P::int(self, 4)?),
            Kind::Int64 => Thrift::Int(P::int(self, 8)?),
            Kind::Double => Thrift::Double(P::double(self.array()?)),
            Kind::Bytes => {
                let len = P::length(self)?;
                Thrift::Bytes(self.take(len)?)
            }
            Kind::Uuid => Thrift::Bytes(self.take(16)?),
            Kind::Struct => Thrift::Struct(self.fields(depth)?),
            Kind::List => {
                let (kind, count) = P::list(self)?;
                let mut values = Vec::with_capacity(self.possible(count)?);
                for _ in 0..count {
                    values.push(self.value(kind, depth + 1)?);
                }
                Thrift::List(values)
            }
            Kind::Map => {
                let (key, value, count) = P::map(self)?;
                self.possible(count)?;
                for _ in 0..count {
                    self.value(key, depth + 1)?;
                    self.value(value, depth + 1)?;
                }
                Thrift::Map
            }
        })
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(i16, Thrift<'a>)>, ThriftError> {
        let (mut fields, mut last) = (Vec::new(), 0);
        while let Some((kind, number)) = P::field(self, last)? {
            fields.push((number, self.value(kind, depth + 1)?));
            last = number;
        }
        Ok(fields)
    }

    /// A count of values, of which none takes less than a byte.
    fn possible(&self, count: usize) -> Result<usize, ThriftError> {
        if count > self.bytes.len() - self.at {
            Err(self.fault("more values than bytes"))
        } else {
            Ok(count.min(1_024))
        }
    }

    fn varint(&mut self) -> Result<u64, ThriftError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.fault("a number has too many bytes"))
    }

    fn zigzag(&mut self) -> Result<i64, ThriftError> {
        let number = self.varint()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

impl Binary {
    fn kind(reader: &mut Reader<'_, Self>) -> Result<Option<Kind>, ThriftError> {
        Ok(Some(match reader.byte()? {
            0 => return Ok(None),
            2 => Kind::Bool,
            3 => Kind::Byte,
            4 => Kind::Double,
            6 => Kind::Int16,
            8 => Kind::Int32,
            10 => Kind::Int64,
            11 => Kind::Bytes,
            12 => Kind::Struct,
            13 => Kind::Map,
            14 | 15 => Kind::List,
            16 => Kind::Uuid,
            _ => return Err(reader.fault("an unknown type")),
        }))
    }

    fn element(reader: &mut Reader<'_, Self>) -> Result<Kind, ThriftError> {
        Self::kind(reader)?.ok_or_else(|| reader.fault("a list of nothing"))
    }
}

impl Protocol for Binary {
    fn field(reader: &mut Reader<'_, Self>, _: i16) -> Result<Option<(Kind, i16)>, ThriftError> {
        let Some(kind) = Self::kind(reader)? else { return Ok(None) };
        Ok(Some((kind, i16::from_be_bytes(reader.array()?))))
    }

    fn list(reader: &mut Reader<'_, Self>) -> Result<(Kind, usize), ThriftError> {
        let kind = Self::kind(reader)?;
        match (kind, Self::length(reader)?) {
            (Some(kind), count) => Ok((kind, count)),
            // Some libraries write an empty list so.
            (None, 0) => Ok((Kind::Byte, 0)),
            (None, _) => Err(reader.fault("a list of nothing")),
        }
    }

    fn map(reader: &mut Reader<'_, Self>) -> Result<(Kind, Kind, usize), ThriftError> {
        Ok((Self::element(reader)?, Self::element(reader)?, Self::length(reader)?))
    }

    fn int(reader: &mut Reader<'_, Self>, bytes: usize) -> Result<i64, ThriftError> {
        let taken = reader.take(bytes)?;
        let sign = if taken.first().is_some_and(|byte| *byte >= 0x80) { -1 } else { 0 };
        Ok(taken.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte)))
    }

    fn length(reader: &mut Reader<'_, Self>) -> Result<usize, ThriftError> {
        let length = i32::from_be_bytes(reader.array()?);
        usize::try_from(length).map_err(|_| reader.fault("a negative length"))
    }

    fn double(bytes: [u8; 8]) -> f64 {
        f64::from_be_bytes(bytes)
    }

    fn envelope<'a>(reader: &mut Reader<'a, Self>) -> Result<&'a [u8], ThriftError> {
        if reader.bytes.first().is_some_and(|byte| *byte >= 0x80) {
            let [version_high, version_low, _, _] = reader.array()?;
            if (version_high, version_low) != (0x80, 0x01) {
                return Err(reader.fault("an unknown version of the binary protocol"));
            }
            let len = Self::length(reader)?;
            let name = reader.take(len)?;
            reader.take(4)?;
            return Ok(name);
        }
        // The form of old: name, type, sequence number.
        let len = Self::length(reader)?;
        let name = reader.take(len)?;
        reader.take(5)?;
        Ok(name)
    }
}

impl Compact {
    fn kind(reader: &Reader<'_, Self>, code: u8, in_field: bool) -> Result<Kind, ThriftError> {
        Ok(match code {
            1 if in_field => Kind::Truth(true),
            2 if in_field => Kind::Truth(false),
            1 | 2 => Kind::Bool,
            3 => Kind::Byte,
            4 => Kind::Int16,
            5 => Kind::Int32,
            6 => Kind::Int64,
            7 => Kind::Double,
            8 => Kind::Bytes,
            9 | 10 => Kind::List,
            11 => Kind::Map,
            12 => Kind::Struct,
            13 => Kind::Uuid,
            _ => return Err(reader.fault("an unknown type")),
        })
    }
}

impl Protocol for Compact {
    fn field(reader: &mut Reader<'_, Self>, last: i16) -> Result<Option<(Kind, i16)>, ThriftError> {
        let head = reader.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let kind = Self::kind(reader, head & 15, true)?;
        let number = match i16::from(head >> 4) {
            0 => i16::try_from(reader.zigzag()?).ok(),
            step => last.checked_add(step),
        };
        Ok(Some((kind, number.ok_or_else(|| reader.fault("a field has no number"))?)))
    }

    fn list(reader: &mut Reader<'_, Self>) -> Result<(Kind, usize), ThriftError> {
        let head = reader.byte()?;
        let count = match head >> 4 {
            15 => Self::length(reader)?,
            count => count.into(),
        };
        Ok((Self::kind(reader, head & 15, false)?, count))
    }

    fn map(reader: &mut Reader<'_, Self>) -> Result<(Kind, Kind, usize), ThriftError> {
        let count = Self::length(reader)?;
        if count == 0 {
            return Ok((Kind::Byte, Kind::Byte, 0));
        }
        let kinds = reader.byte()?;
        Ok((Self::kind(reader, kinds >> 4, false)?, Self::kind(reader, kinds & 15, false)?, count))
    }

    fn int(reader: &mut Reader<'_, Self>, _: usize) -> Result<i64, ThriftError> {
        reader.zigzag()
    }

    fn length(reader: &mut Reader<'_, Self>) -> Result<usize, ThriftError> {
        let length = reader.varint()?;
        usize::try_from(length).map_err(|_| reader.fault("a length out of range"))
    }

    fn double(bytes: [u8; 8]) -> f64 {
        f64::from_le_bytes(bytes)
    }

    fn envelope<'a>(reader: &mut Reader<'a, Self>) -> Result<&'a [u8], ThriftError> {
        let [_, kind_and_version] = reader.array()?;
        if kind_and_version & 31 != 1 {
            return Err(reader.fault("an unknown version of the compact protocol"));
        }
        reader.varint()?;
        let len = Self::length(reader)?;
        reader.take(len)
    }
}
