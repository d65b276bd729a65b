//! Records are redacted on every way in, and those left out are counted for their sender (`e2e/tests/test_redaction.py`
//! has all protocols).

use std::sync::Arc;

use logkeep_redact::{Action, Find, HashKey, Kind, Redactor, Rule, Rules};

use super::{Setup, options, send};
use crate::{Intake, IntakeOptions};

async fn setup(action: Action) -> Setup {
    let find = Find::Kinds(vec![Kind::Card]);
    let rule = Rule { name: "no-cards".to_owned(), find, tenants: vec![], services: vec![], action };
    let rules = Rules { rules: vec![rule], ..Rules::default() };
    let redactor = Arc::new(Redactor::new(rules, HashKey::new([1; 32])));
    Setup::with(IntakeOptions { redactor, ..options() }).await
}

const CARD: &str = "4111 1111 1111 1111";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_redacted_in_all_forms() {
    let setup = setup(Action::Mask).await;
    let document = format!(r#"{{"message":"paid with {CARD}","db":{{"password":"hunter2"}},"service":"pay"}}"#);
    let router = Intake::native_router(&setup.intake);
    assert_eq!(send(&router, "POST /api/v1/ingest/ndjson", document).await.status, 200);
    let span = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"token","value":{"stringValue":"a1b2c3d4e5f6"}}]},
        "scopeSpans":[{"spans":[{"name":"GET /?password=hunter2","traceId":"1","spanId":"2","events":
        [{"name":"e","attributes":[{"key":"m","value":{"stringValue":"Bearer abcdefghijklmnop1"}}]}]}]}]}]}"#;
    let span = span.replace(r#""1""#, &format!(r#""{}""#, "1".repeat(32))).replace(r#""2""#, r#""2222222222222222""#);
    let router = setup.intake.otlp_http_router();
    let sent = send(&router, "POST /v1/traces\ncontent-type: application/json", span).await;
    assert_eq!(sent.text(), "{}");
    let records = setup.logs_and_spans(|record| format!("{record:?}"));
    assert_eq!(records.len(), 2);
    for secret in ["4111", "hunter2", "a1b2c3d4e5f6", "abcdefghijklmnop1"] {
        assert!(records.iter().all(|record| !record.contains(secret)), "{secret} is in {records:?}");
    }
    assert!(
        records[0]
            .contains(r#"{\"message\":\"paid with [redacted:card]\",\"db\":{\"password\":\"[redacted:secret]\"}"#)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_left_out_takes_no_other_ones_place() {
    let setup = setup(Action::DropRecord).await;
    let router = setup.intake.elasticsearch_router();
    let item = |id: &str, text: &str| format!("{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"message\":\"{text}\"}}\n");
    let bulk = [item("1", "a"), item("2", CARD), item("3", "b")].concat();
    for status in [201, 409] {
        let answer = send(&router, "POST /web/_bulk", bulk.clone()).await.json();
        let items: Vec<_> = (0..3).map(|place| answer["items"][place]["create"]["status"].as_u64().unwrap()).collect();
        assert_eq!(items, [status, 201, status], "{answer}");
    }
    assert_eq!(setup.bodies(), ["a", "b"]);
    let [(_, counts)] = &setup.ledger().await[..] else { panic!("one source") };
    assert!(counts.is_balanced());
    assert_eq!((counts.received, counts.stored, counts.deduplicated), (6, 2, 2));
    assert_eq!(counts.dropped, [("no-cards".to_owned(), 2)].into());
}
