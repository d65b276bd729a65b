//! OTLP: one resource per pod, application records with their logger as scope, proxy lines as the body.

use std::collections::BTreeMap;

use logkeep_meshsim::{AppLog, Event, Kind, Pod, render};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// The body of `POST /v1/logs`.
pub fn logs(events: &[Event]) -> Vec<u8> {
    let mut pods: BTreeMap<&str, BTreeMap<&'static str, Vec<&Event>>> = BTreeMap::new();
    for event in events {
        pods.entry(&event.pod.name).or_default().entry(scope(event)).or_default().push(event);
    }
    let resource_logs = pods.into_values().filter_map(|scopes| {
        let pod = &scopes.values().next()?.first()?.pod;
        let resource = Some(Resource { attributes: resource(pod), ..Default::default() });
        let scope_logs = scopes.into_iter().map(|(name, events)| ScopeLogs {
            scope: Some(InstrumentationScope { name: name.to_owned(), ..Default::default() }),
            log_records: events.into_iter().map(record).collect(),
            ..Default::default()
        });
        Some(ResourceLogs { resource, scope_logs: scope_logs.collect(), ..Default::default() })
    });
    ExportLogsServiceRequest { resource_logs: resource_logs.collect() }.encode_to_vec()
}

fn scope(event: &Event) -> &'static str {
    match &event.kind {
        Kind::App(app) => app.logger,
        Kind::Audit(_) => "kube-apiserver",
        Kind::LinkerdAccess(_) => "linkerd-proxy",
        Kind::IstioAccess(_) | Kind::EnvoyAccess(_) => "envoy",
    }
}

pub(super) fn resource(pod: &Pod) -> Vec<KeyValue> {
    let pairs = [
        ("service.name", pod.service.as_str()),
        ("service.version", pod.version),
        ("service.namespace", pod.namespace),
        ("k8s.cluster.name", pod.cluster),
        ("k8s.namespace.name", pod.namespace),
        ("k8s.pod.name", &pod.name),
        ("k8s.node.name", &pod.node),
        ("mesh.name", pod.mesh),
    ];
    pairs.into_iter().map(|(key, value)| attribute(key, value)).collect()
}

fn record(event: &Event) -> LogRecord {
    let (body, attributes) = match &event.kind {
        Kind::App(app) => (app.message.clone(), exception(app)),
        _ => {
            let mut line = String::with_capacity(900);
            render::line(event, &mut line);
            (line, Vec::new())
        }
    };
    LogRecord {
        time_unix_nano: event.time_ns as u64,
        observed_time_unix_nano: event.time_ns as u64,
        severity_number: event.level().otel().into(),
        severity_text: event.level().upper().to_owned(),
        body: Some(text(&body)),
        attributes,
        trace_id: event.trace.map(|trace| trace.trace_id.to_be_bytes().to_vec()).unwrap_or_default(),
        span_id: event.trace.map(|trace| trace.span_id.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: u32::from(event.trace.is_some()),
        ..Default::default()
    }
}

fn exception(app: &AppLog) -> Vec<KeyValue> {
    app.stack.iter().map(|stack| attribute("exception.stacktrace", stack)).collect()
}

pub(super) fn attribute(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(text(value)), ..Default::default() }
}

fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }
}
