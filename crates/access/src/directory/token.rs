//! Tokens: how machines, and people without a browser, are known.

use std::collections::BTreeSet;

use logkeep_record::TenantId;
use serde::{Deserialize, Serialize};

use super::secret::{self, Kind, SecretHash};
use super::{Directory, DirectoryError, MOST, Role, Tables, UserName};
use crate::scope::Scope;

pub(super) const TABLE: &str = "directory/tokens";

/// Longest life of a token, nanoseconds: a year.
const LONGEST_NS: i64 = 366 * 24 * 3_600 * 1_000_000_000;
/// How often at most the catalog is told that a token is in use.
const NOTED_EVERY_NS: i64 = 60 * 1_000_000_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    hash: SecretHash,
    name: String,
    owner: UserName,
    roles: BTreeSet<Role>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    tenant: String,
    created_ns: i64,
    expires_ns: i64,
    used_ns: Option<i64>,
}

/// What a token is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSpec {
    /// What people call it.
    pub name: String,
    /// Who answers for it; it ends with them.
    pub owner: UserName,
    /// What it may do, which its owner must be allowed to give.
    pub roles: BTreeSet<Role>,
    /// To which rows it is held, if to any; to those that its owner is held to in any case.
    pub scope: Option<Scope>,
    /// With whose data.
    pub tenant: TenantId,
    /// Until when, nanoseconds.
    pub expires_ns: i64,
}

/// What is shown of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// By which it can be ended; the secret has it too, so that one that was found can be named.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who answers for it.
    pub owner: UserName,
    /// What it may do.
    pub roles: BTreeSet<Role>,
    /// To which rows it is held: its own scope, and its owner's.
    pub scopes: Vec<Scope>,
    /// With whose data.
    pub tenant: TenantId,
    /// When it was made, nanoseconds.
    pub created_ns: i64,
    /// Until when it is good, nanoseconds.
    pub expires_ns: i64,
    /// When it was last used, to the minute, nanoseconds.
    pub used_ns: Option<i64>,
}

/// A token that was shown and is good.
pub(crate) struct Recognised {
    pub(crate) info: TokenInfo,
    /// Whether the catalog should be told that it is in use.
    pub(crate) is_to_note: bool,
}

/// A token that has just been made.
pub struct NewToken {
    /// What is shown of it.
    pub info: TokenInfo,
    /// To be shown once.
    pub secret: String,
}

/// `None` if its tenant is none, which it was when the token was made.
fn info(id: &str, token: &Token) -> Option<TokenInfo> {
    Some(TokenInfo {
        id: id.to_owned(),
        name: token.name.clone(),
        owner: token.owner.clone(),
        roles: token.roles.clone(),
        scopes: token.scope.iter().cloned().collect(),
        tenant: TenantId::new(&token.tenant).ok()?,
        created_ns: token.created_ns,
        expires_ns: token.expires_ns,
        used_ns: token.used_ns,
    })
}

/// What somebody with these roles may let a token do: administrators anything but their own work, others what they may do
/// themselves.
fn may_give(roles: &BTreeSet<Role>, role: Role) -> bool {
    roles.contains(&role) || (roles.contains(&Role::Administrator) && role == Role::Collector)
}

impl Tables {
    /// What a token may do, and with which rows: no more than its owner may give today, and nothing after its time.
    fn rights_of(&self, token: &Token, now_ns: i64) -> Option<(BTreeSet<Role>, Vec<Scope>)> {
        let owner = self.users.get(&token.owner).filter(|owner| !owner.disabled)?;
        if owner.origin.as_ref().is_some_and(|origin| !origin.is_recent(now_ns)) {
            return None;
        }
        let roles = token.roles.iter().copied().filter(|role| may_give(&owner.roles, *role));
        let scopes = token.scope.iter().chain(&owner.scope).cloned();
        (token.expires_ns > now_ns).then(|| (roles.collect(), scopes.collect()))
    }
}

impl Directory {
    /// Makes a token.
    ///
    /// # Errors
    /// [`DirectoryError`] says what about it is no good.
    pub async fn add_token(&self, spec: TokenSpec) -> Result<NewToken, DirectoryError> {
        let _turn = self.turn.lock().await;
        self.check_token(&spec)?;
        let fresh = secret::fresh(Kind::Token);
        let TokenSpec { name, owner, roles, scope, tenant, expires_ns } = spec;
        let created_ns = self.now_ns();
        let scopes = scope.iter().cloned().collect();
        let info =
            TokenInfo { id: fresh.id, name, owner, roles, scopes, tenant, created_ns, expires_ns, used_ns: None };
        let token = Token {
            hash: fresh.hash,
            name: info.name.clone(),
            owner: info.owner.clone(),
            roles: info.roles.clone(),
            scope,
            tenant: info.tenant.to_string(),
            created_ns,
            expires_ns,
            used_ns: None,
        };
        let id = info.id.clone();
        self.change(TABLE, |tables| &mut tables.tokens, |tokens| drop(tokens.insert(id, token))).await?;
        Ok(NewToken { info, secret: fresh.text })
    }

    fn check_token(&self, spec: &TokenSpec) -> Result<(), DirectoryError> {
        let invalid = |what: String| Err(DirectoryError::Invalid(what));
        if spec.name.trim().is_empty() || spec.name.len() > 100 || spec.name.chars().any(char::is_control) {
            return invalid("a token needs a name of 1 to 100 bytes, without control characters".to_owned());
        }
        if spec.roles.is_empty() {
            return invalid("a token needs at least one role".to_owned());
        }
        if let Some(fault) = spec.scope.as_ref().and_then(Scope::fault) {
            return invalid(format!("`scope`: {fault}"));
        }
        let now_ns = self.now_ns();
        if spec.expires_ns <= now_ns || spec.expires_ns > now_ns.saturating_add(LONGEST_NS) {
            return invalid("a token needs an end, within a year from now".to_owned());
        }
        let Some(own) = self.rights(&spec.owner).map(|rights| rights.roles) else {
            return Err(DirectoryError::NotFound(format!("user `{}`", spec.owner)));
        };
        if let Some(role) = spec.roles.iter().find(|role| !may_give(&own, **role)) {
            let what = format!("`{}` may not give a token the role `{}`", spec.owner, role.name());
            return Err(DirectoryError::Refused(what));
        }
        if self.tables.read().tokens.len() >= MOST {
            return Err(DirectoryError::Refused(format!("there are {MOST} tokens, which is all there may be")));
        }
        Ok(())
    }

    /// What this token is, if it is one and still good: it can do no more than its owner may give today.
    pub async fn token(&self, shown: &str) -> Option<TokenInfo> {
        let Recognised { info, is_to_note } = self.recognise(shown)?;
        if is_to_note {
            self.note_token_use().await;
        }
        Some(info)
    }

    /// The same without a word to the catalog, which is left to the caller.
    pub(crate) fn recognise(&self, shown: &str) -> Option<Recognised> {
        let shown = secret::parse(Kind::Token, shown)?;
        let now_ns = self.now_ns();
        let info = {
            let tables = self.tables.read();
            let token = tables.tokens.get(shown.id);
            let hash = token.map_or_else(SecretHash::of_none, |token| token.hash.clone());
            let token = token.filter(|_| hash.is_of(&shown))?;
            let (roles, scopes) = tables.rights_of(token, now_ns)?;
            TokenInfo { roles, scopes, ..info(shown.id, token)? }
        };
        let is_stale = |used_ns: Option<i64>| used_ns.is_none_or(|used_ns| now_ns - used_ns >= NOTED_EVERY_NS);
        // Of many requests at once, one is to see to it.
        let is_to_note = is_stale(info.used_ns)
            && self.tables.write().tokens.get_mut(shown.id).is_some_and(|token| {
                let is_first = is_stale(token.used_ns);
                token.used_ns = Some(now_ns);
                is_first
            });
        Some(Recognised { info, is_to_note })
    }

    /// The token of this id with what it may do, if it is still good.
    pub fn token_by_id(&self, id: &str) -> Option<TokenInfo> {
        let tables = self.tables.read();
        let token = tables.tokens.get(id)?;
        let (roles, scopes) = tables.rights_of(token, self.now_ns())?;
        Some(TokenInfo { roles, scopes, ..info(id, token)? })
    }

    /// What a token may do by now, if it is still good.
    pub(super) fn token_rights(&self, id: &str) -> Option<(BTreeSet<Role>, Vec<Scope>)> {
        let tables = self.tables.read();
        let token = tables.tokens.get(id)?;
        tables.rights_of(token, self.now_ns())
    }

    /// That tokens are in use; for whoever looks for those that are not.
    pub(crate) async fn note_token_use(&self) {
        let _turn = self.turn.lock().await;
        if let Err(error) = self.change(TABLE, |tables| &mut tables.tokens, |_| ()).await {
            tracing::warn!(%error, "that a token is in use could not be noted");
        }
    }

    /// The tokens of one person, or of everybody; those that have ended too, until they are removed.
    pub fn tokens(&self, owner: Option<&UserName>) -> Vec<TokenInfo> {
        let tables = self.tables.read();
        let found = tables.tokens.iter().filter(|(_, token)| owner.is_none_or(|owner| token.owner == *owner));
        found.filter_map(|(id, token)| info(id, token)).collect()
    }

    /// Ends a token, from the next request on.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], or the catalog cannot be written.
    pub async fn end_token(&self, id: &str) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        let ended = self.change(TABLE, |tables| &mut tables.tokens, |tokens| tokens.remove(id).is_some()).await?;
        if ended { Ok(()) } else { Err(DirectoryError::NotFound(format!("token `{id}`"))) }
    }
}
