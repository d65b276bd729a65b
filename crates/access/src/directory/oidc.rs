//! People whom a provider of OpenID Connect vouches for.
//!
//! Who somebody is are their issuer and subject: names at a provider change, and are given to others. The name by which we know them is made of both, in
//! a form that no name of ours can have, so that neither can be taken for the other. They have no password here, and their roles are those of
//! their groups when they signed in last.

use std::collections::BTreeSet;
use std::time::Duration;

use logkeep_cipher::sha256;
use serde::{Deserialize, Serialize};

use super::user::{TABLE, User};
use super::{Directory, DirectoryError, MOST, NewSession, Role, UserName, after};

/// Tokens of somebody who has not signed in for so long are no good until they do: nobody tells us that they have left.
const TOKENS_LAST: Duration = Duration::from_secs(30 * 24 * 3_600);
const PREFIX: &str = "oidc:";
/// Hex digits behind it.
const DIGITS: usize = 32;

/// Somebody, as their provider knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcPerson {
    /// The provider.
    pub issuer: String,
    /// Who they are there, for good.
    pub subject: String,
    /// What to show; it says nothing about who they are.
    pub shown: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) person: OidcPerson,
    /// When they signed in last, nanoseconds.
    seen_ns: i64,
}

impl Origin {
    /// Whether they have signed in lately.
    pub(super) fn is_recent(&self, now_ns: i64) -> bool {
        after(self.seen_ns, TOKENS_LAST) > now_ns
    }
}

impl OidcPerson {
    /// The name that we know them by.
    pub fn name(&self) -> UserName {
        // Neither part can be moved into the other: each is of one length.
        let parts = [sha256(self.issuer.as_bytes()), sha256(self.subject.as_bytes())].concat();
        let mut name = hex::encode(sha256(&parts));
        name.truncate(DIGITS);
        UserName(format!("{PREFIX}{name}"))
    }
}

impl UserName {
    /// The name of somebody who is there: as [`UserName::new`] has it, or that of somebody whom a provider vouches for.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`].
    pub fn of_anybody(name: &str) -> Result<Self, DirectoryError> {
        let is_hex = |digits: &str| digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match name.strip_prefix(PREFIX) {
            Some(digits) if digits.len() == DIGITS && is_hex(digits) => Ok(Self(name.to_owned())),
            _ => Self::new(name),
        }
    }
}

impl Directory {
    /// Begins a session for somebody whom the provider has vouched for, with these roles from now on.
    ///
    /// # Errors
    /// [`DirectoryError::NotRecognised`] for one who is kept out; [`DirectoryError::Refused`] where there are too many people.
    pub async fn begin_oidc_session(
        &self,
        person: &OidcPerson,
        roles: BTreeSet<Role>,
        address: &str,
    ) -> Result<NewSession, DirectoryError> {
        let (name, now_ns) = (person.name(), self.now_ns());
        let _turn = self.turn.lock().await;
        let known = {
            let tables = self.tables.read();
            if !tables.users.contains_key(&name) && tables.users.len() >= MOST {
                return Err(DirectoryError::Refused(format!("there are {MOST} users, which is all there may be")));
            }
            tables.users.get(&name).cloned()
        };
        if known.as_ref().is_some_and(|user| user.disabled) {
            return Err(DirectoryError::NotRecognised);
        }
        let administered_ns = known.as_ref().and_then(|user| user.administered_until(&roles, false, now_ns));
        let user = User {
            administered_ns,
            password: None,
            roles,
            // What the provider knows nothing of stays as it was set here.
            scope: known.as_ref().and_then(|user| user.scope.clone()),
            disabled: false,
            created_ns: known.map_or(now_ns, |user| user.created_ns),
            origin: Some(Origin { person: person.clone(), seen_ns: now_ns }),
        };
        let added = name.clone();
        self.change(TABLE, |tables| &mut tables.users, |users| drop(users.insert(added, user))).await?;
        self.begin_session_now(&name, address).await
    }

    /// Whether somebody comes from a provider.
    pub fn is_vouched_for(&self, name: &UserName) -> bool {
        self.tables.read().users.get(name).is_some_and(|user| user.origin.is_some())
    }

    /// Whether somebody is kept out.
    pub fn is_kept_out(&self, name: &UserName) -> bool {
        self.tables.read().users.get(name).is_some_and(|user| user.disabled)
    }

    /// What to show of somebody: their name, or that at their provider.
    pub fn shown_name(&self, name: &UserName) -> String {
        let tables = self.tables.read();
        let origin = tables.users.get(name).and_then(|user| user.origin.as_ref());
        origin.map_or_else(|| name.to_string(), |origin| origin.person.shown.clone())
    }
}
