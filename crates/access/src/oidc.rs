//! Signing in at a provider of OpenID Connect: the authorization code flow with PKCE, `state` and `nonce` (OpenID Connect Core 1.0,
//! 3.1; RFC 7636; RFC 9700).
//!
//! A sign-in that has begun is known here alone, by its `state`, and belongs to the browser that has its cookie; it can be finished once, within
//! ten minutes. What the provider says counts once its signature, issuer, audience, times and nonce have been checked ([`token`]).
//!
//! Not here: who may be let in afterwards (`directory`), what the browser sees (`server`).

mod flows;
mod http;
mod provider;
mod token;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use logkeep_store::Clock;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::directory::{OidcPerson, Role};
use flows::{Flow, Flows};
use provider::Provider;

/// Codes that are exchanged at once; others wait.
const EXCHANGES_AT_ONCE: usize = 16;

/// What a provider knows us by. Debug output does not show it.
#[derive(Clone)]
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// A secret as it is written.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

/// A provider, and what it means that somebody comes from there.
#[derive(Clone, Debug)]
pub struct OidcOptions {
    /// Its issuer, an URL under which it says what it has; `https`, but on loopback.
    pub issuer: String,
    /// The name it knows us by.
    pub client_id: String,
    /// By what it knows that it is us; `None` for a public client, which has PKCE alone.
    pub client_secret: Option<ClientSecret>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim of the ID token that has the groups: a text, or a list of them.
    pub groups_claim: String,
    /// What whoever is in a group may do. Who is in none of them is not let in.
    pub roles: BTreeMap<String, BTreeSet<Role>>,
    /// What people call it.
    pub label: String,
    /// Where browsers find us, if it is not what they call us by.
    pub public_url: Option<String>,
}

impl OidcOptions {
    /// What is wrong with an issuer, if anything is.
    pub fn issuer_fault(issuer: &str) -> Option<&'static str> {
        http::issuer_fault(issuer)
    }

    /// What somebody of these groups may do.
    fn roles_of(&self, groups: &[String]) -> BTreeSet<Role> {
        groups.iter().filter_map(|group| self.roles.get(group)).flatten().copied().collect()
    }
}

/// Why a sign-in comes to nothing. The text is for the audit trail and the log; who tries is told [`OidcError::code`].
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum OidcError {
    /// The provider does not answer, or not as it must. Retry later.
    #[error("the provider cannot be asked: {0}")]
    Unavailable(String),
    /// It was not begun here, not by this browser, too long ago, or is over.
    #[error("{0}")]
    NotBegun(&'static str),
    /// The provider says no.
    #[error("the provider refused: {0}")]
    Refused(String),
    /// What the provider said of them is no good.
    #[error("the ID token is no good: {0}")]
    Token(&'static str),
    /// They are known, and in no group that may do anything here.
    #[error("no group of theirs has a role here")]
    NoRole(Box<OidcPerson>),
}

impl OidcError {
    /// What the browser is told.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::NotBegun(_) => "not_begun",
            Self::Refused(_) | Self::Token(_) => "refused",
            Self::NoRole(_) => "no_role",
        }
    }
}

/// A sign-in that has begun.
#[derive(Debug, PartialEq, Eq)]
pub struct Begun {
    /// Where the browser is to go.
    pub url: String,
    /// For this browser alone, as a cookie.
    pub cookie: String,
}

/// What the browser brings back.
#[derive(Clone, Debug, Default)]
pub struct Returned {
    /// The cookie of the browser that began.
    pub cookie: String,
    /// By which the sign-in is known.
    pub state: String,
    /// For the token.
    pub code: String,
    /// What the provider says instead of a code (RFC 6749, 4.1.2.1).
    pub error: Option<String>,
    /// Which provider it says to be (RFC 9207).
    pub issuer: Option<String>,
}

/// Somebody whom the provider has vouched for.
#[derive(Debug, PartialEq, Eq)]
pub struct Vouched {
    /// Who.
    pub person: OidcPerson,
    /// What their groups may do, which is something.
    pub roles: BTreeSet<Role>,
    /// Where they wanted to go.
    pub to: String,
}

/// Signing in at one provider.
pub struct Oidc {
    options: OidcOptions,
    clock: Arc<dyn Clock>,
    provider: Provider,
    flows: Mutex<Flows>,
    exchanges: Semaphore,
}

impl Oidc {
    /// Of a provider; it is asked for nothing before somebody wants to sign in.
    ///
    /// # Errors
    /// [`OidcError::Unavailable`]: the issuer is no URL, or nothing can be called over TLS here.
    pub fn new(options: OidcOptions, clock: Arc<dyn Clock>) -> Result<Self, OidcError> {
        let provider = Provider::new(&options, clock.clone())?;
        let exchanges = Semaphore::new(EXCHANGES_AT_ONCE);
        Ok(Self { options, clock, provider, flows: Mutex::default(), exchanges })
    }

    /// What people call the provider.
    pub fn label(&self) -> &str {
        &self.options.label
    }

    /// Where browsers find us, if the operator has said so.
    pub fn public_url(&self) -> Option<&str> {
        self.options.public_url.as_deref()
    }

    /// Begins a sign-in that comes back to the URL `redirect`, and leads on to the path `to`.
    ///
    /// # Errors
    /// [`OidcError::Unavailable`].
    pub async fn begin(&self, redirect: &str, to: &str) -> Result<Begun, OidcError> {
        let (flow, state, cookie) = Flow::new(redirect, to, self.clock.now_ns());
        let url = self.provider.authorize_url(&flow, &state).await?;
        self.flows.lock().add(state, flow);
        Ok(Begun { url, cookie })
    }

    /// Finishes a sign-in, whatever comes of it.
    ///
    /// # Errors
    /// [`OidcError`] says what came of it.
    pub async fn finish(&self, returned: &Returned) -> Result<Vouched, OidcError> {
        let flow = self.flows.lock().take(returned, self.clock.now_ns())?;
        if returned.issuer.as_ref().is_some_and(|issuer| *issuer != self.options.issuer) {
            return Err(OidcError::NotBegun("another provider answers"));
        }
        if let Some(error) = &returned.error {
            return Err(OidcError::Refused(error.chars().filter(|letter| !letter.is_control()).take(100).collect()));
        }
        let closed = |_| OidcError::Unavailable("the server is stopping".to_owned());
        let _turn = self.exchanges.acquire().await.map_err(closed)?;
        let token = self.provider.exchange(&returned.code, &flow).await?;
        let said = self.provider.verified(&token, &flow).await?;
        let roles = self.options.roles_of(&said.groups);
        if roles.is_empty() {
            return Err(OidcError::NoRole(Box::new(said.person)));
        }
        Ok(Vouched { person: said.person, roles, to: flow.to })
    }
}
