//! The file as it is written: JSON with hashes and bytes in base64.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use logkeep_record::{Group, RecordId, Salt};
use logkeep_tlog::{Hash, PublicKey};
use serde::{Deserialize, Serialize};

/// Bytes of a file at most. A record has 1 MiB, and base64 a third more.
pub const MOST_BYTES: usize = 32 << 20;
pub(crate) const FORMAT: &str = "logkeep-record-proof";
pub(crate) const VERSION: u32 = 1;
pub(crate) const SEALED: &str = "sealed";
/// In the order of [`Group::ALL`].
const NAMES: [&str; 4] = ["envelope", "resource", "body", "attributes"];

/// Where a proof does not hold, and why. Do not retry: the file was altered, or is of something else.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{place}`: {what}")]
pub struct ProofFault {
    /// The field of the file.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

pub(crate) fn fault(place: impl ToString, what: impl ToString) -> ProofFault {
    ProofFault { place: place.to_string(), what: what.to_string() }
}

/// What a proof is made of.
pub struct Parts {
    /// Whose record it is.
    pub tenant: String,
    /// The record.
    pub id: RecordId,
    /// Its salts, in the order of [`Group::ALL`].
    pub salts: [Salt; 4],
    /// Its canonical bytes, in the same order.
    pub groups: [Vec<u8>; 4],
    /// From its hash to the root of the batch.
    pub batch_path: Vec<Hash>,
    /// The bytes of the batch's entry.
    pub entry: Vec<u8>,
    /// From the entry to the root of the log.
    pub log_path: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
    /// The key that signed it.
    pub key: PublicKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) state: String,
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) source: Option<String>,
    pub(crate) received_ns: String,
    pub(crate) record: RecordPart,
    pub(crate) batch: BatchPart,
    pub(crate) leaf: LeafPart,
    pub(crate) log: LogPart,
    pub(crate) checkpoint: String,
    pub(crate) key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordPart {
    pub(crate) hash: String,
    pub(crate) groups: Vec<GroupPart>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupPart {
    pub(crate) name: String,
    pub(crate) salt: String,
    pub(crate) bytes: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchPart {
    pub(crate) number: u64,
    pub(crate) index: u32,
    pub(crate) records: u32,
    pub(crate) root: String,
    pub(crate) path: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeafPart {
    pub(crate) index: u64,
    pub(crate) bytes: String,
    pub(crate) hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogPart {
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) root: String,
    pub(crate) path: Vec<String>,
}

/// Enough of a file to say what it is.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<u32>,
    state: Option<String>,
}

impl File {
    /// The file with this text.
    pub(crate) fn parse(text: &str) -> Result<Self, ProofFault> {
        if text.len() > MOST_BYTES {
            return Err(fault("file", format!("it has {} bytes, more than the {MOST_BYTES} of any proof", text.len())));
        }
        let is_no_json = |error: serde_json::Error| fault("file", format!("it is no proof of a record: {error}"));
        let head: Head = serde_json::from_str(text).map_err(is_no_json)?;
        if head.format.as_deref() != Some(FORMAT) {
            return Err(fault("format", format!("`{FORMAT}` was expected; this is another file")));
        }
        if head.version != Some(VERSION) {
            return Err(fault("version", format!("this program knows version {VERSION}; use the one that knows it")));
        }
        if head.state.as_deref() != Some(SEALED) {
            let what = "the record was in no signed checkpoint yet when this was asked for; ask the server again";
            return Err(fault("state", what));
        }
        serde_json::from_str(text).map_err(is_no_json)
    }

    /// The salts and canonical bytes of its groups.
    pub(crate) fn groups(&self) -> Result<([Salt; 4], [Vec<u8>; 4]), ProofFault> {
        let (mut salts, mut groups) = ([Salt::default(); 4], <[Vec<u8>; 4]>::default());
        if self.record.groups.len() != NAMES.len() {
            return Err(fault("record.groups", "a record has four groups"));
        }
        for (at, part) in self.record.groups.iter().enumerate() {
            let place = |field: &str| format!("record.groups[{at}].{field}");
            if part.name != NAMES[at] {
                return Err(fault(place("name"), format!("it is `{}`, expected `{}`", part.name, NAMES[at])));
            }
            let salt = bytes(&place("salt"), &part.salt)?;
            salts[at] = salt.try_into().map_err(|_| fault(place("salt"), "a salt has 16 bytes"))?;
            groups[at] = bytes(&place("bytes"), &part.bytes)?;
        }
        Ok((salts, groups))
    }
}

pub(crate) fn group_parts(salts: &[Salt; 4], groups: &[Vec<u8>; 4]) -> Vec<GroupPart> {
    let part = |at: usize| GroupPart {
        name: NAMES[at].to_owned(),
        salt: BASE64_STANDARD.encode(salts[at]),
        bytes: BASE64_STANDARD.encode(&groups[at]),
    };
    (0..Group::ALL.len()).map(part).collect()
}

pub(crate) fn bytes(place: &str, text: &str) -> Result<Vec<u8>, ProofFault> {
    BASE64_STANDARD.decode(text).map_err(|error| fault(place, format!("it is no standard base64: {error}")))
}

pub(crate) fn encoded(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub(crate) fn hash(place: &str, text: &str) -> Result<Hash, ProofFault> {
    text.parse().map_err(|error| fault(place, error))
}

pub(crate) fn path(place: &str, texts: &[String]) -> Result<Vec<Hash>, ProofFault> {
    texts.iter().enumerate().map(|(at, text)| hash(&format!("{place}[{at}]"), text)).collect()
}

pub(crate) fn texts(path: &[Hash]) -> Vec<String> {
    path.iter().map(Hash::to_string).collect()
}
