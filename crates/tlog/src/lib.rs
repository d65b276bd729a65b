//! Proof that the history was not changed, and nothing else.
//!
//! A log that its keeper can rewrite proves nothing. So the records of a batch are hashed into a root, the root becomes
//! an entry of an append-only Merkle tree (RFC 6962), and the tree's size and root are signed and handed out. After
//! that, short proofs tell whether an entry is in the tree and whether a later tree extends an earlier one, with
//! nothing but the formats in `docs/formats/transparency-log.md`: C2SP tlog-tiles, tlog-checkpoint and signed-note.
//!
//! Not here: what a record's hash covers (`record`), where tiles lie (`store`, `ingest`). Nothing here does I/O: tiles
//! are read through [`TileSource`], randomness comes in as an argument.

mod batch;
mod checkpoint;
mod entry;
mod hash;
mod note;
mod proof;
mod succession;
mod tiles;
mod tree;

pub use batch::{batch_inclusion, batch_root};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use entry::{ENTRY_VERSION, Entry, EntryError, MAX_ENTRY_BYTES};
pub use hash::{EMPTY_ROOT, Hash, HashError, leaf_hash, node_hash};
pub use note::{NoteError, PublicKey, Signer, cosign_statement, open_statement, sign_statement};
pub use proof::{ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
pub use succession::{Succession, SuccessionError};
pub use tiles::{TileKind, TilePath, TilePathError, TileSource, TileUnavailable, read_entries, read_entry, read_tile};
pub use tree::{MAX_TREE_SIZE, TileWrite, Tree, TreeError, tile_paths};
