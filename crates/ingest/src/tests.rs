//! The engine over a real folder: stored, flushed, merged, stopped, reopened, damaged.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_record::{Class, Record, Resource, TenantId, Value};
use logkeep_store::{Clock, KeyProvider, LocalKeyFile, ManualClock, SealedObjects, SystemClock, SystemRandom};

use crate::{BatchBuilder, Ingest, IngestConfig, Parts, Report, Verification, verify};

pub(crate) async fn parts(folder: &Path) -> Parts {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let keys = LocalKeyFile::open_or_create(&folder.join("key"), &data, data.join("catalog.sqlite").exists()).unwrap();
    let catalog = SqliteCatalog::open(&data.join("catalog.sqlite"), &DataKey::from_bytes([3; 32])).await.unwrap();
    let keys: Arc<dyn KeyProvider> = Arc::new(keys);
    Parts {
        catalog: Arc::new(catalog),
        objects: SealedObjects::local(&data.join("objects")).unwrap(),
        keys,
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
    }
}

pub(crate) async fn open(folder: &Path, flush_bytes: usize) -> Ingest {
    let mut config = IngestConfig::new(&folder.join("data"));
    config.flush_bytes = flush_bytes;
    config.flush_interval = Duration::from_secs(3600);
    Ingest::open(config, parts(folder).await).await.unwrap()
}

pub(crate) async fn store(ingest: &Ingest, texts: &[String], key: Option<&[u8]>) -> usize {
    let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
    let mut batch = BatchBuilder::default();
    for text in texts {
        batch.push(&Record::new(ingest.clock().now_ns(), Value::str(text), resource.clone()));
    }
    let batch = batch.finish().unwrap().unwrap();
    ingest.commit(&TenantId::default(), &Class::default(), batch, key).await.unwrap().records
}

/// All bodies, sorted.
pub(crate) fn bodies(ingest: &Ingest) -> Vec<String> {
    let snapshot = ingest.snapshot();
    let Some(view) = snapshot.class(&TenantId::default(), &Class::default()) else { return Vec::new() };
    let mut found = Vec::new();
    let segments = view.segments.iter().map(|segment| Arc::new(segment.segment().unwrap().rows_where(None).unwrap()));
    for rows in view.live.iter().cloned().chain(segments) {
        found.extend((0..rows.len()).map(|row| rows.record(row).unwrap().body.as_str().unwrap().to_owned()));
    }
    found.sort();
    found
}

pub(crate) async fn verify_folder(folder: &Path, since: Vec<String>) -> Report {
    let parts = parts(folder).await;
    let data_dir = folder.join("data");
    verify(&Verification { data_dir, catalog: parts.catalog, objects: parts.objects, keys: parts.keys, since }).await
}

pub(crate) fn texts(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("line {n:06}")).collect()
}

pub(crate) fn segments(ingest: &Ingest) -> usize {
    ingest.snapshot().class(&TenantId::default(), &Class::default()).map_or(0, |view| view.segments.len())
}

pub(crate) async fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(std::time::Instant::now() < deadline, "{what} did not happen within a minute");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acked_is_searchable_and_survives_stops() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    for start in (0..100).step_by(10) {
        store(&ingest, &texts(start..start + 10), None).await;
        assert_eq!(bodies(&ingest), texts(0..start + 10), "searchable when acked");
    }
    assert_eq!(verify_folder(folder.path(), vec![]).await.findings, [], "whole before anything is in a segment");
    // No close: as after a kill. The log alone has everything.
    let again = open(folder.path(), usize::MAX).await;
    assert_eq!(bodies(&again), texts(0..100));
    store(&again, &texts(100..110), None).await;
    again.close();
    assert_eq!(segments(&again), 1);
    let third = open(folder.path(), usize::MAX).await;
    assert_eq!(bodies(&third), texts(0..110));
    third.close();
    let report = verify_folder(folder.path(), vec![]).await;
    assert_eq!(report.findings, []);
    assert_eq!((report.classes[0].batches, report.classes[0].records), (11, 110));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_burst_leaves_behind_goes_to_a_segment_before_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(1_700_000_000_000_000_000));
    let mut config = IngestConfig::new(&folder.path().join("data"));
    config.flush_bytes = 1 << 20;
    config.flush_interval = Duration::from_secs(600);
    let parts = Parts { clock: clock.clone(), ..parts(folder.path()).await };
    let ingest = Ingest::open(config, parts).await.unwrap();
    store(&ingest, &texts(0..4_000), None).await;
    let (tenant, few) = (TenantId::default(), Class::new("few").unwrap());
    let mut batch = BatchBuilder::default();
    batch.push(&Record::new(clock.now_ns(), Value::str("one"), Resource::from_attributes(vec![])));
    ingest.commit(&tenant, &few, batch.finish().unwrap().unwrap(), None).await.unwrap();
    assert_eq!(segments(&ingest), 0);
    clock.advance_ns(101_000_000_000);
    wait_until("the flush", || segments(&ingest) == 1).await;
    let waiting = ingest.snapshot().class(&tenant, &few).unwrap().live.len();
    assert_eq!(waiting, 1, "a few records are not worth a segment before their time");
    clock.advance_ns(500_000_000_000);
    wait_until("the flush by age", || ingest.snapshot().class(&tenant, &few).unwrap().segments.len() == 1).await;
    ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_key_is_recognised_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    assert_eq!(store(&ingest, &texts(0..3), Some(b"k1")).await, 3);
    assert_eq!(store(&ingest, &texts(0..3), Some(b"k1")).await, 0);
    let again = open(folder.path(), usize::MAX).await;
    assert_eq!(store(&again, &texts(0..3), Some(b"k1")).await, 0);
    assert_eq!(store(&again, &texts(3..4), Some(b"k2")).await, 1);
    assert_eq!(bodies(&again), texts(0..4));
    again.close();
    let flushed = open(folder.path(), usize::MAX).await;
    assert_eq!(store(&flushed, &texts(0..3), Some(b"k1")).await, 0, "after its batch went to a segment");
    flushed.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_merged_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), 1).await;
    for n in 0..20 {
        store(&ingest, &texts(n * 5..n * 5 + 5), None).await;
        let flushed = || {
            let snapshot = ingest.snapshot();
            snapshot.class(&TenantId::default(), &Class::default()).is_some_and(|view| view.live.is_empty())
        };
        wait_until("the flush", flushed).await;
        assert_eq!(bodies(&ingest), texts(0..n * 5 + 5));
    }
    wait_until("the merge", || segments(&ingest) < 10).await;
    assert_eq!(bodies(&ingest), texts(0..100));
    ingest.close();
    let report = verify_folder(folder.path(), vec![]).await;
    assert_eq!(report.findings, []);
    let files = std::fs::read_dir(folder.path().join("data/objects/default/default/segment")).unwrap().count();
    assert_eq!(files as u64, report.classes[0].segments, "replaced segments are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_reported_in_the_order_of_the_batches_whoever_finds_it_first() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..7 {
        let ingest = open(folder.path(), usize::MAX).await;
        store(&ingest, &texts(n * 40..n * 40 + 40), None).await;
        ingest.close();
    }
    let segments = folder.path().join("data/objects/default/default/segment");
    let mut files: Vec<_> = std::fs::read_dir(segments).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 7, "too few to be merged");
    for damaged in [1, 4, 5] {
        let mut bytes = std::fs::read(&files[damaged]).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&files[damaged], bytes).unwrap();
    }
    for _ in 0..5 {
        let report = verify_folder(folder.path(), vec![]).await;
        let batches: Vec<_> = report.findings.iter().map(|finding| finding.batch.unwrap()).collect();
        assert_eq!(batches, [1, 4, 5]);
        let class = &report.classes[0];
        assert_eq!((class.segments, class.batches, class.records), (4, 4, 160), "the others are verified all the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolled_back_folder_is_noticed_against_a_checkpoint_kept_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    store(&ingest, &texts(0..5), None).await;
    ingest.close();
    let old = tempfile::tempdir().unwrap();
    copy(folder.path(), old.path());
    let ingest = open(folder.path(), usize::MAX).await;
    store(&ingest, &texts(5..9), None).await;
    ingest.close();
    let kept = std::fs::read_to_string(folder.path().join("data/tlog/default/default/checkpoint")).unwrap();
    assert_eq!(verify_folder(folder.path(), vec![kept.clone()]).await.findings, []);
    assert_eq!(verify_folder(old.path(), vec![]).await.findings, [], "by itself the old folder is whole");
    let findings = verify_folder(old.path(), vec![kept]).await.findings;
    assert!(findings[0].what.contains("rolled back"), "{findings:?}");
}

/// A copy of the folder as a kill would leave it, once the checkpoint is on the disk.
pub(crate) async fn killed(folder: &Path, ingest: &Ingest) -> tempfile::TempDir {
    let checkpoint = folder.join("data/tlog/default/default/checkpoint");
    wait_until("the checkpoint", || checkpoint.exists()).await;
    let copied = tempfile::tempdir().unwrap();
    copy(folder, copied.path());
    ingest.close();
    copied
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_was_never_flushed_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    store(&ingest, &texts(0..5), None).await;
    assert_eq!(verify_folder(folder.path(), vec![]).await.findings, [], "in use");
    let killed = killed(folder.path(), &ingest).await;
    assert_eq!(verify_folder(killed.path(), vec![]).await.findings, []);
    std::fs::remove_file(killed.path().join("data/tlog/default/default/checkpoint")).unwrap();
    assert_eq!(verify_folder(killed.path(), vec![]).await.findings, [], "stopped before the first checkpoint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_its_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    store(&ingest, &texts(0..5), None).await;
    let killed = killed(folder.path(), &ingest).await;
    let wal = killed.path().join("data/wal");
    for file in std::fs::read_dir(&wal).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let config = IngestConfig::new(&killed.path().join("data"));
    let refused = Ingest::open(config, parts(killed.path()).await).await.err().unwrap().to_string();
    assert!(refused.starts_with("batches 0 to 0 of `default/default` are missing"), "{refused}");
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// The ids of all templates in segments, and how many records have each.
fn templates(ingest: &Ingest) -> std::collections::BTreeMap<(String, String), u64> {
    let snapshot = ingest.snapshot();
    let view = snapshot.class(&TenantId::default(), &Class::default()).unwrap();
    let mut counts = std::collections::BTreeMap::new();
    for segment in view.segments.iter() {
        for known in segment.segment().unwrap().templates().unwrap().unwrap().list() {
            let name = (known.listed.id.to_string(), known.listed.template.to_string());
            *counts.entry(name).or_default() += known.listed.count;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_keep_their_ids_over_restarts_and_merges() {
    let folder = tempfile::tempdir().unwrap();
    let names =
        |range: std::ops::Range<u32>| range.map(|n| format!("peer-{n}-x said hello to {n}")).collect::<Vec<_>>();
    let mut seen = Vec::new();
    for start in 0..9 {
        let ingest = open(folder.path(), usize::MAX).await;
        store(&ingest, &names(start * 10..start * 10 + 10), None).await;
        ingest.close();
        seen.push(templates(&ingest));
    }
    let of_all: std::collections::BTreeSet<_> = seen.iter().flat_map(|templates| templates.keys()).collect();
    assert_eq!(of_all.len(), 1, "{of_all:?}");
    let merged = open(folder.path(), usize::MAX).await;
    wait_until("the merge", || segments(&merged) < 9).await;
    assert_eq!(templates(&merged).into_values().collect::<Vec<_>>(), [90]);
    assert_eq!(templates(&merged).keys().collect::<Vec<_>>(), of_all.into_iter().collect::<Vec<_>>());
    merged.close();
    assert_eq!(verify_folder(folder.path(), vec![]).await.findings, []);
}
