//! Destroying what a tenant has, over a real folder: with others beside it, with readers, and over kills.

use std::path::{Path, PathBuf};

use logkeep_catalog::Catalog;
use logkeep_record::{Class, Record, Resource, TenantId, Value};
use logkeep_tlog::{PublicKey, open_statement};
use tempfile::TempDir;

use super::order::tests::act;
use super::statement::Progress;
use super::{DESTRUCTION_ORDERS, is_read};
use crate::order::tests::{key, order};
use crate::order::{APPROVAL_KEYS, Order};
use crate::tests::{bodies, copy, open, parts, segments, store, texts, verify_folder, wait_until};
use crate::wal::wipe_keys;
use crate::{BatchBuilder, CommitError, Ingest, Report};

fn shop() -> TenantId {
    TenantId::new("shop").unwrap()
}

async fn give(catalog: &dyn Catalog, order: &Order) {
    let row = serde_json::json!({"version": 1, "rows": {"default": order}});
    let secrets = [(APPROVAL_KEYS, format!("{}\n", key())), (DESTRUCTION_ORDERS, row.to_string())];
    catalog.set_secrets(&secrets.each_ref().map(|(name, text)| (*name, text.as_bytes()))).await.unwrap();
}

/// As after an approval.
pub(super) async fn ordered(ingest: &Ingest) {
    give(&*ingest.shared.catalog, &order(&act("default"), "alice", "approver bob")).await;
    ingest.take_up_destructions().await.unwrap();
}

async fn commit(ingest: &Ingest, tenant: &TenantId, class: &Class, text: &str) -> Result<usize, CommitError> {
    let mut batch = BatchBuilder::default();
    batch.push(&Record::new(ingest.clock().now_ns(), Value::str(text), Resource::from_attributes(vec![])));
    let batch = batch.finish().unwrap().unwrap();
    ingest.commit(tenant, class, batch, Some(text.as_bytes())).await.map(|committed| committed.records)
}

/// Records of the tenant that goes, in a segment and in the log, and such as stay.
pub(super) async fn filled(folder: &Path) -> Ingest {
    let ingest = open(folder, 1).await;
    store(&ingest, &texts(0..10), Some(b"k1")).await;
    wait_until("a segment", || segments(&ingest) == 1).await;
    ingest.close();
    let ingest = open(folder, usize::MAX).await;
    store(&ingest, &texts(10..15), None).await;
    commit(&ingest, &TenantId::default(), &Class::audit(), "who has read it").await.unwrap();
    commit(&ingest, &shop(), &Class::default(), "of another").await.unwrap();
    ingest
}

/// Nothing more is taken in.
pub(super) async fn refuses(ingest: &Ingest) {
    let refused = commit(ingest, &TenantId::default(), &Class::default(), "more").await;
    assert_eq!(refused, Err(CommitError::Destroyed(TenantId::default())));
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn records(report: &Report) -> Vec<(String, u64, u64)> {
    let gone = |class: &crate::ClassReport| class.destroyed.as_ref().map_or(0, |gone| gone.records);
    report
        .classes
        .iter()
        .map(|class| (format!("{}/{}", class.tenant, class.class), class.records, gone(class)))
        .collect()
}

/// Nothing of the tenant is left but what stays, and the folder is as it must be.
pub(super) async fn is_destroyed(folder: &Path) {
    let segments = folder.join("data/objects/default/default/segment");
    assert_eq!(files(&segments), [] as [PathBuf; 0]);
    let parts = parts(folder).await;
    let class =
        |state: &logkeep_catalog::ClassState| state.tenant == TenantId::default() && state.class == Class::default();
    let state = parts.catalog.load().await.unwrap().into_iter().find(class).unwrap();
    assert_eq!((state.segments.len(), state.head.destroyed, state.head.flushed), (0, 2, 2));
    let keys = parts.catalog.batch_keys(0).await.unwrap();
    assert!(keys.iter().all(|(tenant, _)| *tenant != TenantId::default()), "{keys:?}");
    let report = verify_folder(folder, vec![]).await;
    assert_eq!((report.findings.as_slice(), report.to_destroy.as_slice()), ([].as_slice(), [].as_slice()));
    let expected = [("default/audit", 1, 0), ("default/default", 0, 15), ("shop/default", 1, 0)];
    assert_eq!(records(&report), expected.map(|(class, there, gone)| (class.to_owned(), there, gone)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_had_goes_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = filled(folder.path()).await;
    let (logs, kept) = (files(&folder.path().join("data/wal")), folder.path().join("data/quarantine"));
    std::fs::create_dir(&kept).unwrap();
    for log in &logs {
        std::fs::copy(log, kept.join(log.file_name().unwrap())).unwrap();
    }
    assert!(ingest.destroy(&TenantId::default()).await.is_err(), "nobody has ordered it");
    assert_eq!((bodies(&ingest), ingest.destruction(&TenantId::default())), (texts(0..15), None));

    ordered(&ingest).await;
    refuses(&ingest).await;
    assert_eq!(verify_folder(folder.path(), vec![]).await.to_destroy, [TenantId::default()]);
    let statement = ingest.destroy(&TenantId::default()).await.unwrap();
    assert_eq!(bodies(&ingest), [] as [String; 0]);
    assert!(files(&folder.path().join("data/wal")).iter().all(|file| !logs.contains(file)), "no older file of the log");
    let has_keys = |tenant: &TenantId| {
        let kept = files(&kept);
        kept.iter().any(|file| wipe_keys(&mut std::fs::read(file).unwrap(), tenant))
    };
    assert_eq!((has_keys(&TenantId::default()), has_keys(&shop())), (false, true), "in what was set aside");
    assert_eq!(ingest.destroy(&TenantId::default()).await.unwrap(), statement, "once");
    assert_eq!(ingest.unfinished_destructions().await.unwrap(), [TenantId::default()]);
    ingest.destruction_is_told(&TenantId::default()).await.unwrap();
    assert_eq!(ingest.unfinished_destructions().await.unwrap(), []);
    for (tenant, class) in [(shop(), Class::default()), (TenantId::default(), Class::audit())] {
        assert!(ingest.snapshot().class(&tenant, &class).is_some_and(|view| view.segments.len() == 1));
    }

    let key: PublicKey = std::fs::read_to_string(folder.path().join("data/tlog/public-key")).unwrap().parse().unwrap();
    let said = open_statement(&statement, "destruction", &[key]).unwrap();
    assert!(
        said.starts_with("version 1\ntenant default\napproval 6f1c\nrequester alice\napprover bob\napproved 22\n"),
        "{said}"
    );
    assert!(said.contains("\nclass default 2 15 2 "), "{said}");
    ingest.close();
    is_destroyed(folder.path()).await;

    let again = open(folder.path(), usize::MAX).await;
    let refused = commit(&again, &TenantId::default(), &Class::spans(), "more").await;
    assert_eq!(refused, Err(CommitError::Destroyed(TenantId::default())));
    commit(&again, &TenantId::default(), &Class::audit(), "who asks").await.unwrap();
    again.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_began_before_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = filled(folder.path()).await;
    let reading = ingest.snapshot();
    ordered(&ingest).await;
    let destroying = tokio::spawn({
        let ingest = ingest.clone();
        async move { ingest.destroy(&TenantId::default()).await.map_err(|error| error.to_string()) }
    });
    wait_until("the keys are gone", || segments(&ingest) == 0 && bodies(&ingest).is_empty()).await;
    let view = reading.class(&TenantId::default(), &Class::default()).unwrap();
    assert_eq!(view.segments[0].segment().unwrap().rows(), 10, "it goes on");
    assert!(is_read(&ingest.shared, &TenantId::default()) && !destroying.is_finished());
    drop(reading);
    destroying.await.unwrap().unwrap();
    ingest.close();
    is_destroyed(folder.path()).await;
}

/// Sends until it is refused, and says how many records were stored.
async fn sending(ingest: Ingest, sender: u32) -> u64 {
    let mut stored = 0;
    loop {
        let text = format!("{sender} sends {stored}");
        match commit(&ingest, &TenantId::default(), &Class::default(), &text).await {
            Ok(records) => stored += records as u64,
            Err(refused) => {
                assert_eq!(refused, CommitError::Destroyed(TenantId::default()));
                return stored;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_meanwhile_is_refused_or_goes_too() {
    let folder = tempfile::tempdir().unwrap();
    // Each batch is flushed at once, and they are merged all the time.
    let ingest = open(folder.path(), 1).await;
    commit(&ingest, &shop(), &Class::default(), "of another").await.unwrap();
    let senders: Vec<_> = (0..4).map(|sender| tokio::spawn(sending(ingest.clone(), sender))).collect();
    wait_until("some segments", || segments(&ingest) > 3).await;
    ordered(&ingest).await;
    ingest.destroy(&TenantId::default()).await.unwrap();
    let stored: u64 = futures::future::join_all(senders).await.into_iter().map(Result::unwrap).sum();
    assert!(stored > 3);
    ingest.close();
    assert_eq!(files(&folder.path().join("data/objects/default/default/segment")), [] as [PathBuf; 0]);
    let report = verify_folder(folder.path(), vec![]).await;
    assert_eq!((report.findings.as_slice(), report.to_destroy.as_slice()), ([].as_slice(), [].as_slice()));
    let expected = [("default/default".to_owned(), 0, stored), ("shop/default".to_owned(), 1, 0)];
    assert_eq!(records(&report), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_was_merged_away_is_waited_for_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), 1).await;
    store(&ingest, &texts(0..5), None).await;
    wait_until("a segment", || segments(&ingest) == 1).await;
    let view = |ingest: &Ingest| ingest.snapshot().class(&TenantId::default(), &Class::default()).unwrap().clone();
    let reading = view(&ingest).segments[0].clone();
    let id = reading.row().id.clone();
    for n in 1..20 {
        store(&ingest, &texts(n * 5..n * 5 + 5), None).await;
        wait_until("the flush", || view(&ingest).live.is_empty()).await;
    }
    let is_there = || view(&ingest).segments.iter().any(|segment| segment.row().id == id);
    wait_until("it is merged with others", || !is_there()).await;
    ordered(&ingest).await;
    let destroying = tokio::spawn({
        let ingest = ingest.clone();
        async move { ingest.destroy(&TenantId::default()).await.map_err(|error| error.to_string()) }
    });
    wait_until("the keys are gone", || segments(&ingest) == 0 && bodies(&ingest).is_empty()).await;
    assert!(is_read(&ingest.shared, &TenantId::default()) && !destroying.is_finished());
    drop(reading);
    destroying.await.unwrap().unwrap();
    ingest.close();
}

/// A folder in which it is ordered, with what runs there; and a copy from before anything was done.
pub(super) async fn begun() -> (TempDir, Ingest, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ingest = filled(folder.path()).await;
    ordered(&ingest).await;
    let checkpoint = folder.path().join("data/tlog/shop/default/checkpoint");
    wait_until("the last checkpoint", || checkpoint.exists()).await;
    let begun = tempfile::tempdir().unwrap();
    copy(folder.path(), begun.path());
    (folder, ingest, begun)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_kill_leaves_is_destroyed_after_the_next_start() {
    let (folder, ingest, begun) = begun().await;
    ingest.destroy(&TenantId::default()).await.unwrap();
    ingest.close();

    // After the catalog has forgotten the keys, and before the rest is gone.
    let cut = tempfile::tempdir().unwrap();
    copy(folder.path(), cut.path());
    copy(&begun.path().join("data/objects"), &cut.path().join("data/objects"));
    let catalog = parts(cut.path()).await.catalog;
    let mut progress = Progress::load(&*catalog, &TenantId::default()).await.unwrap().unwrap();
    progress.statement = None;
    progress.save(&*catalog, &TenantId::default()).await.unwrap();
    drop(catalog);
    assert_ne!(files(&cut.path().join("data/objects/default/default/segment")).len(), 0, "or there is nothing to do");

    for killed in [begun.path(), cut.path()] {
        let ingest = open(killed, usize::MAX).await;
        refuses(&ingest).await;
        assert_eq!(ingest.unfinished_destructions().await.unwrap(), [TenantId::default()]);
        ingest.destroy(&TenantId::default()).await.unwrap();
        ingest.close();
        is_destroyed(killed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_order_is_not_carried_out_and_what_is_missing_without_one_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = filled(folder.path()).await;
    give(&*ingest.shared.catalog, &order(&act("shop"), "alice", "approver bob")).await;
    let refused = ingest.take_up_destructions().await.unwrap_err().to_string();
    assert!(refused.contains("it approves something else"), "{refused}");
    assert_eq!(ingest.destruction(&TenantId::default()), None);
    ordered(&ingest).await;
    ingest.destroy(&TenantId::default()).await.unwrap();
    ingest.close();
    let catalog = parts(folder.path()).await.catalog;
    catalog.set_secret(DESTRUCTION_ORDERS, br#"{"version": 1, "rows": {}}"#).await.unwrap();
    let findings = verify_folder(folder.path(), vec![]).await.findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].what.contains("nobody has ordered"), "{findings:?}");
}
