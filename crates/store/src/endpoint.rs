//! Addresses of services that are talked to over HTTP.

use url::{Host, Url};

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointFault {
    /// It is none.
    None,
    /// It holds a user or a password.
    Credentials,
    /// It goes on after its path.
    Trailing,
    /// Without TLS, and not on this machine.
    Plaintext,
    /// It is of another protocol.
    Scheme,
}

/// Whether it is one without TLS. That is for this machine only, or if `allow_http` says so: others can read along and alter.
///
/// # Errors
/// [`EndpointFault`].
pub fn is_plain(endpoint: &str, allow_http: bool) -> Result<bool, EndpointFault> {
    let url = Url::parse(endpoint).map_err(|_| EndpointFault::None)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointFault::Credentials);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointFault::Trailing);
    }
    match url.scheme() {
        "https" => Ok(false),
        "http" if allow_http || url.host().is_some_and(|host| is_loopback(&host)) => Ok(true),
        "http" => Err(EndpointFault::Plaintext),
        _ => Err(EndpointFault::Scheme),
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
