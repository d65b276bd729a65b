//! Every way of answering says what the record-by-record evaluator says.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_ingest::{BatchBuilder, Ingest, IngestConfig, Parts, Snapshot};
use logkeep_record::{Class, Record, Resource, Severity, SpanId, TenantId, TimeRange, TraceId, Value};
use logkeep_store::{LocalKeyFile, SealedObjects, SystemClock, SystemRandom};

use super::cache::BlockCache;
use super::scan::{Dataset, Scan};
use super::table::LogsTable;
use super::{Budget, Order, QueryError, Search, SqlOptions, sql};
use crate::kql::{Expr, matches, parse};

/// One for all tests, so that questions find what others left, and small enough to push things out.
fn cache() -> Arc<BlockCache> {
    static CACHE: OnceLock<Arc<BlockCache>> = OnceLock::new();
    CACHE.get_or_init(|| Arc::new(BlockCache::new(1 << 20))).clone()
}

async fn open(folder: &Path) -> Ingest {
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
    record.span_id = SpanId::new([dice.roll(2) as u8; 8]);
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
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(7);
    let records: Vec<Record<'static>> = (0..240).map(|number| any_record(&mut dice, number)).collect();
    let mut ingest = open(folder.path()).await;
    for (part, records) in records.chunks(80).enumerate() {
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
    let budget = Budget::new(Duration::from_secs(60));
    Scan::new(snapshot, &TenantId::default(), Dataset::Logs, range, filter, budget, cache()).unwrap()
}

/// The records of all pages, by the number in their arrival time.
fn found(snapshot: &Snapshot, filter: &Expr, range: TimeRange, order: Order, limit: usize) -> Vec<(i64, i64)> {
    let scan = scan(snapshot, filter, range);
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
        assert_eq!(found(&snapshot, &filter, range, order, limit), expected, "{query}");
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
async fn what_is_cached_is_what_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = open(folder.path()).await;
    let rows = 20_000;
    let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
    let mut builder = BatchBuilder::default();
    for number in 0..rows {
        let mut record = Record::new(number, Value::from(format!("line {number}")), resource.clone());
        record.time_ns = Some(number);
        record.attributes = vec![("n".into(), Value::Int(number)), ("even".into(), Value::Bool(number % 2 == 0))];
        builder.push(&record);
    }
    ingest.commit(&TenantId::default(), &Class::default(), builder.finish().unwrap().unwrap(), None).await.unwrap();
    ingest.close();
    let ingest = open(folder.path()).await;
    let snapshot = ingest.snapshot();
    let one_block = run_sql(&snapshot, "select n from logs where body = 'line 9000'").await.unwrap();
    assert_eq!(one_block[0].column(0).as_primitive::<Int64Type>().values().to_vec(), [9_000]);
    // The first time some columns of one block are known, the second time all of all blocks.
    for _ in 0..2 {
        let sum = run_sql(&snapshot, "select sum(n), count(body), count(*) from logs where even").await.unwrap();
        let number = |place: usize| sum[0].column(place).as_primitive::<Int64Type>().value(0);
        assert_eq!([number(0), number(1), number(2)], [(rows / 2) * (rows / 2 - 1), rows / 2, rows / 2]);
        let few = run_sql(&snapshot, "select body from logs where n % 7001 = 1 order by n").await.unwrap();
        let texts: Vec<Option<&str>> = few.iter().flat_map(|batch| batch.column(0).as_string::<i32>()).collect();
        assert_eq!(texts, ["line 1", "line 7002", "line 14003"].map(Some));
    }
    cache().forget_unused(Duration::ZERO);
    assert_eq!(count(&snapshot, "n >= 0").await as i64, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn severity_is_compared_by_name() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    for name in ["trace", "debug", "info", "warn", "error", "fatal", "unspecified", "ERROR", "none"] {
        let expected = data.records.iter().filter(|record| record.severity.name() == name).count();
        assert_eq!(count(&snapshot, &format!("severity = '{name}'")).await, expected, "{name}");
        let others = data.records.len() - expected;
        assert_eq!(count(&snapshot, &format!("not (severity = '{name}')")).await, others, "not {name}");
    }
}

async fn run_sql(snapshot: &Snapshot, text: &str) -> Result<Vec<RecordBatch>, QueryError> {
    let table = LogsTable::new(scan(snapshot, &Expr::All, TimeRange::ALL), 2).unwrap();
    let room = sql::SqlRoom::new(SqlOptions { memory_bytes: 64 << 20, rows: 1_000, threads: 2 });
    Ok(sql::run(text, vec![("logs", table)], &room, &Budget::new(Duration::from_secs(60))).await?.batches)
}

#[tokio::test]
async fn queries_wait_for_their_turn_and_no_longer_than_they_may_take() {
    let room = sql::SqlRoom::new(SqlOptions { memory_bytes: 1 << 20, rows: 1, threads: 1 });
    let minute = Budget::new(Duration::from_secs(60));
    let first = room.turn(&minute).await.unwrap();
    let impatient = room.turn(&Budget::new(Duration::from_millis(1))).await;
    assert!(matches!(impatient, Err(QueryError::OverTime(_))));
    drop(first);
    assert!(room.turn(&minute).await.is_ok());
}

async fn count(snapshot: &Snapshot, condition: &str) -> usize {
    let batches = run_sql(snapshot, &format!("select count(*) from logs where {condition}")).await.unwrap();
    batches[0].column(0).as_primitive::<Int64Type>().value(0) as usize
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_agrees_with_the_records() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    type Test = fn(&Record<'_>) -> bool;
    let service =
        |record: &Record<'_>| record.resource.attribute("service.name").and_then(Value::as_str).map(str::to_owned);
    assert_eq!(count(&snapshot, "true").await, data.records.len());
    let expected = data.records.iter().filter(|record| service(record).as_deref() == Some("web")).count();
    assert_eq!(count(&snapshot, "\"service.name\" = 'web'").await, expected);
    let cases: &[(&str, Test)] = &[
        ("severity = 'error'", |record| record.severity.name() == "error"),
        ("severity_number >= 13", |record| record.severity.number() >= 13),
        ("body like '%503%'", |record| {
            record.body.as_str().is_some_and(|body| body.contains("503"))
                || !matches!(record.body, Value::Str(_) | Value::Null)
                    && super::project::text_of(&record.body).contains("503")
        }),
        ("trace_id = '01010101010101010101010101010101'", |record| record.trace_id == TraceId::new([1; 16])),
        ("time >= '1970-01-01T00:00:00.000000100Z' and time < '1970-01-01T00:00:00.000000300Z'", |record| {
            (100..300).contains(&record.effective_time_ns())
        }),
        ("original is not null", |record| record.original.is_some()),
        ("match_phrase(body, '/Cart 503')", |record| matches(&parse("body:\"/Cart 503\"").unwrap(), record)),
    ];
    for (condition, test) in cases {
        let expected: Vec<&Record<'_>> = data.records.iter().filter(|record| test(record)).collect();
        assert!(!expected.is_empty(), "{condition} finds something");
        assert_eq!(count(&snapshot, condition).await, expected.len(), "{condition}");
        // The columns that are shown are read later than those that decide, and must be of the same rows.
        let text = format!("select body, \"service.name\", severity_number from logs where {condition}");
        let mut found: Vec<String> = run_sql(&snapshot, &text).await.unwrap().iter().flat_map(lines).collect();
        let mut expected: Vec<String> = expected.into_iter().map(shown).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{condition}");
    }
}

fn shown(record: &Record<'_>) -> String {
    let body = match &record.body {
        Value::Null => String::new(),
        body => super::project::text_of(body),
    };
    let service = record.resource.attribute("service.name").and_then(Value::as_str).unwrap_or_default();
    format!("{body}|{service}|{}", record.severity.number())
}

fn lines(batch: &RecordBatch) -> Vec<String> {
    let columns: Vec<_> = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
    let cell = |column: &ArrayRef, row| {
        let column = column.as_string::<i32>();
        if column.is_valid(row) { column.value(row).to_owned() } else { String::new() }
    };
    (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| cell(column, row)).collect::<Vec<_>>().join("|"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_reads_and_nothing_else() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    for text in [
        "drop table logs",
        "create table t as select 1",
        "create external table t stored as csv location '/etc/passwd'",
        "copy logs to '/tmp/x.csv'",
        "insert into logs values (1)",
        "set datafusion.execution.batch_size = 1",
        "select * from '/etc/passwd'",
        "select * from read_csv('/etc/passwd')",
        "select 1; drop table logs",
        "selec 1",
    ] {
        assert!(
            matches!(run_sql(&snapshot, text).await, Err(QueryError::Sql { .. } | QueryError::Internal(_))),
            "{text}"
        );
    }
    let Err(QueryError::Sql { suggestion, .. }) = run_sql(&snapshot, "select \"service.nam\" from logs").await else {
        panic!("an unknown column is an error")
    };
    assert_eq!(suggestion.as_deref(), Some("\"service.name\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_when_its_time_is_over() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let budget = Budget::new(Duration::ZERO);
    let scan =
        Scan::new(&snapshot, &TenantId::default(), Dataset::Logs, TimeRange::ALL, &Expr::All, budget, cache()).unwrap();
    let result = scan.page(&Search { limit: 1, order: Order::Descending, after: None });
    assert!(matches!(result, Err(QueryError::OverTime(_))));
}
