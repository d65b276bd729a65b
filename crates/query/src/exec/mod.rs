//! Running queries over one snapshot.
//!
//! Everything reads through one scan ([`scan`]): time bounds and the token index leave out segments and blocks, the
//! filter is evaluated on columns ([`filter`]), and what remains is shown as the columns users know ([`project`]). SQL is
//! DataFusion over that scan ([`table`], [`plan`]); searches, histograms and facets use it directly.

mod ahead;
mod allowed;
mod at_once;
mod bounds;
mod budget;
pub(crate) mod cache;
mod calls;
mod chunk;
mod chunk_values;
mod compare;
mod condition;
mod distinct;
mod fields;
mod filter;
mod functions;
mod growth;
mod histogram;
mod masked;
mod matched;
mod mesh;
mod metered;
mod moving;
mod named;
mod naming;
mod parameters;
mod partition;
mod patterns;
mod percentiles;
mod place;
mod plan;
mod project;
mod proof;
mod prune;
pub(crate) mod scan;
pub(crate) mod schema;
mod search;
mod split;
pub(crate) mod sql;
pub(crate) mod table;
pub(crate) mod templates;
mod text;
pub(crate) mod view;

#[cfg(test)]
pub(crate) mod tests;

pub use bounds::STACK_BYTES;
pub use budget::{Budget, QueryError, Stats};
pub(crate) use compare::named_fields;
pub use compare::{Both, Comparison, Differences, FieldDifference, ValueDifference, With};
pub use fields::{FieldSummary, FieldValues, Fields, ValueCount};
pub use histogram::{Bucket, Histogram};
pub use parameters::{Parameters, Variable};
pub use patterns::{Pattern, PatternSearch, Patterns};
pub(crate) use prune::Needs;
pub(crate) use scan::AsOf;
pub use scan::Dataset;
pub use search::{Found, Order, Page, PageKey, Search};
pub use split::{Group, Split};
pub use sql::{SqlAnswer, SqlOptions};
pub use templates::AskedTemplate;
