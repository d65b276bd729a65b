//! Reaching an S3-compatible store: where it is, who we are, how long we wait.
//!
//! What the AWS tools understand is understood here, from the same variables, and nothing else of the environment has an
//! effect: no variable switches the checking of certificates off.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

use super::Bucket;
use crate::endpoint::{EndpointFault, is_plain};

const SCHEME: &str = "s3://";
/// Variables that are handed on, with the meaning that AWS gives them.
const VARIABLES: [&str; 12] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_ENDPOINT_URL_STS",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
const ATTEMPTS: &str = "AWS_MAX_ATTEMPTS";

const DEFAULT_ATTEMPTS: usize = 10;
/// No retry begins later than this after the first try.
const RETRY_WITHIN: Duration = Duration::from_secs(180);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// One request, with all the bytes in it: a part of 8 MiB in this time is 0.6 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// What is said of a store beside its environment variables.
#[derive(Clone, Debug, Default)]
pub struct S3Options {
    /// Where it is, instead of at AWS or where a variable says.
    pub endpoint: Option<String>,
    /// Whether it may be talked to without TLS, though it is not on this machine.
    pub allow_http: bool,
}

/// Why a bucket cannot be used. Do not retry.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The address is none.
    #[error("`{url}` is no address of a bucket: {what}; write `s3://<bucket>/<prefix>`")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The endpoint is none, or not one that may be used.
    #[error("endpoint `{endpoint}`: {what}")]
    Endpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// A variable.
    #[error("environment variable `{name}`: {what}")]
    Variable {
        /// Which.
        name: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// Credentials are missing in part.
    #[error("bucket `{url}`")]
    Settings {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        cause: object_store::Error,
    },
}

impl Bucket {
    /// Whether `text` is the address of a bucket, and no folder.
    pub fn is_address(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The bucket and prefix of `s3://<bucket>/<prefix>`, with what `environment` says about AWS. Nothing is asked of the
    /// store yet.
    ///
    /// # Errors
    /// [`BucketError`].
    pub fn s3(
        url: &str,
        options: &S3Options,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, BucketError> {
        let (bucket, prefix) = parse(url)?;
        let variables = of_aws(environment);
        let mut builder = with_variables(&variables).with_bucket_name(bucket).with_retry(retry(&variables)?);
        let from_variable = || ENDPOINTS.iter().find_map(|name| variables.get(*name));
        let mut plain = false;
        if let Some(endpoint) = options.endpoint.as_ref().or_else(from_variable) {
            plain = check_endpoint(endpoint, options.allow_http)?;
            builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
        }
        let client = ClientOptions::new()
            .with_allow_http(plain)
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(REQUEST_TIMEOUT);
        let store = builder.with_client_options(client).build();
        let store = store.map_err(|cause| BucketError::Settings { url: url.to_owned(), cause })?;
        Ok(Self::new(Arc::new(store), prefix, url))
    }
}

/// What the environment says about AWS: its region, and who we are there.
pub(crate) fn aws_builder(environment: impl IntoIterator<Item = (String, String)>) -> AmazonS3Builder {
    with_variables(&of_aws(environment))
}

fn of_aws(environment: impl IntoIterator<Item = (String, String)>) -> HashMap<String, String> {
    environment.into_iter().filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty()).collect()
}

fn with_variables(variables: &HashMap<String, String>) -> AmazonS3Builder {
    VARIABLES.into_iter().fold(AmazonS3Builder::new(), |builder, name| {
        let key: Option<AmazonS3ConfigKey> = name.to_ascii_lowercase().parse().ok();
        match (key, variables.get(name)) {
            (Some(key), Some(value)) => builder.with_config(key, value),
            _ => builder,
        }
    })
}

fn retry(variables: &HashMap<String, String>) -> Result<RetryConfig, BucketError> {
    let attempts = match variables.get(ATTEMPTS) {
        None => DEFAULT_ATTEMPTS,
        Some(text) => text.parse().ok().filter(|attempts| (1..=100).contains(attempts)).ok_or_else(|| {
            BucketError::Variable { name: ATTEMPTS, what: format!("`{text}` is not a number from 1 to 100") }
        })?,
    };
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(200), max_backoff: Duration::from_secs(15), base: 3. };
    Ok(RetryConfig { backoff, max_retries: attempts - 1, retry_timeout: RETRY_WITHIN })
}

fn parse(url: &str) -> Result<(&str, &str), BucketError> {
    let refused = |what: &str| BucketError::Address { url: url.to_owned(), what: what.to_owned() };
    let rest = url.strip_prefix(SCHEME).ok_or_else(|| refused("it does not begin with `s3://`"))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    // The names that S3 permits, and dots and underscores, which older buckets have.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(fits) || bucket.contains("..") {
        return Err(refused("a bucket's name is 3 to 63 letters, digits, `-`, `.` or `_`"));
    }
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if !prefix.is_empty() {
        object_store::path::Path::parse(prefix).map_err(|error| refused(&error.to_string()))?;
    }
    if prefix.contains(['?', '#']) || prefix.starts_with('/') {
        return Err(refused("its prefix is no path"));
    }
    Ok((bucket, prefix))
}

/// Whether the endpoint is one without TLS. That is for this machine only, as others can read along and alter.
fn check_endpoint(endpoint: &str, allow_http: bool) -> Result<bool, BucketError> {
    is_plain(endpoint, allow_http).map_err(|fault| {
        let what = match fault {
            EndpointFault::None => "it is no address such as `https://storage.example.com`",
            EndpointFault::Credentials => {
                "it holds credentials; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            EndpointFault::Trailing => "it must end with the host, the port or a path",
            EndpointFault::Plaintext => {
                "without TLS only a store on this machine is used; write `https://`, or add `--allow-http`"
            }
            EndpointFault::Scheme => "it must begin with `https://`",
        };
        BucketError::Endpoint { endpoint: redacted(endpoint), what: what.to_owned() }
    })
}

/// An address without what stands before its `@`.
fn redacted(endpoint: &str) -> String {
    match (endpoint.split_once("://"), endpoint.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (None, Some((_, host))) => format!("…@{host}"),
        _ => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(url: &str, endpoint: Option<&str>, allow_http: bool, variables: &[(&str, &str)]) -> Result<Bucket, String> {
        let options = S3Options { endpoint: endpoint.map(str::to_owned), allow_http };
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Bucket::s3(url, &options, variables).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            format!("{error}{}", cause.unwrap_or_default())
        })
    }

    #[test]
    fn addresses() {
        for (url, bucket, prefix) in [
            ("s3://logs", "logs", ""),
            ("s3://logs/", "logs", ""),
            ("s3://my.logs-1/a/b", "my.logs-1", "a/b"),
            ("s3://logs/a b/", "logs", "a b"),
        ] {
            assert_eq!(parse(url).unwrap(), (bucket, prefix), "{url}");
        }
        for url in ["logs", "s3:/logs", "s3://", "s3://ab/x", "s3://a:b@logs/x", "s3://logs//x", "s3://logs/a//b"] {
            assert!(parse(url).unwrap_err().to_string().contains("s3://<bucket>/<prefix>"), "{url}");
        }
        for url in ["s3://logs/../x", "s3://logs/a?b", "s3://logs/a#b", "s3://lo..gs/a"] {
            assert!(parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for loopback in ["http://127.0.0.1:9000", "http://127.8.8.8", "http://localhost:9000/", "http://[::1]:9000"] {
            open("s3://logs", Some(loopback), false, &[]).unwrap();
            open("s3://logs", None, false, &[("AWS_ENDPOINT_URL", loopback)]).unwrap();
        }
        for remote in ["http://10.0.0.1", "http://store.example", "http://localhost.example", "http://[::2]"] {
            let refused = open("s3://logs", Some(remote), false, &[]).unwrap_err();
            assert!(refused.contains("--allow-http"), "{refused}");
            assert!(open("s3://logs", None, false, &[("AWS_ENDPOINT_URL_S3", remote)]).is_err(), "{remote}");
            assert!(
                open("s3://logs", None, false, &[("AWS_ENDPOINT_URL", remote), ("AWS_ALLOW_HTTP", "true")]).is_err()
            );
            open("s3://logs", Some(remote), true, &[]).unwrap();
        }
        for none in ["ftp://store.example", "store.example:9000", "", "https://store.example?x=1"] {
            assert!(open("s3://logs", Some(none), true, &[]).is_err(), "{none}");
        }
    }

    #[test]
    fn no_secret_is_repeated() {
        for endpoint in ["https://me:hunter2@store.example", "me:hunter2@store.example"] {
            let refused = open("s3://logs", Some(endpoint), false, &[]).unwrap_err();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        let half = open("s3://logs", None, false, &[("AWS_SECRET_ACCESS_KEY", "hunter2")]).unwrap_err();
        assert!(half.contains("Missing AccessKeyId") && !half.contains("hunter2"), "{half}");
        let keys = [("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
        let shown = format!("{:?}", open("s3://logs", None, false, &keys).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn attempts_are_bounded() {
        for text in ["0", "101", "-1", "many"] {
            let refused = open("s3://logs", None, false, &[(ATTEMPTS, text)]).unwrap_err();
            assert!(refused.contains("is not a number from 1 to 100"), "{refused}");
        }
        open("s3://logs", None, false, &[(ATTEMPTS, "1")]).unwrap();
        open("s3://logs", None, false, &[(ATTEMPTS, "")]).unwrap();
    }
}
