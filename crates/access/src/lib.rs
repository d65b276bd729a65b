//! Who may read what, and the trail of who did.
//!
//! A query needs a [`Grant`], and only this crate makes one. Making it begins an audit record; the answer may be computed
//! meanwhile, but [`Grant::release`] must say that the record is durable before the first byte of an answer leaves. When
//! the audit trail cannot be written, nothing can be read.
//!
//! For now there is one identity, whoever sits at this machine: the server listens on loopback only.

mod audit;
mod grant;
mod trail;

#[cfg(test)]
mod tests;

pub use audit::{Action, Totals};
pub use grant::{Access, AccessError, Grant, Identity};
