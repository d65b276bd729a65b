//! Calls to the provider: bounded in time and size, to nowhere that it does not name itself, and never in the clear to another machine.

use std::net::IpAddr;
use std::time::Duration;

use futures::future::BoxFuture;
use openidconnect::url::{Host, Url};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Bytes of an answer at most.
const ANSWER_BYTES: usize = 1 << 20;
/// How long a call may take, with its answer.
const LASTS: Duration = Duration::from_secs(10);

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("`{0}` is no address that may be called: https is needed, but on loopback")]
    Address(String),
    #[error("{0}")]
    Call(String),
    #[error("the answer is longer than {ANSWER_BYTES} bytes")]
    TooLong,
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => false,
    }
}

/// What is wrong with an issuer, if anything is.
pub(super) fn issuer_fault(issuer: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(issuer) else { return Some("it is no URL") };
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Some("an issuer has no query, no fragment and no user");
    }
    match url.scheme() {
        "https" => None,
        "http" if is_loopback(&url) => None,
        _ => Some("it must begin with `https://`: over anything else, anybody on the way could sign in as anybody"),
    }
}

/// A client.
pub(super) struct Http {
    client: reqwest::Client,
    /// Whether the issuer is on this machine: then what it names may be called in the clear there.
    loopback: bool,
}

impl Http {
    pub(super) fn new(issuer: &Url) -> Result<Self, HttpError> {
        let loopback = is_loopback(issuer);
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(LASTS)
            .connect_timeout(LASTS / 2)
            .pool_idle_timeout(LASTS);
        let builder = if loopback { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| HttpError::Call(error.to_string()))?;
        Ok(Self { client, loopback })
    }

    /// Whether this may be called, or a browser be sent there.
    pub(super) fn check(&self, url: &Url) -> Result<(), HttpError> {
        let may = url.scheme() == "https" || (url.scheme() == "http" && self.loopback && is_loopback(url));
        if may { Ok(()) } else { Err(HttpError::Address(url.to_string())) }
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request).map_err(said)?;
        self.check(request.url())?;
        let mut answer = self.client.execute(request).await.map_err(said)?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(said)? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(HttpError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// What went wrong, down to its cause; the library's own first words are only that something did.
fn said(error: reqwest::Error) -> HttpError {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(deeper) = cause {
        words = format!("{words}: {deeper}");
        cause = deeper.source();
    }
    HttpError::Call(words)
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = BoxFuture<'c, Result<HttpResponse, HttpError>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.answer(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers() {
        for good in ["https://id.example", "https://id.example/realms/x", "http://127.0.0.1:4000", "http://[::1]:1/a"] {
            assert_eq!(issuer_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "id.example",
            "http://id.example",
            "http://127.0.0.1.id.example",
            "http://localhost.example",
            "ftp://localhost",
            "https://id.example?x=1",
            "https://id.example#x",
            "https://user@id.example",
        ] {
            assert!(issuer_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn what_may_be_called() {
        let check = |issuer: &str, url: &str| {
            let http = Http::new(&Url::parse(issuer).unwrap()).unwrap();
            http.check(&Url::parse(url).unwrap()).is_ok()
        };
        let (far, near) = ("https://id.example", "http://127.0.0.1:4000");
        assert!(check(far, "https://keys.example/jwks"), "providers have several hosts");
        assert!(!check(far, "http://id.example/jwks"));
        assert!(!check(far, "http://127.0.0.1:1/jwks"), "no issuer elsewhere makes us call this machine in the clear");
        assert!(!check(far, "file:///etc/passwd"));
        assert!(check(near, "http://127.0.0.1:4000/jwks"));
        assert!(!check(near, "http://id.example/jwks"));
    }
}
