//! JSON without any protocol around it: bodies of documents over HTTP (Logstash's and Fluent Bit's http outputs, Vector,
//! scripts), and lines of them over TCP and UDP (Logstash's tcp output, python-logstash-async).
//!
//! Fluent Bit's http output writes events in MessagePack unless it is told to write JSON. They are told by their first byte.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use logkeep_record::{Record, Resource};
use logkeep_wire::documents::{documents, record, text};
use logkeep_wire::frame::{Frame, Framer};
use logkeep_wire::{forward, ndjson};
use serde_json::json;

use crate::Intake;
use crate::counters::Protocol;
use crate::documents::Bodies;
use crate::refusal::{Kind, Refusal};
use crate::request::{TENANT, answer, refused};
use crate::unanswered::Dialect;

/// Reads lines off streams and datagrams.
pub(crate) struct Lines(Arc<Resource>);

impl Default for Lines {
    fn default() -> Self {
        Self(Resource::from_attributes(Vec::new()))
    }
}

impl Dialect for Lines {
    const PROTOCOL: Protocol = Protocol::Json;
    type Assembler = ();

    fn framer() -> Framer {
        Framer::lines()
    }

    fn record<'a>(&mut self, message: &Frame<'a>, received_ns: i64) -> Record<'a> {
        ndjson::framed(message, received_ns, self.0.clone())
    }
}

impl Intake {
    /// `POST /api/v1/ingest/json`: a document, documents one after the other, or an array of them.
    pub fn json_router(&self) -> Router {
        Router::new().route("/api/v1/ingest/json", post(receive).put(receive)).with_state(self.clone())
    }

    /// The same at any path, as Logstash's http input has it.
    pub fn json_router_anywhere(&self) -> Router {
        Router::new().fallback(post(receive).put(receive)).with_state(self.clone())
    }
}

async fn receive(State(intake): State<Intake>, request: Request) -> Response {
    let sender = intake.sender(Protocol::Json, TENANT, &request);
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        intake.store_body(incoming, None, read).await
    };
    match result.await {
        Ok(done) => {
            let status = if done.rejected == 0 { 200 } else { 400 };
            let errors: Vec<_> =
                done.rejections.iter().map(|(place, reason)| json!({"place": place, "reason": reason})).collect();
            let body = json!({
                "received": done.stored + done.rejected,
                "stored": done.stored - done.known,
                "deduplicated": done.known,
                "rejected": done.rejected,
                "errors": errors,
            });
            answer(status, "application/json", body.to_string())
        }
        Err(refusal) => {
            let refusal: Refusal = refusal;
            intake.count_refusal(&sender, &refusal);
            let status = if refusal.kind == Kind::Tenant { 403 } else { refusal.status() };
            let body = json!({"error": {"code": refusal.code(), "message": refusal.message}});
            refused(&refusal, answer(status, "application/json", body.to_string()))
        }
    }
}

fn read(bodies: &mut Bodies<'_>, body: &[u8], received_ns: i64) -> Result<(), Refusal> {
    if forward::is_events(body) {
        for event in forward::events(body, received_ns) {
            match event {
                Ok(record) => bodies.push(record)?,
                Err(reason) => bodies.reject(reason),
            }
        }
        return Ok(());
    }
    for document in documents(&text(body)) {
        match document {
            Ok(document) => bodies.push(record(document, received_ns, bodies.resource()))?,
            Err(reason) => bodies.reject(reason),
        }
    }
    Ok(())
}
