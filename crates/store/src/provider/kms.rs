//! AWS Key Management Service: `Encrypt` and `Decrypt` with an encryption context (AWS KMS API Reference).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use logkeep_cipher::{KEY_BYTES, sha256};
use object_store::aws::{AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::HttpRequestBody;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::credentials::Profile;
use super::service::{Failure, KeyService, body, client, persist, read, said, unreachable};
use super::{KeyProviderError, key_bytes};
use crate::bucket::aws_builder;
use crate::endpoint;

/// The name under which the context is in what AWS calls an encryption context, and in its own trail.
const CONTEXT: &str = "logkeep";
/// Faults that pass by themselves, beside those of the server.
const PASSING: [&str; 5] = [
    "ThrottlingException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
    "KMSInternalException",
    "LimitExceededException",
];
/// Faults of a ciphertext that this key did not make for this context.
const REFUSING: [&str; 2] = ["InvalidCiphertextException", "IncorrectKeyException"];

/// Which key of AWS wraps ours, and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KmsOptions {
    /// Id, ARN or alias of the key.
    pub key_id: String,
    /// Its region.
    pub region: String,
    /// Where the service is, instead of at AWS; without TLS on this machine only.
    pub endpoint: Option<String>,
    /// A section of a file of credentials, read anew for each request; without one, what the environment says.
    pub profile: Option<Profile>,
}

impl fmt::Display for KmsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AWS KMS, key `{}` in {}", self.key_id, self.region)
    }
}

/// A key of AWS's.
#[derive(Debug)]
pub(super) struct Kms {
    options: KmsOptions,
    url: String,
    client: Client,
    environment: Option<AwsCredentialProvider>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Answer {
    ciphertext_blob: String,
    plaintext: String,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Kms {
    pub(super) fn new(
        options: KmsOptions,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, KeyProviderError> {
        let url = match &options.endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://kms.{}.amazonaws.com/", options.region),
        };
        let client = client(endpoint::is_plain(&url, false).unwrap_or_default(), None)?;
        let environment = options.profile.is_none().then(|| from_environment(&options.region, environment));
        Ok(Self { url, client, environment: environment.transpose()?, options })
    }

    async fn ask(&self, action: &str, json: &Bytes) -> Result<Answer, Failure> {
        let headers = self.signed(action, json).await?;
        let response = self.client.post(&self.url).headers(headers).body(json.clone()).send().await;
        let response = response.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let answer = read(response).await?;
        if !status.is_success() {
            return Err(failure(status, &answer));
        }
        serde_json::from_slice(&answer).map_err(|_| Failure::Denied("its answer is not that of KMS".into()))
    }

    /// The headers of a request that is signed (AWS Signature Version 4).
    async fn signed(&self, action: &str, json: &Bytes) -> Result<HeaderMap, Failure> {
        let credential = self.credential().await?;
        let mut request = Request::new(HttpRequestBody::empty());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.parse().map_err(|_| Failure::Denied("its address is none".into()))?;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        let target = HeaderValue::from_str(&format!("TrentService.{action}"));
        headers.insert("x-amz-target", target.expect("an action is letters"));
        AwsAuthorizer::new(&credential, "kms", &self.options.region).authorize(&mut request, Some(&sha256(json)));
        Ok(std::mem::take(request.headers_mut()))
    }

    async fn credential(&self) -> Result<Arc<AwsCredential>, Failure> {
        let credential = match (&self.options.profile, &self.environment) {
            (Some(profile), _) => Arc::new(profile.read().map_err(Failure::Denied)?),
            // The error may repeat an answer of whoever gives credentials.
            (None, Some(provider)) => provider.get_credential().await.map_err(|_| {
                Failure::Away("credentials are neither in the environment nor given by this machine".into())
            })?,
            (None, None) => return Err(Failure::Denied("there are no credentials".into())),
        };
        let fits = |text: &str| HeaderValue::from_str(text).is_ok();
        if !fits(&credential.key_id) || !credential.token.as_deref().is_none_or(fits) {
            return Err(Failure::Denied("the credentials hold characters that none have".into()));
        }
        Ok(credential)
    }
}

/// What gives credentials where no file is named: variables, a web identity, or the machine's own service.
fn from_environment(
    region: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<AwsCredentialProvider, KeyProviderError> {
    let retry =
        object_store::RetryConfig { max_retries: 0, retry_timeout: Duration::from_secs(4), ..Default::default() };
    // The builder is of a bucket, but whose credentials they are is the same for every service.
    let built = aws_builder(environment).with_region(region).with_bucket_name("none").with_retry(retry).build();
    let built = built.map_err(|error| KeyProviderError::Client(said(&error.to_string())))?;
    Ok(built.credentials().clone())
}

fn failure(status: StatusCode, answer: &[u8]) -> Failure {
    let none = Fault { kind: String::new(), message: String::new() };
    let fault: Fault = serde_json::from_slice(answer).unwrap_or(none);
    let kind = fault.kind.rsplit('#').next().unwrap_or_default();
    let what = format!("{} {}: {}", status.as_u16(), said(kind), said(&fault.message));
    match kind {
        kind if REFUSING.contains(&kind) => Failure::Refused,
        kind if PASSING.contains(&kind) || status.is_server_error() => Failure::Away(what),
        _ if status == StatusCode::TOO_MANY_REQUESTS => Failure::Away(what),
        _ => Failure::Denied(what),
    }
}

#[async_trait]
impl KeyService for Kms {
    fn name(&self) -> String {
        self.options.to_string()
    }

    async fn encrypt(&self, key: &[u8; KEY_BYTES], context: &str) -> Result<Vec<u8>, KeyProviderError> {
        let plaintext = Zeroizing::new(BASE64_STANDARD.encode(key));
        // Of these three only the plaintext must leave no copy, and it needs no escapes.
        let key_id = serde_json::json!(self.options.key_id);
        let bound = serde_json::json!({ CONTEXT: context });
        let json =
            body(format!(r#"{{"KeyId":{key_id},"Plaintext":"{}","EncryptionContext":{bound}}}"#, plaintext.as_str()));
        persist(&self.name(), context, || async {
            let answer = self.ask("Encrypt", &json).await?;
            let sealed = BASE64_STANDARD.decode(&answer.ciphertext_blob).unwrap_or_default();
            if sealed.is_empty() { Err(Failure::Denied("its answer holds no ciphertext".into())) } else { Ok(sealed) }
        })
        .await
    }

    async fn decrypt(&self, sealed: &[u8], context: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyProviderError> {
        let json = serde_json::json!({
            "KeyId": self.options.key_id,
            "CiphertextBlob": BASE64_STANDARD.encode(sealed),
            "EncryptionContext": { CONTEXT: context },
        });
        let json = body(json.to_string());
        persist(&self.name(), context, || async {
            let plaintext = Zeroizing::new(self.ask("Decrypt", &json).await?.plaintext);
            key_bytes(&plaintext).ok_or_else(|| Failure::Denied("its answer holds no key".into()))
        })
        .await
    }

    /// AWS keeps earlier key material under the same id, and makes new material by the key's own schedule.
    async fn rotate(&self) -> Result<(), KeyProviderError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_answers_mean() {
        let check = |status: u16, kind: &str, expected: &str| {
            let answer = format!(r#"{{"__type":"{kind}","message":"m"}}"#);
            let found = format!("{:?}", failure(StatusCode::from_u16(status).unwrap(), answer.as_bytes()));
            assert!(found.starts_with(expected), "{status} {kind}: {found}");
        };
        check(400, "InvalidCiphertextException", "Refused");
        check(400, "com.amazonaws.kms#IncorrectKeyException", "Refused");
        check(400, "ThrottlingException", "Away");
        check(400, "AccessDeniedException", "Denied(\"400 AccessDeniedException: m\")");
        check(400, "DisabledException", "Denied");
        check(500, "KMSInternalException", "Away");
        check(503, "", "Away");
    }

    #[tokio::test]
    async fn requests_are_signed_and_credentials_are_not_shown() {
        let variables = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = KmsOptions {
            key_id: "alias/logkeep".into(),
            region: "eu-central-1".into(),
            endpoint: Some("http://127.0.0.1:1".into()),
            profile: None,
        };
        let kms = Kms::new(options, variables).unwrap();
        let headers = kms.signed("Decrypt", &body("{}".into())).await.unwrap();
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{authorization}");
        assert!(authorization.contains("/eu-central-1/kms/aws4_request"), "{authorization}");
        for signed in ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-target"] {
            assert!(authorization.contains(signed), "{signed} is signed: {authorization}");
        }
        assert!(!format!("{kms:?} {}", kms.name()).contains("hunter2"));
    }
}
