//! Secrets and personal data out of records, before anything is written.
//!
//! What is written once is in the log, its index, its backups and every answer, so a record is redacted between
//! normalisation and the log, in every form it keeps: body, attributes, resource and original text. Nearly all records
//! have nothing to hide, so the common path is one pass over all of a record's text for what secrets begin with
//! (`scan`); only a record with a finding is taken apart (`rewrite`). Everything takes time in proportion to the text,
//! whatever is in it.
//!
//! Not here: which rules there are (the configuration), what is counted as dropped (`intake`).

mod field;
mod hash;
mod key_lines;
mod kind;
mod recognise;
mod redactor;
mod replace;
mod rewrite;
mod rules;
mod scan;
mod suspect;
mod unescape;

#[cfg(test)]
mod tests;

pub use field::{FieldPattern, FieldPatternError};
pub use hash::HashKey;
pub use key_lines::KeyLines;
pub use kind::{Kind, UnknownKind, kinds_called};
pub use redactor::{LeftOut, Redaction, Redactor};
pub use rules::{Action, Find, Rule, Rules};
