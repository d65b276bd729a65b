//! Sessions: how a browser is known after its user has signed in.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lockout::Attempt;
use super::secret::{self, Kind, SecretHash};
use super::user::User;
use super::{Directory, DirectoryError, Tables, UserName, after, password};

pub(super) const TABLE: &str = "directory/sessions";

/// Sessions of one person at once; the oldest ends when there is another.
const MOST_EACH: usize = 20;
/// How often at most the catalog is told that a session is in use.
const NOTED_EVERY_NS: i64 = 60 * 1_000_000_000;

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without being used.
    pub idle: Duration,
    /// In all.
    pub max: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(3_600), max: Duration::from_secs(12 * 3_600) }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    hash: SecretHash,
    pub(super) user: UserName,
    created_ns: i64,
    used_ns: i64,
    address: String,
}

/// What is shown of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionInfo {
    /// By which it can be ended.
    pub id: String,
    /// Whose.
    pub user: UserName,
    /// When it began, nanoseconds.
    pub created_ns: i64,
    /// When it was last used, to the minute, nanoseconds.
    pub used_ns: i64,
    /// When it ends at the latest, nanoseconds.
    pub expires_ns: i64,
    /// From where it began.
    pub address: String,
}

/// A session that has just begun.
pub struct NewSession {
    /// What is shown of it.
    pub info: SessionInfo,
    /// For the browser alone.
    pub secret: String,
}

impl SessionLimits {
    fn ends_ns(self, session: &Session) -> i64 {
        after(session.created_ns, self.max).min(after(session.used_ns, self.idle))
    }

    fn info(self, id: &str, session: &Session) -> SessionInfo {
        SessionInfo {
            id: id.to_owned(),
            user: session.user.clone(),
            created_ns: session.created_ns,
            used_ns: session.used_ns,
            expires_ns: after(session.created_ns, self.max),
            address: session.address.clone(),
        }
    }
}

impl Directory {
    /// Whether this is somebody's password, whatever else they would need to be let in.
    ///
    /// # Errors
    /// [`DirectoryError::NotRecognised`], or [`DirectoryError::TooMany`] where it was tried too often.
    pub async fn check_password(&self, name: &str, password: &str, address: &str) -> Result<UserName, DirectoryError> {
        let attempt = self.attempt(name, address)?;
        let name = self.try_password(name, password).await?;
        self.lockout.lock().succeeded(&attempt);
        Ok(name)
    }

    /// Leave to try. It counts as failed from now on, so that attempts at the same time are not free.
    pub(super) fn attempt(&self, name: &str, address: &str) -> Result<Attempt, DirectoryError> {
        let (attempt, now_ns) = (Attempt::new(name, address), self.now_ns());
        let mut lockout = self.lockout.lock();
        if let Some(wait) = lockout.wait(&attempt, now_ns) {
            return Err(DirectoryError::TooMany(wait.as_secs() + 1));
        }
        lockout.failed(&attempt, now_ns);
        Ok(attempt)
    }

    /// Wrong names and wrong passwords take as long and get the same answer.
    pub(super) async fn try_password(&self, name: &str, password: &str) -> Result<UserName, DirectoryError> {
        let known = UserName::new(name).ok();
        let hash = known.as_ref().and_then(|name| {
            let tables = self.tables.read();
            tables.users.get(name).filter(|user| !user.disabled).and_then(|user: &User| user.password.clone())
        });
        // None is as long.
        let hash = hash.filter(|_| password.len() <= password::MAX_BYTES);
        let password: String = password.chars().take(password::MAX_BYTES).collect();
        let is_right = self.hashing(move || password::is_right(&password, hash.as_deref())).await?;
        known.filter(|_| is_right).ok_or(DirectoryError::NotRecognised)
    }

    /// Begins a session for somebody who has proven who they are.
    ///
    /// # Errors
    /// [`DirectoryError`].
    pub async fn begin_session(&self, user: &UserName, address: &str) -> Result<NewSession, DirectoryError> {
        let _turn = self.turn.lock().await;
        self.begin_session_now(user, address).await
    }

    /// With the turn held.
    pub(super) async fn begin_session_now(&self, user: &UserName, address: &str) -> Result<NewSession, DirectoryError> {
        let fresh = secret::fresh(Kind::Session);
        let now_ns = self.now_ns();
        let session = Session {
            hash: fresh.hash,
            user: user.clone(),
            created_ns: now_ns,
            used_ns: now_ns,
            address: address.to_owned(),
        };
        let info = self.limits.info(&fresh.id, &session);
        let limits = self.limits;
        let add = |sessions: &mut BTreeMap<String, Session>| {
            sessions.retain(|_, session| limits.ends_ns(session) > now_ns);
            let mut own: Vec<(i64, String)> = sessions
                .iter()
                .filter(|(_, session)| session.user == *user)
                .map(|(id, session)| (session.created_ns, id.clone()))
                .collect();
            own.sort_unstable();
            let too_many = (own.len() + 1).saturating_sub(MOST_EACH);
            own.into_iter().take(too_many).for_each(|(_, id)| drop(sessions.remove(&id)));
            sessions.insert(fresh.id, session);
        };
        self.change(TABLE, |tables| &mut tables.sessions, add).await?;
        Ok(NewSession { info, secret: fresh.text })
    }

    /// Whose session this is, if it still is one.
    pub async fn session(&self, shown: &str) -> Option<SessionInfo> {
        let shown = secret::parse(Kind::Session, shown)?;
        let now_ns = self.now_ns();
        let (info, is_to_note) = {
            let tables = self.tables.read();
            let session = tables.sessions.get(shown.id).filter(|session| session.hash.is_of(&shown))?;
            let is_known = tables.users.get(&session.user).is_some_and(|user| !user.disabled);
            if !is_known || self.limits.ends_ns(session) <= now_ns {
                return None;
            }
            (self.limits.info(shown.id, session), now_ns - session.used_ns >= NOTED_EVERY_NS)
        };
        if is_to_note {
            self.note_use(shown.id, now_ns).await;
        }
        Some(info)
    }

    pub(super) fn is_session(&self, id: &str) -> bool {
        self.is_session_in(&self.tables.read(), id)
    }

    pub(super) fn is_session_in(&self, tables: &Tables, id: &str) -> bool {
        tables.sessions.get(id).is_some_and(|session| self.limits.ends_ns(session) > self.now_ns())
    }

    /// That a session is in use; one that cannot be noted ends earlier, which is the safe way to be wrong.
    async fn note_use(&self, id: &str, now_ns: i64) {
        let _turn = self.turn.lock().await;
        let set = |sessions: &mut BTreeMap<String, Session>| {
            if let Some(session) = sessions.get_mut(id) {
                session.used_ns = now_ns;
            }
        };
        if let Err(error) = self.change(TABLE, |tables| &mut tables.sessions, set).await {
            tracing::warn!(%error, "that a session is in use could not be noted");
        }
    }

    /// The sessions of one person, or of everybody.
    pub fn sessions(&self, user: Option<&UserName>) -> Vec<SessionInfo> {
        let now_ns = self.now_ns();
        let tables = self.tables.read();
        let asked =
            |session: &Session| user.is_none_or(|user| session.user == *user) && self.limits.ends_ns(session) > now_ns;
        let found = tables.sessions.iter().filter(|(_, session)| asked(session));
        found.map(|(id, session)| self.limits.info(id, session)).collect()
    }

    /// Ends a session, from the next request on.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], or the catalog cannot be written.
    pub async fn end_session(&self, id: &str) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        let ended = self.change(TABLE, |tables| &mut tables.sessions, |sessions| sessions.remove(id).is_some()).await?;
        if ended { Ok(()) } else { Err(DirectoryError::NotFound(format!("session `{id}`"))) }
    }

    /// With the turn held.
    pub(super) async fn end_sessions_of(&self, user: &UserName) -> Result<(), DirectoryError> {
        let end = |sessions: &mut BTreeMap<String, Session>| sessions.retain(|_, session| session.user != *user);
        self.change(TABLE, |tables| &mut tables.sessions, end).await
    }
}
