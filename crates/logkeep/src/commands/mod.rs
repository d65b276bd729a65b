//! One file per subcommand, and what several share.

pub(crate) mod access;
pub(crate) mod approval;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod certs;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod folder;
pub(crate) mod hardening;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod pipeline;
pub(crate) mod place;
pub(crate) mod query;
pub(crate) mod redact;
pub(crate) mod restore;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod sources;
pub(crate) mod sql;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod user;
pub(crate) mod verify;
