//! Signing in at a provider: the browser is sent there, and comes back.

use axum::extract::{ConnectInfo, Query, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use logkeep_access::{Oidc, OidcError, OidcPerson, Returned, Vouched};
use logkeep_intake::Peer;
use serde::Deserialize;

use super::caller::cookie;
use super::session::session_cookie;
use super::{ApiError, AppState};

/// The cookie of a browser that has begun, and where it goes.
const COOKIE: &str = "logkeep_oidc";
const PATH: &str = "/api/v1/session/oidc";
/// Seconds it is kept; the sign-in is over by then.
const COOKIE_SECONDS: u32 = 600;
/// Bytes of a place to go to afterwards, at most.
const PLACE_BYTES: usize = 4_096;

#[derive(Deserialize)]
pub(crate) struct Start {
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
pub(crate) struct Callback {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    error: Option<String>,
    iss: Option<String>,
}

impl AppState {
    fn oidc(&self) -> Result<&Oidc, ApiError> {
        self.oidc.as_deref().ok_or_else(|| ApiError::not_found("no provider is configured (docs/guide/access.md)"))
    }

    /// Where browsers find us: as the operator says, or as this one calls us.
    fn public_url(&self, oidc: &Oidc, uri: &Uri, headers: &HeaderMap) -> Result<String, ApiError> {
        if let Some(url) = oidc.public_url() {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = uri.authority().map(Authority::as_str).or(named);
        let host = host.ok_or_else(|| ApiError::bad_request("the request names no host to come back to"))?;
        Ok(format!("{}://{host}", if self.is_encrypted() { "https" } else { "http" }))
    }

    /// Writes down what came of a sign-in, before it has an effect.
    async fn note_oidc(&self, peer: &Peer, person: Option<&OidcPerson>, refusal: Option<&str>) -> Result<(), ApiError> {
        let mut subject = vec![("audit.object", "oidc".to_owned())];
        if let Some(person) = person {
            subject.push(("audit.claimed", person.shown.clone()));
            subject.push(("audit.user", person.name().to_string()));
            subject.push(("audit.issuer", person.issuer.clone()));
            subject.push(("audit.subject", person.subject.clone()));
        }
        subject.extend(refusal.map(|why| ("audit.reason", why.to_owned())));
        Ok(self.access.signed_in(&self.anonymous(peer), refusal.is_none(), &subject).await?)
    }

    async fn let_in(&self, peer: &Peer, vouched: Vouched) -> Result<Response, ApiError> {
        let Vouched { person, roles, to } = vouched;
        if self.directory.is_kept_out(&person.name()) {
            self.note_oidc(peer, Some(&person), Some("they are disabled")).await?;
            return Ok(refused("refused"));
        }
        self.note_oidc(peer, Some(&person), None).await?;
        let address = peer.address.ip().to_canonical().to_string();
        let session = self.directory.begin_oidc_session(&person, roles, &address).await?;
        let mut response = go(&to);
        set_cookie(&mut response, &session_cookie(&session.secret, self.is_encrypted()));
        Ok(response)
    }

    async fn turn_away(&self, peer: &Peer, error: &OidcError) -> Result<Response, ApiError> {
        let person = if let OidcError::NoRole(person) = error { Some(&**person) } else { None };
        self.note_oidc(peer, person, Some(&error.to_string())).await?;
        Ok(refused(error.code()))
    }
}

/// Where to go afterwards: a path of ours, and nowhere else.
fn place(to: &str) -> &str {
    let is_path = to.starts_with('/') && !to.starts_with("//") && to.len() <= PLACE_BYTES;
    let is_plain = to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_plain { to } else { "/" }
}

fn go(to: &str) -> Response {
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    let fixed = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // The address that the browser comes from has the code.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, fixed).into_response()
}

/// To the sign-in page, which says what the code means.
fn refused(code: &str) -> Response {
    go(&format!("/#sign-in-refused={code}"))
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// `GET /api/v1/session/oidc/start`: sends the browser to the provider; it ends at the path `to`.
pub(crate) async fn start(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(Start { to }): Query<Start>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let oidc = state.oidc()?;
    let base = state.public_url(oidc, &uri, &headers)?;
    let begun = match oidc.begin(&format!("{base}{PATH}/callback"), place(&to)).await {
        Ok(begun) => begun,
        Err(error) => return state.turn_away(&peer, &error).await,
    };
    let secure = if base.starts_with("https:") { "; Secure" } else { "" };
    let mut response = go(&begun.url);
    // From the provider the browser comes by a link, with which `Lax` cookies go and `Strict` ones do not.
    let kept = format!("Path={PATH}; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}");
    set_cookie(&mut response, &format!("{COOKIE}={}; {kept}", begun.cookie));
    Ok(response)
}

/// `GET /api/v1/session/oidc/callback`: the browser comes back from the provider.
pub(crate) async fn callback(
    State(state): State<AppState>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Query(Callback { state: known_by, code, error, iss }): Query<Callback>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let cookie = cookie(&headers, COOKIE).unwrap_or_default().to_owned();
    let returned = Returned { cookie, state: known_by, code, error, issuer: iss };
    let mut response = match state.oidc()?.finish(&returned).await {
        Ok(vouched) => state.let_in(&peer, vouched).await?,
        Err(error) => state.turn_away(&peer, &error).await?,
    };
    set_cookie(&mut response, &format!("{COOKIE}=; Path={PATH}; Max-Age=0; HttpOnly; SameSite=Lax"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_is_elsewhere() {
        for own in ["/", "/?q=a%20b&from=-1h", "/account", "/a//b"] {
            assert_eq!(place(own), own);
        }
        let long = format!("/{}", "x".repeat(PLACE_BYTES));
        for foreign in
            ["", "x", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nset-cookie: x", "/é", &long]
        {
            assert_eq!(place(foreign), "/", "{foreign}");
        }
    }
}
