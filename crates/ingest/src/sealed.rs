//! What seals a batch: its entry in the tree, the way to the root, and the checkpoint that was published over it.
//!
//! All of it is read as an auditor would read it, from the files, and holds together before it is given out.

use std::io;

use logkeep_record::{BatchNumber, Class, TenantId};
use logkeep_tlog::{
    Checkpoint, Hash, ProofError, PublicKey, TileSource, inclusion_proof, leaf_hash, read_entry, verify_inclusion,
};

use crate::engine::Ingest;
use crate::tiles::TileFolder;

/// A newer checkpoint may be published while tiles of an older one are read, and narrow tiles go.
const ATTEMPTS: usize = 3;

/// How a batch is sealed.
pub struct Sealed {
    /// The bytes of its entry.
    pub entry: Vec<u8>,
    /// From the entry to the root of the checkpoint.
    pub path: Vec<Hash>,
    /// The signed note, as published.
    pub checkpoint: String,
    /// The key that signed it.
    pub key: PublicKey,
}

/// What is published of a tree is damaged. Do not retry.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {what}; set the data folder aside unchanged and run `logkeep verify`")]
pub struct SealDamaged {
    object: String,
    what: String,
}

impl Ingest {
    /// What seals a batch; `None` as long as no checkpoint covers it. Blocks.
    ///
    /// # Errors
    /// [`SealDamaged`] names what was altered or cannot be read.
    pub fn sealed(&self, tenant: &TenantId, class: &Class, batch: BatchNumber) -> Result<Option<Sealed>, SealDamaged> {
        let key = (tenant.clone(), class.clone());
        let origin = self.shared.origin(&key);
        let tiles = self.shared.tiles(&key);
        let mut attempt = 1;
        loop {
            match read(&tiles, batch, &origin, &self.shared.signer.public_key()) {
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                answer => return answer,
            }
        }
    }
}

fn read(tiles: &TileFolder, batch: BatchNumber, origin: &str, key: &PublicKey) -> Result<Option<Sealed>, SealDamaged> {
    let note = match tiles.checkpoint() {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged("checkpoint", origin, error)),
    };
    let checkpoint = Checkpoint::open(&note, std::slice::from_ref(key));
    let checkpoint = checkpoint.map_err(|error| damaged("checkpoint", origin, error))?;
    if checkpoint.origin() != origin {
        return Err(damaged("checkpoint", origin, format!("it is of `{}`", checkpoint.origin())));
    }
    if batch >= checkpoint.size() {
        return Ok(None);
    }
    let (entry, path) =
        proven(tiles, batch, checkpoint.size(), checkpoint.root()).map_err(|error| damaged("tiles", origin, error))?;
    Ok(Some(Sealed { entry, path, checkpoint: note, key: key.clone() }))
}

fn damaged(what: &str, origin: &str, cause: impl ToString) -> SealDamaged {
    SealDamaged { object: format!("{what} of `{origin}`"), what: cause.to_string() }
}

/// The entry and the way from it to the root.
fn proven(tiles: &dyn TileSource, batch: u64, size: u64, root: Hash) -> Result<(Vec<u8>, Vec<Hash>), ProofError> {
    let path = inclusion_proof(tiles, batch, size, root)?;
    let outside = || ProofError::Outside { what: format!("entry {batch}"), size };
    let entry = read_entry(tiles, batch, size)?.ok_or_else(outside)?;
    verify_inclusion(leaf_hash(&entry), batch, size, &path, root)?;
    Ok((entry, path))
}
