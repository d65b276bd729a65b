//! What is known of the provider: its endpoints and keys, by discovery (OpenID Connect Discovery 1.0).

use std::sync::Arc;

use logkeep_store::Clock;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGenderClaim, CoreJsonWebKey, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
    CoreProviderMetadata, CoreRevocableToken, CoreRevocationErrorResponse, CoreTokenIntrospectionResponse,
    CoreTokenType,
};
use openidconnect::{
    AuthType, AuthorizationCode, Client, ClientId, CsrfToken, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError,
    Scope, StandardErrorResponse, StandardTokenResponse, TokenResponse as _,
};

use super::flows::Flow;
use super::http::Http;
use super::token::{self, Extra, Fault, IdToken, Said};
use super::{OidcError, OidcOptions};

const SECOND_NS: i64 = 1_000_000_000;
/// What was discovered is asked for again after this; a key that was withdrawn is good for no longer.
const KNOWN_FOR_NS: i64 = 3_600 * SECOND_NS;
/// After a failure nobody waits for another one for so long.
const FAILS_FOR_NS: i64 = 5 * SECOND_NS;
/// Keys that are not known make us ask again at most this often.
const KEYS_EVERY_NS: i64 = 60 * SECOND_NS;

type Answer = StandardTokenResponse<
    IdTokenFields<
        Extra,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;
type RelyingParty = Client<
    Extra,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Answer,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What was discovered.
struct Known {
    metadata: CoreProviderMetadata,
    keys: CoreJsonWebKeySet,
    at_ns: i64,
}

#[derive(Default)]
struct Memory {
    known: Option<Known>,
    failed: Option<(i64, OidcError)>,
    /// When the keys were last asked for because of one that was not known.
    keys_asked_ns: Option<i64>,
}

pub(super) struct Provider {
    issuer: IssuerUrl,
    options: OidcOptions,
    clock: Arc<dyn Clock>,
    http: Http,
    memory: tokio::sync::Mutex<Memory>,
}

fn unavailable(error: impl std::fmt::Display) -> OidcError {
    OidcError::Unavailable(error.to_string())
}

impl Provider {
    pub(super) fn new(options: &OidcOptions, clock: Arc<dyn Clock>) -> Result<Self, OidcError> {
        let issuer = IssuerUrl::new(options.issuer.clone()).map_err(unavailable)?;
        let http = Http::new(issuer.url()).map_err(unavailable)?;
        Ok(Self { issuer, options: options.clone(), clock, http, memory: tokio::sync::Mutex::default() })
    }

    /// What is known, asked for if it is not or no longer. Whoever comes meanwhile waits for the same answer.
    async fn metadata(&self) -> Result<CoreProviderMetadata, OidcError> {
        let mut memory = self.memory.lock().await;
        let now_ns = self.clock.now_ns();
        if let Some(known) = memory.known.as_ref().filter(|known| now_ns - known.at_ns < KNOWN_FOR_NS) {
            return Ok(known.metadata.clone());
        }
        if let Some((_, error)) = memory.failed.as_ref().filter(|(at_ns, _)| now_ns - at_ns < FAILS_FOR_NS) {
            return Err(error.clone());
        }
        match self.discover().await {
            Ok(metadata) => {
                let keys = metadata.jwks().clone();
                memory.known = Some(Known { metadata: metadata.clone(), keys, at_ns: now_ns });
                Ok(metadata)
            }
            Err(error) => {
                tracing::warn!(%error, issuer = %self.options.issuer, "people cannot sign in at the provider");
                memory.failed = Some((now_ns, error.clone()));
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, OidcError> {
        let found = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = found.map_err(|error| OidcError::Unavailable(with_cause(&error)))?;
        self.http.check(metadata.authorization_endpoint().url()).map_err(unavailable)?;
        let Some(token_endpoint) = metadata.token_endpoint() else {
            return Err(unavailable("it names no token endpoint"));
        };
        self.http.check(token_endpoint.url()).map_err(unavailable)?;
        Ok(metadata)
    }

    async fn relying_party(&self, redirect: &str) -> Result<RelyingParty, OidcError> {
        let metadata = self.metadata().await?;
        let methods = metadata.token_endpoint_auth_methods_supported();
        let is_body_only = methods.is_some_and(|methods| {
            methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let secret = self.options.client_secret.as_ref().map(|secret| secret.expose().to_owned());
        let secret = secret.map(openidconnect::ClientSecret::new);
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(unavailable)?;
        let client = ClientId::new(self.options.client_id.clone());
        let party = RelyingParty::from_provider_metadata(metadata, client, secret).set_redirect_uri(redirect);
        Ok(if is_body_only { party.set_auth_type(AuthType::RequestBody) } else { party })
    }

    /// Where the browser is to go.
    pub(super) async fn authorize_url(&self, flow: &Flow, state: &str) -> Result<String, OidcError> {
        let party = self.relying_party(&flow.redirect).await?;
        let (state, nonce) = (CsrfToken::new(state.to_owned()), Nonce::new(flow.nonce.clone()));
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier(flow));
        let request = party
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state, move || nonce)
            .add_scopes(self.options.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        Ok(request.url().0.to_string())
    }

    /// The ID token for a code.
    pub(super) async fn exchange(&self, code: &str, flow: &Flow) -> Result<IdToken, OidcError> {
        let party = self.relying_party(&flow.redirect).await?;
        let request = party.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(unavailable)?;
        let answer = request.set_pkce_verifier(verifier(flow)).request_async(&self.http).await;
        let answer = answer.map_err(|error| match error {
            RequestTokenError::ServerResponse(said) => OidcError::Refused(format!("the code: {}", said.error())),
            RequestTokenError::Parse(..) => OidcError::Token("it cannot be read"),
            other => OidcError::Unavailable(with_cause(&other)),
        })?;
        answer.id_token().cloned().ok_or(OidcError::Token("there is none"))
    }

    /// What the token says, once it has been checked.
    pub(super) async fn verified(&self, id_token: &IdToken, flow: &Flow) -> Result<Said, OidcError> {
        let keys = self.keys().await;
        let check = |keys| {
            let now_ns = self.clock.now_ns();
            token::verified(id_token, keys, &self.issuer, &self.options, &flow.nonce, now_ns)
        };
        let checked = match check(keys) {
            Err(Fault { is_of_the_key: true, .. }) => match self.keys_anew().await {
                Some(keys) => check(keys),
                None => return Err(OidcError::Token("its key is not known")),
            },
            checked => checked,
        };
        checked.map_err(|fault| OidcError::Token(fault.what))
    }

    async fn keys(&self) -> CoreJsonWebKeySet {
        let memory = self.memory.lock().await;
        memory.known.as_ref().map(|known| known.keys.clone()).unwrap_or_default()
    }

    /// The keys as they are now; `None` if they were asked for a moment ago, or cannot be had.
    async fn keys_anew(&self) -> Option<CoreJsonWebKeySet> {
        let mut memory = self.memory.lock().await;
        let now_ns = self.clock.now_ns();
        if memory.keys_asked_ns.is_some_and(|asked_ns| now_ns - asked_ns < KEYS_EVERY_NS) {
            return None;
        }
        memory.keys_asked_ns = Some(now_ns);
        let url = memory.known.as_ref()?.metadata.jwks_uri().clone();
        let fetched = CoreJsonWebKeySet::fetch_async(&url, &self.http).await;
        let keys = fetched.inspect_err(|error| tracing::warn!(%error, "the provider's keys cannot be had")).ok()?;
        memory.known.as_mut()?.keys = keys.clone();
        Some(keys)
    }
}

fn verifier(flow: &Flow) -> PkceCodeVerifier {
    PkceCodeVerifier::new(flow.verifier.to_string())
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
