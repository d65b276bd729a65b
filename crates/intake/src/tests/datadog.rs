use super::{Setup, gzip, send};
use crate::Protocol;

#[tokio::test(flavor = "multi_thread")]
async fn what_agents_and_clients_ask() {
    let setup = Setup::new().await;
    let router = setup.intake.datadog_router();
    let logs = br#"[{"message":"one","status":"warn","timestamp":1795168800123,"hostname":"web-1","service":"pay","ddtags":"env:prod"},{"message":"two"}]"#;
    let zstd = zstd::stream::encode_all(logs.as_slice(), 3).unwrap();
    for (head, body, status, said) in [
        // How an Agent asks whether anyone is there.
        ("POST /api/v2/logs\ncontent-type: application/json", b"{}".to_vec(), 202, "{}"),
        ("GET /api/v1/validate", Vec::new(), 200, r#"{"valid":true}"#),
        ("POST /api/v1/check_run", b"[]".to_vec(), 202, r#"{"status":"ok"}"#),
        ("POST /api/v2/series", vec![0; 100], 202, r#"{"status":"ok"}"#),
        ("POST /intake/?api_key=k", b"{}".to_vec(), 202, r#"{"status":"ok"}"#),
        ("POST /api/v2/logs\ndd-api-key: k", logs.to_vec(), 202, "{}"),
        ("POST /api/v2/logs\ncontent-encoding: gzip", gzip(logs), 202, "{}"),
        ("POST /api/v2/logs\ncontent-encoding: zstd", zstd, 202, "{}"),
        ("POST /v1/input/key", br#"{"message":"three"}"#.to_vec(), 200, "{}"),
        ("POST /v1/input\ncontent-type: text/plain", b"plain one\nplain two\n".to_vec(), 200, "{}"),
        ("POST /api/v2/logs", Vec::new(), 202, "{}"),
    ] {
        let answer = send(&router, head, body).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, said), "{head}");
    }
    assert_eq!(setup.bodies(), ["one", "two", "one", "two", "one", "two", "three", "plain one", "plain two"]);
    let facts = setup.stored("default", |record| {
        let text = |name| record.resource.attribute(name).and_then(|value| value.as_str()).unwrap_or("-").to_owned();
        let names = ["host.name", "service.name", "deployment.environment.name"].map(text).join(" ");
        format!("{names} {} {}", record.severity_text, record.time_ns.unwrap_or(0))
    });
    assert_eq!(facts[0], "web-1 pay prod warn 1795168800123000000");
    assert_eq!(send(&router, "POST /api/v2/logs", "[{]").await.status, 400);
    // An Agent drops what 401 and 403 answer.
    assert_eq!(send(&router, "POST /api/v2/logs\nx-logkeep-tenant: nobody", "{}").await.status, 409);
    let counts = setup.counts(Protocol::Datadog);
    assert_eq!((counts.received, counts.stored, counts.rejected), (10, 9, 1));
    let main = setup.intake.main_router();
    assert_eq!(send(&main, "POST /datadog/api/v2/logs", "{}").await.status, 202);
}
