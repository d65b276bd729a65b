//! The trail in a real log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_ingest::{Ingest, IngestConfig, Parts};
use logkeep_record::{Class, TenantId};
use logkeep_store::{LocalKeyFile, SealedObjects, SystemClock, SystemRandom};

use crate::{Access, AccessError, Action, Grant, Identity, Rules, Totals};

async fn open(folder: &Path) -> Ingest {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let keys = LocalKeyFile::open_or_create(&folder.join("key"), &data, data.join("c.sqlite").exists()).unwrap();
    let parts = Parts {
        catalog: Arc::new(SqliteCatalog::open(&data.join("c.sqlite"), &DataKey::from_bytes([1; 32])).await.unwrap()),
        objects: SealedObjects::local(&data.join("objects")).unwrap(),
        keys: Arc::new(keys),
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
    };
    let mut config = IngestConfig::new(&data);
    config.flush_interval = Duration::from_secs(3600);
    Ingest::open(config, parts).await.unwrap()
}

async fn ask(access: &Access) -> Grant {
    let who = Identity::local([127, 0, 0, 1].into(), TenantId::default()).unwrap();
    access.authorize(&who, Action::Query, &[("audit.query", "select 1".to_owned())]).await.unwrap()
}

/// The events of each batch of the trail, with the numbers of the grants.
fn trail(ingest: &Ingest) -> Vec<Vec<(String, String)>> {
    let snapshot = ingest.snapshot();
    let Some(view) = snapshot.class(&TenantId::default(), &Class::audit()) else { return Vec::new() };
    let event = |record: logkeep_record::Record<'_>| {
        let id = record.attributes.iter().find(|(key, _)| key == "audit.id").unwrap().1.as_str().unwrap().to_owned();
        (record.event_name.into_owned(), id)
    };
    let batch =
        |rows: &Arc<logkeep_segment::Rows>| (0..rows.len()).map(|row| event(rows.record(row).unwrap())).collect();
    view.live.iter().map(batch).collect()
}

fn opened(grant: &str) -> (String, String) {
    ("audit.access.opened".to_owned(), grant.to_owned())
}

fn closed(grant: &str) -> (String, String) {
    ("audit.access.closed".to_owned(), grant.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let grant = ask(&Access::new(ingest.clone(), Rules::default())).await;
    grant.release().await.unwrap();
    assert_eq!(trail(&ingest), [[opened(grant.id())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_record_rides_with_the_next_opening() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let access = Access::lingering(ingest.clone(), Rules::default(), Duration::from_secs(3600));
    let first = ask(&access).await;
    first.release().await.unwrap();
    let first_id = first.id().to_owned();
    first.close(Totals { rows: 1, bytes: 2 });
    let second = ask(&access).await;
    second.release().await.unwrap();
    assert_eq!(trail(&ingest), [vec![opened(&first_id)], vec![closed(&first_id), opened(second.id())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_record_goes_alone_if_no_opening_comes() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let mut arrivals = ingest.arrivals();
    let grant = ask(&Access::lingering(ingest.clone(), Rules::default(), Duration::ZERO)).await;
    grant.release().await.unwrap();
    let id = grant.id().to_owned();
    drop(grant);
    // One for each record.
    for _ in 0..2 {
        tokio::time::timeout(Duration::from_secs(60), arrivals.recv()).await.unwrap().unwrap();
    }
    assert_eq!(trail(&ingest), [[opened(&id)], [closed(&id)]], "abandoned, and written all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_written_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let access = Access::new(ingest.clone(), Rules::default());
    let grants = [ask(&access).await, ask(&access).await];
    for grant in grants {
        grant.release().await.unwrap();
        grant.fail();
    }
    access.flush().await;
    let events: Vec<_> = trail(&ingest).concat();
    assert_eq!(events.iter().filter(|(event, _)| event == "audit.access.closed").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_trail_nothing_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let access = Access::new(ingest.clone(), Rules::default());
    let before = ask(&access).await;
    before.release().await.unwrap();
    ingest.close();
    before.close(Totals::default());
    assert!(matches!(ask(&access).await.release().await, Err(AccessError::AuditUnavailable(_))));
    // The closing record waits on; nobody is told that it was written.
    access.flush().await;
    assert_eq!(trail(&ingest).concat().iter().filter(|(event, _)| event == "audit.access.closed").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_in_the_log_before_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let access = Access::new(ingest.clone(), Rules::default());
    let nobody = Identity::anonymous([127, 0, 0, 1].into(), TenantId::default());
    let denied = access.authorize(&nobody, Action::Query, &[]).await.err().unwrap();
    assert_eq!(denied.to_string(), "`anonymous` may not do this: no policy permits `query`");
    let events: Vec<_> = trail(&ingest).concat().into_iter().map(|(event, _)| event).collect();
    assert_eq!(events, ["audit.access.denied"]);

    ingest.close();
    let untold = access.authorize(&nobody, Action::Query, &[]).await.err().unwrap();
    assert!(matches!(untold, AccessError::AuditUnavailable(_)), "what cannot be written is not told: {untold}");
}
