//! What each sender makes of a status: what it sends again, and what it drops for good. Ours have to be of the first kind whenever
//! the data could be stored later, and of the second only if it never can.

use std::time::Duration;

use axum::Router;

use crate::tests::{Answered, Setup, options, send};
use crate::{Intake, IntakeOptions, Protocol};

/// A sender, and what it makes of answers.
struct Sender {
    name: &'static str,
    router: fn(&Intake) -> Router,
    head: &'static str,
    good: &'static str,
    unreadable: &'static [u8],
    /// What it sends again; `None` is everything.
    repeats: Option<&'static [u16]>,
    drops: &'static [u16],
}

const OTLP: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"one"}}]}]}]}"#;
const LOKI: &str = r#"{"streams":[{"stream":{"job":"a"},"values":[["1795168800000000001","one"]]}]}"#;
const BULK: &str = "{\"create\":{\"_index\":\"a\"}}\n{\"message\":\"one\"}\n";
const LOKI_HEAD: &str = "POST /loki/api/v1/push\ncontent-type: application/json";

const SENDERS: &[Sender] = &[
    Sender {
        name: "Fluent Bit, es",
        router: Intake::elasticsearch_router,
        head: "POST /_bulk",
        good: BULK,
        unreadable: b"{\n",
        repeats: None,
        drops: &[],
    },
    Sender {
        name: "elasticsearch-py, and its like",
        router: Intake::elasticsearch_router,
        head: "POST /_bulk",
        good: BULK,
        unreadable: b"{\n",
        repeats: Some(&[429, 502, 503, 504]),
        drops: &[400, 413],
    },
    Sender {
        name: "Fluent Bit, loki",
        router: Intake::loki_router,
        head: LOKI_HEAD,
        good: LOKI,
        unreadable: b"{",
        repeats: Some(&[401, 413, 429, 500, 503]),
        drops: &[400],
    },
    Sender {
        name: "Promtail",
        router: Intake::loki_router,
        head: LOKI_HEAD,
        good: LOKI,
        unreadable: b"{",
        repeats: Some(&[429, 500, 503]),
        drops: &[400, 401, 403, 413, 415],
    },
    Sender {
        name: "Fluent Bit, opentelemetry, and the SDKs",
        router: Intake::otlp_http_router,
        head: "POST /v1/logs\ncontent-type: application/json",
        good: OTLP,
        unreadable: b"{",
        repeats: Some(&[429, 502, 503, 504]),
        drops: &[400, 401, 413, 500],
    },
    Sender {
        name: "Fluent Bit, splunk",
        router: Intake::hec_router,
        head: "POST /services/collector/event",
        good: r#"{"event":"one"}"#,
        unreadable: b"x",
        // Not 429.
        repeats: Some(&[500, 502, 503, 504]),
        drops: &[400, 401, 403, 413],
    },
    Sender {
        name: "Fluent Bit, datadog",
        router: Intake::datadog_router,
        head: "POST /api/v2/logs",
        good: r#"[{"message":"one"}]"#,
        unreadable: b"[{",
        repeats: None,
        drops: &[],
    },
    Sender {
        name: "Datadog Agent",
        router: Intake::datadog_router,
        head: "POST /api/v2/logs",
        good: r#"[{"message":"one"}]"#,
        unreadable: b"[{",
        repeats: Some(&[404, 408, 409, 429, 500, 502, 503, 504]),
        drops: &[400, 401, 403, 413],
    },
];

impl Sender {
    async fn sends(&self, setup: &Setup, head: &str, body: impl Into<axum::body::Body>) -> Answered {
        send(&(self.router)(&setup.intake), head, body).await
    }

    fn is_sent_again(&self, answer: &Answered) -> bool {
        answer.status >= 400 && self.repeats.is_none_or(|repeats| repeats.contains(&answer.status))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_stored_later_is_sent_again() {
    let busy = IntakeOptions { max_wait: Duration::from_millis(1), max_concurrent_requests: 1, ..options() };
    let busy = Setup::with(busy).await;
    let _the_only_place = busy.intake.admit(Protocol::Ndjson).await.unwrap();
    let broken = Setup::new().await;
    broken.ingest.close();
    for sender in SENDERS {
        for (what, setup) in [("busy", &busy), ("broken", &broken)] {
            let answer = sender.sends(setup, sender.head, sender.good).await;
            assert!(sender.is_sent_again(&answer), "{what}: {} makes nothing of {}", sender.name, answer.status);
            assert!([429, 503].contains(&answer.status), "{what}: {}", answer.status);
            assert_eq!(answer.header("retry-after"), "2", "{what}: {}", sender.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_stored_is_dropped_by_who_can() {
    let setup = Setup::new().await;
    let too_large = vec![b' '; (1 << 20) + 1];
    for sender in SENDERS {
        for (what, body, status) in [("unreadable", sender.unreadable, 400), ("too large", &too_large[..], 413)] {
            let answer = sender.sends(&setup, sender.head, body.to_vec()).await;
            assert_eq!(answer.status, status, "{what}: {}", sender.name);
            assert_eq!(answer.header("retry-after"), "", "{what}: {}", sender.name);
            let is_dropped = sender.drops.contains(&status);
            assert_ne!(is_dropped, sender.is_sent_again(&answer), "{what}: {}", sender.name);
        }
    }
    assert!(setup.bodies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_keeps_its_logs_while_nobody_lets_it_in() {
    let setup = Setup::new().await;
    let agent = SENDERS.iter().find(|sender| sender.name == "Datadog Agent").unwrap();
    for head in ["x-logkeep-tenant: nobody", "dd-api-key: lkt_unknown"] {
        let answer = agent.sends(&setup, &format!("{}\n{head}", agent.head), agent.good).await;
        assert_eq!(answer.status, 409, "{head}: {}", answer.text());
        assert!(agent.is_sent_again(&answer), "{head}");
    }
}
