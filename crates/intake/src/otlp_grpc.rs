//! OTLP over gRPC.

use axum::Router;
use bytes::Bytes;
use logkeep_wire::otlp::{Signal, success_protobuf};

use crate::Intake;
use crate::counters::Protocol;
use crate::grpc::Method;
use crate::origin::Origin;
use crate::otlp_http::{Form, read};
use crate::refusal::Refusal;

impl Intake {
    /// The services of OTLP over gRPC.
    pub fn otlp_grpc_router(&self) -> Router {
        let export =
            |signal: Signal, work| Method { protocol: Protocol::Otlp, service: signal.service(), name: "Export", work };
        self.grpc_router(&[
            export(Signal::Logs, |intake, origin, body| Box::pin(intake.otlp_grpc_export(Signal::Logs, origin, body))),
            export(Signal::Traces, |intake, origin, body| {
                Box::pin(intake.otlp_grpc_export(Signal::Traces, origin, body))
            }),
            export(Signal::Metrics, |intake, origin, body| {
                Box::pin(intake.otlp_grpc_export(Signal::Metrics, origin, body))
            }),
        ])
    }

    async fn otlp_grpc_export(self, signal: Signal, origin: Origin, body: Bytes) -> Result<Bytes, Refusal> {
        let received_ns = self.now_ns();
        let entry = self.entry(&origin);
        let decode = move || read(signal, Form::Protobuf, &body, entry, received_ns);
        let (prepared, partial) = self.process(decode).await??;
        let partial = self.otlp_store(&origin, signal, prepared, partial).await?;
        Ok(success_protobuf(&partial).into())
    }
}
