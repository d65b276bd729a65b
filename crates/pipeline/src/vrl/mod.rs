//! Programs in VRL (Vector Remap Language, <https://vrl.dev>).
//!
//! The language is the crate's, the functions are ours (`functions`): only such as compute the same from the same record
//! every time, reach nothing outside of it, and make no more of a text than a bound allows. A program is interrupted
//! after so many expressions, which is the same on every machine, and after so long, whatever it does.

mod bounds;
mod convert;
mod event;
mod functions;
mod program;
mod size;

#[cfg(test)]
mod tests;

pub(crate) use event::{Facts, keep_source};
pub(crate) use program::{Outcome, Program};
