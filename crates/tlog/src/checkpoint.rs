//! Checkpoints: the signed size and root of a tree (C2SP tlog-checkpoint, <https://c2sp.org/tlog-checkpoint>).
//!
//! Whoever keeps one can later tell that the tree was rolled back or rewritten, so they are made to be copied away:
//! a few lines of text.

use crate::hash::{Hash, HashError};
use crate::note::{NoteError, PublicKey, Signer, open};

/// Extension lines that a checkpoint may have.
const MAX_EXTENSIONS: usize = 100;

/// Size and root of the tree named by `origin`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// Why this is no checkpoint, or not to be believed. Do not retry.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// The name of the tree cannot be written on one line without spaces.
    #[error("`{0}` is not the origin of a log: no spaces, no line ends, not empty")]
    Origin(String),
    /// An extension line is empty or more than a line.
    #[error("extension line `{0}` is empty, holds a control character, or is one of too many")]
    Extension(String),
    /// The size is not a number as checkpoints write it.
    #[error("`{0}` is not the size of a tree")]
    Size(String),
    /// The root is not a hash.
    #[error(transparent)]
    Root(#[from] HashError),
    /// Fewer than three lines.
    #[error("a checkpoint has at least three lines: origin, size and root")]
    Lines,
    /// Not signed by a trusted key.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// A checkpoint of the tree `origin`, with lines for whatever else is to be signed.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`] or [`CheckpointError::Extension`].
    pub fn new(origin: &str, size: u64, root: Hash, extensions: Vec<String>) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(CheckpointError::Origin(origin.chars().take(200).collect()));
        }
        let unfit = |line: &&String| line.is_empty() || line.chars().any(char::is_control);
        let bad = extensions.get(MAX_EXTENSIONS).or_else(|| extensions.iter().find(unfit));
        if let Some(line) = bad {
            return Err(CheckpointError::Extension(line.chars().take(200).collect()));
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }

    /// Which tree, such as `logkeep/<installation>/<tenant>/<class>`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Entries in the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Root over them.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Further signed lines.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The checkpoint with this text, without looking at signatures.
    ///
    /// # Errors
    /// [`CheckpointError`]; what parses has exactly this text.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Lines);
        };
        let unfit = || CheckpointError::Size(size.chars().take(40).collect());
        let number: u64 = size.parse().map_err(|_| unfit())?;
        if number.to_string() != size {
            return Err(unfit());
        }
        let extensions = lines.take(MAX_EXTENSIONS + 1).map(str::to_owned).collect();
        Self::new(origin, number, root.parse()?, extensions)
    }

    /// The signed note.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] if a line holds what a note cannot.
    pub fn sign(&self, signer: &Signer) -> Result<String, CheckpointError> {
        Ok(signer.sign(&self.text())?)
    }

    /// The checkpoint in a note that at least one of the `trusted` keys signed.
    ///
    /// # Errors
    /// [`CheckpointError`]. Whether it is about the right tree is for the caller to compare with `origin`.
    pub fn open(note: &str, trusted: &[PublicKey]) -> Result<Self, CheckpointError> {
        Self::parse(&open(note, trusted)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hash::{EMPTY_ROOT, leaf_hash};
    use crate::note::sign_statement;

    fn signer() -> Signer {
        Signer::from_seed("logkeep/abc", [7; 32]).unwrap()
    }

    #[test]
    fn signs_and_opens() {
        let checkpoint = Checkpoint::new("logkeep/abc/acme/web", 7, leaf_hash(b"x"), vec!["time 12".into()]).unwrap();
        let note = checkpoint.sign(&signer()).unwrap();
        assert!(note.starts_with("logkeep/abc/acme/web\n7\n"), "{note}");
        assert_eq!(Checkpoint::open(&note, &[signer().public_key()]), Ok(checkpoint));
        let altered = note.replacen("\n7\n", "\n8\n", 1);
        assert!(matches!(
            Checkpoint::open(&altered, &[signer().public_key()]),
            Err(CheckpointError::Note(NoteError::Signature { .. }))
        ));
    }

    #[test]
    fn a_statement_is_no_checkpoint() {
        let body = format!("7\n{EMPTY_ROOT}\n");
        let note = sign_statement(&signer(), "certificate", &body).unwrap();
        let answer = Checkpoint::open(&note, &[signer().public_key()]);
        assert_eq!(answer, Err(CheckpointError::Origin("logkeep statement certificate".into())));
    }

    #[test]
    fn refused_texts() {
        let root = EMPTY_ROOT.to_string();
        let check = |text: &str| assert!(Checkpoint::parse(text).is_err(), "{text:?}");
        assert!(Checkpoint::parse(&format!("a\n0\n{root}\n")).is_ok());
        check("");
        check("a\n0\n");
        check(&format!("a\n0\n{root}"));
        check(&format!("\n0\n{root}\n"));
        check(&format!("a b\n0\n{root}\n"));
        check(&format!("a\n00\n{root}\n"));
        check(&format!("a\n-1\n{root}\n"));
        check(&format!("a\n18446744073709551616\n{root}\n"));
        check(&format!("a\n0\n{root}\n\n"));
        check(&format!("a\n0\n{root} \n"));
        check(&format!("a\n0\n{root}\n{}", "x\n".repeat(101)));
    }

    proptest! {
        #[test]
        fn what_parses_has_that_text(text in "[ab /]{0,4}\n[0-9]{0,3}\n(4{44}|47DEQpj8HBSa\\+/TImW\\+5JCeuQeRkm5NMpJWZG3hSuFU=)\n([x\n]{0,4})") {
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert_eq!(checkpoint.text(), text);
            }
        }
    }
}
