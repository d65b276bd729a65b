use super::{Setup, gzip, send};
use crate::Protocol;

const PUSH: &str =
    r#"{"streams":[{"stream":{"app":"web"},"values":[["1795168800000000001","one"],["1795168800000000002","two"]]}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn pushes_are_answered_as_loki_does() {
    let setup = Setup::new().await;
    let router = setup.intake.loki_router();
    let partly = r#"{"streams":[{"stream":{"app":"web"},"values":[["x","bad"],["1795168800000000003","three"]]}]}"#;
    let old = r#"{"streams":[{"labels":"{app=\"web\"}","entries":[{"ts":"2026-11-20T10:00:00Z","line":"four"}]}]}"#;
    let not_utf8 =
        b"{\"streams\":[{\"stream\":{\"app\":\"web\"},\"values\":[[\"1795168800000000005\",\"fi\xffve\"]]}]}";
    for (head, body, status, contains) in [
        ("POST /loki/api/v1/push\ncontent-type: application/json", PUSH.as_bytes().to_vec(), 204, ""),
        (
            "POST /loki/api/v1/push\ncontent-type: application/json\ncontent-encoding: gzip",
            gzip(PUSH.as_bytes()),
            204,
            "",
        ),
        ("POST /loki/api/v1/push", PUSH.as_bytes().to_vec(), 204, ""),
        ("POST /loki/api/v1/push\ncontent-type: text/odd", partly.as_bytes().to_vec(), 400, "1 of 2 lines rejected"),
        ("POST /api/prom/push\ncontent-type: application/json", old.as_bytes().to_vec(), 204, ""),
        ("POST /loki/api/v1/push\ncontent-type: application/json", not_utf8.to_vec(), 204, ""),
        ("POST /loki/api/v1/push\ncontent-type: application/json", b"{".to_vec(), 400, "not a push request"),
        ("POST /loki/api/v1/push\nX-Scope-Orgid: nobody", PUSH.as_bytes().to_vec(), 401, "`nobody` is not declared"),
        ("POST /loki/api/v1/push", vec![0; (1 << 20) + 1], 413, "larger than 1048576"),
        ("POST /loki/api/v1/push\ncontent-encoding: gzip", gzip(&vec![0; 8 << 20]), 413, "larger than 4194304"),
        ("GET /ready", Vec::new(), 200, "ready"),
        ("GET /loki/api/v1/status/buildinfo", Vec::new(), 200, "\"version\""),
    ] {
        let answer = send(&router, head, body).await;
        assert_eq!(answer.status, status, "{head}: {}", answer.text());
        assert!(answer.text().contains(contains), "{head}: {}", answer.text());
    }
    assert_eq!(setup.bodies(), ["one", "two", "one", "two", "one", "two", "three", "four", "fi\u{fffd}ve"]);
    let counts = setup.counts(Protocol::Loki);
    assert_eq!((counts.received, counts.stored, counts.rejected, counts.refused), (10, 9, 1, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_mix_and_the_sender_is_known() {
    let setup = Setup::new().await;
    let router = setup.intake.loki_router();
    let answer = send(&router, "POST /loki/api/v1/push\nX-Scope-OrgID: team-a", PUSH).await;
    assert_eq!(answer.status, 204);
    assert!(setup.bodies().is_empty());
    let source = |record: &logkeep_record::Record<'_>| {
        let text = |name| record.resource.attribute(name).and_then(|value| value.as_str()).unwrap_or("?").to_owned();
        [text("service.name"), text("logkeep.protocol"), text("logkeep.source")].join(" ")
    };
    assert_eq!(setup.stored("team-a", source), ["web loki 10.1.2.3"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_that_is_not_stored() {
    let setup = Setup::new().await;
    setup.ingest.close();
    let answer = send(&setup.intake.loki_router(), "POST /loki/api/v1/push", PUSH).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "2"));
    assert_eq!(setup.counts(Protocol::Loki).deferred, 2);
}
