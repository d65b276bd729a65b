//! The Datadog Agent 7: its logs, what it asks beside them, and traces that it sends on. Its port for tracers is ours
//! (`tests/datadog_traces.rs`).

use std::io::Write;

use super::{Wire, facts};
use crate::Protocol;
use crate::tests::{Setup, gzip};

const HEAD: &str = "
    POST /api/v2/logs HTTP/1.1
    Host: 127.0.0.1:10518
    User-Agent: datadog-agent/7.60.0
    Content-Length: LENGTH
    Content-Type: application/json
    DD-API-KEY: 0123456789abcdef0123456789abcdef
    DD-PROTOCOL: agent-json
    DD-EVP-ORIGIN: agent
    DD-EVP-ORIGIN-VERSION: 7.60.0
    dd-message-timestamp: 1795168800123
    dd-current-timestamp: 1795168801000";

const LOG: &str = concat!(
    r#"{"message":"one","status":"error","timestamp":1795168800123,"hostname":"web-1","service":"shop","#,
    r#""ddsource":"nginx","ddtags":"env:prod,version:1.2,kube_namespace:store"}"#,
);

fn check_stored(setup: &Setup, count: usize) {
    let names = ["host.name", "service.name", "deployment.environment.name", "service.version", "k8s.namespace.name"];
    let expected = r#"1795168800123000000 one "web-1" "shop" "prod" "1.2" "store""#;
    assert_eq!(facts(setup, &names), vec![expected; count]);
    assert_eq!(setup.stored("default", |record| record.severity.number().to_string()), vec!["17"; count]);
}

#[tokio::test(flavor = "multi_thread")]
async fn asks_with_an_empty_object_whether_anyone_is_there() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "datadog-http").await;
    let answer = wire.ask(HEAD, b"{}").await;
    // A status from 400 on, and it would go on over TCP.
    assert_eq!((answer.status, answer.body.as_str()), (202, "{}"));
    assert!(setup.bodies().is_empty());
    let counts = setup.counts(Protocol::Datadog);
    assert_eq!((counts.received, counts.refused), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_arrays_in_each_compression() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "datadog-http").await;
    let body = format!("[{LOG},{LOG}]").into_bytes();
    let zstd = zstd::stream::encode_all(body.as_slice(), 3).unwrap();
    // What it calls deflate is zlib.
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&body).unwrap();
    for (encoding, packed) in
        [("identity", body.clone()), ("gzip", gzip(&body)), ("deflate", zlib.finish().unwrap()), ("zstd", zstd)]
    {
        let answer = wire.ask(&format!("{HEAD}\n    Content-Encoding: {encoding}"), &packed).await;
        assert_eq!((answer.status, answer.body.as_str()), (202, "{}"), "{encoding}");
    }
    check_stored(&setup, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_one_object_without_an_array() {
    let setup = Setup::new().await;
    assert_eq!(Wire::to(&setup, "datadog-http").await.ask(HEAD, LOG.as_bytes()).await.status, 202);
    let old = HEAD.replace("/api/v2/logs", "/v1/input");
    assert_eq!(Wire::to(&setup, "datadog-http").await.ask(&old, LOG.as_bytes()).await.status, 200);
    check_stored(&setup, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn puts_its_key_before_each_line_over_tcp() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "datadog-tcp").await;
    wire.say(format!("0123456789abcdef0123456789abcdef {LOG}\n").repeat(2).as_bytes()).await;
    assert!(wire.end().await.is_empty());
    check_stored(&setup, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_much_that_is_no_log() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "datadog-http").await;
    let valid = wire.ask(&HEAD.replace("POST /api/v2/logs", "GET /api/v1/validate"), b"").await;
    assert_eq!((valid.status, valid.body.as_str()), (200, r#"{"valid":true}"#));
    for path in ["/api/v1/check_run", "/api/v2/series", "/intake/", "/api/v1/metadata", "/api/v2/host_metadata"] {
        let answer = wire.ask(&HEAD.replace("/api/v2/logs", path), b"\x28\xb5\x2f\xfd any bytes").await;
        assert_eq!(answer.status, 202, "{path}");
    }
    assert!(setup.bodies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_on_what_tracers_gave_it() {
    let setup = Setup::new().await;
    let mut wire = Wire::to(&setup, "datadog-traces").await;
    let head = "
        POST /api/v0.2/traces HTTP/1.1
        Host: 127.0.0.1:8126
        User-Agent: Datadog Trace Agent/7.60.0/abcdef0
        Content-Length: LENGTH
        Content-Type: application/x-protobuf
        X-Api-Key: 0123456789abcdef0123456789abcdef
        X-Datadog-Reported-Languages: go
        Content-Encoding: ENCODING";
    // Of the Agent on web-1 for prod: one payload of one trace of one span.
    let span = b"\x0a\x04shop\x12\x0bweb.request\x20\x01\x28\x02";
    let chunk = [b"\x08\x01\x1a".as_slice(), &[span.len() as u8], span].concat();
    let tracer = [b"\x12\x02go\x32".as_slice(), &[chunk.len() as u8], &chunk].concat();
    let payload = [b"\x0a\x05web-1\x12\x04prod\x2a".as_slice(), &[tracer.len() as u8], &tracer].concat();
    let zstd = zstd::stream::encode_all(payload.as_slice(), 3).unwrap();
    for (encoding, packed) in [("gzip", gzip(&payload)), ("zstd", zstd)] {
        let answer = wire.ask(&head.replace("ENCODING", encoding), &packed).await;
        assert_eq!(answer.status, 200, "{encoding}: {}", answer.body);
    }
    let said = setup.logs_and_spans(|span| {
        let text = |name| span.resource.attribute(name).and_then(|value| value.as_str()).unwrap_or("-").to_owned();
        ["service.name", "host.name", "deployment.environment.name"].map(text).join(" ")
    });
    assert_eq!((setup.texts(), said), (vec!["web.request".to_owned(); 2], vec!["shop web-1 prod".to_owned(); 2]));
    assert_eq!(wire.ask(&head.replace("v0.2/traces", "v0.2/stats"), b"\x80").await.status, 202);
}
