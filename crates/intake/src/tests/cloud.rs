use super::{Setup, send};
use crate::Protocol;

#[tokio::test(flavor = "multi_thread")]
async fn firehose_is_answered_with_its_own_id_and_known_again() {
    let setup = Setup::new().await;
    let router = setup.intake.firehose_router();
    let body = r#"{"requestId":"r1","timestamp":5,"records":[{"data":"b25l"},{"data":"dHdv"}]}"#;
    let head = concat!(
        "POST /firehose\nx-amz-firehose-request-id: r1\nx-amz-firehose-access-key: k\n",
        "x-amz-firehose-common-attributes: {\"commonAttributes\":{\"service.name\":\"shop\"}}"
    );
    for _ in 0..2 {
        let answer = send(&router, head, body).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        assert_eq!(answer.json()["requestId"], "r1");
        assert!(answer.json()["timestamp"].as_i64().unwrap() > 1_700_000_000_000);
    }
    assert_eq!(setup.bodies(), ["one", "two"]);
    let service = |record: &logkeep_record::Record<'_>| {
        record.resource.attribute("service.name").and_then(|value| value.as_str()).unwrap_or("-").to_owned()
    };
    assert_eq!(setup.stored("default", service), ["shop", "shop"]);
    let counts = setup.counts(Protocol::Firehose);
    assert_eq!((counts.received, counts.stored, counts.deduplicated), (4, 2, 2));
    let bad = send(&router, head, "{").await;
    assert_eq!((bad.status, bad.json()["requestId"].as_str()), (400, Some("r1")));
    assert!(bad.json()["errorMessage"].as_str().unwrap().contains("delivery of Firehose"));
    setup.ingest.close();
    let later = send(&router, head, body.replace("r1", "r2")).await;
    assert_eq!((later.status, later.json()["requestId"].as_str()), (503, Some("r2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn pubsub_is_acked_and_known_again() {
    let setup = Setup::new().await;
    let router = setup.intake.pubsub_router();
    let body = r#"{"message":{"data":"eyJtZXNzYWdlIjoiaGkifQ==","messageId":"m1","publishTime":"2026-11-20T10:00:00Z"},"subscription":"s"}"#;
    for _ in 0..2 {
        assert_eq!(send(&router, "POST /pubsub/push", body).await.status, 204);
    }
    assert_eq!(setup.bodies(), ["hi"]);
    let counts = setup.counts(Protocol::PubSub);
    assert_eq!((counts.stored, counts.deduplicated), (1, 1));
    assert_eq!(send(&router, "POST /pubsub/push", "{}").await.status, 400);
    setup.ingest.close();
    assert_eq!(send(&router, "POST /pubsub/push", body.replace("m1", "m2")).await.status, 503);
}
