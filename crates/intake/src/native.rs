//! Our own way in: what `curl`, scripts and `logkeep import` use (`docs/api.md`).

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use axum::routing::post;
use logkeep_normalize::LineFormat;
use logkeep_wire::compress::decompress;
use serde_json::json;

use crate::counters::Protocol;
use crate::refusal::{Kind, Refusal};
use crate::request::{Incoming, TENANT, answer, refused};
use crate::{Intake, lines};

/// Header with the sender's key for a batch.
const BATCH: &str = "x-logkeep-batch";
/// Characters of such a key.
const KEY_CHARS: usize = 256;
/// Characters of the name of a source.
const SOURCE_CHARS: usize = 1_024;
const JSON: &str = "application/json";

/// What a request says beside its lines.
struct Asked {
    key: Option<Vec<u8>>,
    format: Option<LineFormat>,
    source: Option<String>,
}

impl Intake {
    /// `/api/v1/ingest/ndjson` and `/api/v1/ingest/lines`.
    pub fn native_router(&self) -> Router {
        let routes = Router::new().route("/ndjson", post(ndjson)).route("/lines", post(import));
        Router::new().nest("/api/v1/ingest", routes).with_state(self.clone())
    }

    async fn native(self, incoming: Incoming, asked: Asked) -> Result<Response, Refusal> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let source = asked.source;
        let mut entry = incoming.entry();
        entry.arrival.source = source.unwrap_or(entry.arrival.source);
        let decode = move |incoming: &Incoming| {
            let body = decompress(&incoming.body, &incoming.content_encoding, max_bytes)?;
            lines::prepare(entry, &body, asked.format, incoming.received_ns)
        };
        let (incoming, prepared) = self.decode(incoming, decode).await?;
        let stored = self.commit(&incoming.origin, prepared, asked.key.as_deref()).await?;
        let body = json!({
            "received": stored.records,
            "stored": stored.stored(),
            "deduplicated": stored.known(),
            "rejected": 0,
            "errors": [],
        });
        Ok(answer(200, JSON, body.to_string()))
    }
}

/// One record a line, whatever is in it.
async fn ndjson(State(intake): State<Intake>, request: Request) -> Response {
    let asked = key(&request).map(|key| Asked { key, format: Some(LineFormat::NdJson), source: None });
    respond(&intake, asked, Protocol::Ndjson, request).await
}

/// The lines of a file, whose form may join or open them.
async fn import(State(intake): State<Intake>, request: Request) -> Response {
    let asked = asked_of_import(&request);
    respond(&intake, asked, Protocol::Import, request).await
}

fn asked_of_import(request: &Request) -> Result<Asked, Refusal> {
    let bad = |what: String| Refusal::new(Kind::Malformed, what);
    let Query(parameters) =
        Query::<Vec<(String, String)>>::try_from_uri(request.uri()).map_err(|error| bad(error.body_text()))?;
    let (mut format, mut source) = (None, None);
    for (name, value) in parameters {
        match name.as_str() {
            "format" if value == "auto" => format = None,
            "format" => format = Some(value.parse::<LineFormat>().map_err(|error| bad(error.to_string()))?),
            "source" => source = Some(value.chars().take(SOURCE_CHARS).collect()),
            _ => {
                let shown: String = name.chars().take(60).collect();
                return Err(bad(format!("`{shown}` is no parameter; there are `format` and `source`")));
            }
        }
    }
    Ok(Asked { key: key(request)?, format, source })
}

fn key(request: &Request) -> Result<Option<Vec<u8>>, Refusal> {
    let Some(key) = request.headers().get(BATCH) else { return Ok(None) };
    if key.is_empty() || key.len() > KEY_CHARS {
        let message = format!("a batch key has 1 to {KEY_CHARS} characters, this one has {}", key.len());
        return Err(Refusal::new(Kind::Malformed, message));
    }
    Ok(Some([b"batch\0", key.as_bytes()].concat()))
}

async fn respond(intake: &Intake, asked: Result<Asked, Refusal>, protocol: Protocol, request: Request) -> Response {
    let sender = intake.sender(protocol, TENANT, &request);
    let result = async {
        // Even if what is asked is wrong: a sender that is still sending does not read why.
        let incoming = intake.read(&sender, request).await?;
        let asked = asked?;
        Intake::to_the_end(intake.clone().native(incoming, asked)).await?
    };
    result.await.unwrap_or_else(|refusal: Refusal| {
        intake.count_refusal(&sender, &refusal);
        let status = if refusal.kind == Kind::Tenant { 403 } else { refusal.status() };
        let body = json!({"error": {"code": refusal.code(), "message": refusal.message}});
        refused(&refusal, answer(status, JSON, body.to_string()))
    })
}
