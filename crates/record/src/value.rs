//! Attribute values: OpenTelemetry's `AnyValue`, borrowed from the request where possible.

use std::borrow::Cow;

/// Key-value pairs in the order the sender gave them. Duplicate keys are kept: dropping one would lose what was said.
pub type Attributes<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// An OpenTelemetry `AnyValue`.
///
/// `PartialEq` is by bits for doubles (NaN equals itself, −0 differs from 0), because a value must come back exactly
/// as it was sealed.
#[derive(Clone, Debug, Default)]
pub enum Value<'a> {
    /// Absent or JSON `null`.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A 64-bit signed integer.
    Int(i64),
    /// An IEEE 754 double.
    Double(f64),
    /// Text.
    Str(Cow<'a, str>),
    /// Bytes that are not text.
    Bytes(Cow<'a, [u8]>),
    /// Values in order.
    Array(Vec<Value<'a>>),
    /// Key-value pairs in order, duplicates kept.
    Map(Attributes<'a>),
}

impl<'a> Value<'a> {
    /// Text borrowed from the request.
    pub fn str(text: &'a str) -> Self {
        Self::Str(Cow::Borrowed(text))
    }

    /// The text of a `Str`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// True for `Null`, and for nothing else.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let held = match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Double(_) => 0,
            Self::Str(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Array(values) => values.iter().map(Self::bytes).sum(),
            Self::Map(pairs) => attributes_bytes(pairs),
        };
        size_of::<Self>() + held
    }

    /// A copy that owns its text and bytes.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Double(value) => Value::Double(value),
            Self::Str(text) => Value::Str(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Array(values) => Value::Array(values.into_iter().map(Value::into_owned).collect()),
            Self::Map(pairs) => Value::Map(own_attributes(pairs)),
        }
    }
}

/// About how much memory attributes take.
pub(crate) fn attributes_bytes(pairs: &Attributes<'_>) -> usize {
    pairs.iter().map(|(key, value)| size_of::<Cow<'_, str>>() + key.len() + value.bytes()).sum()
}

/// Copies attributes so that they outlive the request.
pub(crate) fn own_attributes(pairs: Attributes<'_>) -> Attributes<'static> {
    pairs.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect()
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Double(a), Self::Double(b)) => a.to_bits() == b.to_bits(),
            (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value<'_> {}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::str(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Str(Cow::Owned(text))
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
