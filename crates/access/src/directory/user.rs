//! People.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::carry_out::By;
use super::oidc::{OidcPerson, Origin};
use super::{Directory, DirectoryError, MOST, Tables, password};
use crate::approval::Act;
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
    /// May do what analysts and administrators may, for a short time, after saying why.
    #[serde(rename = "break-glass")]
    BreakGlass,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Administrator, Self::Analyst, Self::Engineer, Self::Auditor, Self::Collector, Self::BreakGlass];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Analyst => "analyst",
            Self::Engineer => "engineer",
            Self::Auditor => "auditor",
            Self::Collector => "collector",
            Self::BreakGlass => "break-glass",
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
    pub(super) fn check_scope(scope: Option<&Scope>) -> Result<(), DirectoryError> {
        let fault = scope.and_then(Scope::fault);
        fault.map_or(Ok(()), |fault| Err(DirectoryError::Invalid(format!("`scope`: {fault}"))))
    }
}

/// As the audit trail says it.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.roles.iter().map(|role| role.name()).collect();
        f.write_str(&names.join(", "))?;
        self.scope.as_ref().map_or(Ok(()), |scope| write!(f, " for {scope}"))
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
    /// When they last were one who manages people, if they are not any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) administered_ns: Option<i64>,
}

impl User {
    pub(super) fn new(password: Option<String>, Rights { roles, scope }: Rights, created_ns: i64) -> Self {
        Self { password, roles, scope, disabled: false, created_ns, origin: None, administered_ns: None }
    }

    /// Whether they are one of ours who manages people, and can sign in.
    fn manages(&self) -> bool {
        self.password.is_some() && !self.disabled && self.roles.contains(&Role::Administrator)
    }
}

impl Tables {
    /// Whether somebody of this name can be added.
    pub(super) fn check_new(&self, name: &UserName) -> Result<(), DirectoryError> {
        if self.users.contains_key(name) {
            return Err(DirectoryError::Exists(format!("user `{name}`")));
        }
        if self.users.len() >= MOST {
            return Err(DirectoryError::Refused(format!("there are {MOST} users, which is all there may be")));
        }
        Ok(())
    }

    pub(super) fn user(&self, name: &UserName) -> Result<&User, DirectoryError> {
        self.users.get(name).ok_or_else(|| DirectoryError::NotFound(format!("user `{name}`")))
    }

    /// Whether somebody can be given these roles, or kept out.
    pub(super) fn check_set(
        &self,
        name: &UserName,
        roles: &BTreeSet<Role>,
        disabled: bool,
    ) -> Result<(), DirectoryError> {
        let user = self.user(name)?;
        if user.origin.is_some() && *roles != user.roles {
            let what = "their roles are those of their groups at the provider: change these";
            return Err(DirectoryError::Refused(what.to_owned()));
        }
        // Those of a provider do not count: it may be away, or take the role from them.
        let others = self.users.iter().filter(|(other, user)| *other != name && user.manages()).count();
        let stays = !disabled && roles.contains(&Role::Administrator);
        if user.manages() && !stays && others == 0 {
            let what = format!("`{name}` is the only administrator: make somebody else one first");
            return Err(DirectoryError::Refused(what));
        }
        Ok(())
    }

    /// Whether somebody is there who can have a password.
    pub(super) fn check_may_have_password(&self, name: &UserName) -> Result<(), DirectoryError> {
        match self.user(name)?.origin {
            Some(_) => Err(DirectoryError::Refused("who signs in at a provider has no password here".to_owned())),
            None => Ok(()),
        }
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

    /// Adds a person by one person's word; without a password they cannot sign in until they have chosen one.
    ///
    /// # Errors
    /// [`DirectoryError`], also where it takes two people.
    pub async fn add_user(
        &self,
        name: &UserName,
        password: Option<&str>,
        rights: impl Into<Rights>,
    ) -> Result<(), DirectoryError> {
        let Rights { roles, scope } = rights.into();
        let act = Act::AddUser { user: name.clone(), roles, scope };
        self.carry_out(&act, password, By::One(None)).await.map(drop)
    }

    /// With the turn held.
    pub(super) async fn add_user_now(
        &self,
        name: &UserName,
        hash: Option<String>,
        rights: Rights,
    ) -> Result<(), DirectoryError> {
        self.tables.read().check_new(name)?;
        let user = User::new(hash, rights, self.now_ns());
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

    /// Changes what somebody may do by one person's word, or keeps them out.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where nobody would be left to manage people, or it takes two.
    pub async fn set_user(
        &self,
        name: &UserName,
        rights: impl Into<Rights>,
        disabled: bool,
    ) -> Result<(), DirectoryError> {
        let Rights { roles, scope } = rights.into();
        let act = Act::SetUser { user: name.clone(), roles, scope, disabled };
        self.carry_out(&act, None, By::One(None)).await.map(drop)
    }

    /// Sets a new password, and ends every session of its owner.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn set_password(&self, name: &UserName, password: &str) -> Result<(), DirectoryError> {
        let hash = self.new_password(name, password).await?;
        let _turn = self.turn.lock().await;
        self.tables.read().check_may_have_password(name)?;
        self.set_hash(name, hash).await
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
