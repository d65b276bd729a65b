//! Why somebody may do something, or may not.

use axum::extract::State;
use axum::response::Response;
use logkeep_access::{Action, Identity, UserName};
use serde_json::json;

use super::answer::{JSON, outcome, release};
use super::caller::Caller;
use super::search::Parameters;
use super::{ApiError, AppState};

/// `GET /api/v1/access/explain?user=…&action=…[&field=…]`: the decision, and the policies that make it.
pub(crate) async fn explain(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Parameters,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let (name, action, field) = (params.text("user"), params.text("action"), params.text("field"));
    let action = Action::named(action).ok_or_else(|| {
        let all: Vec<&str> = Action::DECIDED.into_iter().chain([Action::Unmask]).map(Action::as_str).collect();
        ApiError::bad_request(format!("`action` is `{action}`; it must be one of {}", all.join(", ")))
    })?;
    if field.is_empty() == (action == Action::Unmask) {
        return Err(ApiError::bad_request("`unmask` is about a `field`, and nothing else is"));
    }
    let object = format!("access of {name}: {} {field}", action.as_str());
    let grant = state.access.authorize(&who, Action::Explain, &[("audit.object", object)]).await?;
    let (grant, asked) = outcome(grant, subject(&state, &who, name)).await?;
    let why = state.access.explain(&asked, action, Some(field).filter(|field| !field.is_empty()));
    let (reach, unmasked) = state.access.reach(&asked);
    let body = json!({
        "user": asked.name(),
        "roles": asked.roles().iter().map(|role| role.name()).collect::<Vec<_>>(),
        "scopes": reach.scopes,
        "masked": reach.masked,
        "unmasked": unmasked,
        "action": action.as_str(),
        "field": Some(field).filter(|field| !field.is_empty()),
        "allowed": why.allowed,
        "policies": why.policies,
        "errors": why.errors,
    });
    release(grant, body.to_string(), JSON, 1).await
}

/// Who is meant: a user, a token as `token:ID`, or the caller where nobody is named.
fn subject(state: &AppState, who: &Identity, name: &str) -> Result<Identity, ApiError> {
    if name.is_empty() {
        return Ok(who.clone());
    }
    if let Some(id) = name.strip_prefix("token:") {
        let token = state.directory.token_by_id(id);
        let token = token.ok_or_else(|| ApiError::not_found(format!("there is no token `{id}` that is still good")))?;
        return Ok(Identity::of_token(&token, [0, 0, 0, 0].into()));
    }
    let user = UserName::new(name)?;
    let rights = state.directory.rights(&user);
    let rights = rights.ok_or_else(|| ApiError::not_found(format!("there is no user `{user}` who may sign in")))?;
    Ok(Identity::of_user(&user, rights, state.tenant.clone()))
}
