//! The process is killed (kill -9) before and after each change that destroying makes of a file or of the catalog, one after the
//! other; the next one must find nothing damaged, and finish.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use logkeep_record::TenantId;

use super::tests::{begun, is_destroyed, refuses};
use crate::killed::{self, Steps};
use crate::tests::{copy, open, parts, verify_folder};
use crate::{Ingest, IngestConfig};

const SIGKILL: i32 = 9;
const AT_ONCE: u32 = 8;

/// In a process of its own: destroys what the folder's tenant has, and is killed before its change number `STEP`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the test below runs it"]
async fn is_killed() {
    let Some((folder, step)) = killed::order() else { return };
    let steps = Steps::endless();
    let parts = killed::counted(parts(&folder).await, &folder, &steps);
    let data = folder.join("data");
    let mut config = IngestConfig::new(&data);
    config.flush_bytes = usize::MAX;
    let ingest = Ingest::open(config, parts).await.unwrap();
    steps.set(Some(step));
    ingest.destroy(&TenantId::default()).await.unwrap();
    ingest.destruction_is_told(&TenantId::default()).await.unwrap();
    steps.set(None);
    ingest.close();
}

/// Whether it was done before this change had its turn.
async fn is_done_before(step: u32, begun: &Path) -> bool {
    let killed = tempfile::tempdir().unwrap();
    copy(begun, killed.path());
    let folder = killed.path().to_owned();
    let end =
        tokio::task::spawn_blocking(move || killed::run("destroy::kill::is_killed", &folder, step)).await.unwrap();
    assert!(end.success() || end.signal() == Some(SIGKILL), "step {step}: {end}");
    assert_eq!(verify_folder(killed.path(), vec![]).await.findings, [], "step {step}");
    let ingest = open(killed.path(), usize::MAX).await;
    refuses(&ingest).await;
    ingest.destroy(&TenantId::default()).await.unwrap();
    ingest.close();
    is_destroyed(killed.path()).await;
    end.success()
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_is_killed_the_next_start_finishes() {
    let (_folder, ingest, begun) = begun().await;
    ingest.close();
    let mut steps = 0;
    loop {
        let rounds = (steps..steps + AT_ONCE).map(|step| is_done_before(step, begun.path()));
        let are_done = futures::future::join_all(rounds).await;
        if are_done.iter().all(|is_done| *is_done) {
            break;
        }
        steps += AT_ONCE;
    }
    // A segment goes to the disk, and two go from it, with what the catalog knows of them: with fewer, not all of it was seen.
    assert!(steps > 20, "{steps}");
}
