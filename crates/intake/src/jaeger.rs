//! Jaeger's ways in: Thrift over HTTP and UDP, gRPC, and the question how much to sample.
//!
//! Clients drop what was not answered with success, so the good spans of a batch are stored whatever becomes of the others.

mod udp;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use logkeep_wire::Decoded;
use logkeep_wire::jaeger::{decode_batch, decode_post_spans, strategy_json, strategy_protobuf};

use crate::Intake;
use crate::account::reason;
use crate::counters::Protocol;
use crate::grpc::Method;
use crate::origin::Origin;
use crate::prepare::prepare_spans;
use crate::refusal::{Kind, Refusal};
use crate::request::answer;
use crate::zipkin::said;

pub(crate) use udp::udp;

impl Intake {
    /// `POST /api/traces`, and sampling.
    pub fn jaeger_http_router(&self) -> Router {
        Router::new().route("/api/traces", post(batch)).with_state(self.clone()).merge(self.jaeger_sampling_router())
    }

    /// What clients ask an agent: how much to sample. The answer is "everything", because what to keep is decided here.
    pub fn jaeger_sampling_router(&self) -> Router {
        let sampling = || get(async || answer(200, "application/json", strategy_json()));
        Router::new().route("/sampling", sampling()).route("/api/sampling", sampling())
    }

    /// `jaeger.api_v2`: `CollectorService/PostSpans` and `SamplingManager/GetSamplingStrategy`.
    pub fn jaeger_grpc_router(&self) -> Router {
        self.grpc_router(&[
            Method {
                protocol: Protocol::Jaeger,
                service: "jaeger.api_v2.CollectorService",
                name: "PostSpans",
                work: |intake, origin, body| Box::pin(intake.post_spans(origin, body)),
            },
            Method {
                protocol: Protocol::Jaeger,
                service: "jaeger.api_v2.SamplingManager",
                name: "GetSamplingStrategy",
                work: |_, _, _| Box::pin(async { Ok(strategy_protobuf().into()) }),
            },
        ])
    }

    /// The answer has no place for what was not stored, so a request of which a span is bad is refused after the others
    /// were stored.
    async fn post_spans(self, origin: Origin, body: Bytes) -> Result<Bytes, Refusal> {
        let (received_ns, entry) = (self.now_ns(), self.entry(&origin));
        let work = move || {
            let Decoded { records, rejected } = decode_post_spans(&body, received_ns)?;
            Ok::<_, Refusal>((prepare_spans(entry, records)?, rejected))
        };
        let (prepared, rejected) = self.process(work).await??;
        let prepared = prepared.rejecting(rejected.len(), reason::MALFORMED);
        self.commit(&origin, prepared, None).await?;
        match said(&rejected) {
            None => Ok(Bytes::new()),
            Some(said) => Err(Refusal::new(Kind::Malformed, said)),
        }
    }
}

async fn batch(State(intake): State<Intake>, request: Request) -> Response {
    intake.take_spans(Protocol::Jaeger, |body, received_ns| decode_batch(body, received_ns), request).await
}
