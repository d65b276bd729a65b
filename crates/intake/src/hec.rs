//! Splunk's HTTP Event Collector.
//!
//! Senders ask before they send: Docker starts no container unless `OPTIONS` without a token is answered with 200. An ack id
//! is only given to what is durable, so every question about acks is answered with yes.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::Uri;
use logkeep_record::Value;
use logkeep_wire::documents::text;
use logkeep_wire::hec::{Answer, Metadata, acks, events, raw};

use crate::Intake;
use crate::counters::Protocol;
use crate::documents::Bodies;
use crate::refusal::{Kind, Refusal};
use crate::request::{TENANT, answer, refused};
use crate::senders::Sender;

const CHANNEL: &str = "x-splunk-request-channel";

impl Intake {
    /// The collector's paths.
    pub fn hec_router(&self) -> Router {
        let at = |path: &str| format!("/services/collector{path}");
        let mut router = Router::new();
        for path in ["", "/event", "/event/1.0", "/mint", "/mint/1.0"] {
            router = router.route(&at(path), post(receive_events).options(probe));
        }
        for path in ["/raw", "/raw/1.0"] {
            router = router.route(&at(path), post(receive_raw).options(probe));
        }
        for path in ["/health", "/health/1.0"] {
            router = router.route(&at(path), get(async || say(Answer::Healthy, None)));
        }
        router.route(&at("/ack"), post(receive_acks)).with_state(self.clone())
    }
}

async fn probe() -> Response {
    answer(200, "", "")
}

fn say(said: Answer, extra: Option<(&str, u64)>) -> Response {
    answer(said.parts().0, "application/json", said.body(extra))
}

async fn receive_events(State(intake): State<Intake>, request: Request) -> Response {
    let has_channel = has_channel(&request);
    let sender = intake.sender(Protocol::Hec, TENANT, &request);
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        let mut first_fault = None;
        let (sender, fault) = tokio::sync::oneshot::channel();
        let read = move |bodies: &mut Bodies<'_>, body: &[u8], received_ns| {
            for (place, event) in events(&text(body), received_ns, &bodies.resource()).enumerate() {
                match event {
                    Ok(record) => bodies.push(record)?,
                    Err(fault) => {
                        first_fault.get_or_insert((fault, place as u64));
                        bodies.reject(fault.parts().2);
                    }
                }
            }
            // Nobody listens any more if the request has failed.
            let _ = sender.send(first_fault);
            Ok(())
        };
        let done = intake.store_body(incoming, None, read).await?;
        Ok((done, fault.await.ok().flatten()))
    };
    match result.await {
        Ok((_, Some((fault, place)))) => say(fault, Some(("invalid-event-number", place))),
        Ok((done, None)) if done.stored == 0 => say(Answer::NoData, None),
        Ok(_) => success(&intake, has_channel),
        Err(refusal) => refuse(&intake, &sender, &refusal),
    }
}

async fn receive_raw(State(intake): State<Intake>, request: Request) -> Response {
    let has_channel = has_channel(&request);
    let sender = intake.sender(Protocol::Hec, TENANT, &request);
    let parameters = parameters(request.uri());
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        let read = move |bodies: &mut Bodies<'_>, body: &[u8], received_ns| {
            let mut metadata = Metadata::default();
            for (name, value) in &parameters {
                metadata.set(name, Value::str(value));
            }
            for line in text(body).lines().filter(|line| !line.trim().is_empty()) {
                bodies.push(raw(line, &metadata, received_ns, bodies.resource()))?;
            }
            Ok(())
        };
        intake.store_body(incoming, None, read).await
    };
    match result.await {
        Ok(done) if done.stored == 0 => say(Answer::NoData, None),
        Ok(_) => success(&intake, has_channel),
        Err(refusal) => refuse(&intake, &sender, &refusal),
    }
}

async fn receive_acks(State(intake): State<Intake>, request: Request) -> Response {
    if !has_channel(&request) {
        return say(Answer::NoChannel, None);
    }
    let sender = intake.sender(Protocol::Hec, TENANT, &request);
    match intake.read(&sender, request).await {
        Ok(incoming) => match acks(&text(&incoming.body)) {
            Some(body) => answer(200, "application/json", body),
            None => say(Answer::InvalidData, None),
        },
        Err(refusal) => refuse(&intake, &sender, &refusal),
    }
}

fn success(intake: &Intake, has_channel: bool) -> Response {
    let id = || intake.inner.hec_acks.fetch_add(1, Ordering::Relaxed);
    say(Answer::Success, has_channel.then(|| ("ackId", id())))
}

fn refuse(intake: &Intake, sender: &Sender, refusal: &Refusal) -> Response {
    intake.count_refusal(sender, refusal);
    let (status, said) = match refusal.kind {
        Kind::Malformed => (400, Answer::InvalidData),
        Kind::TooLarge => (413, Answer::InvalidData),
        Kind::Unsupported => (415, Answer::InvalidData),
        Kind::Unauthenticated => (401, Answer::NoToken),
        Kind::Tenant | Kind::Denied => (403, Answer::InvalidToken),
        // Senders do not know 429 here.
        Kind::Busy | Kind::Unavailable => (503, Answer::Busy),
    };
    refused(refusal, answer(status, "application/json", said.body(None)))
}

/// Senders that name a channel want to ask for acks.
fn has_channel(request: &Request) -> bool {
    request.headers().contains_key(CHANNEL) || parameters(request.uri()).iter().any(|(name, _)| name == "channel")
}

fn parameters(uri: &Uri) -> Vec<(String, String)> {
    Query::<Vec<(String, String)>>::try_from_uri(uri).map(|query| query.0).unwrap_or_default()
}
