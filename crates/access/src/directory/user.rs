//! People.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::oidc::{OidcPerson, Origin};
use super::{Directory, DirectoryError, MOST, password};
use crate::scope::Scope;

pub(super) const TABLE: &str = "directory/users";

/// What somebody may do; `policies/roles.cedar` says what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Manages people, tokens and settings, and reads no data of a tenant.
    Administrator,
    /// Reads logs and traces of all services, with every field.
    Analyst,
    /// Reads logs and traces of the services in their scope, without the fields that are masked.
    Engineer,
    /// Reads the audit trail, and what the server says of itself.
    Auditor,
    /// Writes, and reads nothing.
    Collector,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Administrator, Self::Analyst, Self::Engineer, Self::Auditor, Self::Collector];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Analyst => "analyst",
            Self::Engineer => "engineer",
            Self::Auditor => "auditor",
            Self::Collector => "collector",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// What somebody may do, and with which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// What they are.
    pub roles: BTreeSet<Role>,
    /// To which rows they are held, if to any.
    pub scope: Option<Scope>,
}

impl From<BTreeSet<Role>> for Rights {
    fn from(roles: BTreeSet<Role>) -> Self {
        Self { roles, scope: None }
    }
}

impl Rights {
    fn check(&self) -> Result<(), DirectoryError> {
        let fault = self.scope.as_ref().and_then(Scope::fault);
        fault.map_or(Ok(()), |fault| Err(DirectoryError::Invalid(format!("`scope`: {fault}"))))
    }
}

/// The name of a person: 1 to 64 letters, digits and `._@+-`, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserName(pub(super) String);

impl UserName {
    /// Reads a name; capital letters become small ones.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`] says what a name may be.
    pub fn new(name: &str) -> Result<Self, DirectoryError> {
        let name = name.to_ascii_lowercase();
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
            return Err(DirectoryError::Invalid(
                "a name has 1 to 64 letters of a to z, digits, or any of `._@+-`".to_owned(),
            ));
        }
        Ok(Self(name))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct User {
    /// The hash of the password.
    pub(super) password: Option<String>,
    pub(super) roles: BTreeSet<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<Scope>,
    pub(super) disabled: bool,
    pub(super) created_ns: i64,
    /// Where they come from, if a provider vouches for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<Origin>,
}

impl User {
    /// Whether they are one of ours who manages people, and can sign in.
    fn manages(&self) -> bool {
        self.password.is_some() && !self.disabled && self.roles.contains(&Role::Administrator)
    }
}

impl User {
    pub(super) fn rights(&self) -> Rights {
        Rights { roles: self.roles.clone(), scope: self.scope.clone() }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("roles", &self.roles).field("disabled", &self.disabled).finish_non_exhaustive()
    }
}

/// What is shown of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    /// Who.
    pub name: UserName,
    /// What they may do.
    pub roles: BTreeSet<Role>,
    /// To which rows they are held, if to any.
    pub scope: Option<Scope>,
    /// Whether they are kept out.
    pub disabled: bool,
    /// Since when there they are, nanoseconds.
    pub created_ns: i64,
    /// Whether they have a second factor.
    pub second_factor: bool,
    /// Whether they have a password.
    pub has_password: bool,
    /// Who they are at their provider, if one vouches for them.
    pub oidc: Option<OidcPerson>,
}

impl Directory {
    /// Everybody, by name.
    pub fn users(&self) -> Vec<UserInfo> {
        let tables = self.tables.read();
        let info = |(name, user): (&UserName, &User)| UserInfo {
            name: name.clone(),
            roles: user.roles.clone(),
            scope: user.scope.clone(),
            disabled: user.disabled,
            created_ns: user.created_ns,
            second_factor: tables.has_factor(name),
            has_password: user.password.is_some(),
            oidc: user.origin.as_ref().map(|origin| origin.person.clone()),
        };
        tables.users.iter().map(info).collect()
    }

    /// What somebody may do; `None` for one who is not there or kept out.
    pub fn rights(&self, name: &UserName) -> Option<Rights> {
        self.tables.read().users.get(name).filter(|user| !user.disabled).map(User::rights)
    }

    /// Whether somebody is there who signs in with a password.
    pub(super) fn has_password(&self, name: &UserName) -> bool {
        self.tables.read().users.get(name).is_some_and(|user| user.password.is_some())
    }

    /// Adds a person; without a password they cannot sign in until they have chosen one.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn add_user(
        &self,
        name: &UserName,
        password: Option<&str>,
        rights: impl Into<Rights>,
    ) -> Result<(), DirectoryError> {
        let rights = rights.into();
        rights.check()?;
        let hash = match password {
            Some(password) => self.new_password(name, password).await?,
            None => None,
        };
        let _turn = self.turn.lock().await;
        self.add_user_now(name, hash, rights).await
    }

    /// With the turn held.
    pub(super) async fn add_user_now(
        &self,
        name: &UserName,
        hash: Option<String>,
        Rights { roles, scope }: Rights,
    ) -> Result<(), DirectoryError> {
        {
            let tables = self.tables.read();
            if tables.users.contains_key(name) {
                return Err(DirectoryError::Exists(format!("user `{name}`")));
            }
            if tables.users.len() >= MOST {
                return Err(DirectoryError::Refused(format!("there are {MOST} users, which is all there may be")));
            }
        }
        let user = User { password: hash, roles, scope, disabled: false, created_ns: self.now_ns(), origin: None };
        self.change(TABLE, |tables| &mut tables.users, |users| drop(users.insert(name.clone(), user))).await
    }

    /// The hash of a password that may be set.
    pub(super) async fn new_password(&self, name: &UserName, password: &str) -> Result<Option<String>, DirectoryError> {
        let (name, password) = (name.as_str().to_owned(), password.to_owned());
        let hashed = self.hashing(move || match password::fault(&password, &name) {
            Some(fault) => Err(DirectoryError::Invalid(format!("this password cannot be used: {fault}"))),
            None => Ok(Some(password::hash(&password))),
        });
        hashed.await?
    }

    /// Changes what somebody may do, or keeps them out. Their sessions and tokens end with it, so that nothing stays of what
    /// they could do.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where nobody would be left to manage people.
    pub async fn set_user(
        &self,
        name: &UserName,
        rights: impl Into<Rights>,
        disabled: bool,
    ) -> Result<(), DirectoryError> {
        let rights = rights.into();
        rights.check()?;
        let Rights { roles, scope } = rights;
        let _turn = self.turn.lock().await;
        {
            let tables = self.tables.read();
            let Some(user) = tables.users.get(name) else {
                return Err(DirectoryError::NotFound(format!("user `{name}`")));
            };
            if user.origin.is_some() && roles != user.roles {
                let what = "their roles are those of their groups at the provider: change these";
                return Err(DirectoryError::Refused(what.to_owned()));
            }
            // Those of a provider do not count: it may be away, or take the role from them.
            let others = tables.users.iter().filter(|(other, user)| *other != name && user.manages()).count();
            let stays = !disabled && roles.contains(&Role::Administrator);
            if user.manages() && !stays && others == 0 {
                let what = format!("`{name}` is the only administrator: make somebody else one first");
                return Err(DirectoryError::Refused(what));
            }
        }
        let set = |users: &mut std::collections::BTreeMap<UserName, User>| {
            if let Some(user) = users.get_mut(name) {
                user.roles = roles;
                user.scope = scope;
                user.disabled = disabled;
            }
        };
        self.change(TABLE, |tables| &mut tables.users, set).await?;
        self.end_sessions_of(name).await
    }

    /// Sets a new password, and ends every session of its owner.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn set_password(&self, name: &UserName, password: &str) -> Result<(), DirectoryError> {
        let hash = self.new_password(name, password).await?;
        let _turn = self.turn.lock().await;
        self.check_may_have_password(name)?;
        self.set_hash(name, hash).await
    }

    /// Whether somebody is there who can have a password.
    pub(super) fn check_may_have_password(&self, name: &UserName) -> Result<(), DirectoryError> {
        match self.tables.read().users.get(name) {
            None => Err(DirectoryError::NotFound(format!("user `{name}`"))),
            Some(User { origin: Some(_), .. }) => {
                Err(DirectoryError::Refused("who signs in at a provider has no password here".to_owned()))
            }
            Some(_) => Ok(()),
        }
    }

    /// With the turn held.
    pub(super) async fn set_hash(&self, name: &UserName, hash: Option<String>) -> Result<(), DirectoryError> {
        let set = |users: &mut std::collections::BTreeMap<UserName, User>| {
            if let Some(user) = users.get_mut(name) {
                user.password = hash;
            }
        };
        self.change(TABLE, |tables| &mut tables.users, set).await?;
        self.end_sessions_of(name).await
    }
}
