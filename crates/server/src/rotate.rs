//! Another key-encryption key for a data folder, without rewriting data.
//!
//! Whoever may write the key file may rotate: a new key file is the order, and a server that runs on the folder carries it
//! out when it sees it. With a service that keeps the key, another generation that a file of the data folder names is the order. Only wrapped keys are written anew; that of the catalog comes last, and says that nothing else is
//! left. Until then the retired key still opens what is left, so a rotation that is cut short is simply begun again.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use logkeep_access::{Access, Rules};
use logkeep_cipher::WrappedKey;
use logkeep_ingest::{Ingest, IngestConfig};
use logkeep_store::{KeyProvider, KeyProviderError, KeySource, Keyring, LocalKeyFile, Succession};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::server::{CATALOG_KEY_CONTEXT, CATALOG_KEY_FILE, StartError, folder_error, lock, lock_file, open_with};

/// How often a server looks for a new key file, and after a failure tries again.
const LOOK: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(10);
/// How long a server may take. It goes on also when nobody waits any more.
const PATIENCE: Duration = Duration::from_secs(600);
/// What the audit trail says of it.
const ROTATES: &str = "the key is replaced, and everything put under the new one";

/// What was done.
#[derive(Debug)]
pub struct Rotated {
    /// Id of the key that everything is under now.
    pub current: String,
    /// Segments whose keys were wrapped anew; `None` if a running server did it.
    pub segments: Option<u64>,
    /// Whether a rotation that was cut short before was brought to its end.
    pub resumed: bool,
    /// Files of retired keys, which nothing in the folder needs.
    pub retired: Vec<PathBuf>,
}

/// Puts a new key in the place of the current one, and everything in the folder under it, or waits until the server that
/// runs on it has done that.
///
/// # Errors
/// [`StartError`]; everything can still be read, and the next call goes on where this one stopped.
pub async fn rotate_keys(data_dir: &Path, source: &KeySource) -> Result<Rotated, StartError> {
    // A second new key before the first is carried out would leave the first without a name.
    let _only = lock_file(data_dir, "rotation")?;
    let keys = source.open(data_dir)?;
    let resumed = !is_done(data_dir, &*keys)?;
    let keys = if resumed { keys } else { source.renew(data_dir, &read_catalog_key(data_dir)?).await? };
    let segments = by_anyone(data_dir, &keys).await?;
    Ok(Rotated { current: keys.key_id(), segments, resumed, retired: retired(source)? })
}

/// Puts everything in the folder under the key of another provider; data are not rewritten. No server may run on it.
///
/// # Errors
/// [`StartError`]; everything can still be read with both providers, and the next call goes on where this one stopped.
pub async fn move_keys(data_dir: &Path, from: &KeySource, to: &KeySource) -> Result<Rotated, StartError> {
    let _only = lock_file(data_dir, "rotation")?;
    let _lock = lock(data_dir)?;
    let old = from.open(data_dir)?;
    if let KeySource::Service(_) = to {
        // Keys of tenants that an earlier service wrapped keep their names.
        Keyring::order_next(data_dir, &read_catalog_key(data_dir)?)?;
    }
    let new = to.open_or_create(data_dir, false)?;
    let current = new.key_id();
    let what = format!("the keys move from the {from} to the {to}");
    let segments = by_ourselves(data_dir, Arc::new(Succession { old, new }), what).await?;
    Ok(Rotated { current, segments: Some(segments), resumed: false, retired: retired(from)? })
}

fn retired(source: &KeySource) -> Result<Vec<PathBuf>, KeyProviderError> {
    let KeySource::File(path) = source else { return Ok(Vec::new()) };
    Ok(LocalKeyFile::retired(path)?.into_iter().map(|(_, path)| path).collect())
}

/// Whether everything is under the current key.
fn is_done(data_dir: &Path, keys: &dyn KeyProvider) -> Result<bool, StartError> {
    Ok(keys.is_current(&read_catalog_key(data_dir)?, CATALOG_KEY_CONTEXT))
}

fn read_catalog_key(data_dir: &Path) -> Result<WrappedKey, StartError> {
    let path = data_dir.join(CATALOG_KEY_FILE);
    Ok(WrappedKey(std::fs::read(&path).map_err(folder_error(&path))?))
}

async fn by_anyone(data_dir: &Path, keys: &Arc<dyn KeyProvider>) -> Result<Option<u64>, StartError> {
    let begun = tokio::time::Instant::now();
    loop {
        match lock(data_dir) {
            Ok(_lock) if is_done(data_dir, &**keys)? => return Ok(None),
            Ok(_lock) => return by_ourselves(data_dir, keys.clone(), ROTATES.to_owned()).await.map(Some),
            Err(StartError::InUse(_)) if is_done(data_dir, &**keys)? => return Ok(None),
            Err(StartError::InUse(folder)) if begun.elapsed() > PATIENCE => return Err(StartError::Rotating(folder)),
            Err(StartError::InUse(_)) => tokio::time::sleep(LOOK / 10).await,
            Err(error) => return Err(error),
        }
    }
}

async fn by_ourselves(data_dir: &Path, keys: Arc<dyn KeyProvider>, what: String) -> Result<u64, StartError> {
    let parts = open_with(data_dir, keys.clone(), true).await?.into_parts();
    let ingest = Ingest::open(IngestConfig::new(data_dir), parts).await?;
    let access = Access::new(ingest.clone(), Rules::default());
    let done = told(&access, &*keys, what, carry_out(&ingest, &*keys, data_dir)).await;
    let closed = tokio::task::spawn_blocking(move || ingest.close()).await;
    closed.map_err(|stopped| folder_error(data_dir)(std::io::Error::other(stopped)))?;
    done
}

/// Does it once the audit trail says that it begins, and has the trail say that it is done.
async fn told(
    access: &Access,
    keys: &dyn KeyProvider,
    what: String,
    work: impl Future<Output = Result<u64, StartError>>,
) -> Result<u64, StartError> {
    let subject = || vec![("audit.action", "rotate".to_owned()), ("audit.object", "keys".to_owned())];
    access.note("audit.keys.rotating", what.clone(), subject()).await?;
    let segments = work.await?;
    let done = [("keys.current", keys.key_id()), ("keys.segments", segments.to_string())];
    access.note("audit.keys.rotated", format!("done: {what}"), [subject(), done.into()].concat()).await?;
    Ok(segments)
}

/// The engine's keys first, the catalog's own last.
async fn carry_out(ingest: &Ingest, keys: &dyn KeyProvider, data_dir: &Path) -> Result<u64, StartError> {
    let segments =
        ingest.take_up_new_key().await.map_err(|cause| folder_error(data_dir)(std::io::Error::other(cause)))?;
    let old = read_catalog_key(data_dir)?;
    if !keys.is_current(&old, CATALOG_KEY_CONTEXT) {
        let key = keys.unwrap(&old, CATALOG_KEY_CONTEXT).await?;
        let new = keys.wrap(&key, CATALOG_KEY_CONTEXT).await?;
        let path = data_dir.join(CATALOG_KEY_FILE);
        logkeep_ingest::write_durably(&path, &new.0).map_err(folder_error(&path))?;
    }
    Ok(segments)
}

/// Which file it is and when it was written, as far as that can be told.
fn stamp(order: &Path) -> Option<(u64, i64, i64)> {
    std::fs::metadata(order).ok().map(|file| (file.ino(), file.mtime(), file.mtime_nsec()))
}

/// What a server needs to carry out a rotation.
pub(crate) struct Rotation {
    pub(crate) ingest: Ingest,
    pub(crate) access: Access,
    pub(crate) keys: Arc<dyn KeyProvider>,
    pub(crate) data_dir: PathBuf,
    pub(crate) source: KeySource,
}

impl Rotation {
    /// Carries out what it finds ordered, also before it was started, until it is told to stop.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let order = self.source.order_file(&self.data_dir);
        let (mut seen, mut rest) = (None, LOOK);
        while tokio::time::timeout(rest, stop.cancelled()).await.is_err() {
            rest = LOOK;
            let now = stamp(&order);
            // The file is needed to start only: a running server does not mind if it is put away.
            if now.is_none() || now == seen {
                continue;
            }
            match self.look().await {
                Ok(()) => seen = now,
                Err(error) => {
                    warn!(%error, "the keys could not be rotated; both keys are needed until that is done, trying again");
                    rest = RETRY;
                }
            }
        }
    }

    async fn look(&self) -> Result<(), StartError> {
        if is_done(&self.data_dir, &*self.source.open(&self.data_dir)?)? {
            return Ok(());
        }
        let work = carry_out(&self.ingest, &*self.keys, &self.data_dir);
        let segments = told(&self.access, &*self.keys, ROTATES.to_owned(), work).await?;
        info!(key = self.keys.key_id(), segments, "the keys are rotated");
        Ok(())
    }
}
