//! What an ID token says, and whether that can be believed (OpenID Connect Core 1.0, 3.1.3.7; RFC 8725).

use std::time::{Duration, SystemTime};

use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AdditionalClaims, ClaimsVerificationError, ClientId, IdTokenClaims, IdTokenVerifier, IssuerUrl, Nonce,
    SignatureVerificationError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OidcOptions;
use crate::directory::OidcPerson;

/// Seconds that the provider's clock may be ahead of ours.
const AHEAD_S: i64 = 60;
/// Letters of a name that are shown at most.
const SHOWN: usize = 64;
/// Bytes of a subject at most (OpenID Connect Core 1.0, 2).
const SUBJECT_BYTES: usize = 255;
/// Signatures with keys that only the provider has. Never one with a key that we share with it, and never none: with these a
/// public key would be one to sign with (RFC 8725, 2.1).
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// The claims that the library does not know.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Extra {
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl AdditionalClaims for Extra {}

pub(super) type IdToken =
    openidconnect::IdToken<Extra, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;
type Claims = IdTokenClaims<Extra, CoreGenderClaim>;

/// What a token says that has been checked.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) person: OidcPerson,
    pub(super) groups: Vec<String>,
}

/// Why a token is no good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: &'static str,
    /// Whether other keys of the provider could change that.
    pub(super) is_of_the_key: bool,
}

impl From<&'static str> for Fault {
    fn from(what: &'static str) -> Self {
        Self { what, is_of_the_key: false }
    }
}

/// Checks a token, and reads it.
pub(super) fn verified(
    token: &IdToken,
    keys: CoreJsonWebKeySet,
    issuer: &IssuerUrl,
    options: &OidcOptions,
    nonce: &str,
    now_ns: i64,
) -> Result<Said, Fault> {
    let now = Duration::from_nanos(u64::try_from(now_ns).unwrap_or_default());
    let client = ClientId::new(options.client_id.clone());
    let verifier = IdTokenVerifier::new_public_client(client.clone(), issuer.clone(), keys)
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || (SystemTime::UNIX_EPOCH + now).into());
    let claims = token.claims(&verifier, &Nonce::new(nonce.to_owned())).map_err(|error| fault(&error))?;
    if claims.authorized_party().is_some_and(|party| *party != client) {
        return Err(OTHER_AUDIENCE.into());
    }
    let latest_s = now.as_secs() as i64 + AHEAD_S;
    let not_before_s = claims.additional_claims().nbf.unwrap_or(f64::NEG_INFINITY);
    if claims.issue_time().timestamp() > latest_s || not_before_s > latest_s as f64 {
        return Err("it is not valid yet".into());
    }
    if claims.subject().is_empty() || claims.subject().len() > SUBJECT_BYTES {
        return Err("its subject is none".into());
    }
    Ok(Said { person: person(issuer, claims), groups: groups(claims, &options.groups_claim) })
}

const OTHER_AUDIENCE: &str = "it is for somebody else";

fn fault(error: &ClaimsVerificationError) -> Fault {
    use ClaimsVerificationError as Claim;
    use SignatureVerificationError as Signature;
    match error {
        Claim::Expired(_) => "it has expired".into(),
        Claim::InvalidAudience(_) => OTHER_AUDIENCE.into(),
        Claim::InvalidIssuer(_) => "it is of another issuer".into(),
        Claim::InvalidNonce(_) => "it was not made for this sign-in".into(),
        Claim::SignatureVerification(Signature::NoMatchingKey) => {
            Fault { what: "its key is not known", is_of_the_key: true }
        }
        Claim::SignatureVerification(
            Signature::NoSignature | Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_),
        ) => "it is not signed in a way that is taken".into(),
        Claim::SignatureVerification(_) => "its signature is wrong".into(),
        _ => "it is not as it must be".into(),
    }
}

/// Who it is: issuer and subject; the name is only shown.
fn person(issuer: &IssuerUrl, claims: &Claims) -> OidcPerson {
    let localized = |name: Option<&openidconnect::LocalizedClaim<openidconnect::EndUserName>>| {
        name.and_then(|name| name.get(None)).map(|name| name.as_str().to_owned())
    };
    let name = claims.preferred_username().map(|name| name.as_str().to_owned());
    let name =
        name.or_else(|| localized(claims.name())).or_else(|| claims.email().map(|name| name.as_str().to_owned()));
    let shown: String =
        name.unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(SHOWN).collect::<String>();
    let subject = claims.subject().as_str().to_owned();
    let shown = if shown.trim().is_empty() { subject.chars().take(SHOWN).collect() } else { shown };
    OidcPerson { issuer: issuer.as_str().to_owned(), subject, shown }
}

fn groups(claims: &Claims, claim: &str) -> Vec<String> {
    match claims.additional_claims().rest.get(claim) {
        Some(Value::String(group)) => vec![group.clone()],
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
