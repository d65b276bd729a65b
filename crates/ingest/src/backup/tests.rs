//! Backups of a real folder, in a folder and in a bucket: taken in use, restored, gone on with, damaged.

mod bucket;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_store::{Bucket, LocalKeyFile, SealedObjects, SystemClock};
use object_store::memory::InMemory;
use tempfile::TempDir;

use super::{BackupError, BackupReport, BackupSource, Place, backup, unpack};
use crate::tests::{bodies, open, segments, store, texts, verify_folder, wait_until};
use crate::{Ingest, Report, Verification, verify};

/// Where backups lie in a test.
#[derive(Clone, Copy)]
enum Kind {
    Folder,
    Bucket,
}

/// Runs tests on both kinds.
macro_rules! on_both {
    ($($name:ident)*) => {
        $(mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn in_a_folder() {
                super::$name(super::Kind::Folder).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn in_a_bucket() {
                super::$name(super::Kind::Bucket).await;
            }
        })*
    };
}

on_both! {
    a_copy_goes_on_as_another_log_and_so_does_the_original
    what_the_target_has_is_not_copied_again
    what_is_merged_away_meanwhile_is_copied_as_what_it_became
    a_damaged_or_missing_file_is_named_and_nothing_is_restored
    damage_in_the_data_folder_is_not_backed_up_as_if_it_were_whole
    what_decayed_in_the_target_is_copied_anew_when_it_is_looked_at
    places_in_use_are_refused
}

fn place(kind: Kind, folder: &Path) -> Place {
    match kind {
        Kind::Folder => Place::Folder(folder.join("backups")),
        // Parts that are shorter than what is copied, so that most of it is sent in several.
        Kind::Bucket => {
            let bucket = Bucket::new(Arc::new(InMemory::new()), "some/place", "s3://logs/some/place");
            Place::Bucket(bucket.with_part_bytes(700))
        }
    }
}

/// The files in a place, with their bytes.
async fn kept(place: &Place) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    match place {
        Place::Folder(root) => {
            let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.extend(files(root).into_iter().map(|path| (name(&path), fs::read(&path).unwrap())));
            found.remove("lock");
        }
        Place::Bucket(bucket) => {
            for folder in ["objects", "tlog", "backups"] {
                for (name, bytes) in bucket.list(folder).await.unwrap() {
                    let read = bucket.read(&name, bytes).await.unwrap().to_vec();
                    found.insert(name, read);
                }
            }
        }
    }
    found
}

async fn first_object(place: &Place) -> (String, Vec<u8>) {
    kept(place).await.into_iter().find(|(name, _)| name.starts_with("objects/")).unwrap()
}

async fn write(place: &Place, name: &str, bytes: &[u8]) {
    match place {
        Place::Folder(root) => {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), bytes).unwrap();
        }
        Place::Bucket(bucket) => {
            let mut uploads = bucket.uploads();
            let pending = uploads.read(name, &mut &*bytes).await.unwrap();
            uploads.finish(name, pending).await.unwrap();
            uploads.settle().await.unwrap();
        }
    }
}

async fn remove(place: &Place, name: &str) {
    match place {
        Place::Folder(root) => fs::remove_file(root.join(name)).unwrap(),
        Place::Bucket(bucket) => bucket.remove([name.to_owned()]).await.unwrap(),
    }
}

/// A folder with a data folder in use, and a place for its backups.
struct Lab {
    folder: TempDir,
    ingest: Ingest,
    place: Place,
}

impl Lab {
    /// Two segments, and batches that are only in the log, all of them below the checkpoint.
    async fn new(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in 0..2 {
            let ingest = open(folder.path(), usize::MAX).await;
            store(&ingest, &texts(part * 50..part * 50 + 50), None).await;
            ingest.close();
        }
        let ingest = open(folder.path(), usize::MAX).await;
        // The catalog's key is the same in all tests; this stands for the wrapped one.
        fs::write(folder.path().join("data/catalog.key"), b"wrapped").unwrap();
        let place = place(kind, folder.path());
        let lab = Self { folder, ingest, place };
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
        back_up(self.folder.path(), &self.place).await
    }

    /// Restores the latest backup as `<name>/data`, with the same key.
    async fn restore(&self, name: &str) -> Result<PathBuf, BackupError> {
        restore(&self.place, &self.path("key"), &self.path(name)).await
    }
}

async fn catalog(data: &Path) -> SqliteCatalog {
    SqliteCatalog::open(&data.join("catalog.sqlite"), &DataKey::from_bytes([3; 32])).await.unwrap()
}

async fn back_up(folder: &Path, target: &Place) -> Result<BackupReport, BackupError> {
    back_up_with(folder, target, false).await
}

async fn back_up_with(folder: &Path, target: &Place, recheck: bool) -> Result<BackupReport, BackupError> {
    let data_dir = folder.join("data");
    let catalog = Arc::new(catalog(&data_dir).await);
    let keys = Arc::new(LocalKeyFile::open(&folder.join("key")).unwrap());
    let clock = Arc::new(SystemClock::new());
    let source = BackupSource { data_dir, catalog: catalog.clone(), keys, clock, recheck };
    let report = backup(&source, target).await;
    catalog.close().await;
    report
}

async fn restore(from: &Place, key: &Path, to: &Path) -> Result<PathBuf, BackupError> {
    fs::create_dir_all(to).unwrap();
    fs::copy(key, to.join("key")).unwrap();
    let staged = unpack(from, &to.join("data")).await?;
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

async fn a_copy_goes_on_as_another_log_and_so_does_the_original(kind: Kind) {
    let lab = Lab::new(kind).await;
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

async fn what_the_target_has_is_not_copied_again(kind: Kind) {
    use std::os::unix::fs::MetadataExt as _;
    let lab = Lab::new(kind).await;
    let first = lab.backup().await.unwrap();
    assert_eq!(first.kept_bytes, 0);
    let shared = async || {
        let kept = kept(&lab.place).await;
        kept.into_iter().filter(|(name, _)| name.starts_with("objects/")).collect::<BTreeMap<_, _>>()
    };
    let same_files = || match &lab.place {
        Place::Folder(root) => {
            files(&root.join("objects")).iter().map(|file| fs::metadata(file).unwrap().ino()).collect()
        }
        Place::Bucket(_) => Vec::new(),
    };
    let (before, inodes) = (shared().await, same_files());
    assert!(before.len() >= 2);
    // What is not read is not noticed, so this stands as it is if it is not written again.
    let (name, mut bytes) = before.first_key_value().map(|(name, bytes)| (name.clone(), bytes.clone())).unwrap();
    bytes[0] ^= 1;
    write(&lab.place, &name, &bytes).await;
    lab.grow(130..140).await;
    let second = lab.backup().await.unwrap();
    assert_eq!((second.manifest.number, second.manifest.records), (2, 140));
    let after = shared().await;
    assert!(before.keys().all(|name| after.contains_key(name)));
    assert_eq!(after[&name], bytes);
    assert!(inodes.iter().all(|inode| same_files().contains(inode)), "the same files, not others of the same name");
    assert_eq!(second.kept_bytes, before.values().map(|bytes| bytes.len() as u64).sum::<u64>());
    assert_eq!(second.copied_bytes + second.kept_bytes, second.manifest.bytes);
    write(&lab.place, &name, &before[&name]).await;
    let copy = open(&lab.restore("copy").await.unwrap(), usize::MAX).await;
    assert_eq!(bodies(&copy), texts(0..140));
    copy.close();
    lab.ingest.close();
}

async fn what_is_merged_away_meanwhile_is_copied_as_what_it_became(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let place = place(kind, folder.path());
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
        let report = back_up(folder.path(), &place).await.unwrap();
        assert!(report.manifest.records >= acked, "what was acknowledged before is in it");
        let to = folder.path().join(format!("copy-{round}"));
        let copy = restore(&place, &folder.path().join("key"), &to).await.unwrap();
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
    let lab = Lab::new(Kind::Folder).await;
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

async fn a_damaged_or_missing_file_is_named_and_nothing_is_restored(kind: Kind) {
    let lab = Lab::new(kind).await;
    lab.backup().await.unwrap();
    lab.ingest.close();
    for (number, (file, bytes)) in kept(&lab.place).await.into_iter().enumerate() {
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        write(&lab.place, &file, &damaged).await;
        let altered = lab.restore(&format!("altered-{number}")).await.unwrap_err().to_string();
        write(&lab.place, &file, &bytes[..bytes.len() - 1]).await;
        let cut = lab.restore(&format!("cut-{number}")).await.unwrap_err().to_string();
        remove(&lab.place, &file).await;
        let missing = lab.restore(&format!("missing-{number}")).await.unwrap_err().to_string();
        write(&lab.place, &file, &bytes).await;
        let name = file.rsplit('/').next().unwrap();
        // Without a manifest it is no backup.
        let expected = match name {
            "public-key" => ["public-key", "public-key"],
            "manifest" => ["manifest", "no backup that was completed"],
            name => [name, name],
        };
        assert!(altered.contains(expected[0]), "{file}: {altered}");
        assert!(cut.contains(expected[0]), "{file}: {cut}");
        assert!(missing.contains(expected[1]), "{file}: {missing}");
        for kind in ["altered", "missing"] {
            assert!(!lab.path(&format!("{kind}-{number}/data")).exists(), "half a copy has no name");
        }
    }
    lab.restore("whole").await.unwrap();
}

async fn damage_in_the_data_folder_is_not_backed_up_as_if_it_were_whole(kind: Kind) {
    let lab = Lab::new(kind).await;
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

async fn what_decayed_in_the_target_is_copied_anew_when_it_is_looked_at(kind: Kind) {
    let lab = Lab::new(kind).await;
    lab.backup().await.unwrap();
    let (file, whole) = first_object(&lab.place).await;
    let mut bytes = whole.clone();
    bytes[whole.len() / 3] ^= 1;
    write(&lab.place, &file, &bytes).await;
    lab.backup().await.unwrap();
    let decayed = lab.restore("decayed").await.unwrap_err().to_string();
    assert!(decayed.contains(&file), "{decayed}");
    let rechecked = back_up_with(lab.folder.path(), &lab.place, true).await.unwrap();
    assert!(rechecked.copied_bytes >= whole.len() as u64 && rechecked.kept_bytes > 0);
    assert_eq!(kept(&lab.place).await[&file], whole);
    lab.restore("whole").await.unwrap();
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_backup_leaves_the_one_before_it_as_it_was() {
    let lab = Lab::new(Kind::Folder).await;
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

async fn places_in_use_are_refused(kind: Kind) {
    let (lab, other) = (Lab::new(kind).await, Lab::new(kind).await);
    lab.backup().await.unwrap();
    let foreign = back_up(other.folder.path(), &lab.place).await.unwrap_err().to_string();
    assert!(foreign.contains("holds backups of the installation"), "{foreign}");
    let latest = "backups/000000000001/manifest";
    let note = kept(&lab.place).await.remove(latest).unwrap();
    let altered = String::from_utf8(note.clone()).unwrap().replacen("number 1", "number 2", 1);
    write(&lab.place, latest, altered.as_bytes()).await;
    let decayed = lab.backup().await.unwrap_err().to_string();
    assert!(decayed.contains("move that backup aside"), "{decayed}");
    for name in kept(&lab.place).await.keys().filter(|name| name.starts_with("backups/")) {
        remove(&lab.place, name).await;
    }
    assert!(lab.backup().await.unwrap().kept_bytes > 0, "what is shared is still there");
    lab.ingest.close();
    other.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_takes_one_backup_at_a_time() {
    let lab = Lab::new(Kind::Folder).await;
    lab.backup().await.unwrap();
    let lock = fs::File::options().write(true).open(lab.path("backups/lock")).unwrap();
    lock.lock().unwrap();
    let busy = lab.backup().await.unwrap_err().to_string();
    assert!(busy.contains("is in use by another backup"), "{busy}");
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_empty_folder_is_restored_into() {
    let lab = Lab::new(Kind::Folder).await;
    lab.backup().await.unwrap();
    fs::create_dir_all(lab.path("used/data")).unwrap();
    fs::write(lab.path("used/data/precious"), "mine").unwrap();
    let used = lab.restore("used").await.unwrap_err().to_string();
    assert!(used.contains("is not empty"), "{used}");
    fs::create_dir_all(lab.path("way/data.restoring")).unwrap();
    fs::write(lab.path("way/data.restoring/precious"), "mine").unwrap();
    let way = lab.restore("way").await.unwrap_err().to_string();
    assert!(way.contains("is in the way"), "{way}");
    fs::remove_file(lab.path("way/data.restoring/precious")).unwrap();
    fs::write(lab.path("way/data.restoring/logkeep-restore-not-finished.new"), "").unwrap();
    lab.restore("way").await.expect("what was killed before it had its mark is taken over");
    fs::create_dir_all(lab.path("empty/data")).unwrap();
    lab.restore("empty").await.unwrap();
    lab.ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_copy_names_both_and_a_broken_chain_is_found() {
    let lab = Lab::new(Kind::Folder).await;
    lab.backup().await.unwrap();
    let first = lab.checkpoint();
    lab.ingest.close();
    let copy = lab.restore("copy").await.unwrap();
    let restored = open(&copy, usize::MAX).await;
    store(&restored, &texts(500..510), None).await;
    restored.close();
    let second = fs::read_to_string(copy.join("data/tlog/default/default/checkpoint")).unwrap();
    let place = place(Kind::Folder, &copy);
    back_up(&copy, &place).await.unwrap();
    let third = restore(&place, &copy.join("key"), &lab.path("third")).await.unwrap();
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
