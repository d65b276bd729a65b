//! A process that is killed (kill -9) before one of the changes that it makes of a file or of the catalog.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use logkeep_catalog::{BatchKey, Catalog, CatalogError, Change, ClassPages, ClassState, PageRow};
use logkeep_record::{Class, TenantId};
use logkeep_store::{Disk, DiskEntry, DiskFile, SealedObjects, system_disk};
use parking_lot::Mutex;

use crate::Parts;

const FOLDER: &str = "LOGKEEP_TEST_KILLED_FOLDER";
const STEP: &str = "LOGKEEP_TEST_KILLED_STEP";

/// Changes that are still to be made; `None` is without end.
#[derive(Clone, Debug)]
pub(crate) struct Steps(Arc<Mutex<Option<u32>>>);

impl Steps {
    /// Without end.
    pub(crate) fn endless() -> Self {
        Self(Arc::default())
    }

    /// From now on so many; `None` is without end.
    pub(crate) fn set(&self, left: Option<u32>) {
        *self.0.lock() = left;
    }

    /// Nobody else makes a change while this process waits for its end.
    fn take(&self) {
        let mut left = self.0.lock();
        match &mut *left {
            None => {}
            Some(0) => loop {
                let command = format!("kill -9 {}", std::process::id());
                Command::new("sh").args(["-c", &command]).status().unwrap();
            },
            Some(left) => *left -= 1,
        }
    }
}

#[derive(Debug)]
struct KilledDisk(Arc<dyn Disk>, Steps);

impl KilledDisk {
    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(KilledFile(file, self.1.clone()))
    }
}

impl Disk for KilledDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.1.take();
        Ok(self.file(self.0.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.0.open(path)?))
    }

    fn occupy(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.1.take();
        self.0.occupy(path, bytes)
    }

    fn cut(&self, path: &Path, len: u64) -> io::Result<()> {
        self.1.take();
        self.0.cut(path, len)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.1.take();
        self.0.link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.1.take();
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.1.take();
        self.0.remove(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.1.take();
        self.0.remove_folder(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.1.take();
        self.0.create_folder(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.sync_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DiskEntry>> {
        self.0.list(path)
    }
}

/// Syncs are no steps: what a killed process has written is there, synced or not.
#[derive(Debug)]
struct KilledFile(Box<dyn DiskFile>, Steps);

impl DiskFile for KilledFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.take();
        self.0.append(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.1.take();
        self.0.cut(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        self.0.read_at(into, at)
    }
}

struct KilledCatalog(Arc<dyn Catalog>, Steps);

#[async_trait]
impl Catalog for KilledCatalog {
    async fn load(&self) -> Result<Vec<ClassState>, CatalogError> {
        self.0.load().await
    }

    async fn check(&self) -> Result<(), CatalogError> {
        self.0.check().await
    }

    async fn forget_batch_keys(&self, since_ns: i64) -> Result<(), CatalogError> {
        self.0.forget_batch_keys(since_ns).await
    }

    async fn batch_keys(&self, since_ns: i64) -> Result<Vec<(TenantId, BatchKey)>, CatalogError> {
        self.0.batch_keys(since_ns).await
    }

    async fn forget_documents(&self, since_ns: i64, most: u64) -> Result<u64, CatalogError> {
        self.0.forget_documents(since_ns, most).await
    }

    async fn documents(&self) -> Result<Vec<Vec<u8>>, CatalogError> {
        self.0.documents().await
    }

    async fn pages(&self) -> Result<Vec<ClassPages>, CatalogError> {
        self.0.pages().await
    }

    async fn page(&self, tenant: &TenantId, class: &Class, page: &PageRow) -> Result<Option<Vec<u8>>, CatalogError> {
        self.0.page(tenant, class, page).await
    }

    async fn commit(&self, change: Change) -> Result<(), CatalogError> {
        self.1.take();
        self.0.commit(change).await
    }

    async fn leave_nothing_deleted(&self) -> Result<(), CatalogError> {
        self.1.take();
        self.0.leave_nothing_deleted().await
    }

    async fn forget_tenant(&self, tenant: &TenantId) -> Result<(), CatalogError> {
        self.1.take();
        self.0.forget_tenant(tenant).await
    }

    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, CatalogError> {
        self.0.secret(name).await
    }

    async fn set_secrets(&self, secrets: &[(&str, &[u8])]) -> Result<(), CatalogError> {
        self.1.take();
        self.0.set_secrets(secrets).await
    }
}

/// The folder, and how many changes are made, in a process that is to be killed.
pub(crate) fn order() -> Option<(std::path::PathBuf, u32)> {
    let (folder, step) = (std::env::var(FOLDER).ok()?, std::env::var(STEP).ok()?);
    Some((folder.into(), step.parse().ok()?))
}

/// The same over what counts its changes.
pub(crate) fn counted(there: Parts, folder: &Path, steps: &Steps) -> Parts {
    let data = folder.join("data");
    let disk = Arc::new(KilledDisk(system_disk(), steps.clone()));
    Parts {
        catalog: Arc::new(KilledCatalog(there.catalog, steps.clone())),
        objects: SealedObjects::on(disk, &data, &data.join("objects")).unwrap(),
        ..there
    }
}

/// How the process of this test ends that is killed before this change.
pub(crate) fn run(test: &str, folder: &Path, step: u32) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", test])
        .envs([(FOLDER, folder.to_str().unwrap()), (STEP, &step.to_string())])
        .stdout(Stdio::null())
        .status()
        .unwrap()
}
