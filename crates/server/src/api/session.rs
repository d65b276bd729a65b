//! Signing in and out, and setting up the first administrator.

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use logkeep_access::{Action, DirectoryError, Identity, Known, NewSession, Purpose, Role, UserName};
use logkeep_intake::Peer;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::{JSON, outcome, release};
use super::caller::{COOKIE, Enrolling};
use super::{ApiError, AppState, render};

/// Bytes of a body that says who somebody is, or is to be.
const BODY_BYTES: usize = 16 << 10;

#[derive(Deserialize)]
#[serde(untagged)]
enum SignIn {
    Password { user: String, password: String, code: Option<String> },
    Link { link: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ByLink {
    link: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetUp {
    link: String,
    user: String,
    password: String,
}

/// A body of JSON, which a form of another page cannot send. What is wrong is said without what it says.
pub(super) fn body<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes, form: &str) -> Result<T, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        let what = "the body must be sent as `application/json`";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", what));
    }
    if body.len() > BODY_BYTES {
        return Err(ApiError::bad_request(format!("the body is longer than {BODY_BYTES} bytes")));
    }
    serde_json::from_slice(body).map_err(|_| ApiError::bad_request(format!("the body must be {form}")))
}

impl AppState {
    /// An answer that begins a session: what is known of it, and the cookie.
    fn begun(&self, session: &NewSession) -> Response {
        let body = json!({
            "user": session.info.user.as_str(),
            "expires": render::time(session.info.expires_ns),
        });
        let cookie = session_cookie(&session.secret, self.is_encrypted());
        with_cookie(unshared(body.to_string()).into_response(), &cookie)
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.receivers.first().is_some_and(|main| main.transport != crate::listen::Transport::Plaintext)
    }

    async fn sign_in_by_link(&self, peer: &Peer, link: &str, address: &str) -> Result<Response, ApiError> {
        let Some(Purpose::SignIn(user)) = self.directory.link(link) else {
            self.note_sign_in(peer, "", false, "link").await?;
            return Err(DirectoryError::NotRecognised.into());
        };
        self.note_sign_in(peer, user.as_str(), true, "link").await?;
        let session = self.directory.sign_in_by_link(link, address).await?;
        Ok(self.begun(&session))
    }

    /// Writes down whether somebody has said who they are.
    async fn note_sign_in(&self, peer: &Peer, name: &str, is_allowed: bool, how: &str) -> Result<(), ApiError> {
        let claimed: String = name.chars().take(64).collect();
        let subject = [("audit.object", how.to_owned()), ("audit.claimed", claimed)];
        Ok(self.access.signed_in(&self.anonymous(peer), is_allowed, &subject).await?)
    }
}

/// By which the browser is known from now on.
pub(super) fn session_cookie(secret: &str, is_encrypted: bool) -> String {
    let secure = if is_encrypted { "; Secure" } else { "" };
    format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax{secure}")
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

/// `POST /api/v1/session`: by password, and a code where they have a second factor; or by a link that can be used once.
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let form = "{\"user\": \"…\", \"password\": \"…\"} with \"code\" if you have one, or {\"link\": \"…\"}";
    let address = peer.address.ip().to_canonical().to_string();
    let (user, password, code) = match body(&headers, &bytes, form)? {
        SignIn::Password { user, password, code } => (user, password, code),
        SignIn::Link { link } => return state.sign_in_by_link(&peer, &link, &address).await,
    };
    let checked = state.directory.check_person(&user, &password, code.as_deref(), &address).await;
    let how = match &checked {
        Ok((_, proof)) => proof.as_str(),
        Err(DirectoryError::CodeNeeded) => "password, without a code",
        Err(_) if code.is_some() => "password and code",
        Err(_) => "password",
    };
    // Let in, or not, only once that is in the trail.
    state.note_sign_in(&peer, &user, checked.is_ok(), how).await?;
    let session = state.directory.begin_session(&checked?.0, &address).await?;
    Ok(state.begun(&session))
}

/// `POST /api/v1/setup`: the first administrator.
pub(crate) async fn set_up(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let SetUp { link, user, password } =
        body(&headers, &bytes, "{\"link\": \"…\", \"user\": \"…\", \"password\": \"…\"}")?;
    let name = UserName::new(&user)?;
    let is_good = state.directory.link(&link) == Some(Purpose::SetUp);
    state.note_sign_in(&peer, name.as_str(), is_good, "set-up link").await?;
    let address = peer.address.ip().to_canonical().to_string();
    let session = state.directory.set_up(&link, &name, &password, &address).await?;
    Ok(state.begun(&session))
}

/// `POST /api/v1/password`: somebody chooses their password, by a link that they were given.
pub(crate) async fn choose_password(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, ApiError> {
    let ByLink { link, password } = body(&headers, &bytes, "{\"link\": \"…\", \"password\": \"…\"}")?;
    let name = match state.directory.link(&link) {
        Some(Purpose::Password(name)) => name.to_string(),
        _ => String::new(),
    };
    state.note_sign_in(&peer, &name, !name.is_empty(), "password link").await?;
    let name = state.directory.set_password_by_link(&link, &password).await?;
    Ok(unshared(json!({"user": name.as_str()}).to_string()).into_response())
}

/// `GET /api/v1/session`: who the caller is.
pub(crate) async fn who_am_i(State(state): State<AppState>, caller: Result<Enrolling, ApiError>) -> Response {
    let body = match caller {
        Ok(Enrolling(who)) => known(&state, &who),
        Err(error) => {
            let mut body = error.json();
            body["set_up"] = json!(!state.directory.is_new());
            body["oidc"] = state.oidc.as_ref().map_or(Value::Null, |oidc| json!({"label": oidc.label()}));
            return (StatusCode::UNAUTHORIZED, unshared(body.to_string())).into_response();
        }
    };
    unshared(body.to_string()).into_response()
}

/// JSON that nobody keeps.
fn unshared(body: String) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, JSON), (header::CACHE_CONTROL, "no-store")], body)
}

fn known(state: &AppState, who: &Identity) -> Value {
    let by = match who.known() {
        Known::Local => "loopback",
        Known::Certificate => "certificate",
        Known::Session { .. } => "session",
        Known::Token { .. } => "token",
        Known::Anonymous => "nothing",
    };
    let roles: Vec<&str> = who.roles().iter().map(|role: &Role| role.name()).collect();
    let must_enrol = state.must_enrol(who);
    let may = |action: &Action| state.access.may(who, *action) && (!must_enrol || *action == Action::OwnPassword);
    let may: Vec<&str> = Action::DECIDED.into_iter().filter(may).map(Action::as_str).collect();
    let mut body = json!({
        "name": who.name(),
        "by": by,
        "tenant": who.tenant().as_str(),
        "roles": roles,
        "may": may,
        "scopes": who.scopes(),
        "masked": state.access.reach(who).0.masked,
    });
    if let Known::Session { user, .. } = who.known() {
        body["shown"] = json!(state.directory.shown_name(user));
        body["break_glass"] = json!(who.broken_glass());
        if !state.directory.is_vouched_for(user) {
            let left = state.directory.second_factor(user);
            body["second_factor"] = json!({"on": left.is_some(), "needed": must_enrol, "recovery_codes": left});
        }
    }
    body
}

/// `DELETE /api/v1/session`: the caller's own ends.
pub(crate) async fn sign_out(State(state): State<AppState>, Enrolling(who): Enrolling) -> Result<Response, ApiError> {
    let Known::Session { id, .. } = who.known() else {
        return Err(ApiError::bad_request("there is no session to end"));
    };
    let subject = [("audit.object", format!("session/{id}"))];
    let grant = state.access.authorize(&who, Action::OwnSessions, &subject).await?;
    grant.release().await?;
    let (grant, ()) = outcome(grant, state.directory.end_session(id).await).await?;
    let response = release(grant, "{}", JSON, 1).await?;
    Ok(with_cookie(response, &format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")))
}
