//! Trees and checkpoints as files anyone may read: C2SP tlog-tiles below `tlog/<tenant>/<class>`.
//!
//! They hold hashes, counts and times, nothing of a record's content, and are not encrypted: an auditor needs no key.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use logkeep_record::{Class, TenantId};
use logkeep_tlog::{TilePath, TileSource, TileUnavailable, TileWrite};

/// The folder of one tree.
#[derive(Clone, Debug)]
pub(crate) struct TileFolder {
    root: PathBuf,
}

impl TileFolder {
    pub(crate) fn new(tlog: &Path, tenant: &TenantId, class: &Class) -> Self {
        Self { root: tlog.join(tenant.as_str()).join(class.as_str()) }
    }

    pub(crate) fn checkpoint_path(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// Writes the tiles, then, once they are durable, the checkpoint; then drops partial tiles that are outgrown.
    pub(crate) fn publish(&self, tiles: &[TileWrite], checkpoint: &str) -> io::Result<()> {
        for tile in tiles {
            write_durably(&self.root.join(tile.path.to_string()), &tile.bytes)?;
        }
        write_durably(&self.checkpoint_path(), checkpoint.as_bytes())?;
        tiles.iter().for_each(|tile| self.drop_outgrown(&tile.path));
        Ok(())
    }

    /// Partial tiles narrower than `path` say nothing that it does not say; one that stays does no harm.
    fn drop_outgrown(&self, path: &TilePath) {
        let folder = self.root.join(format!("{}.p", path.full()));
        for (width, narrow) in partials(&folder) {
            if width < path.width() {
                let _ = fs::remove_file(narrow);
            }
        }
        if !path.is_partial() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// The partial tiles in a folder, by width.
fn partials(folder: &Path) -> Vec<(u16, PathBuf)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(u16, PathBuf)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path))
        })
        .collect();
    found.sort();
    found
}

impl TileSource for TileFolder {
    fn read(&self, path: &TilePath) -> Result<Option<Vec<u8>>, TileUnavailable> {
        let unavailable = |error: io::Error| TileUnavailable { path: *path, reason: error.to_string() };
        match fs::read(self.root.join(path.to_string())) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unavailable(error)),
        }
        if !path.is_partial() {
            return Ok(None);
        }
        let wider = partials(&self.root.join(format!("{}.p", path.full())));
        match wider.into_iter().find(|(width, _)| *width >= path.width()) {
            Some((_, wider)) => fs::read(wider).map(Some).map_err(unavailable),
            None => Ok(None),
        }
    }
}

/// Writes beside the place, syncs, and renames: the file is there in full or as before.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}
