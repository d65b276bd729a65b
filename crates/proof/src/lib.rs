//! The file that proves one record, and its verifier.
//!
//! Somebody who was handed a record must be able to check it years later, without a server, a data folder or a key of ours.
//! So one file has all that takes: canonical bytes and salts, the way to the root of the batch, the entry, the way to the
//! root of the log, the signed checkpoint and the public key. It is published in `docs/formats/record-proof.md`. Whatever it
//! says twice for a reader's sake is compared, so that no byte of it can be altered unnoticed. Who makes a proof
//! checks it before it leaves: damage gives an error, never a wrong proof.
//!
//! Not here: where the parts come from (`ingest`, `query`), and whether the key is the one that should be trusted, which
//! nobody but the reader can know.

mod check;
mod file;

#[cfg(test)]
mod tests;

pub use check::{Proven, prove, verify};
pub use file::{MOST_BYTES, Parts, ProofFault};
pub use logkeep_tlog::PublicKey;
