//! One file per subcommand.

pub(crate) mod config;
pub(crate) mod import;
pub(crate) mod query;
pub(crate) mod sql;
pub(crate) mod tail;
