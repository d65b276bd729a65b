//! AWS Firehose and Google Pub/Sub, which push over HTTP.
//!
//! Both deliver again until they hear what they want to hear, with the same id, by which a delivery is known.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use logkeep_wire::cloud::{common_attributes, firehose, firehose_answer, pubsub};
use logkeep_wire::compress::decompress;
use logkeep_wire::documents::text;
use sha2::{Digest, Sha256};

use crate::Intake;
use crate::counters::Protocol;
use crate::documents::Bodies;
use crate::refusal::{Kind, Refusal};
use crate::request::{Incoming, TENANT, answer, joined, refused};

const REQUEST_ID: &str = "x-amz-firehose-request-id";
const COMMON_ATTRIBUTES: &str = "x-amz-firehose-common-attributes";
const JSON: &str = "application/json";

impl Intake {
    /// `POST /firehose`, to be given to Firehose as its HTTP endpoint.
    pub fn firehose_router(&self) -> Router {
        Router::new().route("/firehose", post(receive_firehose)).with_state(self.clone())
    }

    /// `POST /pubsub/push`, to be given to Pub/Sub as its push endpoint.
    pub fn pubsub_router(&self) -> Router {
        Router::new().route("/pubsub/push", post(receive_pubsub)).with_state(self.clone())
    }

    /// The body without its compression, which the id of a delivery is in.
    async fn opened(&self, incoming: Incoming) -> Result<Incoming, Refusal> {
        let max_bytes = self.inner.options.request_decompressed_bytes;
        let open = move |incoming: &Incoming| {
            Ok(decompress(&incoming.body, &incoming.content_encoding, max_bytes)?.into_owned())
        };
        let (mut incoming, body) = self.decode(incoming, open).await?;
        (incoming.body, incoming.content_encoding) = (body.into(), String::new());
        Ok(incoming)
    }
}

async fn receive_firehose(State(intake): State<Intake>, request: Request) -> Response {
    let sender = intake.sender(Protocol::Firehose, TENANT, &request);
    let request_id = joined(request.headers(), REQUEST_ID);
    let common = common_attributes(&joined(request.headers(), COMMON_ATTRIBUTES));
    let mut said_id = request_id.clone();
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        let incoming = intake.opened(incoming).await?;
        let content = Sha256::digest(&incoming.body);
        let key = {
            let body = text(&incoming.body);
            let delivery = firehose(&body).map_err(|error| Refusal::new(Kind::Malformed, error.to_string()))?;
            said_id = delivery.request_id.clone().into_owned();
            [b"firehose\0", content.as_slice(), said_id.as_bytes()].concat()
        };
        let read = move |bodies: &mut Bodies<'_>, body: &[u8], received_ns| {
            let body = text(body);
            let delivery = firehose(&body).map_err(|error| Refusal::new(Kind::Malformed, error.to_string()))?;
            delivery.each(received_ns, &common, |record| match record {
                Ok(record) => bodies.push(record),
                Err(reason) => {
                    bodies.reject(reason);
                    Ok(())
                }
            })
        };
        intake.store_body(incoming, Some(key), read).await
    };
    let result = result.await;
    let now_ms = intake.now_ns() / 1_000_000;
    match result {
        // What is no record will be none the next time either.
        Ok(_) => answer(200, JSON, firehose_answer(&said_id, now_ms, None)),
        Err(refusal) => {
            intake.count_refusal(&sender, &refusal);
            let body = firehose_answer(&said_id, now_ms, Some(&refusal.message));
            refused(&refusal, answer(refusal.status(), JSON, body))
        }
    }
}

async fn receive_pubsub(State(intake): State<Intake>, request: Request) -> Response {
    let sender = intake.sender(Protocol::PubSub, TENANT, &request);
    let malformed = |error: logkeep_wire::cloud::CloudError| Refusal::new(Kind::Malformed, error.to_string());
    let result = async {
        let incoming = intake.read(&sender, request).await?;
        let incoming = intake.opened(incoming).await?;
        let key = pubsub(&text(&incoming.body)).map_err(malformed)?.key();
        let read = move |bodies: &mut Bodies<'_>, body: &[u8], received_ns| {
            let body = text(body);
            let message = pubsub(&body).map_err(malformed)?;
            let data = message.data().map_err(malformed)?;
            bodies.push(message.record(&data, received_ns))
        };
        intake.store_body(incoming, Some(key), read).await
    };
    match result.await {
        Ok(_) => answer(204, "", ""),
        Err(refusal) => {
            intake.count_refusal(&sender, &refusal);
            refused(&refusal, answer(refusal.status(), "text/plain; charset=utf-8", format!("{refusal}\n")))
        }
    }
}
