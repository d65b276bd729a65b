//! Zipkin's collector API.
//!
//! Tracers do not send again what was answered, whatever the answer. So the good spans of a request are stored first, and
//! then 400 names the bad ones, as Zipkin says it of a whole request.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use logkeep_wire::compress::decompress;
use logkeep_wire::zipkin::{SpansError, decode_v1, decode_v2};
use logkeep_wire::{Decoded, Rejection};

use crate::Intake;
use crate::account::reason;
use crate::counters::Protocol;
use crate::prepare::{Prepared, prepare_spans};
use crate::refusal::{Kind, Refusal};
use crate::request::{Incoming, TENANT, answer, refused};

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

/// Reads a body that arrived at this time.
pub(crate) type Decode = fn(&[u8], i64) -> Result<Decoded<'_>, SpansError>;

impl Intake {
    /// `/api/v2/spans`, `/api/v1/spans`, and what is asked before spans are sent.
    pub fn zipkin_router(&self) -> Router {
        Router::new()
            .route("/api/v2/spans", post(v2))
            .route("/api/v1/spans", post(v1))
            .route("/health", get(async || answer(200, "application/json", r#"{"status":"UP"}"#)))
            .with_state(self.clone())
    }

    /// Stores the spans of a request that is answered with nothing but a status, in the protocol's own words.
    pub(crate) async fn take_spans(&self, protocol: Protocol, decode: Decode, request: Request) -> Response {
        let sender = self.sender(protocol, TENANT, &request);
        let result = async {
            let incoming = self.read(&sender, request).await?;
            Self::to_the_end(self.clone().spans(decode, incoming)).await?
        };
        result.await.unwrap_or_else(|refusal: Refusal| {
            self.count_refusal(&sender, &refusal);
            refused(&refusal, answer(refusal.status(), TEXT, format!("{refusal}\n")))
        })
    }

    async fn spans(self, decode: Decode, incoming: Incoming) -> Result<Response, Refusal> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let work = move |incoming: &Incoming| {
            let body = decompress(&incoming.body, &incoming.content_encoding, max_bytes)?;
            let Decoded { records, rejected } = decode(&body, incoming.received_ns)?;
            let prepared = prepare_spans(incoming.entry(), records)?;
            Ok::<_, Refusal>((prepared, rejected))
        };
        let (incoming, (prepared, rejected)): (_, (Prepared, Vec<Rejection>)) = self.decode(incoming, work).await?;
        let prepared = prepared.rejecting(rejected.len(), reason::MALFORMED);
        self.commit(&incoming.origin, prepared, None).await?;
        Ok(match said(&rejected) {
            None => answer(202, "", ""),
            Some(said) => {
                self.tell_fault(&incoming.origin, reason::MALFORMED, &said);
                answer(400, TEXT, said + "\n")
            }
        })
    }
}

/// How many spans were not stored and why the first ones were not; `None` if all were.
pub(crate) fn said(rejected: &[Rejection]) -> Option<String> {
    const SHOWN: usize = 3;
    if rejected.is_empty() {
        return None;
    }
    let reasons: Vec<_> =
        rejected.iter().take(SHOWN).map(|one| format!("span {}: {}", one.place, one.reason)).collect();
    let more = if rejected.len() > SHOWN { "; …" } else { "" };
    let count = rejected.len();
    Some(format!("{count} spans were not stored, all others were: {}{more}", reasons.join("; ")))
}

impl From<SpansError> for Refusal {
    fn from(error: SpansError) -> Self {
        let kind = if matches!(error, SpansError::TooMany { .. }) { Kind::TooLarge } else { Kind::Malformed };
        Self::new(kind, error.to_string())
    }
}

async fn v2(State(intake): State<Intake>, request: Request) -> Response {
    intake.take_spans(Protocol::Zipkin, decode_v2, request).await
}

async fn v1(State(intake): State<Intake>, request: Request) -> Response {
    intake.take_spans(Protocol::Zipkin, decode_v1, request).await
}
