//! What was signed must still be there.
//!
//! The log alone cannot tell that its last files are gone: it would be read to its new end, and the next checkpoint would
//! sign another history over the one that is on the disk, which was the only thing here that knew better.

use logkeep_tlog::{Checkpoint, Tree};

use crate::engine::{OpenError, Shared};
use crate::state::State;
use crate::verify::{Report, read_checkpoints};

/// Compares what was recovered with the published checkpoints, before anything is changed.
///
/// # Errors
/// [`OpenError::Gap`] or [`OpenError::Tree`] if they commit to more than is here, or to something else.
pub(crate) fn check(shared: &Shared, state: &State) -> Result<(), OpenError> {
    let key = shared.signer.public_key();
    // What is wrong with the folders themselves is for `verify` to say.
    for (class, text) in read_checkpoints(&*shared.disk, &shared.tlog_folder, &mut Report::default()) {
        let name = format!("{}/{}", class.0, class.1);
        let damaged = |what: String| OpenError::Tree { class: name.clone(), what };
        let checkpoint = Checkpoint::open(&text, std::slice::from_ref(&key))
            .map_err(|error| damaged(format!("its checkpoint: {error}")))?;
        let partition = state.partitions.get(&class);
        let size = partition.map_or(0, |partition| partition.tree.size());
        let root = partition.map_or_else(|| Tree::new().root(), |partition| partition.tree.root());
        if checkpoint.size() > size {
            return Err(OpenError::Gap { class: name, from: size, to: checkpoint.size() - 1 });
        }
        if checkpoint.size() == size && checkpoint.root() != root {
            return Err(damaged("its batches are not those that its checkpoint commits to".to_owned()));
        }
    }
    Ok(())
}
