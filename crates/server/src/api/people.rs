//! People, their sessions and tokens.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use logkeep_access::{
    Act, Action, Grant, Identity, Known, Rights, Role, Scope, SessionInfo, TokenInfo, TokenSpec, UserInfo, UserName,
};
use logkeep_record::TenantId;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::answer::{JSON, outcome, release};
use super::caller::Caller;
use super::session::body;
use super::{ApiError, AppState, render};

const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    user: String,
    password: Option<String>,
    roles: Vec<String>,
    scope: Option<Scope>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedUser {
    roles: Vec<String>,
    /// Absent is as it was, null is none.
    #[serde(default, deserialize_with = "present")]
    scope: Option<Option<Scope>>,
    #[serde(default)]
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    old: String,
    new: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedToken {
    name: String,
    roles: Vec<String>,
    days: i64,
    tenant: Option<String>,
    scope: Option<Scope>,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<Scope>>, D::Error> {
    Option::deserialize(value).map(Some)
}

fn roles(names: &[String]) -> Result<BTreeSet<Role>, ApiError> {
    let role = |name: &String| {
        Role::named(name).ok_or_else(|| {
            let all = Role::ALL.map(Role::name).join("`, `");
            ApiError::bad_request(format!("there is no role `{name}`; there are `{all}`"))
        })
    };
    names.iter().map(role).collect()
}

fn names(roles: &BTreeSet<Role>) -> Vec<&'static str> {
    roles.iter().map(|role| role.name()).collect()
}

fn user_json(user: &UserInfo) -> Value {
    let UserInfo { name, roles, scope, disabled, created_ns, second_factor, has_password, oidc } = user;
    let oidc = oidc.as_ref();
    json!({
        "user": name.as_str(),
        "roles": names(roles),
        "scope": scope,
        "disabled": disabled,
        "created": render::time(*created_ns),
        "second_factor": second_factor,
        "has_password": has_password,
        "shown": oidc.map_or(name.as_str(), |person| &person.shown),
        "oidc": oidc.map(|person| json!({"issuer": person.issuer, "subject": person.subject})),
    })
}

fn session_json(session: &SessionInfo, who: &Identity) -> Value {
    let is_current = matches!(who.known(), Known::Session { id, .. } if *id == session.id);
    json!({
        "current": is_current,
        "id": session.id,
        "user": session.user.as_str(),
        "address": session.address,
        "created": render::time(session.created_ns),
        "used": render::time(session.used_ns),
        "expires": render::time(session.expires_ns),
    })
}

fn token_json(token: &TokenInfo) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "owner": token.owner.as_str(),
        "roles": names(&token.roles),
        "scopes": token.scopes,
        "tenant": token.tenant.as_str(),
        "created": render::time(token.created_ns),
        "expires": render::time(token.expires_ns),
        "used": token.used_ns.map(render::time),
    })
}

impl AppState {
    /// Leave to do something to people, which is in the trail before it is done.
    pub(super) async fn leave(&self, who: &Identity, action: Action, object: String) -> Result<Grant, ApiError> {
        let grant = self.access.authorize(who, action, &[("audit.object", object)]).await?;
        grant.release().await?;
        Ok(grant)
    }

    /// A token is for its owner's tenant, but for those that only write: administrators make them for any tenant there is.
    fn check_tenant(&self, who: &Identity, tenant: &TenantId, wanted: &BTreeSet<Role>) -> Result<(), ApiError> {
        if tenant == who.tenant() {
            return Ok(());
        }
        if !who.roles().contains(&Role::Administrator) || wanted.iter().any(|role| *role != Role::Collector) {
            return Err(ApiError::bad_request(format!(
                "you belong to the tenant `{}`; only administrators make tokens for others, and only of the role `collector`",
                who.tenant()
            )));
        }
        if !self.intake.has_tenant(tenant) {
            let what = format!("the tenant `{tenant}` is not declared; add it to `tenants` in the configuration");
            return Err(ApiError::bad_request(what));
        }
        Ok(())
    }

    /// Leave to do something to what is somebody's: their own, or with leave for everybody's.
    async fn leave_for(
        &self,
        who: &Identity,
        owner: Option<&UserName>,
        (own, all): (Action, Action),
        object: String,
    ) -> Result<Grant, ApiError> {
        let is_own = owner.is_some() && owner == who.user();
        let action = if is_own && self.access.may(who, own) { own } else { all };
        self.leave(who, action, object).await
    }
}

pub(super) async fn done(grant: Grant, body: Value) -> Result<Response, ApiError> {
    release(grant, body.to_string(), JSON, 1).await
}

pub(crate) async fn users(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let grant = state.leave(&who, Action::ListUsers, "users".into()).await?;
    let users: Vec<Value> = state.directory.users().iter().map(user_json).collect();
    done(grant, json!({"users": users})).await
}

pub(crate) async fn add_user(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let form = "{\"user\": \"…\", \"roles\": [\"…\"]}, \"scope\" if there is one, and \"password\" if they are not to choose it by a link";
    let NewUser { user, password, roles: wanted, scope } = body(&headers, &bytes, form)?;
    let act = Act::AddUser { user: UserName::new(&user)?, roles: roles(&wanted)?, scope };
    state.ask(&who, Action::ManageUsers, act, password.as_deref()).await
}

/// A link by which somebody chooses their password, who has none yet or has forgotten it.
pub(crate) async fn add_link(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(user): Path<String>,
) -> Result<Response, ApiError> {
    state.ask(&who, Action::ManageUsers, Act::PasswordLink { user: UserName::of_anybody(&user)? }, None).await
}

pub(crate) async fn change_user(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(user): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let form = "{\"roles\": [\"…\"], \"disabled\": false}, and \"scope\" if it changes";
    let ChangedUser { roles: wanted, scope, disabled } = body(&headers, &bytes, form)?;
    let user = UserName::of_anybody(&user)?;
    let before = || state.directory.users().into_iter().find(|other| other.name == user).and_then(|other| other.scope);
    let scope = scope.unwrap_or_else(before);
    state.ask(&who, Action::ManageUsers, Act::SetUser { user, roles: roles(&wanted)?, scope, disabled }, None).await
}

/// The caller's own password, which they must know.
pub(crate) async fn change_password(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let NewPassword { old, new } = body(&headers, &bytes, "{\"old\": \"…\", \"new\": \"…\"}")?;
    let Some(name) = who.user().cloned() else {
        return Err(ApiError::bad_request("only a person has a password"));
    };
    let grant = state.leave(&who, Action::OwnPassword, format!("users/{name}: password")).await?;
    let known = state.directory.check_password(name.as_str(), &old, who.address()).await;
    let (grant, name) = outcome(grant, known).await?;
    let (grant, ()) = outcome(grant, state.directory.set_password(&name, &new).await).await?;
    done(grant, json!({"user": name.as_str()})).await
}

pub(crate) async fn sessions(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let (action, of) = whose(&state, &who, Action::ListSessions, Action::OwnSessions);
    let grant = state.leave(&who, action, "sessions".into()).await?;
    let sessions: Vec<Value> = state.directory.sessions(of).iter().map(|session| session_json(session, &who)).collect();
    done(grant, json!({"sessions": sessions})).await
}

/// Everybody's where the caller may see them, else their own.
fn whose<'w>(state: &AppState, who: &'w Identity, all: Action, own: Action) -> (Action, Option<&'w UserName>) {
    if state.access.may(who, all) || who.user().is_none() { (all, None) } else { (own, who.user()) }
}

pub(crate) async fn end_session(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let owner = state.directory.sessions(None).into_iter().find(|session| session.id == id).map(|found| found.user);
    let actions = (Action::OwnSessions, Action::ManageSessions);
    let grant = state.leave_for(&who, owner.as_ref(), actions, format!("sessions/{id}: end")).await?;
    let (grant, ()) = outcome(grant, state.directory.end_session(&id).await).await?;
    done(grant, json!({})).await
}

pub(crate) async fn tokens(State(state): State<AppState>, Caller(who): Caller) -> Result<Response, ApiError> {
    let (action, of) = whose(&state, &who, Action::ListTokens, Action::OwnTokens);
    let grant = state.leave(&who, action, "tokens".into()).await?;
    let tokens: Vec<Value> = state.directory.tokens(of).iter().map(token_json).collect();
    done(grant, json!({"tokens": tokens})).await
}

pub(crate) async fn add_token(
    State(state): State<AppState>,
    Caller(who): Caller,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let form = "{\"name\": \"…\", \"roles\": [\"…\"], \"days\": 90}, and \"scope\" and \"tenant\" if they are others";
    let WantedToken { name, roles: wanted, days, tenant, scope } = body(&headers, &bytes, form)?;
    let Some(owner) = who.user().cloned() else {
        return Err(ApiError::bad_request("only a person can make a token: somebody must answer for it"));
    };
    let tenant = tenant.as_deref().map_or_else(|| Ok(who.tenant().clone()), TenantId::new);
    let tenant = tenant.map_err(|error| ApiError::bad_request(format!("`tenant`: {error}")))?;
    let wanted = Rights { roles: roles(&wanted)?, scope };
    state.check_tenant(&who, &tenant, &wanted.roles)?;
    let expires_ns = state.ingest.clock().now_ns().saturating_add(days.saturating_mul(DAY_NS));
    let object = format!("tokens: make `{name}` for {wanted}, {days} days");
    let grant = state.leave(&who, Action::OwnTokens, object).await?;
    let made = state
        .directory
        .add_token(TokenSpec { name, owner, roles: wanted.roles, scope: wanted.scope, tenant, expires_ns })
        .await;
    let (grant, made) = outcome(grant, made).await?;
    let mut shown = token_json(&made.info);
    shown["token"] = json!(made.secret);
    done(grant, shown).await
}

pub(crate) async fn end_token(
    State(state): State<AppState>,
    Caller(who): Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let owner = state.directory.tokens(None).into_iter().find(|token| token.id == id).map(|found| found.owner);
    let actions = (Action::OwnTokens, Action::ManageTokens);
    let grant = state.leave_for(&who, owner.as_ref(), actions, format!("tokens/{id}: end")).await?;
    let (grant, ()) = outcome(grant, state.directory.end_token(&id).await).await?;
    done(grant, json!({})).await
}
