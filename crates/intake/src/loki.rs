//! Loki's push API.
//!
//! Promtail drops what any 4xx but 429 answers, and so a push of which some lines are wrong stores the others first and then
//! says 400, as Loki does (`wire::loki`).

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use logkeep_wire::loki::{Body, LokiError, decode_json, decode_protobuf, open, push_answer};
use logkeep_wire::{Decoded, Rejection};

use crate::account::reason;
use crate::counters::Protocol;
use crate::prepare::{Prepared, prepare};
use crate::refusal::{Kind, Refusal};
use crate::request::{Incoming, SCOPE_ORG_ID, answer, refused};
use crate::{Intake, otlp_http};

const TEXT: &str = "text/plain; charset=utf-8";

impl Intake {
    /// Loki's paths: `/loki/api/v1/push`, the old `/api/prom/push`, `/otlp/v1/logs`, and what clients ask before they send.
    pub fn loki_router(&self) -> Router {
        Router::new()
            .route("/loki/api/v1/push", post(push))
            .route("/api/prom/push", post(push))
            .route("/otlp/v1/logs", post(otlp_http::export_scoped))
            .route("/ready", get(async || answer(200, TEXT, "ready\n")))
            .route("/loki/api/v1/status/buildinfo", get(build_info))
            .with_state(self.clone())
    }

    async fn loki_push(self, incoming: Incoming) -> Result<Response, Refusal> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let (incoming, read) = self.decode(incoming, move |incoming| read(incoming, max_bytes)).await?;
        self.commit(&incoming.origin, read.prepared, None).await?;
        let (status, text) = push_answer(&read.rejected, read.lines);
        if !read.rejected.is_empty() {
            self.tell_fault(&incoming.origin, reason::MALFORMED, &text);
        }
        Ok(answer(status, if text.is_empty() { "" } else { TEXT }, text))
    }
}

struct Read {
    prepared: Prepared,
    rejected: Vec<Rejection>,
    lines: usize,
}

fn read(incoming: &Incoming, max_bytes: usize) -> Result<Read, Refusal> {
    let body = open(&incoming.body, &incoming.content_type, &incoming.content_encoding, max_bytes)?;
    let Decoded { records, rejected } = match &body {
        Body::Json(body) => decode_json(body, incoming.received_ns)?,
        Body::Protobuf(body) => decode_protobuf(body, incoming.received_ns)?,
    };
    let lines = records.len() + rejected.len();
    let prepared = prepare(incoming.entry(), records)?;
    let prepared = prepared.rejecting(rejected.len(), reason::MALFORMED);
    Ok(Read { prepared, rejected, lines })
}

impl From<LokiError> for Refusal {
    fn from(error: LokiError) -> Self {
        let kind = match error.answer().0 {
            413 => Kind::TooLarge,
            415 => Kind::Unsupported,
            _ => Kind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}

async fn push(State(intake): State<Intake>, request: Request) -> Response {
    let sender = intake.sender(Protocol::Loki, SCOPE_ORG_ID, &request);
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        Intake::to_the_end(intake.clone().loki_push(incoming)).await?
    };
    result.await.unwrap_or_else(|refusal: Refusal| {
        intake.count_refusal(&sender, &refusal);
        refused(&refusal, answer(refusal.status(), TEXT, format!("{refusal}\n")))
    })
}

async fn build_info() -> Response {
    let info = serde_json::json!({
        "version": "3.0.0", "revision": env!("CARGO_PKG_VERSION"), "branch": "", "buildUser": "", "buildDate": "",
        "goVersion": ""
    });
    answer(200, "application/json", info.to_string())
}
