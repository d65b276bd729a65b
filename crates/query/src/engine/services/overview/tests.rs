//! The overview over live rows and over segments, for those who see everything and for those who do not.

use std::net::Ipv4Addr;
use std::time::Duration;

use logkeep_access::{Access, Action, Identity, Rules};
use logkeep_ingest::{BatchBuilder, Ingest};
use logkeep_record::span::{Span, SpanKind, SpanStatus};
use logkeep_record::{Class, Record, Resource, Severity, TenantId, Value};

use super::*;
use crate::QueryOptions;
use crate::exec::SqlOptions;
use crate::exec::tests::open;

const SECOND: i64 = 1_000_000_000;
/// The range is the five minutes that end here: ten seconds a slot.
const END_NS: i64 = 1_795_168_800 * SECOND;

fn range() -> TimeRange {
    TimeRange::new(END_NS - 300 * SECOND, END_NS).unwrap()
}

fn resource(service: &str) -> std::sync::Arc<Resource> {
    Resource::from_attributes(vec![("service.name".into(), Value::from(service.to_owned()))])
}

/// A record, so many seconds before the end.
fn log(service: &str, seconds: i64, severity: Severity, body: &str) -> (Class, Record<'static>) {
    let time_ns = END_NS - seconds * SECOND;
    let mut record = Record::new(time_ns, Value::from(body.to_owned()), resource(service));
    (record.time_ns, record.severity) = (Some(time_ns), severity);
    (Class::default(), record)
}

/// A request that was served.
fn span(service: &str, seconds: i64, took_ms: i64, status: SpanStatus) -> (Class, Record<'static>) {
    let start_ns = END_NS - seconds * SECOND;
    let mut span = Span::new("GET /", resource(service));
    (span.trace_id, span.span_id) = (TraceId::new([7; 16]), SpanId::new([9; 8]));
    (span.kind, span.status) = (SpanKind::Server, status);
    (span.start_ns, span.end_ns) = (Some(start_ns), Some(start_ns + took_ms * 1_000_000));
    (Class::spans(), span.into_record(start_ns))
}

async fn store(ingest: &Ingest, sent: &[(Class, Record<'static>)]) {
    for class in [Class::default(), Class::spans()] {
        let mut builder = BatchBuilder::default();
        for (_, record) in sent.iter().filter(|(of, _)| *of == class) {
            builder.push(record);
        }
        if let Some(batch) = builder.finish().unwrap() {
            ingest.commit(&TenantId::default(), &class, batch, None).await.unwrap();
        }
    }
}

async fn asked(ingest: Ingest, range: TimeRange, limit: usize, timeout: Duration) -> Overview {
    let sql = SqlOptions { memory_bytes: 64 << 20, rows: 100_000, threads: 2 };
    let engine = QueryEngine::new(ingest.clone(), QueryOptions { timeout, sql, cache_bytes: 1 << 20 }).unwrap();
    let who = Identity::local(Ipv4Addr::LOCALHOST.into(), TenantId::default()).unwrap();
    let grant = Access::new(ingest, Rules::default()).authorize(&who, Action::Query, &[]).await.unwrap();
    engine.overview(&grant, range, limit, &engine.budget()).await.unwrap()
}

const LONG: Duration = Duration::from_secs(60);

fn sum(counts: &Counts) -> (u64, u64) {
    (counts[..SLOTS].iter().sum(), counts[SLOTS..].iter().sum())
}

/// `web` has logs and requests, of which a quarter fails now and none did before; `jobs` has logs alone and is new.
fn sent() -> Vec<(Class, Record<'static>)> {
    let mut sent = Vec::new();
    for seconds in 1..=600 {
        let now = seconds <= 300;
        sent.push(log("web", seconds, Severity::INFO, "served"));
        let status = if now && seconds % 4 == 0 { SpanStatus::Error } else { SpanStatus::Ok };
        sent.push(span("web", seconds, if now { 80 } else { 20 }, status));
        sent.extend((seconds <= 100).then(|| log("jobs", seconds, Severity::INFO, "ran")));
    }
    sent.push(log("jobs", 20, Severity::ERROR, "it broke"));
    sent.push(log("jobs", 30, Severity::ERROR, "it broke before"));
    sent.push(log("web", 400, Severity::ERROR, "before the range"));
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn services_and_changes() {
    for live in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let mut ingest = open(folder.path()).await;
        store(&ingest, &sent()).await;
        if !live {
            ingest.close();
            ingest = open(folder.path()).await;
        }
        let overview = asked(ingest, range(), 10, LONG).await;
        assert_eq!((overview.more, overview.missing.clone()), (false, None));
        assert_eq!(overview.compared, Some(Compared { before: 30, now: 30 }));
        let [web, jobs] = overview.services.as_slice() else { panic!("{:?}", overview.services) };
        assert_eq!((web.name.as_str(), sum(&web.records)), ("web", (301, 300)));
        let requests = web.requests.as_ref().unwrap();
        assert_eq!((sum(&requests.counts), sum(&requests.errors)), ((300, 300), (0, 75)));
        assert_eq!(requests.counts, [10; ALL_SLOTS], "ten in each slot of ten seconds");
        assert_eq!(requests.duration_ms, [[Some(20.0); 3], [Some(80.0); 3]]);
        assert_eq!(requests.measured_by, SeenBy::Spans);
        let error = web.newest_error.as_ref().unwrap();
        assert_eq!((error.text.as_str(), error.is_span, error.time_ns), ("GET /", true, END_NS - 4 * SECOND));
        assert_eq!((jobs.name.as_str(), sum(&jobs.records), sum(&jobs.error_records)), ("jobs", (0, 102), (0, 2)));
        assert_eq!((jobs.volume(), &jobs.requests), (102, &None));
        let error = jobs.newest_error.as_ref().unwrap();
        assert_eq!((error.text.as_str(), error.is_span), ("it broke", false));
        let what: Vec<(Option<&str>, &What)> =
            overview.changes.iter().map(|change| (change.service.as_deref(), &change.what)).collect();
        assert_eq!(
            what,
            [
                (
                    Some("web"),
                    &What::Errors { before: Share { errors: 0, of: 300 }, now: Share { errors: 75, of: 300 } }
                ),
                (Some("web"), &What::Latency { percentile: 95, before_ms: 20.0, now_ms: 80.0 }),
                (Some("jobs"), &What::New { first: 50, count: 102 }),
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn most_of_many() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let mut sent = Vec::new();
    for (name, times) in [("a", 1), ("b", 3), ("c", 2)] {
        sent.extend((0..times).map(|at| log(name, at + 1, Severity::INFO, "x")));
    }
    store(&ingest, &sent).await;
    let names = |overview: &Overview| overview.services.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    let overview = asked(ingest.clone(), range(), 2, LONG).await;
    assert_eq!(
        (names(&overview), overview.more, overview.compared),
        (vec!["b".to_owned(), "c".to_owned()], true, None)
    );
    let overview = asked(ingest.clone(), range(), 3, LONG).await;
    assert_eq!((names(&overview).len(), overview.more), (3, false));
    // Long before anything came, and over all time.
    let early = TimeRange::new(0, 1_000 * SECOND).unwrap();
    let overview = asked(ingest.clone(), early, 3, LONG).await;
    assert_eq!((names(&overview), overview.changes), (Vec::new(), Vec::new()));
    let overview = asked(ingest, TimeRange::new(0, END_NS).unwrap(), 3, LONG).await;
    assert_eq!((names(&overview).len(), overview.compared), (3, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let overview = asked(open(folder.path()).await, range(), 2, LONG).await;
    assert!(
        overview.services.is_empty() && overview.changes.is_empty() && !overview.more && overview.missing.is_none()
    );
}
