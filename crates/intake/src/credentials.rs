//! What a request shows of who sends it, in whichever way its sender can.
//!
//! | sender | puts the token |
//! |---|---|
//! | any | in `Authorization: Bearer`, or as the password of `Basic` (gRPC: in the metadata `authorization`) |
//! | Elasticsearch's | in `Authorization: ApiKey`, as the key after any id |
//! | Splunk's | in `Authorization: Splunk` |
//! | Datadog's | in `DD-API-KEY` or `X-API-Key`, or where version 1 of the intake has the key in its path |
//! | Firehose | in `X-Amz-Firehose-Access-Key` |
//!
//! In no other place of a URL: proxies and logs on the way keep it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use logkeep_access::shows_token;

use crate::counters::Protocol;
use crate::refusal::{Kind, Refusal};

/// With this begin tokens of ours.
const OURS: &str = "lkt_";
const DATADOG: &[&str] = &["dd-api-key", "x-api-key"];
const FIREHOSE: &[&str] = &["x-amz-firehose-access-key"];
/// Before the key in the path of Datadog's first intake.
const DATADOG_PATH: &str = "/v1/input/";

/// What a request shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nothing.
    Nothing,
    /// Something that is no token of ours: senders have to fill in a key even if nobody asks for it.
    Foreign,
    /// A token, which has to be good.
    Token(String),
}

fn refused(message: &str) -> Refusal {
    Refusal::new(Kind::Unauthenticated, message)
}

/// What a request shows, however often it says so: two tokens are none.
pub(crate) fn shown(protocol: Protocol, headers: &HeaderMap, uri: &Uri) -> Result<Shown, Refusal> {
    let in_path = key_in_path(protocol, uri);
    let rest = uri.path().strip_suffix(in_path.unwrap_or_default()).unwrap_or_default();
    if shows_token(rest) || uri.query().is_some_and(shows_token) {
        return Err(refused(
            "a token in a URL is read by others on the way: end this one, and send another in a header",
        ));
    }
    let mut found = Vec::new();
    found.extend(only(headers, AUTHORIZATION.as_str())?.map(authorization));
    let named = match protocol {
        Protocol::Datadog | Protocol::DatadogTraces => DATADOG,
        Protocol::Firehose => FIREHOSE,
        _ => &[],
    };
    for header in named {
        found.extend(only(headers, header)?.map(|key| key.to_str().unwrap_or_default().trim().to_owned()));
    }
    found.extend(in_path.map(str::to_owned));
    let is_empty = found.is_empty();
    let mut tokens = found.into_iter().filter(|text| text.starts_with(OURS));
    match (tokens.next(), tokens.next()) {
        (Some(_), Some(_)) => Err(refused("the request shows two tokens; it is not known which is meant")),
        (Some(token), None) => Ok(Shown::Token(token)),
        (None, _) => Ok(if is_empty { Shown::Nothing } else { Shown::Foreign }),
    }
}

/// The value of a header that may be there once.
pub(crate) fn only<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        Some(_) => Err(refused(&format!("the header `{name}` is there twice; it is not known which is meant"))),
        None => Ok(first),
    }
}

/// What an `Authorization` holds that may be a token; empty if nothing.
fn authorization(value: &HeaderValue) -> String {
    let read = || {
        let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
        let rest = rest.trim();
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "splunk" => Some(rest.to_owned()),
            "basic" => after_the_name(rest),
            // Clients put what they are given there as it is, or encode a pair of id and key.
            "apikey" if rest.starts_with(OURS) => Some(rest.to_owned()),
            "apikey" => after_the_name(rest),
            _ => None,
        }
    };
    read().unwrap_or_default()
}

fn after_the_name(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    Some(decoded.split_once(':')?.1.to_owned())
}

fn key_in_path(protocol: Protocol, uri: &Uri) -> Option<&str> {
    let (_, key) = uri.path().split_once(DATADOG_PATH).filter(|_| protocol == Protocol::Datadog)?;
    (!key.is_empty() && !key.contains('/')).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "lkt_0011223344556677.00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    /// What is shown: `-` nothing, `?` something foreign, `ours` the token, `no` a refusal. `T` stands for the token.
    fn check(protocol: Protocol, path: &str, headers: &[(&'static str, &str)], expected: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = match value.strip_prefix("base64 ") {
                Some(plain) => {
                    let (scheme, plain) = plain.split_once(' ').unwrap();
                    format!("{scheme} {}", BASE64_STANDARD.encode(plain.replace('T', TOKEN)))
                }
                None => value.replace('T', TOKEN),
            };
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let uri: Uri = path.replace('T', TOKEN).parse().unwrap();
        let said = match shown(protocol, &map, &uri) {
            Ok(Shown::Nothing) => "-",
            Ok(Shown::Foreign) => "?",
            Ok(Shown::Token(token)) if token == TOKEN => "ours",
            Ok(Shown::Token(_)) => "another",
            Err(_) => "no",
        };
        assert_eq!(said, expected, "{} {path} {headers:?}", protocol.name());
    }

    #[test]
    fn each_sender_in_its_own_way() {
        check(Protocol::Otlp, "/v1/logs", &[], "-");
        check(Protocol::Otlp, "/v1/logs", &[("authorization", "Bearer T")], "ours");
        check(Protocol::Otlp, "/v1/logs", &[("authorization", "bearer  T ")], "ours");
        check(Protocol::Loki, "/loki/api/v1/push", &[("authorization", "base64 Basic team:T")], "ours");
        check(Protocol::Elasticsearch, "/_bulk", &[("authorization", "base64 ApiKey any:T")], "ours");
        check(Protocol::Elasticsearch, "/_bulk", &[("authorization", "ApiKey T")], "ours");
        check(Protocol::Hec, "/services/collector", &[("authorization", "Splunk T")], "ours");
        check(Protocol::Hec, "/services/collector", &[("authorization", "base64 Basic x:T")], "ours");
        check(Protocol::Datadog, "/api/v2/logs", &[("dd-api-key", "T")], "ours");
        check(Protocol::Datadog, "/v1/input/T", &[], "ours");
        check(Protocol::Datadog, "/datadog/v1/input/T", &[], "ours");
        check(Protocol::DatadogTraces, "/v0.4/traces", &[("dd-api-key", "T")], "ours");
        check(Protocol::DatadogTraces, "/api/v0.2/traces", &[("x-api-key", "T")], "ours");
        check(Protocol::Firehose, "/firehose", &[("x-amz-firehose-access-key", "T")], "ours");
        check(Protocol::Otlp, "/v1/logs", &[("dd-api-key", "T")], "-");
    }

    #[test]
    fn foreign_keys() {
        check(Protocol::Hec, "/services/collector", &[("authorization", "Splunk 1234")], "?");
        check(Protocol::Datadog, "/v1/input/0123456789abcdef", &[], "?");
        check(Protocol::Loki, "/x", &[("authorization", "base64 Basic nocolon")], "?");
        check(Protocol::Loki, "/x", &[("authorization", "Basic %%%")], "?");
        check(Protocol::Loki, "/x", &[("authorization", "Digest T")], "?");
        check(Protocol::Loki, "/x", &[("authorization", "T")], "?");
        check(Protocol::Loki, "/x", &[("authorization", "\u{80}")], "?");
        check(Protocol::Loki, "/x", &[("authorization", "Bearer lkt_short")], "another");
    }

    #[test]
    fn what_is_not_to_be_trusted() {
        let bearer = ("authorization", "Bearer T");
        check(Protocol::Otlp, "/v1/logs", &[bearer, bearer], "no");
        check(Protocol::Otlp, "/v1/logs", &[bearer, ("authorization", "Basic x")], "no");
        check(Protocol::Datadog, "/api/v2/logs", &[bearer, ("dd-api-key", "T")], "no");
        check(Protocol::Datadog, "/api/v2/logs", &[("dd-api-key", "T"), ("dd-api-key", "T")], "no");
        check(Protocol::Datadog, "/api/v2/logs", &[("dd-api-key", "T"), ("x-api-key", "T")], "no");
        check(Protocol::Hec, "/services/collector?token=T", &[], "no");
        check(Protocol::Hec, "/services/collector?token=T", &[bearer], "no");
        check(Protocol::Json, "/T", &[bearer], "no");
        check(Protocol::Datadog, "/v1/input/T?ddtags=T", &[], "no");
    }
}
