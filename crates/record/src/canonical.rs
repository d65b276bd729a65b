//! The bytes a proof is about.
//!
//! A record has four field groups. Each group has one canonical encoding, each encoding is hashed with a salt of its
//! own, and the record hash is the hash of the four group hashes. So one group can be withheld or destroyed and the
//! others still proven, and a group hash says nothing about a value that could be guessed. The salts of a batch come
//! from one secret seed and are never stored. The format is published in `docs/formats/canonical-record.md`; a change
//! here is a change of format.

mod groups;

use std::borrow::Cow;
use std::sync::Arc;

pub use groups::{GroupError, decode_record};
use sha2::{Digest, Sha256};

use crate::value::own_attributes;
use crate::{Attributes, Record, Resource, Scope, Value, limits};

const TAG_NULL: u8 = 0;
const TAG_FALSE: u8 = 1;
const TAG_TRUE: u8 = 2;
const TAG_INT: u8 = 3;
const TAG_DOUBLE: u8 = 4;
const TAG_STR: u8 = 5;
const TAG_BYTES: u8 = 6;
const TAG_ARRAY: u8 = 7;
const TAG_MAP: u8 = 8;

/// The field groups of a record, each provable without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Group {
    /// Times, severity, trace context, event name.
    Envelope = 1,
    /// Resource and scope.
    Resource = 2,
    /// Body and original.
    Body = 3,
    /// Attributes.
    Attributes = 4,
}

impl Group {
    /// In the order in which their hashes form the record hash.
    pub const ALL: [Self; 4] = [Self::Envelope, Self::Resource, Self::Body, Self::Attributes];
}

/// Sixteen secret bytes that go in front of a group's canonical bytes.
pub type Salt = [u8; 16];

/// The secret from which a batch's salts derive.
#[derive(Clone)]
pub struct BatchSeed([u8; 32]);

impl BatchSeed {
    /// From 32 bytes of a cryptographic random source.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// For keeping it, encrypted, beside the batch.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The salts of record `index` of the batch, one a group: the halves of SHA-256(seed ‖ index as u32 LE ‖ 0) and
    /// SHA-256(seed ‖ index as u32 LE ‖ 1).
    pub fn salts(&self, index: u32) -> [Salt; 4] {
        let mut salts = [[0; 16]; 4];
        for half in 0..2u8 {
            let mut block = [0; 37];
            block[..32].copy_from_slice(&self.0);
            block[32..36].copy_from_slice(&index.to_le_bytes());
            block[36] = half;
            let digest = Sha256::digest(block);
            let at = usize::from(half) * 2;
            salts[at].copy_from_slice(&digest[..16]);
            salts[at + 1].copy_from_slice(&digest[16..]);
        }
        salts
    }
}

impl std::fmt::Debug for BatchSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BatchSeed(secret)")
    }
}

/// The four group hashes of a record, in the order of [`Group::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupHashes(pub [[u8; 32]; 4]);

impl GroupHashes {
    /// SHA-256(0x52 ‖ the four hashes).
    pub fn record_hash(&self) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix([0x52]);
        for hash in &self.0 {
            digest.update(hash);
        }
        digest.finalize().into()
    }
}

/// Hashes records with one scratch buffer for all of them.
#[derive(Default)]
pub struct RecordHasher {
    scratch: Vec<u8>,
}

impl RecordHasher {
    /// The hash of `record` as number `index` of the batch that `seed` salts.
    pub fn record_hash(&mut self, record: &Record<'_>, seed: &BatchSeed, index: u32) -> [u8; 32] {
        self.group_hashes(record, &seed.salts(index)).record_hash()
    }

    /// The four group hashes under these salts: SHA-256(group number ‖ salt ‖ canonical bytes), where the resource
    /// group's canonical bytes are replaced by their SHA-256, so that records of one source share that work.
    pub fn group_hashes(&mut self, record: &Record<'_>, salts: &[Salt; 4]) -> GroupHashes {
        let mut hashes = [[0; 32]; 4];
        for ((group, salt), hash) in Group::ALL.into_iter().zip(salts).zip(&mut hashes) {
            self.scratch.clear();
            self.scratch.push(group as u8);
            self.scratch.extend_from_slice(salt);
            match group {
                Group::Resource => self.scratch.extend_from_slice(record.resource.digest()),
                _ => encode_group(record, group, &mut self.scratch),
            }
            *hash = Sha256::digest(&self.scratch).into();
        }
        GroupHashes(hashes)
    }
}

/// Appends the canonical bytes of one group.
pub fn encode_group(record: &Record<'_>, group: Group, out: &mut Vec<u8>) {
    match group {
        Group::Envelope => encode_envelope(record, out),
        Group::Resource => out.extend_from_slice(record.resource.canonical()),
        Group::Body => {
            encode_value(&record.body, out);
            match &record.original {
                Some(original) => encode_tagged(TAG_STR, original.as_bytes(), out),
                None => out.push(TAG_NULL),
            }
        }
        Group::Attributes => encode_attributes(&record.attributes, out),
    }
}

fn encode_envelope(record: &Record<'_>, out: &mut Vec<u8>) {
    let mut time = |time_ns: Option<i64>| {
        out.push(u8::from(time_ns.is_some()));
        out.extend_from_slice(&time_ns.unwrap_or(0).to_le_bytes());
    };
    time(Some(record.received_ns));
    time(record.time_ns);
    time(record.observed_ns);
    out.push(record.severity.number());
    encode_text(&record.severity_text, out);
    out.extend_from_slice(&record.flags.to_le_bytes());
    out.extend_from_slice(&record.trace_id.map_or([0; 16], |id| *id.as_bytes()));
    out.extend_from_slice(&record.span_id.map_or([0; 8], |id| *id.as_bytes()));
    encode_text(&record.event_name, out);
    out.extend_from_slice(&record.dropped_attributes.to_le_bytes());
}

/// Appends the canonical bytes of a resource and its scope.
pub(crate) fn encode_resource(resource: &Resource, out: &mut Vec<u8>) {
    encode_attributes(resource.attributes(), out);
    out.extend_from_slice(&resource.dropped_attributes().to_le_bytes());
    encode_text(resource.schema_url(), out);
    let scope = resource.scope();
    encode_text(&scope.name, out);
    encode_text(&scope.version, out);
    encode_attributes(&scope.attributes, out);
    out.extend_from_slice(&scope.dropped_attributes.to_le_bytes());
    encode_text(&scope.schema_url, out);
}

/// Appends a map: number of pairs as u32 LE, then each key as text and its value, in the order given.
pub fn encode_attributes(attributes: &Attributes<'_>, out: &mut Vec<u8>) {
    encode_len(attributes.len(), out);
    for (key, value) in attributes {
        encode_text(key, out);
        encode_value(value, out);
    }
}

/// Appends a value: one tag byte, then its content. Numbers are little-endian, doubles are their IEEE 754 bits.
pub fn encode_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(TAG_NULL),
        Value::Bool(false) => out.push(TAG_FALSE),
        Value::Bool(true) => out.push(TAG_TRUE),
        Value::Int(value) => {
            out.push(TAG_INT);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Double(value) => {
            out.push(TAG_DOUBLE);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Str(text) => encode_tagged(TAG_STR, text.as_bytes(), out),
        Value::Bytes(bytes) => encode_tagged(TAG_BYTES, bytes, out),
        Value::Array(values) => {
            out.push(TAG_ARRAY);
            encode_len(values.len(), out);
            values.iter().for_each(|value| encode_value(value, out));
        }
        Value::Map(pairs) => {
            out.push(TAG_MAP);
            encode_attributes(pairs, out);
        }
    }
}

fn encode_tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    encode_len(bytes.len(), out);
    out.extend_from_slice(bytes);
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    encode_len(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// Lengths fit: nothing longer than a request (`limits::REQUEST_DECOMPRESSED_BYTES`) gets this far.
fn encode_len(len: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(len as u32).to_le_bytes());
}

/// Bytes that are no canonical encoding.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a canonical value: {what} at byte {at}")]
pub struct DecodeError {
    what: &'static str,
    at: usize,
}

/// Reads one value that fills `bytes` completely; text and bytes are borrowed.
///
/// # Errors
/// [`DecodeError`] for an unknown tag, a length past the end, text that is not UTF-8, nesting over
/// `limits::VALUE_DEPTH` and one, or bytes left over. Do not retry.
pub fn decode_value(bytes: &[u8]) -> Result<Value<'_>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    if reader.at == bytes.len() { Ok(value) } else { Err(reader.fault("bytes left over")) }
}

/// Reads one value from the front of `bytes` and gives it with what follows.
///
/// # Errors
/// As [`decode_value`], but for bytes left over.
pub fn decode_value_prefix(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.value(0)?;
    Ok((value, &bytes[reader.at..]))
}

/// Reads a resource and its scope back from their canonical bytes.
///
/// # Errors
/// As [`decode_value`].
pub fn decode_resource(bytes: &[u8]) -> Result<Arc<Resource>, DecodeError> {
    let mut reader = Reader { bytes, at: 0 };
    let attributes = reader.pairs(0)?;
    let dropped = u32::from_le_bytes(reader.array()?);
    let schema_url = reader.text()?.to_owned();
    let scope = Scope {
        name: reader.text()?.to_owned(),
        version: reader.text()?.to_owned(),
        attributes: own_attributes(reader.pairs(0)?),
        dropped_attributes: u32::from_le_bytes(reader.array()?),
        schema_url: reader.text()?.to_owned(),
    };
    if reader.at != bytes.len() {
        return Err(reader.fault("bytes left over"));
    }
    Ok(Resource::new(own_attributes(attributes), dropped, schema_url, scope))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &'static str) -> DecodeError {
        DecodeError { what, at: self.at }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.fault("cut short"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn len(&mut self) -> Result<usize, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = self.len()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| self.fault("text is not UTF-8"))
    }

    /// Every element takes at least one byte, so a length beyond what is left is refused before anything is reserved.
    fn count(&mut self) -> Result<usize, DecodeError> {
        let count = self.len()?;
        if count > self.bytes.len() - self.at { Err(self.fault("count past the end")) } else { Ok(count) }
    }

    fn pairs(&mut self, depth: usize) -> Result<Attributes<'a>, DecodeError> {
        let count = self.count()?;
        (0..count).map(|_| Ok((Cow::Borrowed(self.text()?), self.value(depth + 1)?))).collect()
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, DecodeError> {
        // One above the limit for values: an attribute at the limit may itself sit inside a map.
        if depth > limits::VALUE_DEPTH + 1 {
            return Err(self.fault("nested too deeply"));
        }
        Ok(match self.array::<1>()?[0] {
            TAG_NULL => Value::Null,
            TAG_FALSE => Value::Bool(false),
            TAG_TRUE => Value::Bool(true),
            TAG_INT => Value::Int(i64::from_le_bytes(self.array()?)),
            TAG_DOUBLE => Value::Double(f64::from_bits(u64::from_le_bytes(self.array()?))),
            TAG_STR => Value::Str(Cow::Borrowed(self.text()?)),
            TAG_BYTES => {
                let len = self.len()?;
                Value::Bytes(Cow::Borrowed(self.take(len)?))
            }
            TAG_ARRAY => {
                let count = self.count()?;
                Value::Array((0..count).map(|_| self.value(depth + 1)).collect::<Result<_, _>>()?)
            }
            TAG_MAP => Value::Map(self.pairs(depth)?),
            _ => return Err(self.fault("unknown tag")),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_value() -> impl Strategy<Value = Value<'static>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(|bits| Value::Double(f64::from_bits(bits))),
            ".*".prop_map(Value::from),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(Cow::Owned(bytes))),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((".{0,8}".prop_map(Cow::Owned), inner), 0..5).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_come_back_exactly(value in any_value()) {
            let mut bytes = Vec::new();
            encode_value(&value, &mut bytes);
            prop_assert_eq!(decode_value(&bytes).unwrap(), value);
            for cut in 0..bytes.len() {
                prop_assert!(decode_value(&bytes[..cut]).is_err());
            }
        }

        #[test]
        fn resources_come_back_exactly(value in any_value(), text in ".*", dropped in any::<u32>()) {
            let scope = Scope { name: text.clone(), attributes: vec![("k".into(), value.clone())], ..Scope::default() };
            let resource = Resource::new(vec![("a".into(), value)], dropped, text, scope);
            prop_assert_eq!(decode_resource(resource.canonical()).unwrap(), resource);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_value(&bytes);
            let _ = decode_resource(&bytes);
        }
    }

    #[test]
    fn deep_nesting_is_refused() {
        let bytes: Vec<u8> = [TAG_ARRAY, 1, 0, 0, 0].repeat(100_000);
        assert_eq!(decode_value(&bytes).unwrap_err().what, "nested too deeply");
    }

    #[test]
    fn each_group_and_each_salt_matters() {
        let record = Record::new(1, Value::str("hello"), Resource::from_attributes(vec![]));
        let mut hasher = RecordHasher::default();
        let seed = BatchSeed::new([7; 32]);
        let base = hasher.group_hashes(&record, &seed.salts(0));
        type Change = fn(&mut Record<'static>);
        let changes: [(usize, Change); 5] = [
            (0, |r| r.received_ns = 2),
            (0, |r| r.time_ns = Some(0)),
            (1, |r| r.resource = Resource::from_attributes(vec![("a".into(), Value::Int(1))])),
            (2, |r| r.original = Some("".into())),
            (3, |r| r.attributes.push(("a".into(), Value::Double(-0.0)))),
        ];
        for (group, change) in changes {
            let mut changed = record.clone();
            change(&mut changed);
            let hashes = hasher.group_hashes(&changed, &seed.salts(0));
            for other in 0..4 {
                assert_eq!(hashes.0[other] == base.0[other], other != group, "group {group}, hash {other}");
            }
        }
        assert_ne!(hasher.record_hash(&record, &seed, 0), hasher.record_hash(&record, &seed, 1));
        assert!(!format!("{seed:?}").contains('7'));
    }

    /// Bytes and hashes of one record, fixed: a second verifier checks itself against these.
    #[test]
    fn known_answer() {
        let mut record = Record::new(
            1_700_000_000_000_000_000,
            Value::str("hi"),
            Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]),
        );
        record.attributes.push(("n".into(), Value::Int(-1)));
        let mut bytes = Vec::new();
        encode_group(&record, Group::Body, &mut bytes);
        assert_eq!(bytes, [5, 2, 0, 0, 0, b'h', b'i', 0]);
        let seed = BatchSeed::new([0; 32]);
        let hash = RecordHasher::default().record_hash(&record, &seed, 0);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "7e2be6a612d88a0b06953bc12c7b470292d918edecd0aa64eb73846dfb3b4acb");
    }
}
