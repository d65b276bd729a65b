//! Destroying what is old over a real folder, by a clock that is set by hand.

use std::path::Path;
use std::sync::Arc;

use logkeep_catalog::{Catalog, Change, Head, Pages};
use logkeep_record::{Class, TenantId};
use logkeep_store::ManualClock;
use logkeep_tlog::{PublicKey, open_statement};
use serde_json::json;

use super::{DAY_NS, HOLDS, HoldRow, RETENTION, Record, name};
use crate::destroy::DESTRUCTION_ORDERS;
use crate::order::tests::{forged, key, order_at};
use crate::order::{APPROVAL_KEYS, Order};
use crate::tests::{bodies, parts, segments, store, texts, verify_folder, wait_until};
use crate::{DestroyedBy, Ingest, IngestConfig, Parts};

const HOUR_NS: i64 = DAY_NS / 24;

/// One in the morning of a day.
pub(super) fn day(number: i64) -> i64 {
    (19_700 + number) * DAY_NS + HOUR_NS
}

fn own() -> (TenantId, Class) {
    (TenantId::default(), Class::default())
}

pub(super) async fn parts_at(folder: &Path, now_ns: i64) -> (Parts, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(now_ns));
    (Parts { clock: clock.clone(), ..parts(folder).await }, clock)
}

async fn open_at(folder: &Path, now_ns: i64, flush_bytes: usize) -> (Ingest, Arc<ManualClock>) {
    let (parts, clock) = parts_at(folder, now_ns).await;
    let mut config = IngestConfig::new(&folder.join("data"));
    config.flush_bytes = flush_bytes;
    (Ingest::open(config, parts).await.unwrap(), clock)
}

/// A segment of five records for each of the days.
pub(super) async fn filled(folder: &Path, days: std::ops::Range<u32>) {
    for number in days {
        let (ingest, _) = open_at(folder, day(i64::from(number)), usize::MAX).await;
        store(&ingest, &texts(number * 5..number * 5 + 5), None).await;
        ingest.close();
    }
}

fn shorter(days: u32, now_ns: i64) -> Order {
    let act = format!(r#"{{"act":"set_retention","tenant":"default","class":"default","days":{days}}}"#);
    order_at(&act, &format!("to{days}"), now_ns)
}

fn hold(release: Option<Order>) -> HoldRow {
    let (tenant, reason) = ("default".to_owned(), "a case".to_owned());
    HoldRow { tenant, class: None, reason, by: None, placed_ns: day(0), release }
}

async fn give(catalog: &dyn Catalog, days: Option<u32>, orders: &[Order], holds: &[HoldRow]) {
    let retention = json!({"version": 1, "rows": {"default/default": {"days": days, "orders": orders}}});
    let holds: serde_json::Map<_, _> =
        holds.iter().enumerate().map(|(number, hold)| (format!("h{number}"), json!(hold))).collect();
    let holds = json!({"version": 1, "rows": holds});
    let secrets =
        [(APPROVAL_KEYS, format!("{}\n", key())), (RETENTION, retention.to_string()), (HOLDS, holds.to_string())];
    catalog.set_secrets(&secrets.each_ref().map(|(name, text)| (*name, text.as_bytes()))).await.unwrap();
}

/// As after an approval, at this time.
pub(super) async fn ordered(catalog: &dyn Catalog, days: u32, now_ns: i64) {
    give(catalog, Some(days), &[shorter(days, now_ns)], &[]).await;
}

async fn looked(ingest: &Ingest) {
    ingest.take_up_retention().await.unwrap();
    wait_until("a look", || !ingest.shared.retention.turn.lock().is_asked).await;
}

pub(super) fn objects(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("data/objects/default/default/segment")).unwrap().count()
}

async fn findings(folder: &Path) -> Vec<String> {
    let findings = verify_folder(folder, vec![]).await.findings;
    findings.into_iter().map(|finding| format!("{}: {}", finding.object, finding.what)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_goes_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 0..3).await;
    let (ingest, clock) = open_at(folder.path(), day(11), usize::MAX).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(0..15), "nothing set is for ever");
    ordered(&*ingest.shared.catalog, 9, day(11)).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(10..15), "nine days before the last midnight the third day began");
    wait_until("the rest", || !ingest.untold_expiries().is_empty()).await;
    assert_eq!(objects(folder.path()), 1);
    let report = verify_folder(folder.path(), vec![]).await;
    assert_eq!(report.findings, []);
    let gone = report.classes[0].destroyed.clone().unwrap();
    assert_eq!((gone.batches, gone.records, gone.by), (2, 10, DestroyedBy::Retention(9)));

    let [told] = ingest.untold_expiries().try_into().unwrap();
    let public: PublicKey =
        std::fs::read_to_string(folder.path().join("data/tlog/public-key")).unwrap().parse().unwrap();
    let said = open_statement(&told.statement, "retention", &[public]).unwrap();
    assert!(said.starts_with("version 1\ntenant default\nclass default\ntree 3 "), "{said}");
    assert!(said.ends_with(&format!("\nrange 0 2 10 {} 9 to9 {}\n", day(1), day(11))), "{said}");
    ingest.expiry_is_told(told).await.unwrap();
    assert_eq!(ingest.untold_expiries(), []);

    store(&ingest, &texts(15..20), None).await;
    clock.advance_ns(DAY_NS);
    wait_until("the next day", || bodies(&ingest) == texts(15..20)).await;
    wait_until("the rest", || !ingest.untold_expiries().is_empty()).await;
    ingest.close();
    assert_eq!(findings(folder.path()).await, [] as [String; 0]);
    let (ingest, _) = open_at(folder.path(), day(12), usize::MAX).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(15..20));
    wait_until("it is told again", || ingest.untold_expiries().len() == 1).await;
    assert!(ingest.untold_expiries()[0].statement.contains("\nrange 0 3 15 "), "one order has one range");
    ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_still_has_goes_once_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (ingest, clock) = open_at(folder.path(), day(0), 1).await;
    store(&ingest, &texts(0..5), None).await;
    wait_until("a segment", || segments(&ingest) == 1).await;
    let log = folder.path().join("data/wal");
    let before = std::fs::read_dir(&log).unwrap().next().unwrap().unwrap().path();
    ordered(&*ingest.shared.catalog, 2, day(0)).await;
    clock.advance_ns(5 * DAY_NS);
    let look = || {
        clock.advance_ns(10_000_000_000);
        bodies(&ingest).is_empty()
    };
    wait_until("it goes", look).await;
    assert!(!before.exists(), "no key of it is left in the log");
    ingest.close();
    assert_eq!(findings(folder.path()).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_destroys_nothing_at_once() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 0..3).await;
    ordered(&*parts(folder.path()).await.catalog, 30, day(3)).await;
    let (ingest, clock) = open_at(folder.path(), day(3_000), usize::MAX).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(0..15));
    clock.advance_ns(14 * DAY_NS);
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(5..15), "28 days later, as far as anybody can know");
    ingest.close();
    assert_eq!(findings(folder.path()).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_stays_until_two_people_release_it() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 0..2).await;
    let orders = [shorter(1, day(9))];
    let catalog = parts(folder.path()).await.catalog;
    give(&*catalog, Some(1), &orders, &[hold(None)]).await;
    let (ingest, _) = open_at(folder.path(), day(9), usize::MAX).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(0..10));
    let forged = forged(r#"{"act":"release_hold","hold":"h0","tenant":"default"}"#);
    give(&*catalog, Some(1), &orders, &[hold(Some(forged))]).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(0..10), "what is no release releases nothing");
    let [found] = findings(folder.path()).await.try_into().unwrap();
    assert!(found.starts_with("hold h0: it is released, and "), "{found}");

    // Somebody with the file of the catalog has it destroyed all the same.
    let act = order_at(r#"{"act":"destroy_keys","tenant":"default"}"#, "d", day(9));
    let destroy = json!({"version": 1, "rows": {"default": act}});
    catalog.set_secret(DESTRUCTION_ORDERS, destroy.to_string().as_bytes()).await.unwrap();
    ingest.take_up_destructions().await.unwrap();
    let refused = ingest.destroy(&TenantId::default()).await.unwrap_err().to_string();
    assert_eq!(refused, "it is held by `h0` (a case)");
    catalog.set_secret(DESTRUCTION_ORDERS, br#"{"version": 1, "rows": {}}"#).await.unwrap();
    ingest.take_up_destructions().await.unwrap();

    let release = order_at(r#"{"act":"release_hold","hold":"h0","tenant":"default"}"#, "r", day(9));
    give(&*catalog, Some(1), &orders, &[hold(Some(release))]).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), [] as [String; 0]);
    ingest.close();
    assert_eq!(findings(folder.path()).await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_not_merged_with_one_another() {
    let folder = tempfile::tempdir().unwrap();
    ordered(&*parts(folder.path()).await.catalog, 100, day(0)).await;
    let (ingest, clock) = open_at(folder.path(), day(0), 1).await;
    let flushed = |ingest: &Ingest| {
        let snapshot = ingest.snapshot();
        snapshot.class(&TenantId::default(), &Class::default()).is_some_and(|view| view.live.is_empty())
    };
    for number in 0..10 {
        if number == 5 {
            clock.advance_ns(DAY_NS);
        }
        store(&ingest, &texts(number * 5..number * 5 + 5), None).await;
        wait_until("the flush", || flushed(&ingest)).await;
    }
    wait_until("the first day is one", || segments(&ingest) == 6).await;
    let snapshot = ingest.snapshot();
    let view = snapshot.class(&TenantId::default(), &Class::default()).unwrap();
    assert_eq!((view.segments[0].row().first_batch, view.segments[0].row().last_batch), (0, 4));
    assert_eq!(bodies(&ingest), texts(0..50));
    ingest.close();
}

/// Edits the record of what was destroyed.
async fn edited(catalog: &dyn Catalog, edit: impl FnOnce(&mut Record)) {
    let mut record = Record::load(catalog, &own()).await.unwrap().unwrap();
    edit(&mut record);
    catalog.set_secret(&name(&own()), &record.to_bytes()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_edits_the_catalog_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 0..3).await;
    let catalog = parts(folder.path()).await.catalog;
    let catalog = &*catalog;
    let thirty = [shorter(30, day(3))];
    give(catalog, Some(2), &thirty, &[]).await;
    let (ingest, _) = open_at(folder.path(), day(20), usize::MAX).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(0..15), "a retention that nobody has ordered");
    let [found] = findings(folder.path()).await.try_into().unwrap();
    assert_eq!(found, "retention of default/default: it is 2 days, and no two people have ordered that it be so short");
    give(
        catalog,
        Some(30),
        &[forged(r#"{"act":"set_retention","tenant":"default","class":"default","days":30}"#)],
        &[],
    )
    .await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(0..15), "an order by another key");
    assert_eq!(findings(folder.path()).await.len(), 2);
    ingest.close();

    // The rows of segments say that they arrived long ago, and the tree does not.
    let state = catalog.load().await.unwrap().remove(0);
    let aged = |mut row: logkeep_catalog::SegmentRow| {
        row.max_received_ns = 0;
        row
    };
    let (remove, add) = state.segments.iter().map(|row| (row.id.clone(), aged(row.clone()))).unzip();
    let change = Change {
        tenant: state.tenant,
        class: state.class,
        add,
        remove,
        head: state.head.clone(),
        keys: vec![],
        documents: None,
        pages: Pages::default(),
        secrets: vec![],
    };
    catalog.commit(change).await.unwrap();
    give(catalog, Some(30), &thirty, &[]).await;
    let (ingest, _) = open_at(folder.path(), day(20), usize::MAX).await;
    looked(&ingest).await;
    assert_eq!(bodies(&ingest), texts(0..15));
    ingest.close();
    assert_eq!(findings(folder.path()).await, [] as [String; 0], "nothing was lost by it");

    // What is gone without a word.
    let head = Head { destroyed: 3, segments: Head::commit_to(&[]), ..state.head.clone() };
    let (tenant, class) = own();
    let remove = catalog.load().await.unwrap()[0].segments.iter().map(|row| row.id.clone()).collect();
    let (add, keys, pages) = (vec![], vec![], Pages::default());
    let gone = Change { tenant, class, add, remove, head, keys, documents: None, pages, secrets: vec![] };
    catalog.commit(gone).await.unwrap();
    let [found] = findings(folder.path()).await.try_into().unwrap();
    assert!(found.contains("its batches were destroyed, and nobody has ordered that"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_the_destroyed_is_held_against_orders_and_tree() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 0..3).await;
    let catalog = parts(folder.path()).await.catalog;
    let catalog = &*catalog;
    let orders = [shorter(9, day(11))];
    give(catalog, Some(9), &orders, &[]).await;
    let (ingest, _) = open_at(folder.path(), day(11), usize::MAX).await;
    looked(&ingest).await;
    wait_until("it is destroyed", || ingest.untold_expiries().len() == 1).await;
    ingest.close();
    let good = Record::load(catalog, &own()).await.unwrap().unwrap();
    let statement = "its statement says something else";
    for (edit, expected) in [
        ((|record| record.ranges[0].to = 1) as fn(&mut Record), "nobody has ordered that"),
        (|record| record.ranges[0].from = 1, "it says nothing of the batches 0 to 1"),
        (|record| record.ranges[0].records = 9, "have other records or arrived at another time"),
        (|record| record.ranges[0].newest_ns -= 1, "have other records or arrived at another time"),
        (|record| record.ranges[0].destroyed_ns = day(9), "before their 9 days were over"),
        (|record| record.ranges[0].destroyed_ns = i64::MAX, "at a time that has not come"),
        (|record| record.ranges[0].days = 8, "after 8 days, which no two people have ordered"),
        (|record| record.ranges[0].approval = "other".into(), "which no two people have ordered"),
        (|record| record.tree.1 = "0".repeat(64), "it is of another tree"),
        (|record| record.statement = record.statement.replace("range 0 2", "range 0 1"), "its statement: "),
    ] {
        edited(catalog, edit).await;
        let found = findings(folder.path()).await;
        assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:?}");
        assert!(
            found.iter().any(|finding| finding.contains(statement) || finding.contains("its statement: ")),
            "{found:?}"
        );
        edited(catalog, |record| *record = good.clone()).await;
    }
    give(catalog, Some(9), &orders, &[hold(None)]).await;
    let [found] = findings(folder.path()).await.try_into().unwrap();
    assert!(found.contains("batches 0 to 1 were destroyed while they were held by `h0`"), "{found}");
    give(catalog, None, &[], &[]).await;
    let [found] = findings(folder.path()).await.try_into().unwrap();
    assert!(found.contains("which no two people have ordered"), "{found}");
}
