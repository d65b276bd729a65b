//! Names and numbers that identify things. Each has private fields and one way in.

use std::fmt;
use std::str::FromStr;

use crate::limits;

/// Why a tenant or class name was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{what} `{name}` is not a name: 1 to {max} characters, a–z, 0–9, `-` or `_`, the first a letter or digit", max = limits::NAME_CHARS)]
pub struct NameError {
    what: &'static str,
    name: String,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(std::sync::Arc<str>);

        impl $type {
            /// # Errors
            /// The name has another form than 1 to 64 characters of a–z, 0–9, `-` and `_`, the first a letter or digit.
            pub fn new(name: &str) -> Result<Self, NameError> {
                let bytes = name.as_bytes();
                let fits = !bytes.is_empty()
                    && bytes.len() <= limits::NAME_CHARS
                    && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
                    && bytes[0].is_ascii_alphanumeric();
                if fits {
                    Ok(Self(name.into()))
                } else {
                    Err(NameError { what: $what, name: name.chars().take(limits::NAME_CHARS).collect() })
                }
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }
    };
}

name_type!(
    /// The owner of data and limits; the first part of every storage path.
    TenantId,
    "tenant"
);
name_type!(
    /// A class of data within a tenant: what the logging policy says of retention and confidentiality. A batch, a
    /// segment and a tree belong to one tenant and class.
    Class,
    "class"
);

impl Default for TenantId {
    fn default() -> Self {
        Self("default".into())
    }
}

impl Default for Class {
    fn default() -> Self {
        Self("default".into())
    }
}

impl Class {
    /// The class that holds who did what; undeletable within its retention.
    pub fn audit() -> Self {
        Self("audit".into())
    }

    /// The class that holds trace spans.
    pub fn spans() -> Self {
        Self("spans".into())
    }

    /// The class of what the ledger counts beside any batch. It holds no records.
    pub fn ledger() -> Self {
        Self("ledger".into())
    }

    /// Whether it holds records of logs, as all classes do but those of their own kind.
    pub fn holds_logs(&self) -> bool {
        !matches!(self.as_str(), "audit" | "spans" | "ledger")
    }
}

macro_rules! id_type {
    ($(#[$doc:meta])* $type:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type([u8; $bytes]);

        impl $type {
            /// `None` for all zeroes, which the W3C Trace Context calls invalid.
            pub fn new(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// From hexadecimal digits of exactly this length, or shorter ones padded with zeroes on the left, as
            /// 64-bit ids of older tracers are.
            pub fn from_hex(text: &str) -> Option<Self> {
                let digits = text.as_bytes();
                if digits.is_empty() || digits.len() > $bytes * 2 {
                    return None;
                }
                let mut bytes = [0u8; $bytes];
                for (place, digit) in digits.iter().rev().enumerate() {
                    let value = (*digit as char).to_digit(16)? as u8;
                    bytes[$bytes - 1 - place / 2] |= value << (4 * (place % 2));
                }
                Self::new(bytes)
            }

            /// The bytes, most significant first.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    };
}

id_type!(
    /// A W3C trace id, 16 bytes, never all zero.
    TraceId,
    16
);
id_type!(
    /// A W3C span id, 8 bytes, never all zero.
    SpanId,
    8
);

/// The place of a batch in its tenant and class's tree: the leaf index, counted from 0.
pub type BatchNumber = u64;

/// Where a record is for ever: the leaf index of its batch in the tree of its class, and its index in the batch.
/// Compaction moves records but keeps this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// The class whose tree the batch is in.
    pub class: Class,
    /// Leaf index of the batch.
    pub batch: BatchNumber,
    /// Index within the batch.
    pub index: u32,
}

/// A text that is no record id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a record id; one looks like `default.17.42` (class, batch, index)")]
pub struct RecordIdError(String);

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.batch, self.index)
    }
}

impl FromStr for RecordId {
    type Err = RecordIdError;

    fn from_str(text: &str) -> Result<Self, RecordIdError> {
        let refused = || RecordIdError(text.chars().take(100).collect());
        let mut parts = text.split('.');
        let (Some(class), Some(batch), Some(index), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        Ok(Self {
            class: Class::new(class).map_err(|_| refused())?,
            batch: batch.parse().map_err(|_| refused())?,
            index: index.parse().map_err(|_| refused())?,
        })
    }
}

/// A half-open range of time, `[start_ns, end_ns)`, nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    start_ns: i64,
    end_ns: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start_ns: i64::MIN, end_ns: i64::MAX };

    /// `None` if it would end before it starts.
    pub fn new(start_ns: i64, end_ns: i64) -> Option<Self> {
        (start_ns <= end_ns).then_some(Self { start_ns, end_ns })
    }

    /// The first nanosecond inside.
    pub fn start_ns(&self) -> i64 {
        self.start_ns
    }

    /// The first nanosecond after it.
    pub fn end_ns(&self) -> i64 {
        self.end_ns
    }

    /// The part of it from `start_ns` to before `end_ns`; `None` if nothing of it is there.
    pub fn narrowed(&self, start_ns: i64, end_ns: i64) -> Option<Self> {
        Self::new(self.start_ns.max(start_ns), self.end_ns.min(end_ns))
    }

    /// Whether it shares an instant with the closed range `[min_ns, max_ns]`, the bounds a file keeps.
    pub fn overlaps(&self, min_ns: i64, max_ns: i64) -> bool {
        min_ns < self.end_ns && max_ns >= self.start_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["default", "a", "0", "team-7_x"] {
            assert_eq!(TenantId::new(name).unwrap().as_str(), name);
        }
        for name in ["", "A", "-a", "..", "a/b", "a.b", "é", &"a".repeat(65)] {
            assert!(TenantId::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn hex_ids() {
        let padded = TraceId::from_hex("00f067aa0ba902b7").unwrap();
        assert_eq!(padded.to_string(), "000000000000000000f067aa0ba902b7");
        for text in ["", "0", "xyz", "00000000000000000000000000000000", &"1".repeat(33)] {
            assert_eq!(TraceId::from_hex(text), None, "{text}");
        }
        assert_eq!(SpanId::from_hex("F067AA0BA902B7").unwrap().to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn record_ids() {
        let id: RecordId = "default.17.42".parse().unwrap();
        assert_eq!((id.batch, id.index, id.to_string().as_str()), (17, 42, "default.17.42"));
        for text in ["", "a.b.c", "default.1", "default.1.2.3", "default.-1.2", "D.1.2"] {
            assert!(text.parse::<RecordId>().is_err(), "{text}");
        }
    }

    #[test]
    fn ranges() {
        let range = TimeRange::new(10, 20).unwrap();
        for (min, max, shares) in [(0, 9, false), (0, 10, true), (19, 30, true), (20, 30, false)] {
            assert_eq!(range.overlaps(min, max), shares, "{min}..={max}");
        }
        assert_eq!(TimeRange::new(2, 1), None);
    }
}
