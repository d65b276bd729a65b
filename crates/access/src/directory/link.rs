//! Links that can be used once: to set the first administrator up, to sign in without a password, or to choose one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::secret::{self, Kind, SecretHash};
use super::{Directory, DirectoryError, NewSession, Role, UserName, after};

pub(super) const TABLE: &str = "directory/links";

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
        let fresh = secret::fresh(Kind::Link);
        let now_ns = self.now_ns();
        let expires_ns = after(now_ns, lasts);
        let link = Link { hash: fresh.hash, purpose, expires_ns };
        let add = |links: &mut BTreeMap<String, Link>| {
            links.retain(|_, old| old.expires_ns > now_ns && old.purpose != link.purpose);
            links.insert(fresh.id, link);
        };
        self.change(TABLE, |tables| &mut tables.links, add).await?;
        Ok(fresh.text)
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

    /// Makes the secret of a link by which somebody chooses their password; it replaces the one that there was.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], or [`DirectoryError::Refused`] for one who comes from a provider.
    pub async fn add_password_link(&self, name: &UserName, lasts: Duration) -> Result<String, DirectoryError> {
        self.check_may_have_password(name)?;
        self.add_link(Purpose::Password(name.clone()), lasts).await
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
