//! From the record upwards: each step is named where it fails.

use logkeep_record::{Record, RecordHasher, RecordId, Value, decode_record};
use logkeep_tlog::{Checkpoint, Entry, Hash, PublicKey, leaf_hash, verify_inclusion};

use crate::file::{
    BatchPart, FORMAT, File, LeafPart, LogPart, Parts, ProofFault, RecordPart, SEALED, VERSION, bytes, encoded, fault,
    group_parts, hash, path, texts,
};

/// Attribute of a resource: from where a record came.
const SOURCE: &str = "logkeep.source";

/// What a proof proves, if the key is the one of the server that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Whose record it is.
    pub tenant: String,
    /// The record.
    pub id: RecordId,
    /// Its hash.
    pub record_hash: Hash,
    /// When it arrived, nanoseconds since the Unix epoch, UTC.
    pub received_ns: i64,
    /// From where, if that is known.
    pub source: Option<String>,
    /// Records of its batch.
    pub records: u32,
    /// Hash of the leaf in the log's tree, whose index is the batch's number.
    pub leaf_hash: Hash,
    /// Name of the log.
    pub origin: String,
    /// Entries of the tree that was signed.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The key that signed it, one line.
    pub key: String,
}

/// Makes the file of a proof.
///
/// # Errors
/// [`ProofFault`] if the parts do not prove the record. Do not retry: what they were read from is damaged.
pub fn prove(parts: Parts) -> Result<String, ProofFault> {
    let record = record(&parts.groups)?;
    let entry = entry(&parts.entry)?;
    let checkpoint = opened(&parts.checkpoint, &parts.key)?;
    let file = File {
        format: FORMAT.to_owned(),
        version: VERSION,
        state: SEALED.to_owned(),
        id: parts.id.to_string(),
        tenant: parts.tenant,
        source: source(&record).map(str::to_owned),
        received_ns: record.received_ns.to_string(),
        record: RecordPart {
            hash: record_hash(&record, &parts.salts).to_string(),
            groups: group_parts(&parts.salts, &parts.groups),
        },
        batch: BatchPart {
            number: parts.id.batch,
            index: parts.id.index,
            records: entry.records,
            root: entry.root.to_string(),
            path: texts(&parts.batch_path),
        },
        leaf: LeafPart { index: entry.batch, bytes: encoded(&parts.entry), hash: leaf_hash(&parts.entry).to_string() },
        log: LogPart {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: checkpoint.root().to_string(),
            path: texts(&parts.log_path),
        },
        checkpoint: parts.checkpoint,
        key: parts.key.to_string(),
    };
    check(&file, None)?;
    serde_json::to_string(&file).map_err(|error| fault("file", error))
}

/// Checks the text of a file. With a `trusted` key it must be that one by which the proof is signed; without, the proof is
/// worth as much as the reader's knowledge of the key it names.
///
/// # Errors
/// [`ProofFault`] names the field that is wrong. Do not retry.
pub fn verify(text: &str, trusted: Option<&PublicKey>) -> Result<Proven, ProofFault> {
    check(&File::parse(text)?, trusted)
}

fn check(file: &File, trusted: Option<&PublicKey>) -> Result<Proven, ProofFault> {
    let id: RecordId = file.id.parse().map_err(|error| fault("id", error))?;
    let (record_hash, received_ns) = check_record(file)?;
    let entry_bytes = bytes("leaf.bytes", &file.leaf.bytes)?;
    let entry = entry(&entry_bytes)?;
    check_place(file, &id, &entry, received_ns)?;
    check_batch(file, &entry, record_hash)?;
    let leaf = same_hash("leaf.hash", &file.leaf.hash, leaf_hash(&entry_bytes))?;
    let (key, checkpoint) = check_checkpoint(file, &entry, trusted)?;
    let log_path = path("log.path", &file.log.path)?;
    verify_inclusion(leaf, entry.batch, checkpoint.size(), &log_path, checkpoint.root())
        .map_err(|error| fault("log.path", error))?;
    Ok(Proven {
        tenant: entry.tenant,
        id,
        record_hash,
        received_ns,
        source: file.source.clone(),
        records: entry.records,
        leaf_hash: leaf,
        origin: checkpoint.origin().to_owned(),
        size: checkpoint.size(),
        root: checkpoint.root(),
        key: key.to_string(),
    })
}

/// The record's bytes: its hash, and when it arrived.
fn check_record(file: &File) -> Result<(Hash, i64), ProofFault> {
    let (salts, groups) = file.groups()?;
    let record = record(&groups)?;
    let hash = same_hash("record.hash", &file.record.hash, record_hash(&record, &salts))?;
    same("received_ns", &file.received_ns, &record.received_ns.to_string())?;
    if file.source.as_deref() != source(&record) {
        return Err(fault("source", "the record says another"));
    }
    Ok((hash, record.received_ns))
}

/// Whether everything that names the place of the record names the same one.
fn check_place(file: &File, id: &RecordId, entry: &Entry, received_ns: i64) -> Result<(), ProofFault> {
    same("id", &file.id, &id.to_string())?;
    same("tenant", &file.tenant, &entry.tenant)?;
    same("id", &id.class.to_string(), &entry.class)?;
    same("id", &id.batch, &entry.batch)?;
    same("batch.number", &file.batch.number, &entry.batch)?;
    same("batch.index", &file.batch.index, &id.index)?;
    same("batch.records", &file.batch.records, &entry.records)?;
    same("leaf.index", &file.leaf.index, &entry.batch)?;
    if !(entry.min_received_ns..=entry.max_received_ns).contains(&received_ns) {
        return Err(fault("leaf.bytes", "the record arrived at another time than the entry says of its batch"));
    }
    Ok(())
}

fn check_batch(file: &File, entry: &Entry, record_hash: Hash) -> Result<(), ProofFault> {
    let root = same_hash("batch.root", &file.batch.root, entry.root)?;
    let batch_path = path("batch.path", &file.batch.path)?;
    let (index, records) = (file.batch.index.into(), entry.records.into());
    verify_inclusion(leaf_hash(&record_hash.0), index, records, &batch_path, root)
        .map_err(|error| fault("batch.path", error))
}

fn check_checkpoint(
    file: &File,
    entry: &Entry,
    trusted: Option<&PublicKey>,
) -> Result<(PublicKey, Checkpoint), ProofFault> {
    let key: PublicKey = file.key.parse().map_err(|error| fault("key", error))?;
    same("key", &file.key, &key.to_string())?;
    if let Some(trusted) = trusted.filter(|trusted| **trusted != key) {
        return Err(fault("key", format!("the proof is signed by `{key}`, and not by the trusted `{trusted}`")));
    }
    let checkpoint = opened(&file.checkpoint, &key)?;
    let installation = key.name().strip_prefix("logkeep-").unwrap_or_default();
    let expected = format!("logkeep/{installation}/{}/{}", entry.tenant, entry.class);
    same("checkpoint", &checkpoint.origin(), &expected.as_str())?;
    same("log.origin", &file.log.origin.as_str(), &checkpoint.origin())?;
    same("log.size", &file.log.size, &checkpoint.size())?;
    same_hash("log.root", &file.log.root, checkpoint.root())?;
    Ok((key, checkpoint))
}

fn record(groups: &[Vec<u8>; 4]) -> Result<Record<'_>, ProofFault> {
    decode_record([&groups[0], &groups[1], &groups[2], &groups[3]])
        .map_err(|error| fault(format!("record.groups[{}].bytes", error.group as u8 - 1), error.cause))
}

fn record_hash(record: &Record<'_>, salts: &[logkeep_record::Salt; 4]) -> Hash {
    Hash(RecordHasher::default().group_hashes(record, salts).record_hash())
}

fn source<'r>(record: &'r Record<'_>) -> Option<&'r str> {
    record.resource.attribute(SOURCE).and_then(Value::as_str)
}

fn entry(bytes: &[u8]) -> Result<Entry, ProofFault> {
    Entry::decode(bytes).map_err(|error| fault("leaf.bytes", error))
}

fn opened(note: &str, key: &PublicKey) -> Result<Checkpoint, ProofFault> {
    Checkpoint::open(note, std::slice::from_ref(key)).map_err(|error| fault("checkpoint", error))
}

fn same<T: PartialEq + std::fmt::Display>(place: &str, said: &T, computed: &T) -> Result<(), ProofFault> {
    match said == computed {
        true => Ok(()),
        false => Err(fault(place, format!("it is `{said}`, and the rest says `{computed}`"))),
    }
}

fn same_hash(place: &str, said: &str, computed: Hash) -> Result<Hash, ProofFault> {
    same(place, &hash(place, said)?, &computed).map(|()| computed)
}
