//! OTLP traces: one resource per pod, as its logs over OTLP have, and the attributes that the semantic conventions for HTTP
//! give to servers and to clients.

use std::collections::BTreeMap;

use logkeep_meshsim::{Exception, Language, Pod, Side, Span};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status};
use prost::Message;

use super::otlp::{attribute, resource};

/// The lowest byte of the flags: sampled.
const SAMPLED: u32 = 1;

/// The body of `POST /v1/traces`.
pub fn traces(spans: &[Span]) -> Vec<u8> {
    let mut pods: BTreeMap<&str, (&Pod, Vec<OtlpSpan>)> = BTreeMap::new();
    for span in spans {
        let pod: &Pod = span.pod();
        pods.entry(&pod.name).or_insert_with(|| (pod, Vec::new())).1.push(encoded(span));
    }
    let resource_spans = pods.into_values().map(|(pod, spans)| {
        let scope = InstrumentationScope { name: "http".to_owned(), ..Default::default() };
        ResourceSpans {
            resource: Some(Resource { attributes: resource(pod), ..Default::default() }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }],
            ..Default::default()
        }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

fn encoded(span: &Span) -> OtlpSpan {
    let access = &span.access;
    let (kind, name) = match access.side {
        Side::Inbound => (SpanKind::Server, format!("{} {}", access.method, path_of(span.route))),
        // A client does not know by which route it is answered.
        Side::Outbound => (SpanKind::Client, access.method.to_owned()),
    };
    let exception = span.exception.as_ref().map(|exception| event(exception, span));
    OtlpSpan {
        trace_id: span.trace_id.to_be_bytes().to_vec(),
        span_id: span.span_id.to_be_bytes().to_vec(),
        parent_span_id: span.parent_id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default(),
        flags: SAMPLED,
        name,
        kind: kind.into(),
        start_time_unix_nano: span.start_ns as u64,
        end_time_unix_nano: span.end_ns as u64,
        attributes: attributes(span),
        events: exception.into_iter().collect(),
        status: span.failed().then(|| Status {
            code: StatusCode::Error.into(),
            message: span.exception.as_ref().map(|exception| exception.message.clone()).unwrap_or_default(),
        }),
        ..Default::default()
    }
}

fn attributes(span: &Span) -> Vec<KeyValue> {
    let access = &span.access;
    let server = &access.server;
    let mut pairs = vec![
        attribute("http.request.method", access.method),
        attribute("url.scheme", "http"),
        attribute("server.address", &server.service),
        number("server.port", server.port.into()),
        number("http.response.status_code", access.status.into()),
        attribute("network.protocol.name", "http"),
        attribute("network.protocol.version", access.protocol.trim_start_matches("HTTP/")),
    ];
    match access.side {
        Side::Inbound => {
            let (path, query) = access.path.split_once('?').unwrap_or((access.path.as_str(), ""));
            pairs.push(attribute("http.route", path_of(span.route)));
            pairs.push(attribute("url.path", path));
            pairs.extend((!query.is_empty()).then(|| attribute("url.query", query)));
            pairs.push(attribute("user_agent.original", access.user_agent));
            pairs.extend(access.client.map(|[a, b, c, d]| attribute("client.address", &format!("{a}.{b}.{c}.{d}"))));
        }
        Side::Outbound => {
            let url = format!("http://{}:{}{}", server.service, server.port, access.path);
            pairs.push(attribute("url.full", &url));
        }
    }
    pairs.extend(span.failed().then(|| attribute("error.type", &access.status.to_string())));
    pairs
}

/// What the application threw, when it gave up.
fn event(exception: &Exception, span: &Span) -> Event {
    let stack = exception.stack.as_deref();
    let mut attributes = vec![
        attribute("exception.type", thrown_by(span.pod().language)),
        attribute("exception.message", &exception.message),
    ];
    attributes.extend(stack.map(|stack| attribute("exception.stacktrace", stack)));
    Event { time_unix_nano: span.end_ns as u64, name: "exception".to_owned(), attributes, ..Default::default() }
}

/// The fault that the stack traces of the language name.
fn thrown_by(language: Language) -> &'static str {
    match language {
        Language::Java => "java.util.concurrent.TimeoutException",
        Language::Python => "TimeoutError",
        Language::Go => "runtime.errorString",
        Language::Node => "Error",
    }
}

fn path_of(route: &str) -> &str {
    route.split_once('?').map_or(route, |(path, _)| path)
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}
