//! The filter language: what a user types into the search bar.
//!
//! It is KQL as in Kibana plus what people bring from Lucene and from other log tools (`-word`, `/regex/`, `[a to b]`).
//! The guide for users, with the exact meaning of every form, is `docs/guide/query-language.md`.
//!
//! [`parse`] gives an [`Expr`], `Display` prints it in canonical form, and [`Compiled`] decides for one record. The last
//! is what the live tail runs and what every other way of executing a filter is tested against.
//!
//! Not here: plans, columns and pruning.

mod ast;
mod display;
mod error;
mod eval;
pub mod fields;
mod number;
mod parser;
mod read;
mod scanner;
mod text;
mod tokens;
mod wildcard;

#[cfg(test)]
mod tests;

pub use ast::{Expr, Literal, Op, Predicate, Span, TextPattern};
pub use error::{KqlError, suggest_field};
pub use eval::{Compiled, for_each_text, matches};
pub(crate) use eval::{Node, Test, find, leaves};
pub use number::Number;
pub use parser::parse;
pub use read::Field;
pub use text::TextMatcher;
pub use tokens::{is_token_char, lower, lower_char, tokens};
pub use wildcard::{Wildcard, WildcardItem};

/// Bounds on a query, so that no text a user sends can take unbounded time or stack.
pub mod limits {
    /// Length of a query.
    pub const QUERY_CHARS: usize = 8_192;
    /// Nesting of parentheses and negations.
    pub const DEPTH: usize = 64;
    /// Characters and wildcards of one pattern; one machine word of states.
    pub const WILDCARD_ITEMS: usize = 127;
    /// Compiled size of one regular expression.
    pub const REGEX_BYTES: usize = 1 << 20;
    /// Memory a regular expression may use for its states while matching.
    pub const REGEX_CACHE_BYTES: usize = 4 << 20;
    /// Regular expressions in one query.
    pub const REGEXES: usize = 16;
}
