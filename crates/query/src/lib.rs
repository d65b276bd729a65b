//! What a question means, and what the answer is.
//!
//! [`kql`] and [`time`] are pure: text in, plain values out, so that the server, the live tail and the tests share one
//! meaning of a query. [`mask`] says what of a record a reader may see; [`exec`] reads one snapshot; [`QueryEngine`] does so for whoever holds a grant.

mod chance;
mod engine;
pub mod exec;
pub mod kql;
pub mod mask;
pub mod time;

pub use engine::audit::{AuditEntry, AuditPage};
pub use engine::services::overview;
pub use engine::services::{Edge, Figures, Most, Mtls, SeenBy, Service};
pub use engine::{Context, Export, Follower, QueryEngine, QueryOptions, Seal, Selection, Trace, compared_range};
