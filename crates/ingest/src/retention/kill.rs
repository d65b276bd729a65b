//! The process is killed (kill -9) before and after each change that destroying by age makes of a file or of the catalog; the next one
//! must find nothing damaged, and finish.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use super::tests::{day, filled, objects, ordered, parts_at};
use crate::killed::{self, Steps};
use crate::tests::{bodies, copy, parts, texts, verify_folder};
use crate::{Ingest, IngestConfig};

const SIGKILL: i32 = 9;

/// Destroys what is due in a folder as of day 11, and has it told.
async fn destroy(folder: &Path, steps: &Steps, allowed: Option<u32>) -> Ingest {
    let (there, _) = parts_at(folder, day(11)).await;
    let counted = killed::counted(there, folder, steps);
    let (ingest, begun) = Ingest::open_stepped(IngestConfig::new(&folder.join("data")), counted).await.unwrap();
    let (_writer, _flusher, compactor) = begun.split();
    steps.set(allowed);
    tokio::task::spawn_blocking(move || compactor.step().unwrap()).await.unwrap();
    for told in ingest.untold_expiries() {
        ingest.expiry_is_told(told).await.unwrap();
    }
    steps.set(None);
    ingest
}

/// In a process of its own, which is killed before its change number `STEP`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the test below runs it"]
async fn is_killed() {
    let Some((folder, step)) = killed::order() else { return };
    destroy(&folder, &Steps::endless(), Some(step)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_is_killed_the_next_start_finishes() {
    let begun = tempfile::tempdir().unwrap();
    filled(begun.path(), 0..3).await;
    // Open until the end: whoever closes it last folds its journal in, under the eyes of the one who copies.
    let catalog = parts(begun.path()).await.catalog;
    ordered(&*catalog, 9, day(11)).await;
    let mut steps = 0;
    loop {
        let killed = tempfile::tempdir().unwrap();
        copy(begun.path(), killed.path());
        let folder = killed.path().to_owned();
        let run = move || killed::run("retention::kill::is_killed", &folder, steps);
        let end = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(end.success() || end.signal() == Some(SIGKILL), "step {steps}: {end}");
        let report = verify_folder(killed.path(), vec![]).await;
        assert_eq!(report.findings, [], "step {steps}");
        let ingest = destroy(killed.path(), &Steps::endless(), None).await;
        assert_eq!((bodies(&ingest), objects(killed.path())), (texts(10..15), 1), "step {steps}");
        assert_eq!(ingest.untold_expiries(), [], "step {steps}");
        drop(ingest);
        let report = verify_folder(killed.path(), vec![]).await;
        assert_eq!((report.findings.as_slice(), report.classes[0].records), ([].as_slice(), 5), "step {steps}");
        if end.success() {
            break;
        }
        steps += 1;
    }
    drop(catalog);
    // The time, the rows, two objects, the pages of the catalog, two notes of how far it is.
    assert!(steps >= 6, "{steps}");
}
