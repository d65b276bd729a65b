//! One log that goes on where a copy of another one was restored.
//!
//! A restored copy must not sign for the log it was copied from: that one may have gone on, and two histories under one
//! name are what a log is there to rule out. So the copy is a log of its own, with its own origin and key, which says in
//! a statement and in every checkpoint which log it was and what that log had committed to.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::{Hash, HashError};
use crate::note::{NoteError, PublicKey, Signer, cosign_statement, open_statement};

const KIND: &str = "succession";
const VERSION: &str = "1";

/// Why this is no succession, or not to be believed. Do not retry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SuccessionError {
    /// Not signed by both logs.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its predecessor is described wrongly.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A root is no hash.
    #[error(transparent)]
    Root(#[from] HashError),
    /// Written by a later version.
    #[error("the succession has version `{0}`, this program knows version 1: use a newer logkeep")]
    Version(String),
    /// Not in the form of version 1.
    #[error("the succession has no line `{0} …` where one must be, or it is not as it must be")]
    Line(&'static str),
}

/// That the log `origin` begins with the entries of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The log that begins.
    pub origin: String,
    /// What the other one had committed to: its origin, size and root.
    pub predecessor: Checkpoint,
    /// The key of the other one.
    pub predecessor_key: PublicKey,
    /// Entries that were taken over: those the predecessor had committed to, and acknowledged ones after them.
    pub restored_size: u64,
    /// Root over them.
    pub restored_root: Hash,
    /// When, nanoseconds since the Unix epoch.
    pub time_ns: i64,
}

impl Succession {
    /// The line that every checkpoint of the log has.
    pub fn line(&self) -> String {
        let Parts { origin, size, root } = Parts::of(&self.predecessor);
        format!("succeeds {origin} {size} {root}")
    }

    /// The note, signed by the new log and, with the key that came with the copy, in the name of the old one.
    ///
    /// # Errors
    /// [`SuccessionError::Note`] if an origin holds what a note cannot.
    pub fn sign(&self, new: &Signer, old: &Signer) -> Result<String, SuccessionError> {
        Ok(cosign_statement(&[new, old], KIND, &self.body())?)
    }

    /// The succession in a note that `key` and the predecessor signed.
    ///
    /// # Errors
    /// [`SuccessionError`].
    pub fn open(note: &str, key: &PublicKey) -> Result<Self, SuccessionError> {
        let body = open_statement(note, KIND, std::slice::from_ref(key))?;
        let succession = Self::parse(&body)?;
        open_statement(note, KIND, std::slice::from_ref(&succession.predecessor_key))?;
        Ok(succession)
    }

    fn body(&self) -> String {
        let Parts { origin, size, root } = Parts::of(&self.predecessor);
        format!(
            "version {VERSION}\norigin {}\npredecessor {origin} {size} {root}\npredecessor-key {}\nrestored {} {}\ntime {}\n",
            self.origin, self.predecessor_key, self.restored_size, self.restored_root, self.time_ns
        )
    }

    fn parse(body: &str) -> Result<Self, SuccessionError> {
        let mut lines = body.lines();
        let mut field = |name: &'static str| {
            let rest = lines.next().and_then(|line| line.strip_prefix(name)).and_then(|rest| rest.strip_prefix(' '));
            rest.ok_or(SuccessionError::Line(name))
        };
        match field("version")? {
            VERSION => {}
            other => return Err(SuccessionError::Version(other.chars().take(40).collect())),
        }
        let origin = field("origin")?.to_owned();
        let predecessor = Checkpoint::parse(&format!("{}\n", field("predecessor")?.replace(' ', "\n")))?;
        let predecessor_key = field("predecessor-key")?.parse()?;
        let (size, root) = field("restored")?.split_once(' ').ok_or(SuccessionError::Line("restored"))?;
        let restored_size = size.parse().map_err(|_| SuccessionError::Line("restored"))?;
        let restored_root = root.parse()?;
        let time_ns = field("time")?.parse().map_err(|_| SuccessionError::Line("time"))?;
        let parsed = Self { origin, predecessor, predecessor_key, restored_size, restored_root, time_ns };
        // Printing what was read catches every second way of writing the same, and lines too many.
        if parsed.body() == body { Ok(parsed) } else { Err(SuccessionError::Line("time")) }
    }
}

/// The parts of a checkpoint, for printing.
struct Parts<'a> {
    origin: &'a str,
    size: u64,
    root: Hash,
}

impl<'a> Parts<'a> {
    fn of(checkpoint: &'a Checkpoint) -> Self {
        Self { origin: checkpoint.origin(), size: checkpoint.size(), root: checkpoint.root() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    fn signers() -> (Signer, Signer) {
        (Signer::from_seed("logkeep-new", [1; 32]).unwrap(), Signer::from_seed("logkeep-old", [2; 32]).unwrap())
    }

    fn succession() -> Succession {
        Succession {
            origin: "logkeep/new/acme/web".into(),
            predecessor: Checkpoint::new("logkeep/old/acme/web", 5, leaf_hash(b"x"), vec![]).unwrap(),
            predecessor_key: signers().1.public_key(),
            restored_size: 7,
            restored_root: leaf_hash(b"y"),
            time_ns: 1_790_000_000_000_000_000,
        }
    }

    #[test]
    fn both_logs_must_have_signed_it() {
        let (new, old) = signers();
        let note = succession().sign(&new, &old).unwrap();
        assert_eq!(Succession::open(&note, &new.public_key()), Ok(succession()));
        assert!(Succession::open(&note, &old.public_key()).is_ok(), "either may be the one that is trusted");
        let stranger = Signer::from_seed("logkeep-new", [3; 32]).unwrap();
        for forged in [succession().sign(&stranger, &old), succession().sign(&new, &stranger)] {
            let opened = Succession::open(&forged.unwrap(), &new.public_key());
            assert!(matches!(opened, Err(SuccessionError::Note(_))), "{opened:?}");
        }
        let altered = note.replacen("restored 7", "restored 8", 1);
        assert!(matches!(Succession::open(&altered, &new.public_key()), Err(SuccessionError::Note(_))));
    }

    #[test]
    fn other_forms_are_refused() {
        let body = succession().body();
        assert_eq!(Succession::parse(&body), Ok(succession()));
        let version = Succession::parse(&body.replacen("version 1", "version 2", 1));
        assert_eq!(version, Err(SuccessionError::Version("2".into())));
        for (from, to) in [
            ("origin", "orogin"),
            ("restored 7", "restored 07"),
            ("predecessor logkeep/old/acme/web 5", "predecessor logkeep/old/acme/web"),
            ("time ", "time  "),
            ("time 1", "time +1"),
        ] {
            assert!(Succession::parse(&body.replacen(from, to, 1)).is_err(), "{to}");
        }
        assert!(Succession::parse(&format!("{body}more\n")).is_err());
        assert!(Succession::parse("").is_err());
    }

    #[test]
    fn the_line_of_its_checkpoints_names_the_predecessor() {
        let line = succession().line();
        assert_eq!(line, format!("succeeds logkeep/old/acme/web 5 {}", leaf_hash(b"x")));
        assert!(Checkpoint::new("logkeep/new/acme/web", 5, leaf_hash(b"x"), vec![line]).is_ok());
    }
}
