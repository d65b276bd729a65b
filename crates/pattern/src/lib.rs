//! Message templates: which lines were written by the same statement of a program, and what it left open.
//!
//! A template is mined for every line when a segment is written, so counts are exact over all data of a range. The way is
//! that of Drain (He et al., ICWS 2017): lines of as many words that begin alike are compared with the templates there, and
//! a template that is like enough becomes as general as it must be. What was changed, and why, is in
//! `docs/decisions/0025-patterns.md`: variables that can be told by their looks are taken out first in one pass (`scan`),
//! and everything is bounded, reproducible and independent of the order of lines as far as that goes (`stream`).
//!
//! Not here: where lists of templates are stored and who may see them (`segment`, `query`).

mod kind;
mod limits;
mod line;
mod listed;
mod merged;
mod miner;
mod run;
mod scan;
mod stream;
mod template;
mod words;

#[cfg(test)]
mod tests;

pub use kind::Kind;
pub use limits::{ALIASES, HEAD_WORDS, LINE_BYTES, LINE_WORDS, Limits};
pub use listed::{Listed, StreamKey};
pub use merged::Merged;
pub use miner::Miner;
pub use run::{Found, Run};
pub use template::{Parameter, Reader, Template, TemplateError, TemplateId};
