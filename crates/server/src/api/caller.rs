//! Who calls: by a token, a session, a certificate, or by being on this machine.

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use logkeep_access::{Action, Identity, Known, shows_token};
use logkeep_intake::Peer;
use logkeep_record::TenantId;

use super::{ApiError, AppState};

/// The cookie of a session.
pub(crate) const COOKIE: &str = "logkeep_session";

/// Where a request names the tenant whose data it is about.
const TENANT_HEADERS: [&str; 2] = ["x-scope-orgid", "x-logkeep-tenant"];

/// Where a request says what it is for, and how long that may be, in bytes.
const PURPOSE_HEADER: &str = "x-logkeep-purpose";
const PURPOSE_BYTES: usize = 256;

/// Who calls; anybody who is known, by a second factor as well where one is required.
pub(crate) struct Caller(pub(crate) Identity);

/// The same, also of those who have no second factor yet: for what they need to get one.
pub(crate) struct Enrolling(pub(crate) Identity);

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Enrolling(who) = Enrolling::from_request_parts(parts, state).await?;
        if !state.must_enrol(&who) {
            return Ok(Self(who));
        }
        state.access.signed_in(&who, false, &[("audit.object", "second factor".to_owned())]).await?;
        let what = "you need a second factor before anything else: `POST /api/v1/second-factor` (docs/guide/access.md)";
        Err(ApiError::new(StatusCode::FORBIDDEN, "second_factor_needed", what))
    }
}

impl FromRequestParts<AppState> for Enrolling {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<Peer>>().ok_or_else(|| {
            ApiError::new(StatusCode::FORBIDDEN, "forbidden", "it is not known where this comes from")
        })?;
        state.identity(peer, &parts.headers, &parts.uri).await.map(Self)
    }
}

/// Who somebody is, and whose data they may ask for; the first where they do not say.
struct Belonging {
    who: Identity,
    tenants: Vec<TenantId>,
}

impl Belonging {
    fn own(who: Identity) -> Self {
        Self { tenants: vec![who.tenant().clone()], who }
    }
}

impl AppState {
    async fn identity(&self, peer: &Peer, headers: &HeaderMap, uri: &Uri) -> Result<Identity, ApiError> {
        if shows_token(&uri.to_string()) {
            self.denied(&self.anonymous(peer), "token in a URL", "").await?;
            return Err(token_in_url());
        }
        let (named, purpose) = (named_tenant(headers)?, purpose(headers)?);
        let Belonging { who, tenants } = self.belonging(peer, headers).await?;
        let who = who.for_purpose(purpose);
        let Some(named) = named else { return Ok(who) };
        let own = TenantId::new(&named).ok().filter(|named| tenants.contains(named));
        match own {
            Some(tenant) => Ok(who.in_tenant(tenant)),
            None => {
                self.denied(&who, "tenant", &named).await?;
                let shown: String = named.chars().take(64).collect();
                let what = format!("`{}` does not belong to the tenant `{shown}`", who.name());
                Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", what))
            }
        }
    }

    async fn belonging(&self, peer: &Peer, headers: &HeaderMap) -> Result<Belonging, ApiError> {
        let address = peer.address.ip();
        // What is shown must be good: whoever shows a token means to be known by it.
        if let Some(token) = token(headers) {
            let Some(token) = self.directory.token(&token?).await else {
                return Err(self.not_recognised(peer).await);
            };
            return Ok(Belonging::own(Identity::of_token(&token, address)));
        }
        if let Some(session) = cookie(headers, COOKIE)
            && let Some(session) = self.directory.session(session).await
            && let Some((rights, glass)) = self.directory.session_rights(&session.id, &session.user)
        {
            let who = Identity::of_session(&session, rights, address, self.tenant.clone());
            return Ok(Belonging::own(who.with_broken_glass(glass)));
        }
        if let Some(name) = &peer.identity {
            return self.certified(name, peer).await;
        }
        let local = Identity::local(address, self.tenant.clone()).filter(|_| self.sign_in.loopback_is_open);
        local.map(Belonging::own).ok_or_else(unauthenticated)
    }

    /// What the rules make of a certificate.
    async fn certified(&self, name: &str, peer: &Peer) -> Result<Belonging, ApiError> {
        let address = peer.address.ip();
        let Some(rule) = self.rules.of_reader(name) else {
            self.denied(&self.anonymous(peer), "certificate", name).await?;
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                format!(
                    "the certificate of `{name}` stands for nobody here: sign in, or have `access.certificates` name it"
                ),
            ));
        };
        let tenant = rule.tenants.first().cloned().unwrap_or_default();
        Ok(Belonging { who: Identity::certified(name, rule.roles, address, tenant), tenants: rule.tenants })
    }

    /// Whoever calls before it is known who they are.
    pub(super) fn anonymous(&self, peer: &Peer) -> Identity {
        Identity::anonymous(peer.address.ip(), self.tenant.clone())
    }

    /// Writes down that somebody is not who they would have to be.
    async fn denied(&self, who: &Identity, what: &str, claimed: &str) -> Result<(), ApiError> {
        let claimed = claimed.chars().take(256).collect();
        let subject = [("audit.object", what.to_owned()), ("audit.claimed", claimed)];
        Ok(self.access.signed_in(who, false, &subject).await?)
    }

    /// Whether somebody can do nothing but get a second factor.
    pub(crate) fn must_enrol(&self, who: &Identity) -> bool {
        let Known::Session { user, .. } = who.known() else { return false };
        self.sign_in.second_factor_is_required && self.directory.lacks_second_factor(user)
    }

    /// Whether somebody whose request lasts may go on with it, and with the same rows.
    pub(crate) fn still_may(&self, who: &Identity, action: Action) -> bool {
        let is_same = |now: &Identity| now.scopes() == who.scopes() && self.access.may(now, action);
        let is_there = self.ingest.destruction(who.tenant()).is_none();
        is_there && !self.must_enrol(who) && self.directory.by_now(who).is_some_and(|now| is_same(&now))
    }

    /// The refusal of a token that is none, after the audit trail has it.
    async fn not_recognised(&self, peer: &Peer) -> ApiError {
        match self.denied(&self.anonymous(peer), "token", "").await {
            Ok(()) => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "this token is not known, or no longer: ask for another one",
            ),
            Err(error) => error,
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

fn token_in_url() -> ApiError {
    ApiError::bad_request("a token in a URL is read by others on the way: end this one, and send another in a header")
}

/// The tenant that a request names. It names one once.
fn named_tenant(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut named = TENANT_HEADERS.iter().flat_map(|name| headers.get_all(*name));
    let first = named.next().map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    match named.next() {
        Some(_) => Err(ApiError::bad_request("the request names a tenant twice; it is not known which is meant")),
        None => Ok(first),
    }
}

/// What a request says it is for.
fn purpose(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut said = headers.get_all(PURPOSE_HEADER).iter();
    let Some(first) = said.next() else { return Ok(None) };
    let text = std::str::from_utf8(first.as_bytes()).ok().map(str::trim).filter(|text| text.len() <= PURPOSE_BYTES);
    match (text, said.next()) {
        (Some(text), None) => Ok(Some(text.to_owned()).filter(|text| !text.is_empty())),
        _ => {
            let what = format!("`X-Logkeep-Purpose` is said once, in UTF-8, with at most {PURPOSE_BYTES} bytes");
            Err(ApiError::bad_request(what))
        }
    }
}

/// The token in `Authorization`: as a bearer, or as the password of anybody, for programs that know nothing else.
fn token(headers: &HeaderMap) -> Option<Result<String, ApiError>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, is_only) = (values.next()?, values.next().is_none());
    let bad = || {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "`Authorization` must be there once, as `Bearer TOKEN`, or `Basic` with the token as the password",
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
    Some(read().filter(|_| is_only).ok_or_else(bad))
}

/// A cookie of a browser.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
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
        let mut twice = HeaderMap::new();
        for value in ["Bearer lkt_1", "Bearer lkt_1"] {
            twice.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert!(token(&twice).unwrap().is_err(), "it is not known which is meant");
    }

    #[test]
    fn tenants() {
        let check = |given: &[(&'static str, &[u8])], expected: Option<Option<&str>>| {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.append(*name, HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(named_tenant(&headers).ok(), expected.map(|name| name.map(str::to_owned)), "{given:?}");
        };
        check(&[], Some(None));
        check(&[("x-scope-orgid", b" shop ")], Some(Some("shop")));
        check(&[("x-logkeep-tenant", b"a,b")], Some(Some("a,b")));
        check(&[("x-scope-orgid", b"\xff")], Some(Some("\u{fffd}")));
        check(&[("x-scope-orgid", b"a"), ("x-scope-orgid", b"a")], None);
        check(&[("x-scope-orgid", b"a"), ("x-logkeep-tenant", b"b")], None);
    }

    #[test]
    fn purposes() {
        let check = |given: &[&[u8]], expected: Option<Option<&str>>| {
            let mut headers = HeaderMap::new();
            for value in given {
                headers.append(PURPOSE_HEADER, HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(purpose(&headers).ok(), expected.map(|text| text.map(str::to_owned)), "{given:?}");
        };
        check(&[], Some(None));
        check(&[b" "], Some(None));
        check(&[" incident 42, für die Kasse".as_bytes()], Some(Some("incident 42, für die Kasse")));
        check(&[&[b'x'; PURPOSE_BYTES]], Some(Some(&"x".repeat(PURPOSE_BYTES))));
        check(&[&[b'x'; PURPOSE_BYTES + 1]], None);
        check(&[b"\xff"], None);
        check(&[b"a", b"a"], None);
    }

    #[test]
    fn cookies() {
        let mut headers = HeaderMap::new();
        assert_eq!(cookie(&headers, COOKIE), None);
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; logkeep_session2=no"));
        assert_eq!(cookie(&headers, COOKIE), None);
        headers.append(header::COOKIE, HeaderValue::from_static("x=y;logkeep_session=lks_1"));
        assert_eq!(cookie(&headers, COOKIE), Some("lks_1"));
    }
}
