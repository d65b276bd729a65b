//! Another key-encryption key for a data folder, without rewriting data.
//!
//! Only wrapped keys are written anew: one in `catalog.key`, one in the row of each segment. The write-ahead log's are in
//! files that never change, so what is in them goes to segments. Until all of that is done the retired key still opens what
//! is left, so a rotation that is cut short is simply begun again, and goes on.

use std::path::{Path, PathBuf};

use logkeep_catalog::{Catalog as _, Change, ClassState, SegmentRow};
use logkeep_cipher::WrappedKey;
use logkeep_ingest::{Ingest, IngestConfig};
use logkeep_store::{KeyProvider as _, LocalKeyFile, ObjectKind, ObjectPath};

use crate::server::{
    CATALOG_KEY_CONTEXT, CATALOG_KEY_FILE, OpenFolder, StartError, folder_error, lock, open_folder, open_parts,
};

/// A file of the log in which nothing was written: its head.
const EMPTY_LOG_BYTES: u64 = 16;

/// What was done.
#[derive(Debug)]
pub struct Rotated {
    /// Id of the key that everything is under now.
    pub current: String,
    /// Segments whose keys were wrapped anew.
    pub segments: u64,
    /// Whether a rotation that was cut short before was brought to its end.
    pub resumed: bool,
    /// Files of retired keys, which nothing in the folder needs.
    pub retired: Vec<PathBuf>,
}

/// Puts a new key in the place of the key file's, and everything in the folder under it. No server may run on it.
///
/// # Errors
/// [`StartError`]; everything can still be read, and the next call goes on where this one stopped.
pub async fn rotate_keys(data_dir: &Path, key_file: &Path) -> Result<Rotated, StartError> {
    let _lock = lock(data_dir)?;
    let folder = open_folder(data_dir, key_file, false).await?;
    let keys = LocalKeyFile::open(key_file)?;
    let resumed = needs_retired(&folder, &keys).await?;
    folder.catalog.close().await;
    let keys = if resumed { keys } else { LocalKeyFile::replace(key_file)? };
    let folder = open_folder(data_dir, key_file, false).await?;
    let segments = wrap_anew(&folder, &keys).await?;
    folder.catalog.close().await;
    empty_log(data_dir, key_file).await?;
    let retired = LocalKeyFile::retired(key_file)?.into_iter().map(|(_, path)| path).collect();
    Ok(Rotated { current: keys.key_id().to_owned(), segments, resumed, retired })
}

/// Whether something is left that the current key does not open.
async fn needs_retired(folder: &OpenFolder, keys: &LocalKeyFile) -> Result<bool, StartError> {
    let path = folder.data_dir.join(CATALOG_KEY_FILE);
    let wrapped = WrappedKey(std::fs::read(&path).map_err(folder_error(&path))?);
    if !keys.is_current(&wrapped, CATALOG_KEY_CONTEXT) {
        return Ok(true);
    }
    let states = folder.catalog.load().await?;
    let old = |state: &ClassState| state.segments.iter().any(|row| !is_current(keys, state, row));
    Ok(states.iter().any(old))
}

fn context(state: &ClassState, row: &SegmentRow) -> Option<ObjectPath> {
    ObjectPath::new(&state.tenant, &state.class, ObjectKind::Segment, row.id.as_str()).ok()
}

fn is_current(keys: &LocalKeyFile, state: &ClassState, row: &SegmentRow) -> bool {
    let wrapped = WrappedKey(row.wrapped_key.clone());
    context(state, row).is_some_and(|path| keys.is_current(&wrapped, path.as_str()))
}

/// The catalog's rows first, its own key last: it says that nothing else is left. Returns how many segments' keys were wrapped.
async fn wrap_anew(folder: &OpenFolder, keys: &LocalKeyFile) -> Result<u64, StartError> {
    let mut wrapped = 0;
    for state in folder.catalog.load().await? {
        let mut rows = Vec::new();
        for row in state.segments.iter().filter(|row| !is_current(keys, &state, row)) {
            let Some(path) = context(&state, row) else { continue };
            let key = keys.unwrap(&WrappedKey(row.wrapped_key.clone()), path.as_str()).await?;
            rows.push(SegmentRow { wrapped_key: keys.wrap(&key, path.as_str()).await?.0, ..row.clone() });
        }
        wrapped += rows.len() as u64;
        if !rows.is_empty() {
            let remove = rows.iter().map(|row| row.id.clone()).collect();
            let ClassState { tenant, class, head, .. } = state;
            folder.catalog.commit(Change { tenant, class, add: rows, remove, head, keys: vec![] }).await?;
        }
    }
    let path = folder.data_dir.join(CATALOG_KEY_FILE);
    let old = WrappedKey(std::fs::read(&path).map_err(folder_error(&path))?);
    if !keys.is_current(&old, CATALOG_KEY_CONTEXT) {
        let key = keys.unwrap(&old, CATALOG_KEY_CONTEXT).await?;
        let new = keys.wrap(&key, CATALOG_KEY_CONTEXT).await?;
        logkeep_ingest::write_durably(&path, &new.0).map_err(folder_error(&path))?;
    }
    Ok(wrapped)
}

/// Lets what is only in the log go to segments, whose keys are then under the current key, and its files with it.
async fn empty_log(data_dir: &Path, key_file: &Path) -> Result<(), StartError> {
    let parts = open_parts(data_dir, key_file, true).await?;
    let ingest = Ingest::open(IngestConfig::new(data_dir), parts).await?;
    let closing = ingest.clone();
    let closed = tokio::task::spawn_blocking(move || closing.close()).await;
    closed.map_err(|stopped| folder_error(data_dir)(std::io::Error::other(stopped)))?;
    let wal = data_dir.join("wal");
    for entry in std::fs::read_dir(&wal).map_err(folder_error(&wal))? {
        let path = entry.map_err(folder_error(&wal))?.path();
        if std::fs::metadata(&path).map_err(folder_error(&path))?.len() > EMPTY_LOG_BYTES {
            let left =
                "it still has batches under a retired key, which could not be flushed; mend that and rotate again";
            return Err(folder_error(&path)(std::io::Error::other(left)));
        }
    }
    Ok(())
}
