use super::{Setup, send};
use crate::Protocol;

const SPAN: &[u8] = b"\x91\x91\x83\xa8trace_id\x01\xa7span_id\x02\xa4name\xa1a";

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_an_agent() {
    let setup = Setup::new().await;
    let router = setup.intake.datadog_traces_router();
    let rates = r#"{"rate_by_service":{"service:,env:":1}}"#;
    for (head, body, status, said) in [
        ("POST /v0.3/traces", SPAN, 200, "OK\n"),
        ("PUT /v0.4/traces", SPAN, 200, rates),
        (
            "POST /v0.4/traces\ncontent-type: application/json",
            br#"[[{"trace_id":1,"span_id":2,"name":"a"}]]"#,
            200,
            rates,
        ),
        ("PUT /v0.5/traces", b"", 200, rates),
        ("POST /v0.7/traces", b"\x80", 200, rates),
        (
            "POST /v0.4/traces",
            b"\x91\x91\xc0",
            400,
            "1 spans were not stored, all others were: span 0: a span has no `trace_id`\n",
        ),
        // Of a real Agent: a tracer's payload with a span.
        ("POST /api/v0.2/traces", b"\x2a\x0b\x32\x09\x1a\x07\x12\x01a\x20\x01\x28\x02", 200, "OK\n"),
        ("POST /v0.6/stats", b"\x80", 202, r#"{"status":"ok"}"#),
        ("POST /api/v0.2/stats", b"\x80", 202, r#"{"status":"ok"}"#),
        ("POST /telemetry/proxy/api/v2/apmtelemetry", b"{}", 202, r#"{"status":"ok"}"#),
    ] {
        let answer = send(&router, head, body.to_vec()).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, said), "{head}");
    }
    let refused = send(&router, "POST /v0.5/traces\nx-datadog-trace-count: 3", vec![0x90]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().ends_with(" (3 traces)\n"), "{}", refused.text());
    assert_eq!(send(&router, "POST /v0.4/traces\nx-logkeep-tenant: nobody", SPAN).await.status, 401);
    assert_eq!(send(&router, "POST /v1.0/traces", "").await.status, 404);
    assert_eq!(setup.texts(), ["a"; 4]);
    let counts = setup.counts(Protocol::DatadogTraces);
    assert_eq!((counts.stored, counts.rejected, counts.refused), (4, 1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn tracers_choose_by_what_they_are_told() {
    let setup = Setup::new().await;
    let info = send(&setup.intake.main_router(), "GET /datadog/info", "").await.json();
    let endpoints: Vec<_> = info["endpoints"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert_eq!(endpoints, ["/v0.3/traces", "/v0.4/traces", "/v0.5/traces", "/v0.7/traces"]);
    // All spans, once, with their structures and events.
    for (flag, value) in
        [("client_drop_p0s", false), ("long_running_spans", false), ("span_meta_structs", true), ("span_events", true)]
    {
        assert_eq!(info[flag], value, "{flag}");
    }
}
