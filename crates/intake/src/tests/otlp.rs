use logkeep_record::{Class, Span};
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as SpanMessage};
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

use super::{Setup, gzip, options, port, send};
use crate::{Demand, IntakeOptions, Protocol};

fn export(texts: &[&str]) -> ExportLogsServiceRequest {
    let body = |text: &str| Some(AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) });
    let log_records = texts.iter().map(|text| LogRecord { body: body(text), ..LogRecord::default() }).collect();
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

/// A request of two records, the first of which has text that is not UTF-8.
fn half_bad() -> Vec<u8> {
    let mut bytes = export(&["XX", "good"]).encode_to_vec();
    let at = bytes.windows(2).position(|pair| pair == b"XX").unwrap();
    bytes[at] = 0xff;
    bytes
}

const JSON: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"json"}}]}]}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn http_in_both_forms() {
    let setup = Setup::new().await;
    let router = setup.intake.otlp_http_router();
    let proto = "POST /v1/logs\ncontent-type: application/x-protobuf";
    let json = "POST /v1/logs\ncontent-type: application/json";
    let zstd = format!("{proto}\ncontent-encoding: zstd");
    let gzipped = format!("{proto}\ncontent-encoding: gzip");
    let one = export(&["one"]).encode_to_vec();
    for (head, body, status, form) in [
        (proto, one.clone(), 200, "application/x-protobuf"),
        (&gzipped, gzip(&one), 200, "application/x-protobuf"),
        (&zstd, one.clone(), 400, "application/x-protobuf"),
        (json, JSON.as_bytes().to_vec(), 200, "application/json"),
        ("POST /v1/logs", JSON.as_bytes().to_vec(), 200, "application/json"),
        ("POST /v1/logs", one.clone(), 200, "application/x-protobuf"),
        (proto, Vec::new(), 200, "application/x-protobuf"),
        (json, b"{}".to_vec(), 200, "application/json"),
        ("POST /v1/logs\ncontent-type: text/html", one.clone(), 415, "application/json"),
        (json, b"{".to_vec(), 400, "application/json"),
        (proto, vec![0xff; 10], 400, "application/x-protobuf"),
        (proto, vec![0; (1 << 20) + 1], 413, "application/x-protobuf"),
        (&gzipped, gzip(&vec![0; 8 << 20]), 413, "application/x-protobuf"),
    ] {
        let answer = send(&router, head, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, form), "{head}: {}", answer.text());
        if status == 200 {
            assert!(answer.body.is_empty() || answer.body == b"{}", "{}", answer.text());
        }
    }
    assert_eq!(setup.bodies(), ["one", "one", "json", "json", "one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_record_costs_only_itself() {
    let setup = Setup::new().await;
    let head = "POST /v1/logs\ncontent-type: application/x-protobuf";
    let answer = send(&setup.intake.otlp_http_router(), head, half_bad()).await;
    let response = ExportLogsServiceResponse::decode(answer.body.as_slice()).unwrap();
    assert_eq!((answer.status, response.partial_success.unwrap().rejected_log_records), (200, 1));
    assert_eq!(setup.bodies(), ["good"]);
    let counts = setup.counts(Protocol::Otlp);
    assert_eq!((counts.received, counts.stored, counts.rejected), (2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_ours_are_503_and_unavailable() {
    let setup = Setup::new().await;
    setup.ingest.close();
    let answer = send(&setup.intake.otlp_http_router(), "POST /v1/logs", JSON).await;
    assert_eq!((answer.status, answer.header("retry-after"), answer.json()["code"].as_i64()), (503, "2", Some(14)));
    let status = client(&setup).await.export(export(&["one"])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

async fn client(setup: &Setup) -> LogsServiceClient<tonic::transport::Channel> {
    LogsServiceClient::new(channel(setup).await)
}

async fn channel(setup: &Setup) -> tonic::transport::Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let door = setup.intake.door(Some(port("otlp-grpc")), listener, None, Demand::Open);
    tokio::spawn(crate::serve_http(door, setup.intake.otlp_grpc_router(), CancellationToken::new()));
    tonic::transport::Endpoint::new(address).unwrap().connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_with_each_compression() {
    let setup = Setup::new().await;
    let plain = client(&setup).await;
    let compressed = |encoding| plain.clone().send_compressed(encoding).accept_compressed(encoding);
    let clients = [plain.clone(), compressed(CompressionEncoding::Gzip), compressed(CompressionEncoding::Zstd)];
    for mut client in clients {
        assert_eq!(client.export(export(&["one"])).await.unwrap().into_inner().partial_success, None);
    }
    assert_eq!(setup.bodies(), ["one"; 3]);
    let source = |record: &logkeep_record::Record<'_>| {
        record.resource.attribute("logkeep.source").and_then(|value| value.as_str()).unwrap_or("?").to_owned()
    };
    assert_eq!(setup.stored("default", source), ["127.0.0.1"; 3]);
    let mut request = tonic::Request::new(export(&["one"]));
    request.metadata_mut().insert("x-logkeep-tenant", "nobody".parse().unwrap());
    assert_eq!(plain.clone().export(request).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_says_too_large_in_a_way_that_is_not_retried() {
    let setup = Setup::with(IntakeOptions { request_decompressed_bytes: 1 << 20, ..options() }).await;
    let large = "a".repeat(2 << 20);
    let mut plain = client(&setup).await;
    let mut gzip = plain.clone().send_compressed(CompressionEncoding::Gzip);
    let refused = |status: Status| (status.code(), status.details().is_empty());
    for client in [&mut plain, &mut gzip] {
        let status = client.export(export(&[&large])).await.unwrap_err();
        assert_eq!(refused(status), (Code::ResourceExhausted, true));
    }
    assert!(setup.bodies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_asks_to_come_back() {
    let max_wait = std::time::Duration::from_millis(1);
    let setup = Setup::with(IntakeOptions { max_wait, max_concurrent_requests: 1, ..options() }).await;
    let _all = setup.intake.admit(Protocol::Loki).await.unwrap();
    let router = setup.intake.otlp_http_router();
    let answer = send(&router, "POST /v1/logs", JSON).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "2"));
    assert_eq!(answer.json()["details"][0]["retryDelay"], "2s");
    let status = client(&setup).await.export(export(&["one"])).await.unwrap_err();
    assert_eq!((status.code(), status.details().is_empty()), (Code::ResourceExhausted, false), "with RetryInfo");
    let answer = send(&setup.intake.elasticsearch_router(), "POST /_bulk", "").await;
    assert_eq!((answer.status, answer.header("x-elastic-product")), (429, "Elasticsearch"));
}

fn one_span() -> ExportTraceServiceRequest {
    let span =
        |trace_id: &[u8]| SpanMessage { trace_id: trace_id.to_vec(), name: "GET /".into(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span(&[7; 16])], ..Default::default() }];
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..Default::default() }] }
}

const TRACES_JSON: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
    {"name":"json","traceId":"07070707070707070707070707070707","kind":"SPAN_KIND_CLIENT"},{"name":5}]}]}]}"#;

fn spans(setup: &Setup) -> Vec<String> {
    let line = |span: &logkeep_record::Record<'_>| {
        let span = Span::from_record(span.clone());
        format!("{} {} {}", span.trace_id.map(|id| id.to_string()).unwrap_or_default(), span.name, span.kind.word())
    };
    setup.stored_in(&Class::spans(), "default", line)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_have_a_class_of_their_own() {
    let setup = Setup::new().await;
    let router = setup.intake.otlp_http_router();
    let answer = send(&router, "POST /v1/traces", one_span().encode_to_vec()).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let answer = send(&router, "POST /v1/traces\ncontent-type: application/json", TRACES_JSON).await;
    let said = serde_json::json!({"rejectedSpans": "1", "errorMessage": "record 1: `name`: must be a string"});
    assert_eq!(answer.json()["partialSuccess"], said);
    let mut grpc = TraceServiceClient::new(channel(&setup).await);
    assert_eq!(grpc.export(one_span()).await.unwrap().into_inner().partial_success, None);
    let id = "07".repeat(16);
    let plain = format!("{id} GET / unspecified");
    assert_eq!(spans(&setup), [plain.clone(), format!("{id} json client"), plain]);
    assert!(setup.bodies().is_empty(), "no span is a log");
    let counts = setup.counts(Protocol::Otlp);
    assert_eq!((counts.received, counts.stored, counts.rejected), (4, 3, 1));
    let answer = send(&router, "POST /v1/traces", "{\"resourceSpans\":1}").await;
    assert_eq!((answer.status, answer.json()["code"].as_i64()), (400, Some(3)));
    setup.ingest.close();
    let status = grpc.export(one_span()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_refused_in_words() {
    let setup = Setup::new().await;
    let router = setup.intake.otlp_http_router();
    let json = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"a","gauge":{"dataPoints":[{},{}]}},{"name":"b","histogram":{"dataPoints":[{}]}}]}]}]}"#;
    let answer = send(&router, "POST /v1/metrics\ncontent-type: application/json", json).await;
    let partial = &answer.json()["partialSuccess"];
    assert_eq!((answer.status, partial["rejectedDataPoints"].as_str()), (200, Some("3")));
    assert!(partial["errorMessage"].as_str().unwrap().contains("not stored"));
    // A metric with a sum of two points, in protobuf.
    let nested = |tag: u8, inner: &[u8]| [&[tag << 3 | 2, inner.len() as u8], inner].concat();
    let metric = nested(7, &[nested(1, b""), nested(1, b"")].concat());
    let request = nested(1, &nested(2, &nested(2, &metric)));
    let answer = send(&router, "POST /v1/metrics", request.clone()).await;
    let response = ExportLogsServiceResponse::decode(answer.body.as_slice()).unwrap();
    assert_eq!(response.partial_success.unwrap().rejected_log_records, 2);
    let answer = send(&router, "POST /v1/metrics", request[..request.len() - 1].to_vec()).await;
    assert_eq!(answer.status, 400);
    assert_eq!(setup.counts(Protocol::Otlp).rejected, 5);
}
