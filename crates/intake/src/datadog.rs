//! Datadog's log intake, over HTTP (version 2 and 1) and TCP, and what an Agent asks for beside it.
//!
//! An Agent drops what 400, 401, 403 and 413 answer and repeats anything else for ever, in front of all that follows. So
//! only a body of which nothing can ever be stored is refused, and a tenant or key that is not known with a status that keeps
//! the records. What an Agent sends beside logs is taken and let go: it must not think the site is down.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use http::header::{CONTENT_LENGTH, EXPECT};
use logkeep_record::{Record, Resource};
use logkeep_wire::datadog;
use logkeep_wire::documents::{documents, text};
use logkeep_wire::frame::{Frame, Framer};
use logkeep_wire::ndjson;

use crate::Intake;
use crate::body::discard;
use crate::counters::{Protocol, add};
use crate::documents::Bodies;
use crate::refusal::Refusal;
use crate::request::{TENANT, answer, refused};
use crate::unanswered::Dialect;

const JSON: &str = "application/json";

/// Reads lines with a key in front.
pub(crate) struct Lines(Arc<Resource>);

impl Default for Lines {
    fn default() -> Self {
        Self(Resource::from_attributes(Vec::new()))
    }
}

impl Dialect for Lines {
    const PROTOCOL: Protocol = Protocol::Datadog;
    type Assembler = ();

    fn framer() -> Framer {
        Framer::lines()
    }

    fn record<'a>(&mut self, message: &Frame<'a>, received_ns: i64) -> Record<'a> {
        datadog::line(message, received_ns, self.0.clone())
    }
}

impl Intake {
    /// The intake on bare paths.
    pub fn datadog_router(&self) -> Router {
        let mut router = Router::new()
            .route("/api/v2/logs", post(async |state, request| receive(state, request, 202).await))
            .route("/v1/input", post(async |state, request| receive(state, request, 200).await))
            .route("/v1/input/{key}", post(async |state, request| receive(state, request, 200).await))
            .route("/api/v1/validate", get(validate));
        for path in [
            "/api/v1/check_run",
            "/api/v1/series",
            "/api/v2/series",
            "/api/v1/metadata",
            "/api/v2/host_metadata",
            "/api/v1/container",
            "/api/beta/sketches",
            "/intake/",
        ] {
            router = router.route(path, any(async |state, request| let_go(state, Protocol::Datadog, request).await));
        }
        router.with_state(self.clone())
    }

    /// The intake below `/datadog`.
    pub fn datadog_router_on_main(&self) -> Router {
        Router::new().nest("/datadog", self.datadog_router())
    }
}

/// What an Agent asks before it sends: whether its key is good.
async fn validate(State(intake): State<Intake>, request: Request) -> Response {
    match intake.sender(Protocol::Datadog, TENANT, &request).let_in() {
        Ok(_) => answer(200, JSON, r#"{"valid":true}"#),
        Err(_) => answer(403, JSON, r#"{"valid":false}"#),
    }
}

/// What is no log.
pub(crate) async fn let_go(State(intake): State<Intake>, protocol: Protocol, request: Request) -> Response {
    let sender = intake.sender(protocol, TENANT, &request);
    let (parts, whole) = request.into_parts();
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let waits = parts.headers.contains_key(EXPECT);
    // Read under the same bounds as what is stored, so that the connection can go on.
    add(&intake.inner.counters.of(protocol).requests, 1);
    if let Err(refusal) = sender.let_in() {
        discard(whole, waits).await;
        intake.count_refusal(&sender, &refusal);
        return refused(&refusal, answer(refusal.status(), JSON, "{}"));
    }
    match intake.read_body(whole, declared, waits, intake.inner.options.request_bytes).await {
        Ok(_) => answer(202, JSON, r#"{"status":"ok"}"#),
        Err(refusal) => refused(&refusal, answer(refusal.status(), JSON, "{}")),
    }
}

async fn receive(State(intake): State<Intake>, request: Request, success: u16) -> Response {
    let sender = intake.sender(Protocol::Datadog, TENANT, &request);
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        intake.store_body(incoming, None, read).await
    };
    match result.await {
        Ok(done) if done.stored == 0 && done.rejected > 0 => {
            answer(400, JSON, errors(400, &done.rejection().unwrap_or_default()))
        }
        Ok(_) => answer(success, JSON, "{}"),
        Err(refusal) => {
            let refusal: Refusal = refusal;
            intake.count_refusal(&sender, &refusal);
            let status = if refusal.is_about_the_sender() { 409 } else { refusal.status() };
            refused(&refusal, answer(status, JSON, errors(status, &refusal.message)))
        }
    }
}

fn read(bodies: &mut Bodies<'_>, body: &[u8], received_ns: i64) -> Result<(), Refusal> {
    let whole = text(body);
    if !whole.trim_ascii_start().starts_with(['{', '[']) {
        for line in ndjson::lines(body) {
            bodies.push(ndjson::record(line, received_ns, bodies.resource()))?;
        }
        return Ok(());
    }
    for document in documents(&whole) {
        match document.map(|document| datadog::document(document, received_ns, bodies.resource())) {
            Ok(Some(record)) => bodies.push(record)?,
            Ok(None) => {}
            Err(reason) => bodies.reject(reason),
        }
    }
    Ok(())
}

fn errors(status: u16, detail: &str) -> String {
    serde_json::json!({"errors": [{"status": status.to_string(), "title": "the logs were not stored", "detail": detail}]})
        .to_string()
}
