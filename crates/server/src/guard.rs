//! What keeps a browser's other pages out while there is no sign-in.
//!
//! A loopback port can be reached by any page the user has open: by a name that resolves to 127.0.0.1 (DNS rebinding), or
//! by a cross-site form. Requests from this machine name a loopback host and no foreign origin.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::api::ApiError;

/// Refuses requests for another host than this machine, and from pages of another origin.
pub(crate) async fn loopback_only(request: Request, next: Next) -> Response {
    let host = request
        .uri()
        .authority()
        .map(|authority| authority.as_str().to_owned())
        .or_else(|| text(request.headers(), header::HOST).map(str::to_owned));
    let refused = |what: &str| ApiError::new(StatusCode::FORBIDDEN, "forbidden", what).into_response();
    if host.as_deref().is_some_and(|host| !is_loopback(host)) {
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
    fn origins() {
        let host = Some("127.0.0.1:7280");
        assert!(same_origin("http://127.0.0.1:7280", host));
        for origin in ["http://127.0.0.1:9999", "http://evil.example", "null", ""] {
            assert!(!same_origin(origin, host), "{origin}");
        }
    }
}
