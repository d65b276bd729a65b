//! HashiCorp Vault's Transit engine, over its HTTP API (`/v1/<mount>/encrypt/<key>` and its siblings).
//!
//! The context goes along twice: as `associated_data`, which an AEAD key binds, and as `context`, from which a key made with
//! `derived=true` derives its own; one made without ignores that.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use logkeep_cipher::KEY_BYTES;
use reqwest::header::HeaderValue;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::service::{Failure, KeyService, body, client, persist, read, said, unreachable};
use super::{KeyProviderError, key_bytes};
use crate::endpoint;

/// Far more than any token.
const TOKEN_BYTES: u64 = 8 << 10;

/// Where Vault is, and which of its keys wraps ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultOptions {
    /// Its address, `https://…`; without TLS on this machine only.
    pub address: String,
    /// Where the Transit engine is mounted.
    pub mount: String,
    /// Name of the key.
    pub key: String,
    /// File of the token, read anew for each request, so that an agent may renew it.
    pub token_file: PathBuf,
    /// Authorities that certify Vault, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Namespace, where there are any.
    pub namespace: Option<String>,
}

impl fmt::Display for VaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault `{}`, key `{}/{}`", self.address, self.mount, self.key)
    }
}

/// A key of Vault's.
#[derive(Debug)]
pub(super) struct Vault {
    options: VaultOptions,
    client: Client,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Data {
    ciphertext: String,
    plaintext: String,
}

#[derive(Deserialize)]
struct Faults {
    errors: Vec<String>,
}

impl Vault {
    pub(super) fn new(options: VaultOptions) -> Result<Self, KeyProviderError> {
        let is_plain = endpoint::is_plain(&options.address, false).unwrap_or_default();
        let client = client(is_plain, options.ca_file.as_deref())?;
        Ok(Self { options, client })
    }

    /// One request; an answer without content is no content.
    async fn post(&self, what: &str, json: &Bytes) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let VaultOptions { address, mount, namespace, .. } = &self.options;
        let url = format!("{}/v1/{mount}/{what}", address.trim_end_matches('/'));
        let mut request = self.client.post(url).header("x-vault-token", self.token()?).body(json.clone());
        if let Some(namespace) = namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let answer = read(response).await?;
        if status.is_success() { Ok(answer) } else { Err(failure(status, &answer)) }
    }

    async fn ask(&self, what: &str, json: &Bytes) -> Result<Data, Failure> {
        let answer = self.post(what, json).await?;
        let answer: Result<Answer, _> = serde_json::from_slice(&answer);
        answer.map(|answer| answer.data).map_err(|_| Failure::Denied("its answer is not Transit's".into()))
    }

    fn token(&self) -> Result<HeaderValue, Failure> {
        let file = &self.options.token_file;
        let unusable = |what: &str| Failure::Denied(format!("token file `{}` {what}", file.display()));
        let found = std::fs::metadata(file).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        if found.permissions().mode() & 0o007 != 0 {
            return Err(unusable("is open to everybody; take the rights of others away with `chmod o=`"));
        }
        if found.len() > TOKEN_BYTES {
            return Err(unusable("is longer than any token"));
        }
        let text = std::fs::read_to_string(file).map_err(|error| unusable(&format!("cannot be read: {error}")))?;
        let text = Zeroizing::new(text);
        let mut token = HeaderValue::from_str(text.trim()).map_err(|_| unusable("holds no token"))?;
        token.set_sensitive(true);
        if token.is_empty() { Err(unusable("is empty")) } else { Ok(token) }
    }

    fn at(&self, what: &str) -> String {
        format!("{what}/{}", self.options.key)
    }
}

/// What a status and Vault's own words mean (Vault's API documentation, "HTTP status codes").
fn failure(status: StatusCode, answer: &[u8]) -> Failure {
    let faults = serde_json::from_slice(answer).map(|faults: Faults| faults.errors.join("; ")).unwrap_or_default();
    let what = format!("{}: {}", status.as_u16(), said(&faults));
    match status {
        StatusCode::BAD_REQUEST if is_about_ciphertext(&faults) => Failure::Refused,
        // 412: a replica that has not caught up; 473: a standby.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PRECONDITION_FAILED => Failure::Away(what),
        status if status.is_server_error() || status.as_u16() == 473 => Failure::Away(what),
        _ => Failure::Denied(what),
    }
}

/// Whether Vault says that it did not make this ciphertext, or not for this context, or no longer opens its version.
fn is_about_ciphertext(faults: &str) -> bool {
    let faults = faults.to_ascii_lowercase();
    ["authentication failed", "invalid ciphertext", "ciphertext version"].iter().any(|sign| faults.contains(sign))
}

#[async_trait]
impl KeyService for Vault {
    fn name(&self) -> String {
        self.options.to_string()
    }

    async fn encrypt(&self, key: &[u8; KEY_BYTES], context: &str) -> Result<Vec<u8>, KeyProviderError> {
        let plaintext = Zeroizing::new(BASE64_STANDARD.encode(key));
        let bound = BASE64_STANDARD.encode(context);
        // What is in it needs no escapes.
        let json = body(format!(
            r#"{{"plaintext":"{}","associated_data":"{bound}","context":"{bound}"}}"#,
            plaintext.as_str()
        ));
        let at = self.at("encrypt");
        persist(&self.name(), context, || async {
            match self.ask(&at, &json).await?.ciphertext {
                empty if empty.is_empty() => Err(Failure::Denied("its answer holds no ciphertext".into())),
                ciphertext => Ok(ciphertext.into_bytes()),
            }
        })
        .await
    }

    async fn decrypt(&self, sealed: &[u8], context: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyProviderError> {
        let bound = BASE64_STANDARD.encode(context);
        let ciphertext = String::from_utf8_lossy(sealed);
        let json = serde_json::json!({ "ciphertext": ciphertext, "associated_data": bound, "context": bound });
        let (at, json) = (self.at("decrypt"), body(json.to_string()));
        persist(&self.name(), context, || async {
            let plaintext = Zeroizing::new(self.ask(&at, &json).await?.plaintext);
            key_bytes(&plaintext).ok_or_else(|| Failure::Denied("its answer holds no key".into()))
        })
        .await
    }

    async fn rotate(&self) -> Result<(), KeyProviderError> {
        let at = format!("keys/{}/rotate", self.options.key);
        let nothing = body("{}".to_owned());
        persist(&self.name(), "rotation", || async { self.post(&at, &nothing).await.map(drop) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_mean() {
        let check = |status: u16, errors: &str, expected: &str| {
            let answer = format!(r#"{{"errors":["{errors}"]}}"#);
            let found = format!("{:?}", failure(StatusCode::from_u16(status).unwrap(), answer.as_bytes()));
            assert!(found.starts_with(expected), "{status} {errors}: {found}");
        };
        check(400, "cipher: message authentication failed", "Refused");
        check(400, "invalid ciphertext: no prefix", "Refused");
        check(400, "missing client token", "Denied(\"400: missing client token\")");
        check(403, "permission denied", "Denied(\"403: permission denied\")");
        check(404, "no handler for route", "Denied");
        check(429, "", "Away");
        check(473, "", "Away");
        check(500, "internal error", "Away");
        check(503, "Vault is sealed", "Away(\"503: Vault is sealed\")");
    }
}
