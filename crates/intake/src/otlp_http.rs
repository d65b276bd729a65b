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
    OtlpError, PartialSuccess, Status, decode_json, decode_protobuf, error_json, error_protobuf, success_json,
    success_protobuf,
};

use crate::Intake;
use crate::counters::Protocol;
use crate::prepare::{Prepared, prepare};
use crate::refusal::{Kind, Refusal};
use crate::request::{Incoming, SCOPE_ORG_ID, TENANT, answer, refused};

/// The two forms of the same messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
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
        Kind::Tenant => 16,
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
    /// `POST /v1/logs`.
    pub fn otlp_http_router(&self) -> Router {
        Router::new().route("/v1/logs", post(export)).with_state(self.clone())
    }

    async fn otlp_export(self, incoming: Incoming) -> Result<PartialSuccess, Refusal> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let (incoming, (prepared, partial)) = self.decode(incoming, move |incoming| read(incoming, max_bytes)).await?;
        self.count_rejected(Protocol::Otlp, partial.rejected);
        self.commit(Protocol::Otlp, &incoming.tenant, prepared, None).await.whole()?;
        Ok(partial)
    }
}

fn read(incoming: &Incoming, max_bytes: usize) -> Result<(Prepared, PartialSuccess), Refusal> {
    let body = decompress(&incoming.body, &incoming.content_encoding, max_bytes)?;
    let declared = Form::declared(&incoming.content_type)?;
    let Decoded { records, rejected } = match (declared, sniff(&body)) {
        (Some(Form::Json), _) | (_, Form::Json) => decode_json(&body, incoming.received_ns)?,
        (_, Form::Protobuf) => decode_protobuf(&body, incoming.received_ns)?,
    };
    let prepared = prepare(incoming.arrival(Protocol::Otlp), records, &incoming.body)?;
    Ok((prepared, PartialSuccess::new(&rejected)))
}

async fn export(State(intake): State<Intake>, request: Request) -> Response {
    respond(&intake, TENANT, request).await
}

/// Under Loki's address, with Loki's header for the tenant.
pub(crate) async fn export_scoped(State(intake): State<Intake>, request: Request) -> Response {
    respond(&intake, SCOPE_ORG_ID, request).await
}

async fn respond(intake: &Intake, tenant_header: &str, request: Request) -> Response {
    let content_type = crate::request::joined(request.headers(), "content-type");
    let mut form = Form::declared(&content_type).ok().flatten();
    let result = async {
        // Even if its form is unknown: a sender that is still sending does not read why.
        let incoming = intake.read(Protocol::Otlp, tenant_header, request).await?;
        Form::declared(&content_type)?;
        form = form.or_else(|| Some(sniff(&incoming.body)));
        Intake::to_the_end(intake.clone().otlp_export(incoming)).await?
    };
    let result = result.await;
    let form = form.unwrap_or(Form::Json);
    match result {
        Ok(partial) => {
            let body = if form == Form::Json { success_json(&partial) } else { success_protobuf(&partial) };
            answer(200, form.media_type(), body)
        }
        Err(refusal) => {
            intake.count_refused(Protocol::Otlp);
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
