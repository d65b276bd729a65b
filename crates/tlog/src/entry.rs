//! One entry of a tree: what is said for ever about a batch.
//!
//! An entry outlives the records, so it holds what a reader of the log must know without them: whose they were, how
//! many, between which times, and the root over their hashes. The times bound what a proof of absence must look at.

/// The version that [`Entry::encode`] writes.
pub const ENTRY_VERSION: u8 = 1;
/// Bytes of the longest entry; entry bundles hold any up to 65,535.
pub const MAX_ENTRY_BYTES: usize = 2 * (1 + NAME_BYTES) + FIXED_BYTES;
const NAME_BYTES: usize = 64;
/// Version, batch, record count, four times, root.
const FIXED_BYTES: usize = 1 + 8 + 4 + 4 * 8 + 32;

/// The leaf data of one batch in the tree of its tenant and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Name of the tenant.
    pub tenant: String,
    /// Name of the class.
    pub class: String,
    /// Number of the batch: the index of this entry in its tree.
    pub batch: u64,
    /// How many records it has.
    pub records: u32,
    /// Earliest record time, nanoseconds since the Unix epoch, UTC.
    pub min_time_ns: i64,
    /// Latest record time.
    pub max_time_ns: i64,
    /// Earliest time at which a record arrived.
    pub min_received_ns: i64,
    /// Latest time at which a record arrived.
    pub max_received_ns: i64,
    /// RFC 6962 root over the record hashes ([`crate::batch_root`]).
    pub root: crate::Hash,
}

/// Why an entry has no bytes, or bytes are no entry. Do not retry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EntryError {
    /// Not a name as tenants and classes have it.
    #[error("`{0}` is not a name: 1 to 64 characters, a–z, 0–9, `-` or `_`")]
    Name(String),
    /// A range of times that ends before it begins.
    #[error("{what} times end at {max} before they begin at {min}")]
    Times {
        /// `record` or `received`.
        what: &'static str,
        /// The lower bound.
        min: i64,
        /// The upper bound.
        max: i64,
    },
    /// Written by a newer program, or no entry.
    #[error("entry has version `{0}`, this program knows version 1; use the program that wrote it")]
    Version(u8),
    /// Bytes are missing or left over.
    #[error("entry of {0} bytes is cut or too long")]
    Length(usize),
}

impl Entry {
    /// The canonical bytes, one form for each entry (`docs/formats/transparency-log.md`).
    ///
    /// # Errors
    /// [`EntryError::Name`] or [`EntryError::Times`] if the fields say what no batch can be.
    pub fn encode(&self) -> Result<Vec<u8>, EntryError> {
        self.check()?;
        let mut bytes = Vec::with_capacity(MAX_ENTRY_BYTES);
        bytes.push(ENTRY_VERSION);
        for name in [&self.tenant, &self.class] {
            bytes.push(name.len() as u8);
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(&self.batch.to_be_bytes());
        bytes.extend_from_slice(&self.records.to_be_bytes());
        for time in [self.min_time_ns, self.max_time_ns, self.min_received_ns, self.max_received_ns] {
            bytes.extend_from_slice(&time.to_be_bytes());
        }
        bytes.extend_from_slice(&self.root.0);
        Ok(bytes)
    }

    /// The entry with these canonical bytes.
    ///
    /// # Errors
    /// [`EntryError`]; what decodes encodes to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        match bytes.first() {
            Some(&ENTRY_VERSION) | None => {}
            Some(&version) => return Err(EntryError::Version(version)),
        }
        let mut fields = Fields(bytes);
        let entry = fields.entry().filter(|_| fields.0.is_empty()).ok_or(EntryError::Length(bytes.len()))??;
        entry.check()?;
        Ok(entry)
    }

    fn check(&self) -> Result<(), EntryError> {
        for name in [&self.tenant, &self.class] {
            let fits = (1..=NAME_BYTES).contains(&name.len())
                && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
            if !fits {
                return Err(EntryError::Name(name.chars().take(NAME_BYTES).collect()));
            }
        }
        let times =
            [("record", self.min_time_ns, self.max_time_ns), ("received", self.min_received_ns, self.max_received_ns)];
        match times.into_iter().find(|(_, min, max)| min > max) {
            Some((what, min, max)) => Err(EntryError::Times { what, min, max }),
            None => Ok(()),
        }
    }
}

/// The bytes not read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// `None` if the bytes end early.
    fn entry(&mut self) -> Option<Result<Entry, EntryError>> {
        self.array::<1>()?;
        let (tenant, class) = (self.name()?, self.name()?);
        let batch = u64::from_be_bytes(self.array()?);
        let records = u32::from_be_bytes(self.array()?);
        let mut time = || Some(i64::from_be_bytes(self.array()?));
        let (min_time_ns, max_time_ns, min_received_ns, max_received_ns) = (time()?, time()?, time()?, time()?);
        let root = crate::Hash(self.array()?);
        let (tenant, class) = match (tenant, class) {
            (Ok(tenant), Ok(class)) => (tenant, class),
            (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
        };
        #[rustfmt::skip]
        let entry = Entry { tenant, class, batch, records, min_time_ns, max_time_ns, min_received_ns, max_received_ns, root };
        Some(Ok(entry))
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    fn name(&mut self) -> Option<Result<String, EntryError>> {
        let [length] = self.array()?;
        let (name, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        let named = std::str::from_utf8(name).map(str::to_owned);
        Some(named.map_err(|_| EntryError::Name(String::from_utf8_lossy(name).into_owned())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Hash;

    fn entry() -> Entry {
        Entry {
            tenant: "acme".into(),
            class: "web".into(),
            batch: 7,
            records: 3,
            min_time_ns: -5,
            max_time_ns: 9,
            min_received_ns: 20,
            max_received_ns: 21,
            root: Hash([0xab; 32]),
        }
    }

    #[test]
    fn bytes_are_those_of_the_document() {
        let hex: String = entry().encode().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = [
            "01",
            "0461636d65",
            "03776562",
            "0000000000000007",
            "00000003",
            "fffffffffffffffb",
            "0000000000000009",
            "0000000000000014",
            "0000000000000015",
            &"ab".repeat(32),
        ];
        assert_eq!(hex, expected.concat());
    }

    #[test]
    fn refused() {
        let check = |alter: &dyn Fn(&mut Entry), expected: EntryError| {
            let mut entry = entry();
            alter(&mut entry);
            assert_eq!(entry.encode(), Err(expected));
        };
        check(&|e| e.tenant = String::new(), EntryError::Name(String::new()));
        check(&|e| e.class = "A".into(), EntryError::Name("A".into()));
        check(&|e| e.tenant = "a".repeat(65), EntryError::Name("a".repeat(64)));
        check(&|e| e.max_time_ns = -6, EntryError::Times { what: "record", min: -5, max: -6 });
        check(&|e| e.max_received_ns = 0, EntryError::Times { what: "received", min: 20, max: 0 });

        let bytes = entry().encode().unwrap();
        for cut in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..cut]), Err(EntryError::Length(cut)));
        }
        assert_eq!(Entry::decode(&[bytes.as_slice(), b"x"].concat()), Err(EntryError::Length(bytes.len() + 1)));
        assert_eq!(Entry::decode(&[2]), Err(EntryError::Version(2)));
    }

    proptest! {
        #[test]
        fn round_trips(tenant in "[a-z0-9_-]{1,64}", class in "[a-z0-9_-]{1,64}", batch in any::<u64>(),
                       records in any::<u32>(), times in any::<[i64; 4]>(), root in any::<[u8; 32]>()) {
            let entry = Entry {
                tenant, class, batch, records, root: Hash(root),
                min_time_ns: times[0].min(times[1]), max_time_ns: times[0].max(times[1]),
                min_received_ns: times[2].min(times[3]), max_received_ns: times[2].max(times[3]),
            };
            let bytes = entry.encode().unwrap();
            prop_assert!(bytes.len() <= MAX_ENTRY_BYTES);
            prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
        }

        #[test]
        fn what_decodes_is_canonical(place in 0usize..90, value in any::<u8>()) {
            let mut bytes = entry().encode().unwrap();
            let place = place % bytes.len();
            bytes[place] = value;
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode(), Ok(bytes));
            }
        }
    }
}
