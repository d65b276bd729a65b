//! What a restored log says of the one it was restored from.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use logkeep_tlog::{Checkpoint, PublicKey, Succession};

use super::Finding;
use crate::state::ClassKey;
use crate::succession::{CHECKPOINT, FOLDER, STATEMENT, links};

/// The logs before this one.
#[derive(Default)]
pub(super) struct Links {
    /// What they, and the statements between them, commit to: each is to be held against the entries.
    pub(super) commitments: Vec<(String, Checkpoint)>,
    /// Their keys, which may have signed checkpoints that were kept elsewhere.
    pub(super) keys: Vec<PublicKey>,
    /// By origin, how many batches were taken over.
    pub(super) restored: HashMap<String, u64>,
}

/// Follows the links from the log's own checkpoint back to the first log. `said` is the line that the catalog has.
///
/// # Errors
/// What breaks the chain.
pub(super) fn follow(
    tlog: &Path,
    class: &ClassKey,
    own: Option<&Checkpoint>,
    key: &PublicKey,
    said: Option<&str>,
) -> Result<Links, Finding> {
    let folder = tlog.join(class.0.as_str()).join(class.1.as_str());
    let fault = |object: &Path, what: String| Finding { object: object.display().to_string(), batch: None, what };
    let names = links(tlog, class).map_err(|error| fault(&folder, error.to_string()))?;
    let mut found = Links::default();
    let mut at =
        Successor { origin: own.map(|own| own.origin().to_owned()), key: key.clone(), line: said.map(str::to_owned) };
    if let Some(own) = own
        && line_of(own) != said
    {
        let what = "it does not name the log it was restored from as the catalog does".to_owned();
        return Err(fault(&folder.join("checkpoint"), what));
    }
    for name in names.iter().rev() {
        let (statement, checkpoint) =
            (folder.join(FOLDER).join(name).join(STATEMENT), folder.join(FOLDER).join(name).join(CHECKPOINT));
        let note = fs::read_to_string(&statement).map_err(|error| fault(&statement, error.to_string()))?;
        let link = Succession::open(&note, &at.key).map_err(|error| fault(&statement, error.to_string()))?;
        if at.origin.as_ref().is_some_and(|origin| *origin != link.origin) || at.line.as_deref() != Some(&link.line()) {
            return Err(fault(&statement, "it is not about the log that follows it".to_owned()));
        }
        let note = fs::read_to_string(&checkpoint).map_err(|error| fault(&checkpoint, error.to_string()))?;
        let kept = Checkpoint::open(&note, std::slice::from_ref(&link.predecessor_key))
            .map_err(|error| fault(&checkpoint, error.to_string()))?;
        let told = &link.predecessor;
        if (kept.origin(), kept.size(), kept.root()) != (told.origin(), told.size(), told.root()) {
            return Err(fault(&checkpoint, "it is not the one that the statement beside it commits to".to_owned()));
        }
        let restored = Checkpoint::new(&link.origin, link.restored_size, link.restored_root, vec![])
            .map_err(|error| fault(&statement, error.to_string()))?;
        at = Successor {
            origin: Some(kept.origin().to_owned()),
            key: link.predecessor_key.clone(),
            line: line_of(&kept).map(str::to_owned),
        };
        found.restored.insert(kept.origin().to_owned(), link.restored_size);
        found.commitments.push((statement.display().to_string(), restored));
        found.commitments.push((checkpoint.display().to_string(), kept));
        found.keys.push(link.predecessor_key);
    }
    match at.line {
        None => Ok(found),
        Some(line) => Err(fault(&folder.join(FOLDER), format!("the statement of `{line}` is missing"))),
    }
}

/// What the link before it must fit.
struct Successor {
    origin: Option<String>,
    key: PublicKey,
    line: Option<String>,
}

fn line_of(checkpoint: &Checkpoint) -> Option<&str> {
    checkpoint.extensions().iter().map(String::as_str).find(|line| line.starts_with("succeeds "))
}
