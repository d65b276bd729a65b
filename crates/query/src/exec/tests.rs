//! Every way of answering says what the record-by-record evaluator says.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_ingest::{BatchBuilder, Ingest, IngestConfig, Parts, Snapshot};
use logkeep_record::{Class, Record, Resource, Severity, SpanId, TenantId, TimeRange, TraceId, Value};
use logkeep_store::{LocalKeyFile, SealedObjects, SystemClock, SystemRandom};

use super::cache::BlockCache;
use super::scan::{Ask, Dataset, Scan};
use super::view::View;
use super::{Budget, Order, QueryError, Search};
use crate::kql::{Expr, matches, parse};

mod bounds;
mod compare;
mod limited;
mod matched;
mod named;
mod naming;
mod patterns;
mod split;
mod sql;
mod text;

/// One for all tests, so that questions find what others left, and small enough to push things out.
fn cache() -> Arc<BlockCache> {
    static CACHE: OnceLock<Arc<BlockCache>> = OnceLock::new();
    CACHE.get_or_init(|| Arc::new(BlockCache::new(1 << 20))).clone()
}

pub(crate) async fn open(folder: &Path) -> Ingest {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    let keys = LocalKeyFile::open_or_create(&folder.join("key"), &data, data.join("c.sqlite").exists()).unwrap();
    let parts = Parts {
        catalog: Arc::new(SqliteCatalog::open(&data.join("c.sqlite"), &DataKey::from_bytes([1; 32])).await.unwrap()),
        objects: SealedObjects::local(&data.join("objects")).unwrap(),
        keys: Arc::new(keys),
        clock: Arc::new(SystemClock::new()),
        random: Arc::new(SystemRandom),
    };
    let mut config = IngestConfig::new(&data);
    config.flush_interval = Duration::from_secs(3600);
    Ingest::open(config, parts).await.unwrap()
}

/// Small numbers that repeat for ever, the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len() as u64) as usize]
    }
}

fn any_value(dice: &mut Dice) -> Value<'static> {
    match dice.roll(9) {
        0 => Value::Int(dice.roll(4) as i64 * 100 + 203),
        1 => Value::Double(dice.roll(3) as f64 * 0.5),
        2 => Value::Bool(dice.roll(2) == 0),
        3 => Value::Null,
        4 => Value::Array(vec![Value::str("red"), Value::Int(503)]),
        5 => Value::Map(vec![("b".into(), Value::str("Deep value")), ("c".into(), Value::Int(7))]),
        _ => Value::str(dice.pick(&["GET", "post", "503", "über alles", "a/b-c", "", "red"])),
    }
}

fn any_record(dice: &mut Dice, number: i64) -> Record<'static> {
    let service = Value::str(dice.pick(&["web", "cart", "Pay-1"]));
    let resource = Resource::from_attributes(vec![
        ("service.name".into(), service),
        ("k8s.pod.name".into(), Value::from(format!("pod-{}", dice.roll(3)))),
        ("a".into(), if dice.roll(2) == 0 { Value::Null } else { Value::str("from resource") }),
    ]);
    let body = match dice.roll(5) {
        0 => any_value(dice),
        _ => Value::str(dice.pick(&["payment refused by bank", "GET /cart 503", "über-log: Foo.Bar", "ok", ""])),
    };
    let mut record = Record::new(1_000 + number, body, resource);
    record.time_ns = (dice.roll(8) > 0).then_some(dice.roll(500) as i64);
    record.severity = Severity::from_number(dice.roll(25) as i64);
    record.severity_text = dice.pick(&["", "ERROR", "info"]).into();
    record.original = (dice.roll(3) == 0).then(|| "original line with token42".into());
    record.trace_id = TraceId::new([dice.roll(3) as u8; 16]);
    record.span_id = SpanId::new([dice.roll(2) as u8 * 10; 8]);
    for _ in 0..dice.roll(5) {
        let key = dice.pick(&["a", "a.b", "http.response.status_code", "status", "x y", "b"]);
        record.attributes.push((key.into(), any_value(dice)));
    }
    record
}

const ATOMS: &[&str] = &[
    "payment",
    "refused by",
    "\"by bank\"",
    "503",
    "foo.bar",
    "ÜBER",
    "token42",
    "re*",
    "/[0-9]{3}/",
    "deep",
    "red",
    "true",
    "service:web",
    "service:pay-1",
    "service.name:*",
    "a:*",
    "a:red",
    "a:503",
    "a.b:*",
    "a.b:\"deep value\"",
    "status:503",
    "status>=303",
    "status:[203 to 403]",
    "b:1.0",
    "b:true",
    "\"x y\":get",
    "level:error",
    "severity>=warn",
    "severity_text:error",
    "trace_id:01010101010101010101010101010101",
    "trace_id:*",
    "span_id:*",
    "original:token42",
    "message:\"/cart 503\"",
    "pod:pod-1",
    "pod:pod-?",
    "body:/^GET/",
    "resource.a:*",
    "k8s.pod.name:pod-2",
    "nothing:here",
    "time>=\"1970-01-01T00:00:00.0000002Z\"",
];

fn any_query(dice: &mut Dice, depth: u64) -> String {
    match dice.roll(if depth == 0 { 1 } else { 5 }) {
        1 => format!("({} and {})", any_query(dice, depth - 1), any_query(dice, depth - 1)),
        2 => format!("({} or {})", any_query(dice, depth - 1), any_query(dice, depth - 1)),
        3 => format!("not {}", any_query(dice, depth - 1)),
        _ => dice.pick(ATOMS).to_owned(),
    }
}

struct Data {
    _folder: tempfile::TempDir,
    ingest: Ingest,
    records: Vec<Record<'static>>,
}

/// Records in two segments and in live rows.
async fn data() -> Data {
    let mut dice = Dice(7);
    stored((0..240).map(|number| any_record(&mut dice, number)).collect()).await
}

async fn stored(records: Vec<Record<'static>>) -> Data {
    let folder = tempfile::tempdir().unwrap();
    let mut ingest = open(folder.path()).await;
    for (part, records) in records.chunks(records.len().div_ceil(3)).enumerate() {
        for batch in records.chunks(16) {
            let mut builder = BatchBuilder::default();
            batch.iter().for_each(|record| builder.push(record));
            let batch = builder.finish().unwrap().unwrap();
            ingest.commit(&TenantId::default(), &Class::default(), batch, None).await.unwrap();
        }
        if part < 2 {
            ingest.close();
            ingest = open(folder.path()).await;
        }
    }
    Data { _folder: folder, ingest, records }
}

fn scan(snapshot: &Snapshot, filter: &Expr, range: TimeRange) -> Scan {
    scan_as(&Arc::default(), snapshot, filter, range)
}

fn scan_as(view: &Arc<View>, snapshot: &Snapshot, filter: &Expr, range: TimeRange) -> Scan {
    let tenant = TenantId::default();
    let ask = Ask { tenant: &tenant, dataset: Dataset::Logs, range, filter, view: view.clone() };
    let scan = Scan::new(snapshot, ask, Budget::new(Duration::from_secs(60)), cache()).unwrap();
    Scan { threads: 2, ..scan }
}

/// The records of all pages, by the number in their arrival time.
fn found(scan: &Scan, order: Order, limit: usize) -> Vec<(i64, i64)> {
    let mut all = Vec::new();
    let mut search = Search { limit, order, after: None };
    loop {
        let page = scan.page(&search).unwrap();
        for found in &page.records {
            let record = found.record().unwrap();
            all.push((record.effective_time_ns(), record.received_ns - 1_000));
        }
        search.after = page.records.last().map(|found| found.key.clone());
        if !page.more {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_agree_with_the_evaluator() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let mut dice = Dice(11);
    let mut hits = 0;
    let mut queries: Vec<String> = ATOMS.iter().map(|atom| (*atom).to_owned()).collect();
    queries.extend((0..200).map(|_| any_query(&mut dice, 3)));
    for query in queries {
        let filter = parse(&query).unwrap();
        let range = match dice.roll(3) {
            0 => TimeRange::new(100, 300).unwrap(),
            _ => TimeRange::ALL,
        };
        let order = if dice.roll(2) == 0 { Order::Ascending } else { Order::Descending };
        let mut expected: Vec<(i64, i64)> = data
            .records
            .iter()
            .filter(|record| matches(&filter, record))
            .map(|record| (record.effective_time_ns(), record.received_ns - 1_000))
            .filter(|(time, _)| range.overlaps(*time, *time))
            .collect();
        // Batches are numbered in order of arrival, so time and place order as time and number do.
        expected.sort_unstable();
        if order == Order::Descending {
            expected.reverse();
        }
        hits += expected.len();
        let limit = 15 + dice.roll(300) as usize;
        assert_eq!(found(&scan(&snapshot, &filter, range), order, limit), expected, "{query}");
        let total: u64 = scan(&snapshot, &filter, TimeRange::new(0, 5_000).unwrap())
            .histogram(10)
            .unwrap()
            .buckets
            .iter()
            .map(super::Bucket::total)
            .sum();
        let in_range = data
            .records
            .iter()
            .filter(|record| matches(&filter, record) && (0..5_000).contains(&record.effective_time_ns()));
        assert_eq!(total as usize, in_range.count(), "{query}");
    }
    assert!(hits > 2_000, "the queries find something: {hits}");
}

/// More rows than a block has, in a segment.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_when_its_time_is_over() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let scan = Scan { budget: Budget::new(Duration::ZERO), ..scan(&snapshot, &Expr::All, TimeRange::ALL) };
    let result = scan.page(&Search { limit: 1, order: Order::Descending, after: None });
    assert!(matches!(result, Err(QueryError::OverTime(_))));
}
