//! The senders against small listeners that write down what they got.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::encode::PushRequest;
use crate::{DemoOptions, Protocol, ProtocolSummary, Summary, Targets, run};

/// Everything the listeners got.
#[derive(Default)]
struct Recorder {
    requests: Mutex<Vec<(String, String, Bytes)>>,
    syslog: Mutex<Vec<u8>>,
    /// Requests still to be answered with 503.
    busy: AtomicUsize,
    /// Connections still to be closed without an answer.
    hang_ups: AtomicUsize,
    news: Notify,
    syslog_end: Notify,
}

fn take_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

impl Recorder {
    async fn answer(&self, request: http::Request<hyper::body::Incoming>) -> http::Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        let media_type = parts.headers["content-type"].to_str().unwrap().to_owned();
        let status = if take_one(&self.busy) {
            503
        } else {
            self.requests.lock().unwrap().push((path.clone(), media_type, body));
            if path.starts_with("/loki") { 204 } else { 200 }
        };
        self.news.notify_one();
        let text = if path == "/_bulk" { r#"{"took":1,"errors":false,"items":[]}"# } else { "" };
        let response = http::Response::builder().status(status).header("retry-after", "0");
        response.body(Full::new(Bytes::from(text))).unwrap()
    }

    /// Completes once every protocol has been heard `batches` times.
    async fn heard(&self, batches: usize) {
        loop {
            let enough = {
                let requests = self.requests.lock().unwrap();
                let count = |keep: &dyn Fn(&str, &str) -> bool| {
                    requests.iter().filter(|(path, media_type, _)| keep(path, media_type)).count()
                };
                count(&|path, _| path == "/v1/logs") >= batches
                    && count(&|path, _| path == "/v1/traces") >= batches
                    && count(&|path, _| path == "/_bulk") >= batches
                    && count(&|path, kind| path.starts_with("/loki") && kind == "application/json") >= batches
                    && count(&|path, kind| path.starts_with("/loki") && kind != "application/json") >= batches
                    && !self.syslog.lock().unwrap().is_empty()
            };
            if enough {
                return;
            }
            self.news.notified().await;
        }
    }
}

async fn listen_http(recorder: Arc<Recorder>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if take_one(&recorder.hang_ups) {
                continue;
            }
            let recorder = Arc::clone(&recorder);
            let service = service_fn(move |request| {
                let recorder = Arc::clone(&recorder);
                async move { Ok::<_, Infallible>(recorder.answer(request).await) }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn listen_syslog(recorder: Arc<Recorder>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 65_536];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            recorder.syslog.lock().unwrap().extend_from_slice(&buffer[..read]);
            recorder.news.notify_one();
        }
        recorder.syslog_end.notify_one();
    });
    address
}

async fn demo(busy: usize, hang_ups: usize) -> (Arc<Recorder>, Summary) {
    let recorder = Arc::new(Recorder::default());
    recorder.busy.store(busy, Ordering::SeqCst);
    recorder.hang_ups.store(hang_ups, Ordering::SeqCst);
    let http = listen_http(Arc::clone(&recorder)).await;
    let syslog = listen_syslog(Arc::clone(&recorder)).await;
    let targets = Targets { otlp_http: Some(http), elasticsearch: Some(http), loki: Some(http), syslog: Some(syslog) };
    let options = DemoOptions {
        events_per_second: 400,
        seed: 5,
        fault_after: Duration::ZERO,
        back_fill: Duration::from_secs(30),
    };
    let summary = run(targets, options, recorder.heard(2)).await;
    recorder.syslog_end.notified().await;
    (recorder, summary)
}

/// Service and id of the records in the requests of one protocol.
fn services(protocol: Protocol, media_type: &str, body: &Bytes) -> Vec<String> {
    match protocol {
        Protocol::OtlpHttp => otlp_services(body),
        Protocol::OtlpTraces => trace_services(body),
        Protocol::Elasticsearch => {
            let text = std::str::from_utf8(body).unwrap();
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let pairs = lines.chunks(2).map(|pair| {
                assert_eq!(pair[0]["create"]["_index"], "logs-mesh-default");
                pair[1]["service"].as_str().unwrap().to_owned()
            });
            pairs.collect()
        }
        Protocol::LokiProtobuf => {
            assert_eq!(media_type, "application/x-protobuf");
            let raw = snap::raw::Decoder::new().decompress_vec(body).unwrap();
            let streams = PushRequest::decode(raw.as_slice()).unwrap().streams;
            let of_stream = |stream: crate::encode::Stream| {
                let (_, service) = stream.labels.split_once("service_name=\"").unwrap();
                vec![service.trim_end_matches("\"}").to_owned(); stream.entries.len()]
            };
            streams.into_iter().flat_map(of_stream).collect()
        }
        Protocol::LokiJson => {
            let push: Value = serde_json::from_slice(body).unwrap();
            let of_stream = |stream: &Value| {
                let values = stream["values"].as_array().unwrap();
                assert!(values.iter().all(|value| value[0].as_str().unwrap().parse::<i64>().is_ok()));
                vec![stream["stream"]["service_name"].as_str().unwrap().to_owned(); values.len()]
            };
            push["streams"].as_array().unwrap().iter().flat_map(of_stream).collect()
        }
        Protocol::Syslog => unreachable!("not over HTTP"),
    }
}

fn otlp_services(body: &Bytes) -> Vec<String> {
    let request = ExportLogsServiceRequest::decode(body.clone()).unwrap();
    let mut services = Vec::new();
    for resource in request.resource_logs {
        let attributes = resource.resource.unwrap().attributes;
        let name = attributes.into_iter().find(|attribute| attribute.key == "service.name").unwrap();
        let Some(any_value::Value::StringValue(name)) = name.value.unwrap().value else { panic!("text") };
        for record in resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            assert!(record.time_unix_nano > 0 && record.severity_number > 0 && record.body.is_some());
            assert!(matches!(record.trace_id.len(), 0 | 16));
            services.push(name.clone());
        }
    }
    services
}

fn trace_services(body: &Bytes) -> Vec<String> {
    let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    let mut services = Vec::new();
    for resource in request.resource_spans {
        let name = text_of(&resource.resource.unwrap().attributes, "service.name").unwrap();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            assert!(span.start_time_unix_nano > 0 && span.start_time_unix_nano <= span.end_time_unix_nano);
            let failed = span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error);
            assert_eq!(failed, text_of(&span.attributes, "error.type").is_some(), "{span:?}");
            let is_server = span.kind() == SpanKind::Server;
            assert_eq!(failed && is_server, span.events.iter().any(|event| event.name == "exception"), "{span:?}");
            assert_eq!(is_server, text_of(&span.attributes, "http.route").is_some(), "{span:?}");
            assert!(is_server || text_of(&span.attributes, "url.full").is_some() && !span.parent_span_id.is_empty());
            services.push(name.clone());
        }
    }
    services
}

fn text_of(attributes: &[KeyValue], key: &str) -> Option<String> {
    match attributes.iter().find(|pair| pair.key == key)?.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        other => panic!("`{key}` is {other:?}"),
    }
}

/// Application names of octet-counted messages, and the bytes that follow the last whole one.
fn syslog_services(mut bytes: &[u8]) -> Vec<String> {
    let mut services = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&bytes[..space]).unwrap().parse().unwrap();
        let message = std::str::from_utf8(&bytes[space + 1..space + 1 + length]).unwrap();
        let fields: Vec<&str> = message.splitn(7, ' ').collect();
        assert!(fields[0].starts_with('<') && fields[0].ends_with(">1"), "{message}");
        services.push(fields[3].to_owned());
        bytes = &bytes[space + 1 + length..];
    }
    services
}

fn protocol_of(path: &str, media_type: &str) -> Protocol {
    match (path, media_type) {
        ("/v1/logs", _) => Protocol::OtlpHttp,
        ("/v1/traces", _) => Protocol::OtlpTraces,
        ("/_bulk", _) => Protocol::Elasticsearch,
        ("/loki/api/v1/push", "application/json") => Protocol::LokiJson,
        ("/loki/api/v1/push", _) => Protocol::LokiProtobuf,
        _ => panic!("nobody serves {path}"),
    }
}

fn check(recorder: &Recorder, summary: &Summary) {
    let mut records: HashMap<Protocol, Vec<String>> = HashMap::new();
    for (path, media_type, body) in recorder.requests.lock().unwrap().iter() {
        let protocol = protocol_of(path, media_type);
        records.entry(protocol).or_default().extend(services(protocol, media_type, body));
    }
    records.insert(Protocol::Syslog, syslog_services(&recorder.syslog.lock().unwrap()));
    let mut speakers: HashMap<String, HashSet<Protocol>> = HashMap::new();
    for ProtocolSummary { protocol, sent, acked, rejected, .. } in &summary.protocols {
        let received = &records[protocol];
        assert_eq!(received.len() as u64, *sent, "{protocol:?}: nothing lost, nothing twice");
        assert_eq!(*acked, if *protocol == Protocol::Syslog { 0 } else { *sent }, "{protocol:?}");
        assert_eq!(*rejected, 0, "{protocol:?}");
        for service in received {
            speakers.entry(service.clone()).or_default().insert(*protocol);
        }
    }
    let traced = speakers.values_mut().filter_map(|protocols| protocols.take(&Protocol::OtlpTraces)).count();
    assert!(traced >= 14, "every service sends spans: {speakers:?}");
    assert!(speakers.len() >= 14, "{speakers:?}");
    assert!(speakers.values().all(|protocols| protocols.len() == 1), "one protocol a service: {speakers:?}");
}

#[tokio::test]
async fn every_protocol_carries_its_services() {
    let (recorder, summary) = demo(0, 0).await;
    check(&recorder, &summary);
    assert!(summary.sent() >= 9_000, "the past was sent: {summary:?}");
    assert!(summary.protocols.iter().all(|protocol| protocol.retries == 0), "{summary:?}");
}

#[tokio::test]
async fn refusals_and_hang_ups_lose_nothing() {
    let (recorder, summary) = demo(6, 2).await;
    check(&recorder, &summary);
    let retries: u64 = summary.protocols.iter().map(|protocol| protocol.retries).sum();
    assert_eq!(retries, 8, "{summary:?}");
}

#[tokio::test]
async fn a_missing_protocol_is_spoken_by_none() {
    let recorder = Arc::new(Recorder::default());
    let loki = listen_http(Arc::clone(&recorder)).await;
    let targets = Targets { loki: Some(loki), ..Targets::default() };
    let options = DemoOptions { back_fill: Duration::from_secs(20), ..DemoOptions::default() };
    let summary = run(targets, options, recorder.news.notified()).await;
    let sent: Vec<u64> = summary.protocols.iter().map(|protocol| protocol.sent).collect();
    assert!(sent[0] == 0 && sent[1] == 0 && sent[4] == 0 && sent[5] == 0 && sent[2] + sent[3] > 500, "{sent:?}");
}
