use serde_json::json;

use super::{Answered, Setup, gzip, options, send};
use crate::{IntakeOptions, Protocol};

async fn post(setup: &Setup, head: &str, body: impl Into<axum::body::Body>) -> Answered {
    send(&setup.intake.native_router(), &format!("POST /api/v1/ingest/{head}"), body).await
}

fn counted(answer: &Answered) -> (u16, i64, i64) {
    let body = answer.json();
    (answer.status, body["stored"].as_i64().unwrap_or(-1), body["deduplicated"].as_i64().unwrap_or(-1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_stored_once() {
    let setup = Setup::new().await;
    let body = "{\"message\":\"one\"}\nplain\n";
    let head = "ndjson\nx-logkeep-batch: k1";
    assert_eq!(counted(&post(&setup, head, body).await), (200, 2, 0));
    assert_eq!(counted(&post(&setup, head, body).await), (200, 0, 2));
    assert_eq!(counted(&post(&setup, "ndjson\nx-logkeep-batch: k2", body).await), (200, 2, 0));
    assert_eq!(counted(&post(&setup, "ndjson", body).await), (200, 2, 0));
    assert_eq!(setup.bodies(), ["one", "plain", "one", "plain", "one", "plain"]);
    let counts = setup.counts(Protocol::Ndjson);
    assert_eq!((counts.received, counts.stored, counts.deduplicated, counts.connections), (8, 6, 2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_records_are_several_batches_and_a_retry_stores_none_twice() {
    let setup = Setup::with(options()).await;
    let body: String = (0..70_000).map(|n| format!("{n}\n")).collect();
    let head = "ndjson\nx-logkeep-batch: k1";
    assert_eq!(counted(&post(&setup, head, body.clone()).await), (200, 70_000, 0));
    assert_eq!(counted(&post(&setup, head, body).await), (200, 0, 70_000));
    let stored = setup.bodies();
    assert_eq!((stored.len(), stored[69_999].as_str()), (70_000, "69999"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_in_their_form() {
    let setup = Setup::new().await;
    let cri = "2026-11-20T10:00:00Z stdout P first \n2026-11-20T10:00:00Z stderr F other\n2026-11-20T10:00:01Z stdout F half\n";
    let syslog = "<34>1 2026-11-20T10:00:00Z host app 7 - - said\n";
    for (head, body, stored) in [
        ("lines?format=cri&source=web.log", cri, 2),
        ("lines?format=auto", cri, 2),
        ("lines", syslog, 1),
        ("lines?format=nd-json", "{\"message\":\"doc\"}\n", 1),
    ] {
        assert_eq!(counted(&post(&setup, head, body).await), (200, stored, 0), "{head}");
    }
    assert_eq!(setup.bodies(), ["other", "first half", "other", "first half", "said", "doc"]);
    let source = |record: &logkeep_record::Record<'_>| {
        record.resource.attribute("logkeep.source").and_then(|value| value.as_str()).unwrap_or("?").to_owned()
    };
    assert_eq!(setup.stored("default", source)[1..3], ["web.log", "10.1.2.3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_is_kept() {
    let setup = Setup::new().await;
    assert_eq!(counted(&post(&setup, "ndjson", &b"\xff\xfe\n"[..]).await), (200, 1, 0));
    assert_eq!(setup.bodies(), ["\u{fffd}\u{fffd}"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals() {
    let setup =
        Setup::with(IntakeOptions { request_bytes: 1_000, request_decompressed_bytes: 2_000, ..options() }).await;
    let long_key = format!("ndjson\nx-logkeep-batch: {}", "k".repeat(257));
    let chunked = axum::body::Body::from_stream(Chunks(0));
    assert_eq!(post(&setup, "ndjson", chunked).await.status, 413, "without a length");
    for (head, body, status, code) in [
        ("ndjson", vec![b'a'; 1_001], 413, "too_large"),
        ("ndjson\ncontent-encoding: gzip", gzip(&vec![b'a'; 2_001]), 413, "too_large"),
        ("ndjson\ncontent-encoding: br", b"a".to_vec(), 415, "bad_request"),
        ("ndjson\ncontent-encoding: gzip", b"\x1f\x8b junk".to_vec(), 400, "bad_request"),
        (long_key.as_str(), b"a".to_vec(), 400, "bad_request"),
        ("ndjson\nx-logkeep-tenant: nobody", b"a".to_vec(), 403, "forbidden"),
        ("lines?format=odd", b"a".to_vec(), 400, "bad_request"),
        ("lines?sauce=x", b"a".to_vec(), 400, "bad_request"),
    ] {
        let answer = post(&setup, head, body).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &json!(code)), "{head}");
    }
    assert!(setup.bodies().is_empty());
    setup.ingest.close();
    let answer = post(&setup, "ndjson", "a").await;
    assert_eq!(
        (answer.status, answer.header("retry-after"), &answer.json()["error"]["code"]),
        (503, "2", &json!("unavailable"))
    );
}

/// Chunks without end, as far as the reader can tell.
struct Chunks(usize);

impl tokio_stream::Stream for Chunks {
    type Item = Result<axum::body::Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0 += 1;
        std::task::Poll::Ready((self.0 < 100).then(|| Ok(vec![b'a'; 100].into())))
    }
}
