use super::{Setup, gzip, send};
use crate::Protocol;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_those_of_splunk() {
    let setup = Setup::new().await;
    let router = setup.intake.hec_router();
    let two = b"{\"event\":\"one\",\"time\":\"1795168800.5\"}{\"event\":{\"message\":\"two\"}}".to_vec();
    for (head, body, status, said) in [
        // Docker asks without a token before it starts a container.
        ("OPTIONS /services/collector/event/1.0", Vec::new(), 200, ""),
        ("GET /services/collector/health", Vec::new(), 200, r#"{"text":"HEC is healthy","code":17}"#),
        ("POST /services/collector", two.clone(), 200, r#"{"text":"Success","code":0}"#),
        (
            "POST /services/collector/event/1.0\ncontent-encoding: gzip",
            gzip(&two),
            200,
            r#"{"text":"Success","code":0}"#,
        ),
        ("POST /services/collector/event", Vec::new(), 400, r#"{"text":"No data","code":5}"#),
        (
            "POST /services/collector/event",
            b"{\"event\":\"a\"} {\"event\":\"\"} {\"event\":\"b\"}".to_vec(),
            400,
            r#"{"text":"Event field cannot be blank","code":13,"invalid-event-number":1}"#,
        ),
        (
            "POST /services/collector/event",
            b"{\"message\":\"no envelope\"}".to_vec(),
            400,
            r#"{"text":"Event field is required","code":12,"invalid-event-number":0}"#,
        ),
        (
            "POST /services/collector/event\ncontent-encoding: gzip",
            gzip(&vec![0; 8 << 20]),
            413,
            r#"{"text":"Invalid data format","code":6}"#,
        ),
        (
            "POST /services/collector/event\nx-logkeep-tenant: nobody",
            two.clone(),
            403,
            r#"{"text":"Invalid token","code":4}"#,
        ),
        (
            "POST /services/collector/raw?host=web-9&sourcetype=access",
            b"raw one\n\nraw two\n".to_vec(),
            200,
            r#"{"text":"Success","code":0}"#,
        ),
        ("POST /services/collector/raw?channel=c", Vec::new(), 400, r#"{"text":"No data","code":5}"#),
        ("POST /services/collector/ack", Vec::new(), 400, r#"{"text":"Data channel is missing","code":10}"#),
        (
            "POST /services/collector/ack?channel=c",
            b"{\"acks\":[0,1]}".to_vec(),
            200,
            r#"{"acks":{"0":true,"1":true}}"#,
        ),
    ] {
        let answer = send(&router, head, body).await;
        assert_eq!((answer.status, answer.text().as_str()), (status, said), "{head}");
    }
    assert_eq!(setup.bodies(), ["one", "two", "one", "two", "a", "b", "raw one", "raw two"]);
    let host = |record: &logkeep_record::Record<'_>| {
        record.resource.attribute("host.name").and_then(|value| value.as_str()).unwrap_or("-").to_owned()
    };
    assert_eq!(setup.stored("default", host)[6..], ["web-9", "web-9"]);
    let counts = setup.counts(Protocol::Hec);
    assert_eq!((counts.received, counts.stored, counts.rejected, counts.refused), (10, 8, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_acks_are_given_to_who_names_a_channel() {
    let setup = Setup::new().await;
    let router = setup.intake.hec_router();
    for id in 0..3 {
        let head = "POST /services/collector/event\nX-Splunk-Request-Channel: 11111111-2222-3333-4444-555555555555";
        let answer = send(&router, head, "{\"event\":\"a\"}").await;
        assert_eq!(answer.json()["ackId"], id);
    }
    setup.ingest.close();
    let answer = send(&router, "POST /services/collector/event", "{\"event\":\"a\"}").await;
    assert_eq!((answer.status, answer.text().as_str()), (503, r#"{"text":"Server is busy","code":9}"#));
    assert_eq!(answer.header("retry-after"), "2");
}
