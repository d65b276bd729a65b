//! Acts that one person may not do alone, and the statements by which two may.
//!
//! An act has one text, which says all of what is to be done and what there was before. The hash of the text is what the second person
//! names, what is signed, and what the layer compares that carries the act out: no other act can take its place, and none is
//! carried out on what has changed since it was asked for.
//!
//! Not here: which acts take two people, and who may be the second (`directory::danger`); who asks and approves (`directory::request`).

mod statement;

use std::collections::BTreeSet;
use std::fmt;

use logkeep_cipher::sha256;
use logkeep_record::TenantId;
use serde::{Deserialize, Serialize};

use crate::directory::{Rights, Role, UserName};
use crate::scope::Scope;

pub use statement::{Ground, Signed, Statement};

/// Something to be done that may take two people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Adding somebody.
    AddUser {
        /// Whom.
        user: UserName,
        /// What they may do.
        roles: BTreeSet<Role>,
        /// To which rows they are held, if to any.
        scope: Option<Scope>,
    },
    /// Changing what somebody may do, or keeping them out.
    SetUser {
        /// Whom.
        user: UserName,
        /// What they may do from then on.
        roles: BTreeSet<Role>,
        /// To which rows they are held from then on, if to any.
        scope: Option<Scope>,
        /// Whether they are kept out.
        disabled: bool,
    },
    /// Making a link by which the password of somebody is chosen.
    PasswordLink {
        /// Whose.
        user: UserName,
    },
    /// Switching off the second factor of somebody else.
    ResetSecondFactor {
        /// Whose.
        user: UserName,
    },
    /// Destroying every key of what a tenant has.
    DestroyKeys {
        /// Which.
        #[serde(with = "tenant_name")]
        tenant: TenantId,
    },
}

/// A tenant as its name.
mod tenant_name {
    use logkeep_record::TenantId;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(tenant: &TenantId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(tenant.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TenantId, D::Error> {
        TenantId::new(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// What somebody was when an act was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Was {
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) scope: Option<Scope>,
    pub(crate) disabled: bool,
}

#[derive(Serialize)]
struct Full<'a> {
    #[serde(flatten)]
    act: &'a Act,
    /// Null for one who was not there.
    was: Option<&'a Was>,
}

impl Act {
    /// Whom it is about, if it is about somebody.
    pub fn target(&self) -> Option<&UserName> {
        match self {
            Self::AddUser { user, .. }
            | Self::SetUser { user, .. }
            | Self::PasswordLink { user }
            | Self::ResetSecondFactor { user } => Some(user),
            Self::DestroyKeys { .. } => None,
        }
    }

    /// Whether nobody can undo it. Then nothing stands in for the second person: no emergency needs it at once.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::DestroyKeys { .. })
    }

    /// Its one text: JSON of one line, the members in the order of their declaration, names in the order of their bytes.
    pub(crate) fn text(&self, was: Option<&Was>) -> String {
        serde_json::to_string(&Full { act: self, was }).expect("names, lists and booleans can be written as JSON")
    }
}

/// The hash of an act: SHA-256 of its text, as 64 hex digits.
pub(crate) fn hash(text: &str) -> String {
    hex::encode(sha256(text.as_bytes()))
}

/// As the audit trail says it.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddUser { user, roles, scope } => {
                write!(f, "users/{user}: add as {}", Rights { roles: roles.clone(), scope: scope.clone() })
            }
            Self::SetUser { user, roles, scope, disabled } => {
                let state = if *disabled { "disabled" } else { "enabled" };
                write!(f, "users/{user}: {state}, {}", Rights { roles: roles.clone(), scope: scope.clone() })
            }
            Self::PasswordLink { user } => write!(f, "users/{user}: link for a password"),
            Self::ResetSecondFactor { user } => write!(f, "users/{user}: reset the second factor"),
            Self::DestroyKeys { tenant } => {
                write!(f, "tenants/{tenant}: destroy all keys, so that nobody can ever read what it has")
            }
        }
    }
}
