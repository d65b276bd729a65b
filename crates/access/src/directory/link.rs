//! Links that can be used once: to set the first administrator up, to sign in without a password, or to choose one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secret::{self, Kind, SecretHash};
use super::{Directory, DirectoryError, NewSession, Role, UserName, after};
use crate::approval::Act;

pub(super) const TABLE: &str = "directory/links";
/// How long a link is good by which somebody chooses their password.
pub(super) const PASSWORD_LINK_LASTS: Duration = Duration::from_secs(24 * 3_600);

/// What a link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Whoever follows it becomes the first administrator. There is one such link, and none once there is anybody.
    SetUp,
    /// Whoever follows it is signed in as this user, if they have no second factor.
    SignIn(UserName),
    /// Whoever follows it chooses the password of this user.
    Password(UserName),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Link {
    hash: SecretHash,
    purpose: Purpose,
    expires_ns: i64,
}

impl Link {
    /// Whether whoever follows it becomes this person.
    pub(super) fn is_for(&self, name: &UserName) -> bool {
        matches!(&self.purpose, Purpose::SignIn(user) | Purpose::Password(user) if user == name)
    }
}

/// Adds a link in the place of those for the same; gives its secret.
pub(super) fn add(links: &mut BTreeMap<String, Link>, purpose: Purpose, lasts: Duration, now_ns: i64) -> String {
    let fresh = secret::fresh(Kind::Link);
    let link = Link { hash: fresh.hash, purpose, expires_ns: after(now_ns, lasts) };
    links.retain(|_, old| old.expires_ns > now_ns && old.purpose != link.purpose);
    links.insert(fresh.id, link);
    fresh.text
}

impl Directory {
    /// Makes a link's secret. One for setting up replaces those that there were.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where there is nothing to set up any more.
    pub async fn add_link(&self, purpose: Purpose, lasts: Duration) -> Result<String, DirectoryError> {
        let _turn = self.turn.lock().await;
        if purpose == Purpose::SetUp && !self.is_new() {
            return Err(DirectoryError::Refused("somebody has been set up already".to_owned()));
        }
        self.check_may_link(&purpose)?;
        let now_ns = self.now_ns();
        self.change(TABLE, |tables| &mut tables.links, |links| add(links, purpose, lasts, now_ns)).await
    }

    /// Whoever follows the link of an administrator is one. Without a statement there are such links only while there is nobody else.
    fn check_may_link(&self, purpose: &Purpose) -> Result<(), DirectoryError> {
        let tables = self.tables.read();
        let name = match purpose {
            Purpose::SetUp => return Ok(()),
            Purpose::SignIn(name) => name,
            Purpose::Password(name) => {
                tables.check_may_have_password(name)?;
                name
            }
        };
        if tables.is_dangerous(&Act::PasswordLink { user: name.clone() }, None) && tables.users.len() > 1 {
            return Err(DirectoryError::Refused("a link for an administrator takes two people".to_owned()));
        }
        Ok(())
    }

    /// What a link that is shown is for, if it still is good.
    pub fn link(&self, shown: &str) -> Option<Purpose> {
        let shown = secret::parse(Kind::Link, shown)?;
        let tables = self.tables.read();
        let link = tables.links.get(shown.id).filter(|link| link.hash.is_of(&shown))?;
        let is_good = link.expires_ns > self.now_ns() && (link.purpose != Purpose::SetUp || tables.is_new());
        is_good.then(|| link.purpose.clone())
    }

    /// Makes the first administrator, who may read as well until there is somebody else to give that leave, and signs them in.
    ///
    /// # Errors
    /// [`DirectoryError::NotRecognised`] if the link is not for this, or not any more.
    pub async fn set_up(
        &self,
        link: &str,
        name: &UserName,
        password: &str,
        address: &str,
    ) -> Result<NewSession, DirectoryError> {
        if self.link(link) != Some(Purpose::SetUp) {
            return Err(DirectoryError::NotRecognised);
        }
        let hash = self.new_password(name, password).await?;
        let _turn = self.turn.lock().await;
        if self.link(link) != Some(Purpose::SetUp) {
            return Err(DirectoryError::NotRecognised);
        }
        let roles = BTreeSet::from([Role::Administrator, Role::Analyst, Role::Auditor]);
        self.add_user_now(name, hash, roles.into()).await?;
        // The link is dead already: there is a user.
        self.change(TABLE, |tables| &mut tables.links, |links| links.retain(|_, link| link.purpose != Purpose::SetUp))
            .await?;
        self.begin_session_now(name, address).await
    }

    /// Sets the password of whom the link is for, which is used up by it, and ends their sessions. A password that cannot be used leaves the
    /// link good.
    ///
    /// # Errors
    /// [`DirectoryError::NotRecognised`] if the link is not for this, or not any more.
    pub async fn set_password_by_link(&self, link: &str, password: &str) -> Result<UserName, DirectoryError> {
        let Some(Purpose::Password(name)) = self.link(link) else { return Err(DirectoryError::NotRecognised) };
        let hash = self.new_password(&name, password).await?;
        let _turn = self.turn.lock().await;
        if self.link(link) != Some(Purpose::Password(name.clone())) {
            return Err(DirectoryError::NotRecognised);
        }
        self.use_up(link).await?;
        self.set_hash(&name, hash).await?;
        Ok(name)
    }

    /// With the turn held.
    async fn use_up(&self, link: &str) -> Result<(), DirectoryError> {
        let Some(shown) = secret::parse(Kind::Link, link) else { return Err(DirectoryError::NotRecognised) };
        self.change(TABLE, |tables| &mut tables.links, |links| drop(links.remove(shown.id))).await
    }

    /// Signs in by a link for that, which is used up by it.
    ///
    /// # Errors
    /// [`DirectoryError::NotRecognised`] if the link is not for this, or not any more.
    pub async fn sign_in_by_link(&self, link: &str, address: &str) -> Result<NewSession, DirectoryError> {
        let _turn = self.turn.lock().await;
        let Some(Purpose::SignIn(user)) = self.link(link) else { return Err(DirectoryError::NotRecognised) };
        if self.rights(&user).is_none() || self.second_factor(&user).is_some() {
            return Err(DirectoryError::NotRecognised);
        }
        self.use_up(link).await?;
        self.begin_session_now(&user, address).await
    }
}
