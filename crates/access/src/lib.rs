//! Who may read what, and the trail of who did.
//!
//! A query needs a [`Grant`], and only this crate makes one. Making it begins an audit record; the answer may be computed
//! meanwhile, but [`Grant::release`] must say that the record is durable before the first byte of an answer leaves. When
//! the audit trail cannot be written, nothing can be read.
//!
//! Who there is stands in the [`Directory`], which carries out by a signed statement only what takes two people; what each may do is said by Cedar policies (`policies/roles.cedar`), and denied unless
//! it is.

mod action;
mod approval;
mod audit;
mod certificates;
mod directory;
mod export;
mod grant;
mod identity;
mod oidc;
mod policy;
mod scope;
mod senders;
mod trail;

#[cfg(test)]
mod tests;

pub use action::Action;
pub use approval::{Act, Ground, Signed, Statement};
pub use audit::{AUDIT_CLOSED, AUDIT_ID, Totals};
pub use certificates::{BadPattern, CertificateRule, CertificateRules, NamePattern};
pub use directory::{
    By, Directory, DirectoryError, Enrolment, GlassInfo, HoldInfo, Needed, NewGlass, NewSession, NewToken, OidcPerson,
    Proof, Purpose, Request, Review, Rights, Role, SavedView, SessionInfo, SessionLimits, TokenInfo, TokenSpec,
    UserInfo, UserName, ViewText, new_hold_id, shows_token,
};
pub use export::{ExportLimits, Exports};
pub use grant::{Access, AccessError, Ending, Grant, Reach, Rules};
pub use identity::{Identity, Known};
pub use oidc::{Begun, ClientSecret, Oidc, OidcError, OidcOptions, Returned, Vouched};
pub use policy::{Explanation, Policies, PolicyError};
pub use scope::Scope;
pub use senders::{Leave, NoLeave, Senders};
