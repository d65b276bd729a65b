//! The tree of one class: its tiles copied, and what it adds up to.

use std::collections::HashMap;

use logkeep_catalog::Head;
use logkeep_tlog::{Checkpoint, Entry, Hash, Tree, read_entries, read_tile, tile_paths};

use super::manifest::ClassLine;
use super::target::Target;
use super::{BackupError, damaged};
use crate::state::ClassKey;
use crate::tiles::TileFolder;

/// The tree of a class, as it is copied.
pub(super) struct CopiedTree {
    class: ClassKey,
    tree: Tree,
    records: u64,
    /// Roots at the sizes that something was said of.
    roots: HashMap<u64, Hash>,
}

impl CopiedTree {
    /// Copies the tiles of the first `size` entries.
    pub(super) async fn of_tiles(
        target: &mut Target,
        folder: &TileFolder,
        class: &ClassKey,
        size: u64,
        told: &[u64],
    ) -> Result<Self, BackupError> {
        for path in tile_paths(0, size) {
            // Outgrown and removed between looking and reading; its successor is there the next time.
            let bytes = read_tile(folder, &path).map_err(|_| BackupError::Vanished(path.to_string()))?;
            let name = format!("tlog/{}/{}/{path}", class.0, class.1);
            let digest = super::copy::Digest { bytes: bytes.len() as u64, sha256: logkeep_cipher::sha256(&bytes) };
            if path.is_partial() || !target.keep(&name, digest).await? {
                target.put(&name, &mut bytes.as_slice()).await?;
            }
        }
        let mut copied = Self { class: class.clone(), tree: Tree::new(), records: 0, roots: HashMap::new() };
        copied.roots.insert(0, copied.tree.root());
        while copied.tree.size() < size {
            let entries = read_entries(folder, copied.tree.size(), size);
            for entry in entries.map_err(|error| BackupError::Vanished(error.path.to_string()))? {
                copied.append(&entry, told)?;
            }
        }
        Ok(copied)
    }

    /// Takes a batch of the log into account.
    pub(super) fn append_live(&mut self, entry: &Entry, told: &[u64]) -> Result<(), BackupError> {
        let next = self.tree.size();
        if entry.batch < next {
            return Ok(());
        }
        if entry.batch > next {
            let what = format!("batches {next} to {} are missing; run `logkeep verify`", entry.batch - 1);
            return Err(damaged(self.name(), what));
        }
        let bytes = entry.encode().map_err(|error| damaged(self.name(), error))?;
        self.append(&bytes, told)
    }

    fn append(&mut self, bytes: &[u8], told: &[u64]) -> Result<(), BackupError> {
        let entry = Entry::decode(bytes).map_err(|error| damaged(self.name(), error))?;
        self.tree.append(bytes).map_err(|error| damaged(self.name(), error))?;
        self.records += u64::from(entry.records);
        let size = self.tree.size();
        if told.contains(&size) {
            self.roots.insert(size, self.tree.root());
        }
        self.tree.forget(size);
        Ok(())
    }

    /// Holds it against what the catalog and the published checkpoint say.
    pub(super) fn check(&self, head: Option<&Head>, checkpoint: Option<&Checkpoint>) -> Result<(), BackupError> {
        let said = head.map(|head| ("the catalog", head.flushed, Hash(head.root)));
        let said = said.into_iter().chain(checkpoint.map(|one| ("its checkpoint", one.size(), one.root())));
        for (who, size, root) in said {
            if self.roots.get(&size) != Some(&root) {
                let what = format!("its first {size} batches are not those that {who} says; run `logkeep verify`");
                return Err(damaged(self.name(), what));
            }
        }
        Ok(())
    }

    pub(super) fn line(&self) -> ClassLine {
        ClassLine {
            class: self.class.clone(),
            batches: self.tree.size(),
            records: self.records,
            root: self.tree.root(),
        }
    }

    fn name(&self) -> String {
        format!("tree of {}/{}", self.class.0, self.class.1)
    }
}
