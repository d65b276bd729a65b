//! Unary methods of gRPC.
//!
//! A message is taken as bytes and decoded by `wire`, not by tonic: one bad record must not fail its whole request with
//! INTERNAL, which senders drop, and values are counted before they are built. For the same reason tonic's own answers to
//! messages it cannot open are put into the words that senders read.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use bytes::{Buf, BufMut, Bytes};
use http_body_util::BodyExt as _;
use logkeep_wire::otlp::error_protobuf;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, UnaryService};
use tonic::{Code, Status};
use tower_service::Service;

use crate::counters::{Protocol, add};
use crate::origin::Origin;
use crate::otlp_http::status;
use crate::refusal::Refusal;
use crate::request::TENANT;
use crate::{Intake, body};

pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Does what a method does, and gives its answer as a message. The answer leaves once what it promises is durable.
type Work = fn(Intake, Origin, Bytes) -> BoxFuture<Result<Bytes, Refusal>>;

/// A method of one message in and one out.
#[derive(Clone, Copy)]
pub(crate) struct Method {
    /// Whose counters.
    pub(crate) protocol: Protocol,
    /// Such as `opentelemetry.proto.collector.logs.v1.LogsService`; none has two methods.
    pub(crate) service: &'static str,
    /// Such as `Export`.
    pub(crate) name: &'static str,
    pub(crate) work: Work,
}

impl Intake {
    /// Methods as routes; they accept gzip and zstd.
    pub(crate) fn grpc_router(&self, methods: &[Method]) -> Router {
        let add = |router: Router, method: &Method| {
            let Method { service, name, .. } = method;
            let unary = Unary { intake: self.clone(), method: *method };
            router
                .route_service(&format!("/{service}/{name}"), unary)
                .route(&format!("/{service}/{{*method}}"), any(unimplemented))
        };
        methods.iter().fold(Router::new(), add)
    }
}

pub(crate) async fn unimplemented() -> http::Response<tonic::body::Body> {
    Status::unimplemented("this service has no such method").into_http()
}

#[derive(Clone)]
struct Unary {
    intake: Intake,
    method: Method,
}

impl<B> Service<http::Request<B>> for Unary
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
        let (intake, method) = (self.intake.clone(), self.method);
        Box::pin(async move { Ok(respond(intake, method, request).await) })
    }
}

/// What a message of gRPC has before it.
const FRAME_BYTES: usize = 5;

async fn respond<B>(intake: Intake, method: Method, request: http::Request<B>) -> http::Response<tonic::body::Body>
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    let sender = intake.sender(method.protocol, TENANT, &request);
    let max_bytes = intake.inner.options.request_decompressed_bytes;
    let (head, body) = request.into_parts();
    let body = Box::pin(body.map_err(Into::<Box<dyn std::error::Error + Send + Sync>>::into));
    // The place is taken when the message is here: one that never ends must keep nobody out.
    let admitted = async {
        let origin = sender.let_in()?.clone();
        let whole = intake.read_body(body, None, false, max_bytes + FRAME_BYTES).await?;
        Ok((whole, intake.admit(method.protocol).await?, origin))
    };
    let (body::Whole { bytes, held: _held }, _admission, origin) = match admitted.await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            intake.count_refusal(&sender, &refusal);
            return said(&refusal).into_http();
        }
    };
    let request = http::Request::from_parts(head, Body::from(bytes));
    let response = grpc(max_bytes).unary(Call { intake, method, origin }, request).await;
    in_words_of_senders(response)
}

/// Reads messages as they are, of at most so many bytes, compressed or not.
pub(crate) fn grpc(max_bytes: usize) -> Grpc<BytesCodec> {
    Grpc::new(BytesCodec)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(max_bytes)
}

pub(crate) fn refuse(intake: &Intake, origin: &Origin, refusal: &Refusal) -> Status {
    intake.count_refused(origin, refusal.reason());
    intake.tell_refused(origin, refusal);
    said(refusal)
}

/// A refusal in the words of gRPC.
pub(crate) fn said(refusal: &Refusal) -> Status {
    let status = status(refusal);
    // Details are for those who shall come back.
    let details = status.retry_after_s.map(|_| error_protobuf(&status)).unwrap_or_default();
    Status::with_details(Code::from_i32(status.code), status.message, Bytes::from(details))
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
struct Call {
    intake: Intake,
    method: Method,
    origin: Origin,
}

impl UnaryService<Bytes> for Call {
    type Response = Bytes;
    type Future = BoxFuture<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (intake, method, origin) = (self.intake.clone(), self.method, self.origin.clone());
        let body = request.into_inner();
        Box::pin(async move {
            add(&intake.inner.counters.of(method.protocol).bytes, body.len());
            let work = (method.work)(intake.clone(), origin.of_bytes(body.len()), body);
            let result = Intake::to_the_end(work).await.and_then(|result| result);
            result.map(tonic::Response::new).map_err(|refusal| refuse(&intake, &origin, &refusal))
        })
    }
}

/// Messages as they are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BytesCodec;

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
