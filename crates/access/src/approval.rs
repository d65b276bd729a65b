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
use logkeep_record::{Class, TenantId};
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
    /// Saying for how long what a tenant has is kept.
    SetRetention {
        /// Whose.
        #[serde(with = "tenant_name")]
        tenant: TenantId,
        /// Of which class.
        #[serde(with = "class_name")]
        class: Class,
        /// Days since arrival; `None` for ever.
        days: Option<u32>,
    },
    /// Placing a legal hold: what it covers is not destroyed until it is released.
    PlaceHold {
        /// By which it is named.
        hold: String,
        /// Whose data.
        #[serde(with = "tenant_name")]
        tenant: TenantId,
        /// Which class of them; `None` for all.
        class: Option<String>,
        /// Why.
        reason: String,
    },
    /// Releasing a legal hold.
    ReleaseHold {
        /// Which.
        hold: String,
        /// Whose data it covers.
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

/// A class as its name.
mod class_name {
    use logkeep_record::Class;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(class: &Class, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(class.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Class, D::Error> {
        Class::new(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// What there was when an act was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Was {
    /// Of somebody.
    User { roles: BTreeSet<Role>, scope: Option<Scope>, disabled: bool },
    /// Of a retention.
    Retention { days: Option<u32> },
    /// Of a hold.
    Hold { class: Option<String>, reason: String, by: Option<String>, placed_ns: i64 },
}

#[derive(Serialize)]
struct Full<'a> {
    #[serde(flatten)]
    act: &'a Act,
    /// Null where there was nothing.
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
            Self::DestroyKeys { .. }
            | Self::SetRetention { .. }
            | Self::PlaceHold { .. }
            | Self::ReleaseHold { .. } => None,
        }
    }

    /// Whether nobody can undo it, or what follows. Then nothing stands in for the second person: no emergency needs it at once.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::DestroyKeys { .. } | Self::SetRetention { .. } | Self::ReleaseHold { .. })
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
            Self::SetRetention { tenant, class, days: Some(days) } => {
                write!(f, "tenants/{tenant}: keep `{class}` for {days} days, then destroy it")
            }
            Self::SetRetention { tenant, class, days: None } => write!(f, "tenants/{tenant}: keep `{class}` for ever"),
            Self::PlaceHold { hold, tenant, class, reason } => {
                let what = class.as_ref().map_or("everything".to_owned(), |class| format!("`{class}`"));
                write!(f, "tenants/{tenant}: hold {hold} on {what}: {reason}")
            }
            Self::ReleaseHold { hold, tenant } => write!(f, "tenants/{tenant}: release hold {hold}"),
        }
    }
}
