//! OTLP over gRPC.
//!
//! The message is taken as bytes and decoded by `wire`, not by tonic: one bad record must not fail its whole request with
//! INTERNAL, which senders drop, and values are counted before they are built. For the same reason tonic's own answers to
//! messages it cannot open are put into the words that senders read.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use bytes::{Buf, BufMut, Bytes};
use logkeep_normalize::Arrival;
use logkeep_record::TenantId;
use logkeep_wire::otlp::{PartialSuccess, decode_protobuf, error_protobuf, success_protobuf};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Code, Status};
use tower_service::Service;

use crate::Intake;
use crate::counters::{Protocol, add};
use crate::otlp_http::status;
use crate::prepare::prepare;
use crate::refusal::Refusal;
use crate::request::{TENANT, source};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// `opentelemetry.proto.collector.logs.v1.LogsService`, for tonic's router.
#[derive(Clone)]
pub(crate) struct OtlpGrpc {
    intake: Intake,
}

impl Intake {
    /// OTLP's log service over gRPC; accepts gzip and zstd.
    pub fn otlp_grpc_router(&self) -> Router {
        let path = format!("/{}/{{*method}}", OtlpGrpc::NAME);
        Router::new().route_service(&path, self.otlp_grpc())
    }

    pub(crate) fn otlp_grpc(&self) -> OtlpGrpc {
        OtlpGrpc { intake: self.clone() }
    }
}

impl NamedService for OtlpGrpc {
    const NAME: &'static str = "opentelemetry.proto.collector.logs.v1.LogsService";
}

impl<B> Service<http::Request<B>> for OtlpGrpc
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let intake = self.intake.clone();
        Box::pin(async move {
            if request.uri().path().rsplit('/').next() != Some("Export") {
                return Ok(Status::unimplemented("the log service has only `Export`").into_http());
            }
            Ok(respond(intake, request).await)
        })
    }
}

async fn respond<B>(intake: Intake, request: http::Request<B>) -> http::Response<tonic::body::Body>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let tenant = intake.tenant(request.headers(), TENANT);
    let source = source(request.extensions());
    // The place is taken before the message is read.
    let admitted = match tenant {
        Ok(tenant) => intake.admit(Protocol::Otlp).await.map(|admission| (tenant, admission)),
        Err(refusal) => Err(refusal),
    };
    let (tenant, _admission) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return refuse(&intake, &refusal).into_http(),
    };
    let max_bytes = intake.inner.options.request_decompressed_bytes;
    let mut grpc = Grpc::new(BytesCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(max_bytes);
    let response = grpc.unary(Export { intake, tenant, source }, request).await;
    in_words_of_senders(response)
}

fn refuse(intake: &Intake, refusal: &Refusal) -> Status {
    intake.count_refused(Protocol::Otlp);
    let status = status(refusal);
    Status::with_details(Code::from_i32(status.code), status.message.clone(), Bytes::from(error_protobuf(&status)))
}

/// tonic says OUT_OF_RANGE to a message that is too large, which senders retry for ever, and INTERNAL to one it cannot open.
/// We never say either ourselves.
fn in_words_of_senders(mut response: http::Response<tonic::body::Body>) -> http::Response<tonic::body::Body> {
    const STATUS: &str = "grpc-status";
    let code = response.headers().get(STATUS).and_then(|code| code.to_str().ok()?.parse().ok());
    let said = match code.map(Code::from_i32) {
        Some(Code::OutOfRange) => Code::ResourceExhausted,
        Some(Code::Internal) => Code::InvalidArgument,
        _ => return response,
    };
    response.headers_mut().insert(STATUS, http::HeaderValue::from(said as i32));
    response
}

/// One call.
struct Export {
    intake: Intake,
    tenant: TenantId,
    source: String,
}

impl UnaryService<Bytes> for Export {
    type Response = Bytes;
    type Future = BoxFuture<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (intake, tenant) = (self.intake.clone(), self.tenant.clone());
        let arrival = Arrival { protocol: Protocol::Otlp.name(), source: self.source.clone() };
        let body = request.into_inner();
        Box::pin(async move {
            let work = intake.clone().otlp_grpc_export(tenant, arrival, body);
            let result = Intake::to_the_end(work).await.and_then(|result| result);
            match result {
                Ok(partial) => Ok(tonic::Response::new(Bytes::from(success_protobuf(&partial)))),
                Err(refusal) => Err(refuse(&intake, &refusal)),
            }
        })
    }
}

impl Intake {
    async fn otlp_grpc_export(
        self,
        tenant: TenantId,
        arrival: Arrival,
        body: Bytes,
    ) -> Result<PartialSuccess, Refusal> {
        add(&self.inner.counters.of(Protocol::Otlp).bytes, body.len());
        let received_ns = self.now_ns();
        let decode = move || {
            let decoded = decode_protobuf(&body, received_ns)?;
            let prepared = prepare(arrival, decoded.records, &body)?;
            Ok::<_, Refusal>((prepared, PartialSuccess::new(&decoded.rejected)))
        };
        let (prepared, partial) = self.process(decode).await??;
        self.count_rejected(Protocol::Otlp, partial.rejected);
        self.commit(Protocol::Otlp, &tenant, prepared, None).await.whole()?;
        Ok(partial)
    }
}

/// Messages as they are.
#[derive(Clone, Copy, Debug, Default)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let bytes = message.remaining();
        Ok(Some(message.copy_to_bytes(bytes)))
    }
}
