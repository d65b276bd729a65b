//! OTLP over HTTP.
//!
//! Senders drop a batch on 400, 413 and 500 and retry on 429 and 503, so a fault of ours is always one of the latter. They
//! read an error as `google.rpc.Status` in the form of their request.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use logkeep_wire::Decoded;
use logkeep_wire::compress::decompress;
use logkeep_wire::otlp::{
    OtlpError, PartialSuccess, Signal, Status, count_points_json, count_points_protobuf, decode_json, decode_protobuf,
    decode_traces_json, decode_traces_protobuf, error_json, error_protobuf, success_json, success_protobuf,
};

use crate::Intake;
use crate::account::reason;
use crate::counters::Protocol;
use crate::entry::Entry;
use crate::origin::Origin;
use crate::prepare::{Prepared, prepare, prepare_spans};
use crate::refusal::{Kind, Refusal};
use crate::request::{Incoming, SCOPE_ORG_ID, TENANT, answer, refused};

/// The two forms of the same messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Protobuf,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Protobuf => "application/x-protobuf",
        }
    }

    /// What the header says; `None` if it is neither, and `Ok(None)` if it says nothing of use.
    fn declared(content_type: &str) -> Result<Option<Self>, Refusal> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media_type.as_str() {
            "" | "application/octet-stream" => Ok(None),
            name if name.ends_with("json") => Ok(Some(Self::Json)),
            name if name.contains("protobuf") => Ok(Some(Self::Protobuf)),
            _ => {
                let shown: String = media_type.chars().take(60).collect();
                let message =
                    format!("media type `{shown}` is not supported; use application/x-protobuf or application/json");
                Err(Refusal::new(Kind::Unsupported, message))
            }
        }
    }
}

/// No export message begins with `{`: that would be field 15 with a group.
fn sniff(body: &[u8]) -> Form {
    if body.trim_ascii_start().first() == Some(&b'{') { Form::Json } else { Form::Protobuf }
}

/// What OTLP calls this refusal.
pub(crate) fn status(refusal: &Refusal) -> Status {
    let code = match refusal.kind {
        Kind::Malformed | Kind::Unsupported => 3,
        Kind::TooLarge | Kind::Busy => 8,
        Kind::Tenant | Kind::Unauthenticated => 16,
        Kind::Denied => 7,
        Kind::Unavailable => 14,
    };
    Status { code, message: refusal.message.clone(), retry_after_s: refusal.retry_after_s() }
}

impl From<OtlpError> for Refusal {
    fn from(error: OtlpError) -> Self {
        let kind = if matches!(error, OtlpError::TooMany { .. }) { Kind::TooLarge } else { Kind::Malformed };
        Self::new(kind, error.to_string())
    }
}

impl Intake {
    /// `POST /v1/logs`, `/v1/traces` and `/v1/metrics`.
    pub fn otlp_http_router(&self) -> Router {
        let take = |signal| post(async move |State(intake), request| respond(&intake, signal, TENANT, request).await);
        Router::new()
            .route("/v1/logs", take(Signal::Logs))
            .route("/v1/traces", take(Signal::Traces))
            .route("/v1/metrics", take(Signal::Metrics))
            .with_state(self.clone())
    }

    async fn otlp_export(self, signal: Signal, incoming: Incoming) -> Result<PartialSuccess, Refusal> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let read = move |incoming: &Incoming| {
            let body = decompress(&incoming.body, &incoming.content_encoding, max_bytes)?;
            let form = form(Form::declared(&incoming.content_type)?, &body);
            read(signal, form, &body, incoming.entry(), incoming.received_ns)
        };
        let (incoming, (prepared, partial)) = self.decode(incoming, read).await?;
        self.otlp_store(&incoming.origin, signal, prepared, partial).await
    }

    pub(crate) async fn otlp_store(
        &self,
        origin: &Origin,
        signal: Signal,
        prepared: Prepared,
        partial: PartialSuccess,
    ) -> Result<PartialSuccess, Refusal> {
        let kind = if matches!(signal, Signal::Metrics) { reason::UNSUPPORTED } else { reason::MALFORMED };
        let prepared = prepared.rejecting(partial.rejected, kind);
        self.commit(origin, prepared, None).await?;
        // Senders write nothing of it. Of metrics nothing is ever stored, which is no news.
        if partial.rejected > 0 && kind == reason::MALFORMED {
            self.tell_fault(origin, kind, &partial.message);
        }
        Ok(partial)
    }
}

/// What a body is that is said to be this.
fn form(declared: Option<Form>, body: &[u8]) -> Form {
    match declared {
        Some(Form::Json) => Form::Json,
        _ => sniff(body),
    }
}

/// The records of a request, ready to be stored, and what of it cannot be.
pub(crate) fn read(
    signal: Signal,
    form: Form,
    body: &[u8],
    entry: Entry,
    received_ns: i64,
) -> Result<(Prepared, PartialSuccess), Refusal> {
    let decoded = match (signal, form) {
        (Signal::Logs, Form::Json) => decode_json(body, received_ns)?,
        (Signal::Logs, Form::Protobuf) => decode_protobuf(body, received_ns)?,
        (Signal::Traces, Form::Json) => decode_traces_json(body, received_ns)?,
        (Signal::Traces, Form::Protobuf) => decode_traces_protobuf(body, received_ns)?,
        (Signal::Metrics, form) => {
            let count = if form == Form::Json { count_points_json } else { count_points_protobuf };
            return Ok((prepare(entry, [])?, PartialSuccess::of_metrics(count(body)?)));
        }
    };
    let Decoded { records, rejected } = decoded;
    let prepared = match signal {
        Signal::Traces => prepare_spans(entry, records),
        Signal::Logs | Signal::Metrics => prepare(entry, records),
    };
    Ok((prepared?, PartialSuccess::new(&rejected)))
}

/// Logs under Loki's address, with Loki's header for the tenant.
pub(crate) async fn export_scoped(State(intake): State<Intake>, request: Request) -> Response {
    respond(&intake, Signal::Logs, SCOPE_ORG_ID, request).await
}

async fn respond(intake: &Intake, signal: Signal, tenant_header: &str, request: Request) -> Response {
    let content_type = crate::request::joined(request.headers(), "content-type");
    let mut form = Form::declared(&content_type).ok().flatten();
    let sender = intake.sender(Protocol::Otlp, tenant_header, &request);
    let result = async {
        // Even if its form is unknown: a sender that is still sending does not read why.
        let incoming = intake.read(&sender, request).await?;
        Form::declared(&content_type)?;
        form = form.or_else(|| Some(sniff(&incoming.body)));
        Intake::to_the_end(intake.clone().otlp_export(signal, incoming)).await?
    };
    let result = result.await;
    let form = form.unwrap_or(Form::Json);
    match result {
        Ok(partial) => {
            let body = if form == Form::Json { success_json(signal, &partial) } else { success_protobuf(&partial) };
            answer(200, form.media_type(), body)
        }
        Err(refusal) => {
            intake.count_refusal(&sender, &refusal);
            let status = status(&refusal);
            let body = if form == Form::Json { error_json(&status) } else { error_protobuf(&status) };
            refused(&refusal, answer(refusal.status(), form.media_type(), body))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (content_type, expected) in [
            ("", Ok(None)),
            ("application/json; charset=utf-8", Ok(Some(Form::Json))),
            ("application/x-protobuf", Ok(Some(Form::Protobuf))),
            ("application/protobuf", Ok(Some(Form::Protobuf))),
            ("text/plain", Err(415)),
        ] {
            assert_eq!(Form::declared(content_type).map_err(|refusal| refusal.status()), expected, "{content_type}");
        }
        assert_eq!((sniff(b" {}"), sniff(b""), sniff(b"\x0a\x00")), (Form::Json, Form::Protobuf, Form::Protobuf));
    }
}
