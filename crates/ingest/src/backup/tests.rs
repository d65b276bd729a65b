//! Backups of a real folder: taken in use, restored, gone on with, damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_store::{LocalKeyFile, SealedObjects, SystemClock};
use tempfile::TempDir;

use super::{BackupError, BackupReport, BackupSource, backup, unpack};
use crate::tests::{bodies, open, segments, store, texts, verify_folder, wait_until};
use crate::{Ingest, Report, Verification, verify};

/// A folder with a data folder in use, and a place for its backups.
struct Lab {
    folder: TempDir,
    ingest: Ingest,
}

impl Lab {
    /// Two segments, and batches that are only in the log, all of them below the checkpoint.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in 0..2 {
            let ingest = open(folder.path(), usize::MAX).await;
            store(&ingest, &texts(part * 50..part * 50 + 50), None).await;
            ingest.close();
        }
        let ingest = open(folder.path(), usize::MAX).await;
        // The catalog's key is the same in all tests; this stands for the wrapped one.
        fs::write(folder.path().join("data/catalog.key"), b"wrapped").unwrap();
        let lab = Self { folder, ingest };
        lab.grow(100..130).await;
        lab
    }

    async fn grow(&self, range: std::ops::Range<u32>) {
        for start in range.step_by(10) {
            store(&self.ingest, &texts(start..start + 10), None).await;
        }
        let told = || self.checkpoint().lines().nth(1).map(str::to_owned);
        let size = self.batches().to_string();
        wait_until("the checkpoint", || told().as_ref() == Some(&size)).await;
    }

    fn batches(&self) -> usize {
        2 + (bodies(&self.ingest).len() - 100) / 10
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn checkpoint(&self) -> String {
        fs::read_to_string(self.path("data/tlog/default/default/checkpoint")).unwrap_or_default()
    }

    async fn backup(&self) -> Result<BackupReport, BackupError> {
        back_up(self.folder.path(), &self.path("backups")).await
    }

    /// Restores the latest backup as `<name>/data`, with the same key.
    async fn restore(&self, name: &str) -> Result<PathBuf, BackupError> {
        restore(&self.path("backups"), &self.path("key"), &self.path(name)).await
    }
}

async fn catalog(data: &Path) -> SqliteCatalog {
    SqliteCatalog::open(&data.join("catalog.sqlite"), &DataKey::from_bytes([3; 32])).await.unwrap()
}

async fn back_up(folder: &Path, target: &Path) -> Result<BackupReport, BackupError> {
    back_up_with(folder, target, false).await
}

async fn back_up_with(folder: &Path, target: &Path, recheck: bool) -> Result<BackupReport, BackupError> {
    let data_dir = folder.join("data");
    let catalog = Arc::new(catalog(&data_dir).await);
    let keys = Arc::new(LocalKeyFile::open(&folder.join("key")).unwrap());
    let clock = Arc::new(SystemClock::new());
    let source = BackupSource { data_dir, catalog: catalog.clone(), keys, clock, recheck };
    let report = backup(&source, target).await;
    catalog.close().await;
    report
}

async fn restore(from: &Path, key: &Path, to: &Path) -> Result<PathBuf, BackupError> {
    fs::create_dir_all(to).unwrap();
    fs::copy(key, to.join("key")).unwrap();
    let staged = unpack(from, &to.join("data"))?;
    let data_dir = staged.folder().to_owned();
    let catalog = Arc::new(catalog(&data_dir).await);
    let report = verify(&Verification {
        objects: SealedObjects::local_read_only(&data_dir.join("objects")),
        data_dir,
        catalog: catalog.clone(),
        keys: Arc::new(LocalKeyFile::open(key).unwrap()),
        since: vec![],
    })
    .await;
    let opened = match staged.prove(&catalog, &report).await {
        Ok(()) => staged.open_new_log(&catalog, &SystemClock::new()).await,
        Err(error) => Err(error),
    };
    catalog.close().await;
    opened?;
    staged.publish()?;
    Ok(to.to_owned())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn whats(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|finding| finding.what.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_on_as_another_log_and_so_does_the_original() {
    let lab = Lab::new().await;
    let report = lab.backup().await.unwrap();
    assert_eq!((report.manifest.number, report.manifest.records), (1, 130));
    let at_backup = lab.checkpoint();
    let copy = lab.restore("copy").await.unwrap();
    assert_eq!(whats(&verify_folder(&copy, vec![at_backup.clone()]).await), Vec::<&str>::new());

    lab.grow(130..160).await;
    let restored = open(&copy, usize::MAX).await;
    assert_eq!(bodies(&restored), texts(0..130));
    store(&restored, &texts(500..510), None).await;
    restored.close();
    let restored = open(&copy, usize::MAX).await;
    assert_eq!(bodies(&restored), [texts(0..130), texts(500..510)].concat());
    restored.close();
    let report = verify_folder(&copy, vec![at_backup.clone()]).await;
    assert_eq!(whats(&report), Vec::<&str>::new(), "what the old log had signed is in the new one");
    assert_eq!(report.classes[0].records, 140);
    assert_eq!(whats(&verify_folder(lab.folder.path(), vec![at_backup.clone()]).await), Vec::<&str>::new());

    let own = fs::read_to_string(copy.join("data/tlog/default/default/checkpoint")).unwrap();
    let first = |checkpoint: &str| checkpoint.lines().next().unwrap().to_owned();
    assert_ne!(first(&own), first(&at_backup), "two logs, two names");
    assert!(own.contains(&format!("\nsucceeds {} 5 ", first(&at_backup))), "{own}");
    let later = verify_folder(&copy, vec![lab.checkpoint()]).await;
    assert!(whats(&later)[0].contains("that log went on after the backup"), "{later:?}");
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_target_has_is_not_copied_again() {
    use std::os::unix::fs::MetadataExt as _;
    let lab = Lab::new().await;
    let first = lab.backup().await.unwrap();
    assert_eq!(first.kept_bytes, 0);
    let shared = || {
        let files = files(&lab.path("backups/objects"));
        files.into_iter().map(|file| (file.clone(), fs::metadata(file).unwrap().ino())).collect::<Vec<_>>()
    };
    let before = shared();
    assert!(before.len() >= 2);
    lab.grow(130..140).await;
    let second = lab.backup().await.unwrap();
    assert_eq!((second.manifest.number, second.manifest.records), (2, 140));
    let after = shared();
    assert!(before.iter().all(|file| after.contains(file)), "the same files, not others of the same name");
    let bytes: u64 = before.iter().map(|(file, _)| fs::metadata(file).unwrap().len()).sum();
    assert_eq!(second.kept_bytes, bytes);
    assert_eq!(second.copied_bytes + second.kept_bytes, second.manifest.bytes);
    let copy = open(&lab.restore("copy").await.unwrap(), usize::MAX).await;
    assert_eq!(bodies(&copy), texts(0..140));
    copy.close();
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_merged_away_meanwhile_is_copied_as_what_it_became() {
    let folder = tempfile::tempdir().unwrap();
    // Every batch is flushed at once, and eight segments are merged to one.
    let ingest = open(folder.path(), 1).await;
    fs::write(folder.path().join("data/catalog.key"), b"wrapped").unwrap();
    store(&ingest, &texts(0..10), None).await;
    let writer = {
        let ingest = ingest.clone();
        tokio::spawn(async move {
            for start in (10..1_200).step_by(10) {
                store(&ingest, &texts(start..start + 10), None).await;
            }
        })
    };
    for round in 0..6 {
        let acked = bodies(&ingest).len() as u64;
        let report = back_up(folder.path(), &folder.path().join("backups")).await.unwrap();
        assert!(report.manifest.records >= acked, "what was acknowledged before is in it");
        let to = folder.path().join(format!("copy-{round}"));
        let copy = restore(&folder.path().join("backups"), &folder.path().join("key"), &to).await.unwrap();
        let restored = open(&copy, usize::MAX).await;
        assert_eq!(bodies(&restored), texts(0..report.manifest.records as u32));
        restored.close();
    }
    writer.await.unwrap();
    assert!(segments(&ingest) < 119, "segments were merged");
    ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_flushed_is_not_copied_without_a_checkpoint() {
    let lab = Lab::new().await;
    let checkpoint = lab.path("data/tlog/default/default/checkpoint");
    let text = fs::read(&checkpoint).unwrap();
    fs::remove_file(&checkpoint).unwrap();
    let refused = lab.backup().await.unwrap_err().to_string();
    assert!(refused.contains("default/checkpoint"), "{refused}");
    fs::write(&checkpoint, text).unwrap();
    lab.backup().await.unwrap();
    lab.restore("copy").await.unwrap();
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_missing_file_is_named_and_nothing_is_restored() {
    let lab = Lab::new().await;
    lab.backup().await.unwrap();
    lab.ingest.close();
    let backups = lab.path("backups");
    for (number, file) in files(&backups).into_iter().filter(|file| !file.ends_with("lock")).enumerate() {
        let bytes = fs::read(&file).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(&file, &damaged).unwrap();
        let altered = lab.restore(&format!("altered-{number}")).await.unwrap_err().to_string();
        fs::remove_file(&file).unwrap();
        let missing = lab.restore(&format!("missing-{number}")).await.unwrap_err().to_string();
        fs::write(&file, &bytes).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        // Without a manifest it is no backup.
        let expected = match name {
            "public-key" => ["public-key", "public-key"],
            "manifest" => ["manifest", "no backup that was completed"],
            name => [name, name],
        };
        assert!(altered.contains(expected[0]), "{}: {altered}", file.display());
        assert!(missing.contains(expected[1]), "{}: {missing}", file.display());
        for kind in ["altered", "missing"] {
            assert!(!lab.path(&format!("{kind}-{number}/data")).exists(), "half a copy has no name");
        }
    }
    lab.restore("whole").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_in_the_data_folder_is_not_backed_up_as_if_it_were_whole() {
    let lab = Lab::new().await;
    let file = files(&lab.path("data/objects")).into_iter().next().unwrap();
    let bytes = fs::read(&file).unwrap();
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    fs::write(&file, &damaged).unwrap();
    let refused = lab.backup().await.unwrap_err().to_string();
    assert!(refused.contains(file.file_name().unwrap().to_str().unwrap()), "{refused}");
    assert!(refused.contains("logkeep verify"), "{refused}");
    let nothing = lab.restore("copy").await.unwrap_err().to_string();
    assert!(nothing.contains("no backup that was completed"), "{nothing}");
    fs::write(&file, &bytes).unwrap();
    lab.backup().await.unwrap();
    lab.restore("copy").await.unwrap();
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decayed_in_the_target_is_copied_anew_when_it_is_looked_at() {
    let lab = Lab::new().await;
    lab.backup().await.unwrap();
    let file = files(&lab.path("backups/objects")).into_iter().next().unwrap();
    let mut bytes = fs::read(&file).unwrap();
    let whole = bytes.clone();
    bytes[whole.len() / 3] ^= 1;
    fs::write(&file, &bytes).unwrap();
    lab.backup().await.unwrap();
    let decayed = lab.restore("decayed").await.unwrap_err().to_string();
    assert!(decayed.contains(file.file_name().unwrap().to_str().unwrap()), "{decayed}");
    let rechecked = back_up_with(lab.folder.path(), &lab.path("backups"), true).await.unwrap();
    assert!(rechecked.copied_bytes >= whole.len() as u64 && rechecked.kept_bytes > 0);
    assert_eq!(fs::read(&file).unwrap(), whole);
    lab.restore("whole").await.unwrap();
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_backup_leaves_the_one_before_it_as_it_was() {
    let lab = Lab::new().await;
    lab.backup().await.unwrap();
    // What a kill leaves: its own files under a name of their own, or complete but for the manifest, and half an object.
    let own = lab.path("backups/backups");
    for left in ["000000000002.new/wal", "000000000002"] {
        fs::create_dir_all(own.join(left)).unwrap();
        fs::write(own.join(left).join("contents"), "half").unwrap();
    }
    let object = files(&lab.path("backups/objects")).into_iter().next().unwrap();
    fs::write(super::copy::with_suffix(&object, ".new"), "half").unwrap();
    let copy = open(&lab.restore("copy").await.unwrap(), usize::MAX).await;
    assert_eq!(bodies(&copy), texts(0..130));
    copy.close();
    lab.grow(130..140).await;
    assert_eq!(lab.backup().await.unwrap().manifest.number, 2);
    assert!(!own.join("000000000002.new").exists());
    let later = open(&lab.restore("later").await.unwrap(), usize::MAX).await;
    assert_eq!(bodies(&later), texts(0..140));
    later.close();
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_in_use_are_refused() {
    let (lab, other) = (Lab::new().await, Lab::new().await);
    lab.backup().await.unwrap();
    let foreign = back_up(other.folder.path(), &lab.path("backups")).await.unwrap_err().to_string();
    assert!(foreign.contains("holds backups of the installation"), "{foreign}");
    fs::create_dir_all(lab.path("used/data")).unwrap();
    fs::write(lab.path("used/data/precious"), "mine").unwrap();
    let used = lab.restore("used").await.unwrap_err().to_string();
    assert!(used.contains("is not empty"), "{used}");
    fs::create_dir_all(lab.path("way/data.restoring")).unwrap();
    let way = lab.restore("way").await.unwrap_err().to_string();
    assert!(way.contains("is in the way"), "{way}");
    fs::create_dir_all(lab.path("empty/data")).unwrap();
    lab.restore("empty").await.unwrap();
    let latest = lab.path("backups/backups/000000000001");
    let note = fs::read_to_string(latest.join("manifest")).unwrap();
    fs::write(latest.join("manifest"), note.replacen("number 1", "number 2", 1)).unwrap();
    let decayed = lab.backup().await.unwrap_err().to_string();
    assert!(decayed.contains("move that backup aside"), "{decayed}");
    fs::rename(&latest, lab.path("aside")).unwrap();
    assert!(lab.backup().await.unwrap().kept_bytes > 0, "what is shared is still there");
    let lock = fs::File::options().write(true).open(lab.path("backups/lock")).unwrap();
    lock.lock().unwrap();
    let busy = lab.backup().await.unwrap_err().to_string();
    assert!(busy.contains("is in use by another backup"), "{busy}");
    lab.ingest.close();
    other.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_copy_names_both_and_a_broken_chain_is_found() {
    let lab = Lab::new().await;
    lab.backup().await.unwrap();
    let first = lab.checkpoint();
    lab.ingest.close();
    let copy = lab.restore("copy").await.unwrap();
    let restored = open(&copy, usize::MAX).await;
    store(&restored, &texts(500..510), None).await;
    restored.close();
    let second = fs::read_to_string(copy.join("data/tlog/default/default/checkpoint")).unwrap();
    back_up(&copy, &copy.join("backups")).await.unwrap();
    let third = restore(&copy.join("backups"), &copy.join("key"), &lab.path("third")).await.unwrap();
    let report = verify_folder(&third, vec![first, second]).await;
    assert_eq!(whats(&report), Vec::<&str>::new(), "both earlier logs are in it");

    let links = third.join("data/tlog/default/default/succession");
    assert_eq!(files(&links).len(), 4);
    for file in files(&links) {
        let bytes = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let missing = verify_folder(&third, vec![]).await;
        assert_eq!(missing.findings.len(), 1, "{missing:?}");
        assert_eq!(missing.findings[0].object, file.display().to_string());
        let mut altered = bytes.clone();
        altered[30] ^= 1;
        fs::write(&file, &altered).unwrap();
        assert_eq!(verify_folder(&third, vec![]).await.findings.len(), 1, "{}", file.display());
        fs::write(&file, &bytes).unwrap();
    }
    for gone in [vec!["001"], vec!["001", "002"]] {
        for name in &gone {
            fs::rename(links.join(name), third.join(name)).unwrap();
        }
        let report = verify_folder(&third, vec![]).await;
        assert!(whats(&report)[0].contains("is missing"), "{report:?}");
        for name in &gone {
            fs::rename(third.join(name), links.join(name)).unwrap();
        }
    }
    assert_eq!(whats(&verify_folder(&third, vec![]).await), Vec::<&str>::new());
}
