//! Records are redacted on every way in, and those left out are counted for their sender (`e2e/tests/test_redaction.py`
//! has all protocols).

use std::sync::Arc;

use logkeep_redact::{Action, Find, HashKey, Kind, Redactor, Rule, Rules};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Setup, listen, options, send, wait_until};
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sender_calls_itself_is_redacted() {
    let setup = setup(Action::Hash).await;
    let router = setup.intake.native_router();
    let head = format!(
        "POST /api/v1/ingest/ndjson\nuser-agent: shop/1 (https://bob:hunter2@x.example; {CARD}) password=tr0ub4dor"
    );
    assert_eq!(send(&router, &head, "{}\n").await.status, 200);
    let [(source, _)] = &setup.ledger().await[..] else { panic!("one source") };
    let expected = "shop/1 (https://bob:[redacted:url_password]@x.example; [redacted:card]) password=[redacted:secret]";
    assert_eq!(source.sender.as_deref(), Some(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_key_are_hidden_in_a_request_and_over_a_connection_that_is_never_answered() {
    const LINE: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
    let setup = setup(Action::Mask).await;
    let texts = ["-----BEGIN PRIVATE KEY-----", LINE, LINE, "-----END PRIVATE KEY-----", "after it"];
    let document = |text: &&str| format!("{{\"message\":\"{text}\",\"service\":\"a\"}}\n");
    let router = setup.intake.native_router();
    let body: String = texts.iter().map(document).collect();
    assert_eq!(send(&router, "POST /api/v1/ingest/ndjson", body).await.status, 200);
    let (address, stop) = listen(&setup, "syslog-tcp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    for (sent, text) in texts.iter().enumerate() {
        stream.write_all(format!("<13>1 - h a 1 - - {text}\n").as_bytes()).await.unwrap();
        // Each in a burst of its own.
        wait_until("storing", || setup.bodies().len() == texts.len() + sent + 1).await;
    }
    stop.cancel();
    let marker = "[redacted:private_key]";
    let hidden = [marker, marker, marker, marker, "after it"];
    assert_eq!(setup.bodies(), [hidden, hidden].concat());
    let originals = setup.stored("default", |record| record.original.as_deref().unwrap_or_default().to_owned());
    assert!(originals.iter().all(|original| !original.contains("MII")), "{originals:?}");
}
