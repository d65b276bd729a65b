//! Pipelines: what operators have done to records after they are normalised and before they are redacted and stored.
//!
//! A set of pipelines is compiled as a whole or not at all, never changes afterwards, and is known by its version. Records that
//! are lines of one text are joined first (`multiline`). A record then passes those pipelines whose `match` holds, in their
//! order, and each has steps: take a text apart, run a program, keep some records of many, say where a record goes. A step that
//! cannot do its work leaves the record as it was and says so in it; what is left out is left out under the pipeline's name.
//! What becomes of a record is a function of it and of those joined to it, so that the same sent again becomes the same.
//!
//! Not here: how configuration is read (`logkeep`), when a set is replaced and what is counted (`intake`).

mod field;
mod multiline;
mod parse;
mod sample;
mod set;
pub mod spec;
mod vrl;
mod waiting;
mod when;

#[cfg(test)]
mod tests;

pub use multiline::Joining;
pub use parse::pattern_faults;
pub use sample::{KeepError, parse_keep};
pub use set::{Count, Dropped, ERRORS, Fault, FaultyPart, PipelineSet, Place, Run};
pub use waiting::{Done, Parts, Sequence, Slot, Waiting};
