//! Another key-encryption key while senders send.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use logkeep_store::LocalKeyFile;

use crate::tests::{bodies, copy, open, segments, store, texts, verify_folder, wait_until};

/// As after a kill: the log has what is not in segments.
fn killed_now(folder: &Path) -> tempfile::TempDir {
    let copied = tempfile::tempdir().unwrap();
    copy(folder, copied.path());
    copied
}

/// Takes retired keys away; how many there were.
fn forget_retired(folder: &Path) -> usize {
    let retired = LocalKeyFile::retired(&folder.join("key")).unwrap();
    retired.iter().for_each(|(_, path)| std::fs::remove_file(path).unwrap());
    retired.len()
}

async fn holds(folder: &Path, expected: &[String]) {
    let opened = open(folder, usize::MAX).await;
    assert_eq!((bodies(&opened).as_slice(), opened.faults()), (expected, [].as_slice()));
    opened.close();
    assert_eq!(verify_folder(folder, vec![]).await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_taken_up_under_load_and_the_old_one_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), 1).await;
    store(&ingest, &texts(0..50), None).await;
    wait_until("a segment", || segments(&ingest) == 1).await;
    let stop = Arc::new(AtomicBool::new(false));
    let sender = tokio::spawn({
        let (ingest, stop) = (ingest.clone(), stop.clone());
        async move {
            let mut sent = 50;
            while !stop.load(Ordering::SeqCst) {
                store(&ingest, &texts(sent..sent + 10), None).await;
                sent += 10;
            }
            sent
        }
    });
    for _ in 0..3 {
        LocalKeyFile::replace(&folder.path().join("key")).unwrap();
        ingest.take_up_new_key().await.unwrap();
        assert_eq!(forget_retired(folder.path()), 1);
    }
    stop.store(true, Ordering::SeqCst);
    let sent = sender.await.unwrap();
    assert_eq!(bodies(&ingest), texts(0..sent));
    assert_eq!(ingest.take_up_new_key().await.unwrap(), 0, "nothing is left to do");
    ingest.close();
    holds(folder.path(), &texts(0..sent)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_and_after_leaves_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path(), usize::MAX).await;
    store(&ingest, &texts(0..10), None).await;
    let checkpoint = folder.path().join("data/tlog/default/default/checkpoint");
    wait_until("the checkpoint", || checkpoint.exists()).await;
    LocalKeyFile::replace(&folder.path().join("key")).unwrap();
    let before = killed_now(folder.path());
    holds(before.path(), &texts(0..10)).await;

    ingest.take_up_new_key().await.unwrap();
    store(&ingest, &texts(10..20), None).await;
    let after = killed_now(folder.path());
    assert_eq!(forget_retired(after.path()), 1);
    let opened = open(after.path(), usize::MAX).await;
    assert_eq!((bodies(&opened), opened.faults()), (texts(0..20), [].as_slice()), "the new key opens everything");
    opened.close();
    ingest.close();
    holds(folder.path(), &texts(0..20)).await;
}
