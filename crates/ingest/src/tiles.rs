//! Trees and checkpoints as files anyone may read: C2SP tlog-tiles below `tlog/<tenant>/<class>`.
//!
//! They hold hashes, counts and times, nothing of a record's content, and are not encrypted: an auditor needs no key.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use logkeep_record::{Class, TenantId};
use logkeep_store::{Disk, Folders, system_disk};
use logkeep_tlog::{TilePath, TileSource, TileUnavailable, TileWrite};

/// The folder of one tree.
#[derive(Clone, Debug)]
pub(crate) struct TileFolder {
    disk: Arc<dyn Disk>,
    root: PathBuf,
}

impl TileFolder {
    pub(crate) fn new(disk: Arc<dyn Disk>, tlog: &Path, tenant: &TenantId, class: &Class) -> Self {
        Self { disk, root: tlog.join(tenant.as_str()).join(class.as_str()) }
    }

    pub(crate) fn checkpoint_path(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// The latest checkpoint as it was published.
    pub(crate) fn checkpoint(&self) -> io::Result<String> {
        let bytes = self.disk.read(&self.checkpoint_path())?;
        String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Writes the tiles, then, once they are durable, the checkpoint; then drops partial tiles that are outgrown.
    pub(crate) fn publish(&self, folders: &Folders, tiles: &[TileWrite], checkpoint: &str) -> io::Result<()> {
        for tile in tiles {
            let path = self.root.join(tile.path.to_string());
            folders.ensure(path.parent().unwrap_or(&self.root))?;
            self.disk.replace(&path, &tile.bytes)?;
        }
        folders.ensure(&self.root)?;
        self.disk.replace(&self.checkpoint_path(), checkpoint.as_bytes())?;
        tiles.iter().for_each(|tile| self.drop_outgrown(&tile.path));
        Ok(())
    }

    /// Partial tiles narrower than `path` say nothing that it does not say; one that stays does no harm.
    fn drop_outgrown(&self, path: &TilePath) {
        let folder = self.root.join(format!("{}.p", path.full()));
        for (width, narrow) in self.partials(&folder) {
            if width < path.width() {
                let _ = self.disk.remove(&narrow);
            }
        }
        if !path.is_partial() {
            let _ = self.disk.remove_folder(&folder);
        }
    }

    /// The partial tiles in a folder, by width.
    fn partials(&self, folder: &Path) -> Vec<(u16, PathBuf)> {
        let Ok(entries) = self.disk.list(folder) else { return Vec::new() };
        let width = |entry: &logkeep_store::DiskEntry| entry.name.parse().ok();
        let mut found: Vec<(u16, PathBuf)> =
            entries.iter().filter_map(|entry| Some((width(entry)?, folder.join(&entry.name)))).collect();
        found.sort();
        found
    }
}

impl TileSource for TileFolder {
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable> {
        let unavailable = |error: io::Error| TileUnavailable { path: *path, reason: error.to_string() };
        match self.disk.read(&self.root.join(path.to_string())) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unavailable(error)),
        }
        if !path.is_partial() {
            return Ok(None);
        }
        let wider = self.partials(&self.root.join(format!("{}.p", path.full())));
        match wider.into_iter().find(|(width, _)| *width >= path.width()) {
            Some((_, wider)) => self.disk.read(&wider).map(Some).map_err(unavailable),
            None => Ok(None),
        }
    }
}

/// Writes beside the place, syncs, and renames: the file is there in full or as before.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    system_disk().replace(path, bytes)
}
