//! Who calls: by a token, a session, a certificate, or by being on this machine.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use logkeep_access::{Action, Identity};
use logkeep_intake::Peer;

use super::{ApiError, AppState};

/// The cookie of a session.
pub(crate) const COOKIE: &str = "logkeep_session";

/// Who calls; anybody who is known.
pub(crate) struct Caller(pub(crate) Identity);

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<Peer>>().ok_or_else(|| {
            ApiError::new(StatusCode::FORBIDDEN, "forbidden", "it is not known where this comes from")
        })?;
        state.identity(peer, &parts.headers).await.map(Self)
    }
}

impl AppState {
    async fn identity(&self, peer: &Peer, headers: &HeaderMap) -> Result<Identity, ApiError> {
        let address = peer.address.ip();
        // What is shown must be good: whoever shows a token means to be known by it.
        if let Some(token) = token(headers) {
            let Some(token) = self.directory.token(&token?).await else {
                return Err(self.not_recognised(peer).await);
            };
            return Ok(Identity::of_token(&token, address));
        }
        if let Some(session) = cookie(headers)
            && let Some(session) = self.directory.session(session).await
            && let Some(rights) = self.directory.rights(&session.user)
        {
            return Ok(Identity::of_session(&session, rights, address, self.tenant.clone()));
        }
        if let Some(name) = &peer.identity {
            return Ok(Identity::certified(name, address, self.tenant.clone()));
        }
        let local = Identity::local(address, self.tenant.clone()).filter(|_| self.sign_in.loopback_is_open);
        local.ok_or_else(unauthenticated)
    }

    /// Whether somebody whose request lasts may go on with it, and with the same rows.
    pub(crate) fn still_may(&self, who: &Identity, action: Action) -> bool {
        let is_same = |now: &Identity| now.scopes() == who.scopes() && self.access.may(now, action);
        self.directory.by_now(who).is_some_and(|now| is_same(&now))
    }

    /// The refusal of a token that is none, after the audit trail has it.
    async fn not_recognised(&self, peer: &Peer) -> ApiError {
        let anonymous = Identity::anonymous(peer.address.ip(), self.tenant.clone());
        let subject = [("audit.object", "token".to_owned())];
        match self.access.signed_in(&anonymous, false, &subject).await {
            Ok(()) => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "this token is not known, or no longer: ask for another one",
            ),
            Err(error) => error.into(),
        }
    }
}

fn unauthenticated() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "sign in, or send a token: `Authorization: Bearer lkt_…` (docs/guide/access.md)",
    )
}

/// The token in `Authorization`: as a bearer, or as the password of anybody, for programs that know nothing else.
fn token(headers: &HeaderMap) -> Option<Result<String, ApiError>> {
    let value = headers.get(header::AUTHORIZATION)?;
    let bad = || {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "`Authorization` must be `Bearer TOKEN`, or `Basic` with the token as the password",
        )
    };
    let read = || {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(rest.trim().to_owned());
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = BASE64_STANDARD.decode(rest.trim()).ok()?;
        Some(String::from_utf8(decoded).ok()?.split_once(':')?.1.to_owned())
    };
    Some(read().ok_or_else(bad))
}

/// The session of a browser.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn tokens() {
        let check = |value: &str, expected: Option<&str>| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(token(&headers).unwrap().ok().as_deref(), expected, "{value}");
        };
        check("Bearer lkt_1", Some("lkt_1"));
        check("bearer  lkt_1 ", Some("lkt_1"));
        check("Basic dXNlcjpsa3RfMTp4", Some("lkt_1:x"));
        for bad in ["lkt_1", "Digest x", "Basic %%%", "Basic dXNlcg==", ""] {
            check(bad, None);
        }
        assert!(token(&HeaderMap::new()).is_none());
    }

    #[test]
    fn cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; logkeep_session2=no"));
        assert_eq!(cookie(&headers), None);
        headers.append(header::COOKIE, HeaderValue::from_static("x=y;logkeep_session=lks_1"));
        assert_eq!(cookie(&headers), Some("lks_1"));
    }
}
