//! Tokens that we make ourselves, against what is checked of them. The way through a whole server, with its cookies and its trail, is walked in
//! `e2e/tests/test_oidc.py`.

use std::collections::{BTreeMap, BTreeSet};

use openidconnect::core::{
    CoreEdDsaPrivateSigningKey, CoreHmacKey, CoreJsonWebKey, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{IssuerUrl, JsonWebKeyId, PrivateSigningKey};
use serde_json::{Value, json};

use super::OidcOptions;
use super::token::{IdToken, verified};
use crate::directory::Role;

const NOW_S: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";

/// An Ed25519 key from its seed, as PKCS #8 (RFC 8410, 7) in PEM.
fn key(seed: u8, kid: &str) -> CoreEdDsaPrivateSigningKey {
    use base64::Engine as _;
    let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
    der.extend([seed; 32]);
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(kid.to_owned()))).unwrap()
}

fn public(key: &CoreEdDsaPrivateSigningKey) -> CoreJsonWebKey {
    key.as_verification_key()
}

fn base64url(bytes: impl AsRef<[u8]>) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "248289761001", "aud": "logkeep", "iat": NOW_S - 1, "exp": NOW_S + 300, "nonce": "n",
        "preferred_username": "jane", "groups": ["devs", "all"],
    })
}

/// A token with this header and these claims, signed by `sign`.
fn token(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", base64url(signature))
}

fn signed(key: &CoreEdDsaPrivateSigningKey, kid: &str, claims: &Value) -> String {
    let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": kid});
    token(&header, claims, |message| key.sign(&CoreJwsSigningAlgorithm::EdDsa, message).unwrap())
}

fn options() -> OidcOptions {
    let roles = BTreeMap::from([("devs".to_owned(), BTreeSet::from([Role::Analyst]))]);
    OidcOptions {
        issuer: ISSUER.to_owned(),
        client_id: "logkeep".to_owned(),
        client_secret: None,
        scopes: Vec::new(),
        groups_claim: "groups".to_owned(),
        roles,
        label: "Example".to_owned(),
        public_url: None,
    }
}

/// What comes of a token: who it is about and their groups, or why it is no good.
fn outcome(text: &str) -> String {
    let keys = CoreJsonWebKeySet::new(vec![public(&key(1, "one"))]);
    let issuer = IssuerUrl::new(ISSUER.to_owned()).unwrap();
    let Ok(token) = text.parse::<IdToken>() else { return "it cannot be read".to_owned() };
    match verified(&token, keys, &issuer, &options(), "n", NOW_S * 1_000_000_000) {
        Ok(said) => format!("{} ({}): {}", said.person.shown, said.person.subject, said.groups.join(", ")),
        Err(fault) => fault.what.to_owned(),
    }
}

#[test]
fn claims_that_are_good_and_claims_that_are_not() {
    let check = |change: Value, expected: &str| {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            claims[name.as_str()] = value.clone();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            }
        }
        assert_eq!(outcome(&signed(&key(1, "one"), "one", &claims)), expected, "{change}");
    };
    check(json!({}), "jane (248289761001): devs, all");
    check(json!({"groups": "devs"}), "jane (248289761001): devs");
    check(json!({"groups": null}), "jane (248289761001): ");
    check(json!({"groups": {"devs": true}}), "jane (248289761001): ");
    check(json!({"preferred_username": null, "email": "j@id.example"}), "j@id.example (248289761001): devs, all");
    check(json!({"preferred_username": "\u{1b}\n"}), "248289761001 (248289761001): devs, all");
    check(json!({"exp": NOW_S}), "it has expired");
    check(json!({"exp": NOW_S - 3_600}), "it has expired");
    check(json!({"iat": NOW_S + 60}), "jane (248289761001): devs, all");
    check(json!({"iat": NOW_S + 61}), "it is not valid yet");
    check(json!({"nbf": NOW_S + 61}), "it is not valid yet");
    check(json!({"nbf": NOW_S}), "jane (248289761001): devs, all");
    check(json!({"aud": "another"}), "it is for somebody else");
    check(json!({"aud": ["logkeep", "another"]}), "it is for somebody else");
    check(json!({"aud": ["logkeep"], "azp": "another"}), "it is for somebody else");
    check(json!({"iss": "https://id.example.evil"}), "it is of another issuer");
    check(json!({"iss": "https://id.example/"}), "it is of another issuer");
    check(json!({"nonce": null}), "it was not made for this sign-in");
    check(json!({"nonce": "m"}), "it was not made for this sign-in");
    check(json!({"sub": ""}), "its subject is none");
    check(json!({"sub": "x".repeat(256)}), "its subject is none");
    check(json!({"aud": null}), "it is for somebody else");
    for missing in ["iss", "sub", "iat", "exp"] {
        check(json!({missing: null}), "it cannot be read");
    }
}

#[test]
fn signatures_that_are_none() {
    let (own, other) = (key(1, "one"), key(2, "one"));
    let not_taken = "it is not signed in a way that is taken";
    assert_eq!(outcome(&signed(&other, "one", &claims())), "its signature is wrong");
    assert_eq!(outcome(&signed(&other, "two", &claims())), "its key is not known");
    let good = signed(&own, "one", &claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let forged = json!({"sub": "1"});
    let forged = format!("{}.{}.{signature}", head.split_once('.').unwrap().0, base64url(forged.to_string()));
    assert_ne!(outcome(&forged), "jane (248289761001): devs, all");
    for alg in ["none", "None", "NONE"] {
        let unsigned = token(&json!({"alg": alg}), &claims(), |_| Vec::new());
        let outcome = outcome(&unsigned);
        assert!([not_taken, "it cannot be read"].contains(&outcome.as_str()), "{alg}: {outcome}");
    }
    // Key confusion: what everybody can read is taken for a secret that we share (RFC 8725, 2.1).
    let published = serde_json::to_value(public(&own)).unwrap();
    let x = published["x"].as_str().unwrap().to_owned();
    for secret in [x.into_bytes(), vec![1; 32], published.to_string().into_bytes(), b"logkeep".to_vec(), Vec::new()] {
        let hmac = CoreHmacKey::new(secret);
        for (alg, name) in
            [(CoreJwsSigningAlgorithm::HmacSha256, "HS256"), (CoreJwsSigningAlgorithm::HmacSha512, "HS512")]
        {
            let confused =
                token(&json!({"alg": name, "kid": "one"}), &claims(), |message| hmac.sign(&alg, message).unwrap());
            assert_eq!(outcome(&confused), not_taken, "{name}");
        }
    }
    for header in [
        json!({"alg": "EdDSA", "kid": "one", "crit": ["exp"], "exp": 1}),
        json!({"alg": "EdDSA", "kid": "one", "typ": "at+jwt"}),
        json!({"alg": "EdDSA", "kid": "one", "cty": "JWT"}),
    ] {
        let odd = token(&header, &claims(), |message| own.sign(&CoreJwsSigningAlgorithm::EdDsa, message).unwrap());
        assert_eq!(outcome(&odd), "it is not as it must be", "{header}");
    }
    for text in ["", ".", "..", "a.b.c", &good[..40], &format!("{good}.x"), &good.replace('.', "")] {
        assert_eq!(outcome(text), "it cannot be read", "{text}");
    }
}

#[test]
fn roles_come_from_groups_alone() {
    let mut options = options();
    options.roles.insert("ops".to_owned(), BTreeSet::from([Role::Administrator, Role::Auditor]));
    let roles = |groups: &[&str]| {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        options.roles_of(&groups).iter().map(|role| role.name()).collect::<Vec<_>>()
    };
    assert_eq!(roles(&[]), [""; 0]);
    assert_eq!(
        roles(&["administrator", "Devs", " devs"]),
        [""; 0],
        "a group is not a role, and not nearly another group"
    );
    assert_eq!(roles(&["devs", "ops", "devs"]), ["administrator", "analyst", "auditor"]);
}
