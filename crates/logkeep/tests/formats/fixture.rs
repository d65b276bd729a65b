//! Copies of fixtures, and what is in them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use logkeep_catalog::{Change, Head, Pages, SegmentId, SegmentRow};
use logkeep_cipher::{DataKey, WrappedKey};
use logkeep_ingest::{Ingest, IngestConfig};
use logkeep_record::{Class, Group, Record, TenantId, encode_group, json};
use logkeep_segment::Rows;
use logkeep_store::KeySource;
use logkeep_store::{ObjectKind, ObjectPath};
use sha2::{Digest as _, Sha256};

/// What a fixture holds.
pub(crate) const CLASSES: [(&str, &str); 3] = [("default", "default"), ("default", "audit"), ("other", "default")];

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(crate) fn class(name: &str) -> Class {
    Class::new(name).unwrap()
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// One folder for each release, oldest first.
pub(crate) fn data_dirs() -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    found.sort();
    assert!(!found.is_empty(), "there is no fixture; see the head of tests/formats.rs");
    found
}

/// A fixture where it may be changed: `data` and `key`.
pub(crate) struct Copy(tempfile::TempDir);

impl Copy {
    pub(crate) fn of(fixture: &Path) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        copy_folder(&fixture.join("data"), &copy.data());
        fs::copy(fixture.join("key"), copy.key()).unwrap();
        // Version control does not keep it.
        fs::set_permissions(copy.key(), fs::Permissions::from_mode(0o600)).unwrap();
        copy
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.0.path().join("key")
    }

    /// The key file as the provider.
    pub(crate) fn source(&self) -> KeySource {
        KeySource::File(self.key())
    }

    /// What `logkeep verify` finds.
    pub(crate) async fn verify(&self) -> Vec<String> {
        let verification = logkeep_server::verification(&self.data(), &self.source(), vec![]).await.unwrap();
        let report = logkeep_ingest::verify(&verification).await;
        report.findings.iter().map(|finding| format!("{}: {}", finding.object, finding.what)).collect()
    }
}

/// An engine over the copy that flushes only when it is closed.
pub(crate) async fn open(copy: &Copy) -> Result<Ingest> {
    open_at(&copy.data(), &copy.key()).await
}

pub(crate) async fn open_at(data: &Path, key: &Path) -> Result<Ingest> {
    let parts = logkeep_server::open_parts(data, &KeySource::File(key.to_owned()), true).await?;
    Ok(Ingest::open(IngestConfig::new(data), parts).await?)
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy_folder(&entry.path(), &target) } else { drop(fs::copy(entry.path(), target)) }
    }
}

/// Every file below, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
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

/// A line for each record: tenant, class, batch, index, the digest of its canonical bytes, its body.
pub(crate) fn described(ingest: &Ingest) -> String {
    let snapshot = ingest.snapshot();
    let mut lines = Vec::new();
    for (tenant_name, class_name) in CLASSES {
        let Some(view) = snapshot.class(&tenant(tenant_name), &class(class_name)) else { continue };
        let segments = view.segments.iter().map(|one| Arc::new(one.segment().unwrap().rows_where(None).unwrap()));
        for rows in view.live.iter().cloned().chain(segments) {
            lines.extend((0..rows.len()).map(|row| format!("{tenant_name} {class_name} {}", line(&rows, row))));
        }
    }
    lines.sort();
    lines.concat()
}

fn line(rows: &Rows, row: usize) -> String {
    let record = rows.record(row).unwrap();
    let (batch, index) = rows.place(row).unwrap();
    let mut body = String::new();
    json::write(&record.body, &mut body);
    format!("{batch:06} {index:06} {} {body}\n", hex::encode(digest(&record)))
}

fn digest(record: &Record<'_>) -> [u8; 32] {
    let mut bytes = Vec::new();
    Group::ALL.into_iter().for_each(|group| encode_group(record, group, &mut bytes));
    Sha256::digest(&bytes).into()
}

/// Puts a properly sealed and catalogued segment of other content in the place of the first one.
pub(crate) async fn replace_segment(data: &Path, alter: impl FnOnce(&mut Vec<u8>)) {
    let parts = logkeep_server::open_parts(data, &KeySource::File(data.with_file_name("key")), true).await.unwrap();
    let states = parts.catalog.load().await.unwrap();
    let state = states.into_iter().find(|state| state.tenant == tenant("default") && state.class == class("default"));
    let mut state = state.unwrap();
    let at = |id: &SegmentId| ObjectPath::new(&state.tenant, &state.class, ObjectKind::Segment, id.as_str()).unwrap();
    let old = state.segments[0].clone();
    let key = parts.keys.unwrap(&WrappedKey(old.wrapped_key.clone()), at(&old.id).as_str()).await.unwrap();
    let object = parts.objects.open(&at(&old.id), &key, old.plain_bytes).unwrap();
    let mut content = object.read(0..old.plain_bytes).await.unwrap().to_vec();
    alter(&mut content);
    let (id, key) = (SegmentId::new(old.first_batch, old.last_batch, [7; 6]), DataKey::generate());
    let wrapped_key = parts.keys.wrap(&key, at(&id).as_str()).await.unwrap().0;
    let receipt = parts.objects.put(&at(&id), &key, content).await.unwrap();
    let new = SegmentRow { id, wrapped_key, sealed_bytes: receipt.sealed_bytes, sha256: receipt.sha256, ..old.clone() };
    state.segments[0] = new.clone();
    let head = Head { segments: Head::commit_to(&state.segments), ..state.head };
    let (tenant, class) = (state.tenant, state.class);
    let change = Change {
        tenant,
        class,
        add: vec![new],
        remove: vec![old.id],
        head,
        keys: vec![],
        documents: None,
        pages: Pages::default(),
        secrets: vec![],
    };
    parts.catalog.commit(change).await.unwrap();
}

/// Writes another version into an SQLite file.
pub(crate) async fn set_catalog_version(path: &Path, version: u32) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {version}"))).execute(&pool).await.unwrap();
    pool.close().await;
}
