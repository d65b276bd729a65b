//! What all HTTP receivers need of a request: its tenant, its sender, its body.

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::admission::Admission;
use crate::counters::add;
use crate::entry::{Entry, Policies};
use crate::origin::{Origin, Peer};
use crate::refusal::Refusal;
use crate::senders::Sender;
use crate::{Intake, body};

/// Header that names the tenant on our own API and wherever the protocol has none of its own.
pub(crate) const TENANT: &str = "x-logkeep-tenant";
/// Loki's.
pub(crate) const SCOPE_ORG_ID: &str = "x-scope-orgid";

/// A request whose body is here. It has its place until it is dropped.
pub(crate) struct Incoming {
    pub(crate) origin: Origin,
    pub(crate) content_type: String,
    pub(crate) content_encoding: String,
    pub(crate) body: Bytes,
    /// When it was here in full.
    pub(crate) received_ns: i64,
    policies: Policies,
    _held: body::Held,
    _admission: Admission,
}

impl Incoming {
    /// How its records come in.
    pub(crate) fn entry(&self) -> Entry {
        Entry { arrival: self.origin.arrival(), policies: self.policies.clone() }
    }
}

impl Intake {
    /// Reads the request and waits for a place.
    pub(crate) async fn read(&self, sender: &Sender, request: Request) -> Result<Incoming, Refusal> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers;
        let waits = headers.contains_key(EXPECT);
        let origin = match sender.let_in() {
            Ok(origin) => origin,
            Err(refusal) => {
                body::discard(body, waits).await;
                return Err(refusal);
            }
        };
        let protocol = origin.protocol;
        let declared = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let body::Whole { bytes: body, held } =
            self.read_body(body, declared, waits, self.inner.options.request_bytes).await?;
        let admission = self.admit(protocol).await?;
        add(&self.inner.counters.of(protocol).bytes, body.len());
        Ok(Incoming {
            origin: origin.of_bytes(body.len()),
            content_type: joined(&headers, CONTENT_TYPE.as_str()),
            content_encoding: joined(&headers, CONTENT_ENCODING.as_str()),
            body,
            received_ns: self.now_ns(),
            policies: self.policies(&origin.tenant),
            _held: held,
            _admission: admission,
        })
    }

    /// Decodes beside the connections.
    pub(crate) async fn decode<T: Send + 'static>(
        &self,
        incoming: Incoming,
        work: impl FnOnce(&Incoming) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(Incoming, T), Refusal> {
        self.process(move || work(&incoming).map(|decoded| (incoming, decoded))).await?
    }
}

/// The other end of the connection, where the server says it.
pub(crate) fn peer(extensions: &http::Extensions) -> Option<&Peer> {
    extensions.get::<ConnectInfo<Peer>>().map(|info| &info.0)
}

/// The values of a header, joined by commas; what is not text is left out.
pub(crate) fn joined(headers: &HeaderMap, name: &str) -> String {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
}

/// An answer.
pub(crate) fn answer(status: u16, content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    if !content_type.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    response
}

/// An answer with what senders read of it beside: when to come back, or how to say who they are.
pub(crate) fn refused(refusal: &Refusal, mut response: Response) -> Response {
    if let Some(seconds) = refusal.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    // Whatever it is about: clients do not read a 401 without it.
    if response.status() == StatusCode::UNAUTHORIZED {
        for scheme in ["Bearer", "Basic realm=\"logkeep\""] {
            response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
    }
    response
}
