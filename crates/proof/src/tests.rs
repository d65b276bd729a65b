use logkeep_record::{BatchSeed, Group, Record, RecordHasher, Resource, Value, encode_group};
use logkeep_tlog::{Checkpoint, Entry, Hash, Signer, TileKind, TilePath, TileSource, TileUnavailable, Tree};
use logkeep_tlog::{batch_inclusion, batch_root, inclusion_proof};
use proptest::prelude::*;

use super::*;

/// The tiles of a tree that was never written.
struct InMemory(Vec<logkeep_tlog::TileWrite>);

impl TileSource for InMemory {
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable> {
        let of = |kind: TileKind, index: u64| (format!("{kind:?}"), index);
        let same =
            |tile: &&logkeep_tlog::TileWrite| of(tile.path.kind(), tile.path.index()) == of(path.kind(), path.index());
        Ok(self.0.iter().find(same).map(|tile| tile.bytes.clone()))
    }
}

fn signer(installation: &str) -> Signer {
    Signer::from_seed(&format!("logkeep-{installation}"), [9; 32]).unwrap()
}

fn a_record(index: u32) -> Record<'static> {
    let resource = vec![("service.name".into(), Value::str("web")), ("logkeep.source".into(), Value::str("10.0.0.7"))];
    let mut record = Record::new(
        1_700_000_000_000_000_000 + i64::from(index),
        Value::str("hi"),
        Resource::from_attributes(resource),
    );
    record.attributes.push(("n".into(), Value::Int(index.into())));
    record
}

/// The proof of record `index` of a batch of `records`, which is leaf `batch` of a tree of `size`.
fn parts(index: u32, records: u32, batch: u64, size: u64) -> Parts {
    let seed = BatchSeed::new([3; 32]);
    let mut hasher = RecordHasher::default();
    let hashes: Vec<_> = (0..records).map(|index| hasher.record_hash(&a_record(index), &seed, index)).collect();
    let (min, max) = (a_record(0).received_ns, a_record(records).received_ns);
    let entry = |batch: u64| Entry {
        tenant: "acme".into(),
        class: "default".into(),
        batch,
        records,
        min_time_ns: min,
        max_time_ns: max,
        min_received_ns: min,
        max_received_ns: max,
        root: batch_root(&hashes),
    };
    let mut tree = Tree::new();
    for batch in 0..size {
        tree.append(&entry(batch).encode().unwrap()).unwrap();
    }
    let tiles = InMemory(tree.tiles(0, size).unwrap());
    let origin = "logkeep/0011223344556677/acme/default";
    let signer = signer("0011223344556677");
    Parts {
        tenant: "acme".into(),
        id: format!("default.{batch}.{index}").parse().unwrap(),
        salts: seed.salts(index),
        groups: Group::ALL.map(|group| {
            let mut bytes = Vec::new();
            encode_group(&a_record(index), group, &mut bytes);
            bytes
        }),
        batch_path: batch_inclusion(&hashes, index as usize).unwrap(),
        entry: entry(batch).encode().unwrap(),
        log_path: inclusion_proof(&tiles, batch, size, tree.root()).unwrap(),
        checkpoint: Checkpoint::new(origin, size, tree.root(), vec![]).unwrap().sign(&signer).unwrap(),
        key: signer.public_key(),
    }
}

#[test]
fn a_proof_proves_its_record() {
    for (index, records, batch, size) in [(0, 1, 0, 1), (2, 3, 4, 5), (6, 1000, 299, 300), (999, 1000, 0, 300)] {
        let proven = verify(&prove(parts(index, records, batch, size)).unwrap(), None).unwrap();
        assert_eq!(proven.id.to_string(), format!("default.{batch}.{index}"));
        assert_eq!((proven.records, proven.size), (records, size));
        assert_eq!(proven.received_ns, a_record(index).received_ns);
        assert_eq!(proven.source.as_deref(), Some("10.0.0.7"));
        assert_eq!(proven.origin, "logkeep/0011223344556677/acme/default");
    }
}

/// Every bit of every byte, of a file with two paths.
#[test]
fn no_byte_can_be_altered() {
    let text = prove(parts(2, 5, 3, 7)).unwrap();
    assert!(verify(&text, None).is_ok());
    let mut bytes = text.clone().into_bytes();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            if let Ok(altered) = std::str::from_utf8(&bytes) {
                let answer = verify(altered, None);
                assert!(answer.is_err(), "bit {bit} of byte {at}: …{}…", &text[at.saturating_sub(20)..at]);
            }
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn a_fault_says_where() {
    let text = prove(parts(2, 5, 3, 7)).unwrap();
    let check = |from: &str, to: &str, place: &str| {
        assert!(text.contains(from), "{from} in {text}");
        assert_eq!(verify(&text.replacen(from, to, 1), None).unwrap_err().place, place, "{from} to {to}");
    };
    let hash_of = |name: &str| text.split_once(&format!("\"{name}\":\"")).unwrap().1[..44].to_owned();
    check("\"format\":\"logkeep", "\"format\":\"locksmith", "format");
    check("\"version\":1", "\"version\":2", "version");
    check("\"state\":\"sealed\"", "\"state\":\"pending\"", "state");
    check("\"id\":\"default.3.2\"", "\"id\":\"default.3.1\"", "batch.index");
    check("\"id\":\"default.3.2\"", "\"id\":\"default.03.2\"", "id");
    check("\"tenant\":\"acme\"", "\"tenant\":\"acne\"", "tenant");
    check("\"source\":\"10.0.0.7\"", "\"source\":null", "source");
    check("\"received_ns\":\"17", "\"received_ns\":\"18", "received_ns");
    check(&hash_of("hash"), &Hash([0; 32]).to_string(), "record.hash");
    check("\"records\":5", "\"records\":6", "batch.records");
    check("\"size\":7", "\"size\":8", "log.size");
    check("\\n7\\n", "\\n8\\n", "checkpoint");
    check("\"name\":\"body\"", "\"name\":\"bold\"", "record.groups[2].name");
    check("BQIAAABoaQA=", "BQIAAABoYQA=", "record.hash");
    check("BQIAAABoaQA=", "BQIAAABoaQE=", "record.groups[2].bytes");
    check(",\"key\":", ",\"further\":1,\"key\":", "file");
}

#[test]
fn the_key_is_the_one_that_is_trusted() {
    let text = prove(parts(0, 1, 0, 1)).unwrap();
    let own = signer("0011223344556677").public_key();
    assert_eq!(verify(&text, Some(&own)).unwrap().key, own.to_string());
    assert_eq!(verify(&text, Some(&signer("other").public_key())).unwrap_err().place, "key");
}

/// A well signed checkpoint of another log proves nothing here.
#[test]
fn a_checkpoint_is_of_the_tenant_class_and_installation() {
    let own = parts(0, 1, 0, 1);
    let root = Checkpoint::open(&own.checkpoint, std::slice::from_ref(&own.key)).unwrap().root();
    for origin in
        ["logkeep/0011223344556677/acme/audit", "logkeep/0011223344556677/other/default", "logkeep/00/acme/default"]
    {
        let note = Checkpoint::new(origin, 1, root, vec![]).unwrap().sign(&signer("0011223344556677")).unwrap();
        assert_eq!(prove(Parts { checkpoint: note, ..parts(0, 1, 0, 1) }).unwrap_err().place, "checkpoint");
    }
}

#[test]
fn what_is_damaged_gives_no_proof() {
    let check = |parts: Parts, place: &str| assert_eq!(prove(parts).unwrap_err().place, place);
    check(Parts { salts: [[0; 16]; 4], ..parts(2, 5, 3, 7) }, "batch.path");
    check(Parts { batch_path: vec![], ..parts(2, 5, 3, 7) }, "batch.path");
    check(Parts { log_path: vec![], ..parts(2, 5, 3, 7) }, "log.path");
    check(Parts { entry: parts(2, 5, 4, 7).entry, ..parts(2, 5, 3, 7) }, "id");
    check(Parts { entry: vec![1], ..parts(2, 5, 3, 7) }, "leaf.bytes");
    check(Parts { tenant: "other".into(), ..parts(2, 5, 3, 7) }, "tenant");
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        prop_assert!(verify(&text, None).is_err());
    }
}
