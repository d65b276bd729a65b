//! Requests of several batches: all of them or none, whatever happens, and known again as a whole.

use std::path::Path;
use std::time::Duration;

use logkeep_record::{Class, Record, Resource, TenantId, Value};

use crate::tests::{bodies, open, parts, verify_folder};
use crate::{Batch, BatchBuilder, Dedupe, Document, Ingest, IngestConfig, Part};

fn batch(ingest: &Ingest, text: &str) -> Batch {
    let mut batch = BatchBuilder::default();
    batch.push(&Record::new(ingest.clock().now_ns(), Value::str(text), Resource::from_attributes(vec![])));
    batch.finish().unwrap().unwrap()
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// A part for each place `tenant/class`.
fn request(ingest: &Ingest, text: &str, places: &[&str]) -> Vec<Part> {
    let part = |place: &&str| {
        let (name, class) = place.split_once('/').unwrap();
        Part { tenant: tenant(name), class: Class::new(class).unwrap(), batch: batch(ingest, text) }
    };
    places.iter().map(part).collect()
}

/// Whether it was stored, and not known.
async fn store(ingest: &Ingest, sent_to: &str, text: &str, places: &[&str], key: Option<&[u8]>) -> bool {
    let stored = ingest.commit_request(&tenant(sent_to), request(ingest, text, places), key, vec![]).await.unwrap();
    stored.inspect(|firsts| assert_eq!(firsts.len(), places.len())).is_some()
}

fn at(ingest: &Ingest, place: &str) -> Vec<String> {
    let (name, class) = place.split_once('/').unwrap();
    let snapshot = ingest.snapshot();
    let Some(view) = snapshot.class(&tenant(name), &Class::new(class).unwrap()) else { return vec![] };
    let text = |rows: &logkeep_segment::Rows, row| rows.record(row).unwrap().body.as_str().unwrap().to_owned();
    view.live.iter().flat_map(|rows| (0..rows.len()).map(|row| text(rows, row)).collect::<Vec<_>>()).collect()
}

const PLACES: [&str; 4] = ["default/default", "default/short", "shop/default", "default/default"];

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let wal = folder.join("data/wal");
    let mut files: Vec<_> = std::fs::read_dir(wal).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_the_log_ends_a_request_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    assert!(store(&ingest, "default", "first", &PLACES[..1], None).await);
    assert!(store(&ingest, "default", "second", &PLACES, Some(b"k")).await);
    let [file] = &files(folder.path())[..] else { panic!("one file") };
    let whole = std::fs::read(file).unwrap();
    let killed = tempfile::tempdir().unwrap();
    crate::tests::copy(folder.path(), killed.path());
    // Checkpoints of what is cut off would say so.
    let _ = std::fs::remove_dir_all(killed.path().join("data/tlog"));
    let mut seen = Vec::new();
    for cut in [whole.len(), whole.len() - 1].into_iter().chain((20..whole.len()).rev().step_by(97)) {
        let copy = tempfile::tempdir().unwrap();
        crate::tests::copy(killed.path(), copy.path());
        std::fs::write(&files(copy.path())[0], &whole[..cut]).unwrap();
        let ingest = open(copy.path(), usize::MAX).await;
        let counts = [at(&ingest, PLACES[0]).len(), at(&ingest, PLACES[1]).len(), at(&ingest, PLACES[2]).len()];
        assert!([[0, 0, 0], [1, 0, 0], [3, 1, 1]].contains(&counts), "cut at {cut}: {counts:?}");
        assert_eq!(ingest.knows(&TenantId::default(), b"k"), counts[0] == 3);
        assert_eq!(ingest.faults(), [], "cut at {cut}");
        ingest.close();
        seen.push(counts[0]);
    }
    seen.dedup();
    assert_eq!(seen[..3], [3, 1, 0], "each was seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_makes_room_for_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    assert!(store(&ingest, "default", "lost", &PLACES, Some(b"k")).await);
    let copy = tempfile::tempdir().unwrap();
    crate::tests::copy(folder.path(), copy.path());
    let _ = std::fs::remove_dir_all(copy.path().join("data/tlog"));
    let [file] = &files(copy.path())[..] else { panic!("one file") };
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() - 1]).unwrap();
    for round in 0..2 {
        let ingest = open(copy.path(), usize::MAX).await;
        assert_eq!(at(&ingest, PLACES[2]).len(), round, "nothing of it comes back");
        assert_eq!(store(&ingest, "default", "again", &PLACES, Some(b"k")).await, round == 0);
        // It would go on to bring what older files of the log hold to segments, while the next one reads them.
        if round == 1 {
            ingest.close();
        }
    }
    let ingest = open(copy.path(), usize::MAX).await;
    ingest.close();
    assert_eq!(bodies(&ingest), ["again", "again"]);
    assert_eq!(verify_folder(copy.path(), vec![]).await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_known_wherever_its_batches_went_and_to_its_tenant_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut ingest = open(folder.path(), usize::MAX).await;
    // Some of it stays, and nothing of it does.
    for (key, places) in [(b"a", &PLACES[1..]), (b"b", &PLACES[2..3])] {
        assert!(store(&ingest, "default", "once", places, Some(key)).await);
    }
    for restart in 0..3 {
        for (key, places) in [(b"a", &PLACES[..1]), (b"b", &PLACES[..2]), (b"b", &PLACES[2..3])] {
            assert!(!store(&ingest, "default", "twice", places, Some(key)).await, "restart {restart}");
        }
        for key in [b"a", b"b"] {
            assert!(ingest.knows(&TenantId::default(), key) && !ingest.knows(&tenant("shop"), key));
        }
        if restart == 1 {
            // From then on the catalog has the keys.
            ingest.close();
        }
        ingest = open(folder.path(), usize::MAX).await;
    }
    for key in [b"a", b"b"] {
        assert!(store(&ingest, "shop", "another's", &["shop/default"], Some(key)).await, "a key is its tenant's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_given_back_until_they_are_old_or_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let document = |name: u8| Document { name: [name; 16], content: [9; 16], version: 3 };
    let dedupe = Dedupe { documents: 3, ..Dedupe::default() };
    let open = async || {
        let mut config = IngestConfig::new(&folder.path().join("data"));
        (config.flush_interval, config.dedupe) = (Duration::from_secs(3_600), dedupe);
        Ingest::open(config, parts(folder.path()).await).await.unwrap()
    };
    let names = |ingest: &Ingest| -> Vec<u8> { ingest.take_documents().iter().map(|(_, one)| one.name[0]).collect() };
    let mut ingest = open().await;
    for (text, found) in [("one", vec![]), ("two", vec![1]), ("three", vec![1, 2]), ("four", vec![1, 2, 3])] {
        assert_eq!(names(&ingest), found, "before `{text}`");
        assert_eq!(names(&ingest), [0; 0], "they are given once");
        let own = document(found.len() as u8 + 1);
        let stored =
            ingest.commit_request(&TenantId::default(), request(&ingest, text, &PLACES[..3]), None, vec![own]).await;
        assert_eq!(stored.unwrap().unwrap().len(), 3);
        ingest.close();
        assert!(at(&ingest, PLACES[0]).is_empty(), "it is in a segment");
        ingest = open().await;
    }
    assert_eq!(names(&ingest), [2, 3, 4], "the oldest is forgotten");
}
