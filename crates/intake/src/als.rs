//! Envoy's access log service: streams that never end and are never answered.
//!
//! Envoy forgets an entry once it is written to the connection, so what arrives is kept and stored for as long as we run, and
//! until it is stored nothing more is read from its stream: HTTP/2 then holds Envoy back. What Envoy still buffers when a
//! connection breaks, or has written to one that we did not read to its end, is lost; the protocol has no word for it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{any, post};
use bytes::Bytes;
use logkeep_wire::Decoded;
use logkeep_wire::als::Stream;
use tokio_util::sync::CancellationToken;
use tonic::codec::Streaming;
use tonic::server::ClientStreamingService;
use tonic::{Code, Status};

use crate::Intake;
use crate::account::reason;
use crate::admission::Admission;
use crate::counters::{Protocol, add};
use crate::grpc::{BoxFuture, grpc, refuse, said, unimplemented};
use crate::http::Stopping;
use crate::origin::Origin;
use crate::prepare::prepare;
use crate::refusal::{Kind, Refusal};
use crate::request::TENANT;

/// Messages of Envoy have some kilobytes, the first of a stream some tens of them.
const MESSAGE_BYTES: usize = 4 << 20;
const SERVICES: [&str; 2] =
    ["envoy.service.accesslog.v3.AccessLogService", "envoy.service.accesslog.v2.AccessLogService"];

impl Intake {
    /// `StreamAccessLogs`.
    pub fn als_router(&self) -> Router {
        let add = |router: Router<Self>, service| {
            router
                .route(&format!("/{service}/StreamAccessLogs"), post(stream))
                .route(&format!("/{service}/{{*method}}"), any(unimplemented))
        };
        SERVICES.into_iter().fold(Router::new(), add).with_state(self.clone())
    }
}

async fn stream(State(intake): State<Intake>, request: Request) -> http::Response<tonic::body::Body> {
    add(&intake.inner.counters.of(Protocol::EnvoyAls).requests, 1);
    let stopping = request.extensions().get::<Stopping>().map(|stopping| stopping.0.clone()).unwrap_or_default();
    let sender = intake.sender(Protocol::EnvoyAls, TENANT, &request);
    let origin = match sender.let_in() {
        Ok(origin) => origin.clone(),
        Err(refusal) => {
            intake.count_refusal(&sender, &refusal);
            return said(&refusal).into_http();
        }
    };
    let Ok(_place) = intake.inner.uploads.clone().try_acquire_owned() else {
        let refusal = Refusal::new(Kind::Busy, "all places for streams are taken, come back later");
        return refuse(&intake, &origin, &refusal).into_http();
    };
    let serving = Serving { intake, origin, stopping, stream: Stream::default() };
    grpc(MESSAGE_BYTES).client_streaming(serving, request).await
}

/// One stream.
#[derive(Clone)]
struct Serving {
    intake: Intake,
    origin: Origin,
    stopping: CancellationToken,
    stream: Stream,
}

impl ClientStreamingService<Bytes> for Serving {
    type Response = Bytes;
    type Future = BoxFuture<Result<tonic::Response<Bytes>, Status>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let serving = self.clone();
        Box::pin(serving.run(request.into_inner()))
    }
}

impl Serving {
    async fn run(mut self, mut messages: Streaming<Bytes>) -> Result<tonic::Response<Bytes>, Status> {
        loop {
            let message = tokio::select! {
                message = messages.message() => message,
                () = self.stopping.cancelled() => return Err(Status::unavailable("the server is stopping")),
            };
            match message {
                Ok(Some(message)) => self.take(message).await,
                Ok(None) => return Ok(tonic::Response::new(Bytes::new())),
                // A connection that ends is no fault of its sender, a message that cannot be read is.
                Err(status) => {
                    if !matches!(status.code(), Code::Cancelled | Code::Unknown) {
                        self.intake.count_refused(&self.origin, reason::CONNECTION_CLOSED);
                        tracing::warn!(source = ?self.origin.source.peer, error = status.message(), "a stream was ended");
                    }
                    return Err(status);
                }
            }
        }
    }

    async fn take(&mut self, message: Bytes) {
        let _place = self.admitted().await;
        add(&self.intake.inner.counters.of(Protocol::EnvoyAls).bytes, message.len());
        let (mut stream, bytes, received_ns) = (self.stream.clone(), message.clone(), self.intake.now_ns());
        let decode = move || {
            let decoded = stream.decode(&bytes, received_ns);
            (stream, decoded)
        };
        let decoded = match self.intake.process(decode).await {
            Ok((stream, decoded)) => {
                self.stream = stream;
                decoded.map_err(|error| error.to_string())
            }
            Err(defect) => Err(defect.to_string()),
        };
        let (Decoded { records, rejected }, unreadable) = match decoded {
            Ok(decoded) => (decoded, 0),
            Err(error) => {
                tracing::warn!(source = ?self.origin.source.peer, error, "a message of access logs cannot be stored");
                (Decoded::default(), 1)
            }
        };
        let (origin, records) = (self.origin.of_bytes(message.len()), Arc::new(records));
        let (entry, bad) = (self.intake.entry(&origin), rejected.len() + unreadable);
        let prepare = move || {
            let prepared = prepare(entry.clone(), records.iter().cloned())?;
            Ok(prepared.rejecting(bad, reason::MALFORMED))
        };
        self.intake.store_for_sure(&origin, prepare, &self.stopping).await;
    }

    /// Waits for a place however long it takes, or until we stop.
    async fn admitted(&self) -> Option<Admission> {
        loop {
            match self.intake.admit(Protocol::EnvoyAls).await {
                Ok(place) => return Some(place),
                Err(_) if self.stopping.is_cancelled() => return None,
                Err(_) => {}
            }
        }
    }
}
