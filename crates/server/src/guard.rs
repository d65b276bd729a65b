//! What keeps a browser's other pages out while there is no sign-in.
//!
//! A loopback port can be reached by any page the user has open: by a name that resolves to 127.0.0.1 (DNS rebinding), or
//! by a cross-site form. Requests from this machine name a loopback host and no foreign origin.
//!
//! The ports of senders show nothing, and senders call them what they like: to Envoy a host is the name of a cluster. There a
//! rebound name gives a page nothing that a plain address would not, and what a browser sends is told by what it
//! cannot leave out.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::api::ApiError;

fn refused(what: &str) -> Response {
    ApiError::new(StatusCode::FORBIDDEN, "forbidden", what).into_response()
}

/// For ports that only take: refuses what a page has sent.
pub(crate) async fn no_pages(request: Request, next: Next) -> Response {
    if is_from_a_page(request.headers()) {
        return refused("this port is for senders of logs and traces; what a page in a browser sends is refused");
    }
    next.run(request).await
}

/// Browsers put an origin on every request that may change something, and no page can take it away. Programs that use a
/// library made for browsers may say other things in their manner (`sec-fetch-mode`), but not from where.
fn is_from_a_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// Which hosts a request to the main port may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// This machine.
    Loopback,
    /// Any: other hosts reach the port with a certificate only, and a browser holds ours against the name it was told.
    Any,
}

impl Hosts {
    /// Of a port that listens here.
    pub(crate) fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_loopback() { Self::Loopback } else { Self::Any }
    }
}

/// Refuses requests for hosts that they may not name, and from pages of another origin.
pub(crate) async fn own_pages_only(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    let host = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned())
        .or_else(|| text(request.headers(), header::HOST).map(str::to_owned));
    if hosts == Hosts::Loopback && host.as_deref().is_some_and(|host| !is_loopback(host)) {
        return refused("this server answers on loopback only: use 127.0.0.1 or localhost as the host");
    }
    if text(request.headers(), header::ORIGIN).is_some_and(|origin| !same_origin(origin, host.as_deref())) {
        return refused("requests from pages of another origin are refused");
    }
    next.run(request).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn same_origin(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(|authority| authority.to_string()));
    authority.is_some() && authority.as_deref() == host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in ["localhost", "LOCALHOST:7280", "127.0.0.1:7280", "127.9.9.9", "[::1]:7280", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "10.0.0.1", "", "0.0.0.0:1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn pages_and_programs() {
        let check = |name: &'static str, value: &'static str, expected| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            assert_eq!(is_from_a_page(&headers), expected, "{name}: {value}");
        };
        check("origin", "null", true);
        check("origin", "http://127.0.0.1:4318", true);
        check("sec-fetch-site", "same-origin", true);
        check("sec-fetch-mode", "cors", false);
        check("host", "zipkin-cluster", false);
    }

    #[test]
    fn origins() {
        let host = Some("127.0.0.1:7280");
        assert!(same_origin("http://127.0.0.1:7280", host));
        for origin in ["http://127.0.0.1:9999", "http://evil.example", "null", ""] {
            assert!(!same_origin(origin, host), "{origin}");
        }
    }
}
