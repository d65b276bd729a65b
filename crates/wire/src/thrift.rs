//! Apache Thrift's binary and compact protocols, as far as reading goes.
//!
//! A message is read into a tree without knowing its definition, so that unknown fields cost nothing and one reader serves
//! every definition (<https://github.com/apache/thrift/tree/master/doc/specs>). No length or count is believed: what
//! it promises must fit into the bytes that are left, and depth and number of values are bounded.
//!
//! Not here: what the fields of a message mean (`jaeger`, `zipkin`).

mod reader;
#[cfg(test)]
mod tests;

use reader::{Binary, Compact, Reader};

/// Values of one message.
pub(crate) const MAX_VALUES: usize = 1 << 21;
/// Nesting of one message; those we know have six levels.
pub(crate) const MAX_DEPTH: usize = 24;

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not Thrift at byte {at}: {what}")]
pub(crate) struct ThriftError {
    /// Where reading stopped.
    pub(crate) at: usize,
    /// What was wrong there.
    pub(crate) what: &'static str,
}

/// A value. Integers of all widths are one kind, as are text and bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Thrift<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    /// A list or a set.
    List(Vec<Thrift<'a>>),
    /// The fields in order, by their number.
    Struct(Vec<(i16, Thrift<'a>)>),
    /// No message we know has one; its content is read and dropped.
    Map,
}

impl<'a> Thrift<'a> {
    /// The fields of a struct, none for anything else.
    pub(crate) fn fields(self) -> Vec<(i16, Thrift<'a>)> {
        if let Self::Struct(fields) = self { fields } else { Vec::new() }
    }

    /// The values of a list, none for anything else.
    pub(crate) fn list(self) -> Vec<Thrift<'a>> {
        if let Self::List(values) = self { values } else { Vec::new() }
    }

    pub(crate) fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    /// Bytes that are not UTF-8 are replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }
}

/// A call: the name of what is called, and its arguments as a struct.
#[derive(Debug, PartialEq)]
pub(crate) struct Call<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) arguments: Thrift<'a>,
}

/// Reads a call in either protocol, told apart by the first byte.
pub(crate) fn call(bytes: &[u8]) -> Result<Call<'_>, ThriftError> {
    if bytes.first() == Some(&0x82) {
        Reader::<Compact>::new(bytes).call()
    } else {
        Reader::<Binary>::new(bytes).call()
    }
}

/// Reads a struct in the binary protocol, without the envelope of a call.
pub(crate) fn binary_struct(bytes: &[u8]) -> Result<Thrift<'_>, ThriftError> {
    Reader::<Binary>::new(bytes).whole(reader::Kind::Struct)
}

/// Reads a list in the binary protocol.
pub(crate) fn binary_list(bytes: &[u8]) -> Result<Thrift<'_>, ThriftError> {
    Reader::<Binary>::new(bytes).whole(reader::Kind::List)
}
