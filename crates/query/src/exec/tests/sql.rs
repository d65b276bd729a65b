//! SQL over segments and live rows.

use std::collections::BTreeMap;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampNanosecondType};
use datafusion::physical_plan::displayable;

use super::super::schema::SchemaCache;
use super::super::sql::{self, SqlRoom};
use super::super::table::LogsTable;
use super::super::{SqlAnswer, SqlOptions, Stats};
use super::*;

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

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_compared_as_they_are_shown() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let known = SpanId::new([10; 8]).unwrap();
    let shown = |test: &dyn Fn(Option<String>) -> bool| {
        data.records.iter().filter(|record| test(record.span_id.map(|id| id.to_string()))).count()
    };
    let some = data.records.iter().find_map(|record| record.span_id).unwrap_or(known).to_string();
    for text in [&some, &some.to_uppercase(), some.trim_start_matches('0'), "0000000000000000", "no id"] {
        let expected = shown(&|id| id.as_deref() == Some(text));
        assert_eq!(count(&snapshot, &format!("span_id = '{text}'")).await, expected, "{text}");
        let others = shown(&|id| id.is_some_and(|id| id != text));
        assert_eq!(count(&snapshot, &format!("not (span_id = '{text}')")).await, others, "not {text}");
        let either = shown(&|id| id.is_none_or(|id| id == text));
        assert_eq!(count(&snapshot, &format!("span_id is null or span_id = '{text}'")).await, either, "or {text}");
    }
}

pub(super) async fn run_sql(snapshot: &Snapshot, text: &str) -> Result<Vec<RecordBatch>, QueryError> {
    Ok(run_counted(snapshot, text).await?.0)
}

/// One for all tests, whose sources differ.
static SCHEMAS: OnceLock<SchemaCache> = OnceLock::new();

fn table(snapshot: &Snapshot) -> Result<(LogsTable, Budget), QueryError> {
    table_of(scan(snapshot, &Expr::All, TimeRange::ALL))
}

fn table_of(scan: Scan) -> Result<(LogsTable, Budget), QueryError> {
    let budget = scan.budget.clone();
    let schema = SCHEMAS.get_or_init(SchemaCache::default).schema(&scan)?;
    Ok((LogsTable::new(scan, schema, 2), budget))
}

async fn run_counted(snapshot: &Snapshot, text: &str) -> Result<(Vec<RecordBatch>, Stats), QueryError> {
    let (table, budget) = table(snapshot)?;
    let answer = answer(text, table, &budget).await?;
    Ok((answer.batches, budget.stats().unwrap()))
}

pub(super) async fn answer_as(
    view: &Arc<View>,
    snapshot: &Snapshot,
    text: &str,
) -> Result<Vec<RecordBatch>, QueryError> {
    let (table, budget) = table_of(scan_as(view, snapshot, &Expr::All, TimeRange::ALL))?;
    Ok(answer(text, table, &budget).await?.batches)
}

/// As long as the budget says, which may be shorter than that of the scan.
pub(super) async fn answer_within(snapshot: &Snapshot, text: &str, budget: &Budget) -> Result<SqlAnswer, QueryError> {
    answer(text, table(snapshot)?.0, budget).await
}

async fn answer(text: &str, table: LogsTable, budget: &Budget) -> Result<SqlAnswer, QueryError> {
    answer_in(64 << 20, text, table, budget).await
}

async fn answer_in(
    memory_bytes: usize,
    text: &str,
    table: LogsTable,
    budget: &Budget,
) -> Result<SqlAnswer, QueryError> {
    let room = SqlRoom::new(SqlOptions { memory_bytes, rows: 1_000, threads: 2 })?;
    sql::run(text, vec![("logs", table)], &room, budget).await
}

/// With no more memory for questions than this.
pub(super) async fn answer_with(
    memory_bytes: usize,
    view: &Arc<View>,
    snapshot: &Snapshot,
    text: &str,
) -> Result<SqlAnswer, QueryError> {
    let (table, budget) = table_of(scan_as(view, snapshot, &Expr::All, TimeRange::ALL))?;
    answer_in(memory_bytes, text, table, &budget).await
}

/// A second pass over these would cost time and change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn plans_that_are_a_line_are_as_good_after_one_pass() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let room = SqlRoom::new(SqlOptions { memory_bytes: 1 << 20, rows: 1, threads: 2 }).unwrap();
    let lines = [
        "select count(*) from logs",
        "select count(*) from logs where match_phrase(body, 'x') or regexp_like(body, 'a.*b') or 1 = 2",
        "select body from logs where trace_id = 'abc' and severity = 'error'",
        "select severity, max(time) from logs where severity_number + 1 > 4 + 5 group by 1 order by 1",
        "select date_trunc('minute', time), count(*) from logs where severity = 'error' group by 1 having count(*) > 3 order by 1",
        "select time, body from logs where severity = 'error' and time >= timestamp '2026-01-01' order by time desc limit 100",
        "select body, count(*) as n from logs where body is not null group by 1 order by n desc, 1 limit 20",
        "select count(distinct body) from logs where severity = 'error'",
        "select n from (select count(*) as n from logs) where n > 1",
        "select body from (select body, upper(severity) as s from logs where body <> '' order by time limit 9) where s = 'ERROR'",
    ];
    for text in lines {
        let mut state = room.lend();
        let tables = vec![("logs", table(&snapshot).unwrap().0)];
        let plan = sql::plan(text, tables, &mut state).await.unwrap();
        let mut after = Vec::new();
        for passes in [1, 3] {
            state.config_mut().options_mut().optimizer.max_passes = passes;
            let physical = state.create_physical_plan(&plan).await.unwrap();
            after.push(displayable(&*physical).indent(true).to_string());
        }
        assert_eq!(after[0], after[1], "{text}");
        assert_eq!(sql::passes(&plan), 1, "{text}");
    }
    let others = [
        "select a.body from logs a join logs b on a.body = b.body",
        "select body from logs where body in (select body from logs)",
        "select n from (select count(*) as n from logs) as counted where n > 1",
        "select min(time), max(time) from logs",
        "select distinct severity from logs",
        "select 1",
    ];
    for text in others {
        let tables = vec![("logs", table(&snapshot).unwrap().0)];
        let plan = sql::plan(text, tables, &mut room.lend()).await.unwrap();
        assert_eq!(sql::passes(&plan), 3, "{text}");
    }
}

#[tokio::test]
async fn queries_wait_for_their_turn_and_no_longer_than_they_may_take() {
    let room = SqlRoom::new(SqlOptions { memory_bytes: 1 << 20, rows: 1, threads: 1 }).unwrap();
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
                    && super::super::project::text_of(&record.body).contains("503")
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

/// The body as SQL shows it, null as nothing.
fn body_of(record: &Record<'_>) -> String {
    match &record.body {
        Value::Null => String::new(),
        body => super::super::project::text_of(body),
    }
}

fn shown(record: &Record<'_>) -> String {
    let body = body_of(record);
    let service = record.resource.attribute("service.name").and_then(Value::as_str).unwrap_or_default();
    format!("{body}|{service}|{}", record.severity.number())
}

pub(super) fn lines(batch: &RecordBatch) -> Vec<String> {
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
async fn an_error_says_where_it_is() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    for (text, expected) in [
        ("selec 1", Some(0)),
        ("select '€'\n  frm logs", Some(17)),
        ("select count(*", Some(14)),
        ("select time,\n \"service.nam\" from logs", Some(14)),
        ("select cuont(*) from logs", Some(7)),
        ("select nope from logs where nope = 1", None),
    ] {
        let Err(QueryError::Sql { message, position, .. }) = run_sql(&snapshot, text).await else {
            panic!("`{text}` is an error")
        };
        assert_eq!(position, expected, "{text}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_streams_share_is_asked_of_streams() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let attribute = |record: &Record<'_>, key: &str| {
        record.resource.attribute(key).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
    };
    type Test = fn(&str, &str) -> bool;
    let cases: &[(&str, Test)] = &[
        ("\"service.name\" <> 'web'", |service, _| service != "web"),
        ("\"k8s.pod.name\" in ('pod-0', 'pod-2')", |_, pod| pod != "pod-1"),
        ("\"service.name\" like 'P%' and \"k8s.pod.name\" = 'pod-1'", |service, pod| {
            service == "Pay-1" && pod == "pod-1"
        }),
        ("\"service.name\" = 'web' or \"k8s.pod.name\" = 'pod-1'", |service, pod| service == "web" || pod == "pod-1"),
        ("\"service.name\" is null", |_, _| false),
        ("upper(\"service.name\") = 'CART'", |service, _| service == "cart"),
    ];
    for (condition, test) in cases {
        let holds = |record: &&Record<'_>| test(&attribute(record, "service.name"), &attribute(record, "k8s.pod.name"));
        let expected = data.records.iter().filter(holds).count();
        assert_eq!(count(&snapshot, condition).await, expected, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn regular_expressions_say_what_the_crate_says() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let bodies: Vec<String> = data.records.iter().map(|record| body_of(record)).collect();
    for pattern in ["^GET /cart", "ref[a-z]sed by|Foo", "[a-z]+ 503$", "", "o.*k", "ü.er"] {
        let matches = regex::Regex::new(pattern).unwrap();
        let expected = bodies.iter().filter(|body| matches.is_match(body)).count();
        let nulls = data.records.iter().filter(|record| record.body == Value::Null).count();
        // Null is neither a match nor none; an empty pattern matches what `body_of` makes of it.
        let nulls_matched = if matches.is_match("") { nulls } else { 0 };
        assert_eq!(count(&snapshot, &format!("body ~ '{pattern}'")).await, expected - nulls_matched, "{pattern}");
        assert_eq!(count(&snapshot, &format!("regexp_like(body, '{pattern}')")).await, expected - nulls_matched);
        let others = data.records.len() - nulls - (expected - nulls_matched);
        assert_eq!(count(&snapshot, &format!("body !~ '{pattern}'")).await, others, "not {pattern}");
    }
    let any_case = bodies.iter().filter(|body| body.to_lowercase().contains("get")).count();
    assert_eq!(count(&snapshot, "body ~* 'get'").await, any_case);
    assert_eq!(count(&snapshot, "regexp_like(body, 'get', 'i')").await, any_case);
    let wrong = run_sql(&snapshot, "select count(*) from logs where body ~ '('").await;
    assert!(wrong.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_all_rows_needs_no_scan() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let times: Vec<i64> = data.records.iter().map(|record| record.effective_time_ns()).collect();
    let (batches, stats) = run_counted(&snapshot, "select count(*), min(time), max(time) from logs").await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), times.len() as i64);
    let time = |column: usize| batches[0].column(column).as_primitive::<TimestampNanosecondType>().value(0);
    assert_eq!((time(1), time(2)), (*times.iter().min().unwrap(), *times.iter().max().unwrap()));
    assert_eq!(stats.scanned_rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn percentiles_by_group_are_exact() {
    let data = data().await;
    let snapshot = data.ingest.snapshot();
    let mut by_service: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in &data.records {
        let service = record.resource.attribute("service.name").and_then(Value::as_str).unwrap().to_owned();
        by_service.entry(service).or_default().push(f64::from(record.severity.number()));
    }
    let text = "select \"service.name\" as s, percentile_cont(0.5) within group (order by severity_number), count(*), \
                percentile_cont(0.99) within group (order by severity_number) as high, \
                percentile_cont(0.5) within group (order by severity_number desc) \
                from logs group by 1 having count(*) > 1 order by 1";
    let batches = run_sql(&snapshot, text).await.unwrap();
    let batch = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(batch.num_rows(), by_service.len());
    for (row, (service, values)) in by_service.iter_mut().enumerate() {
        values.sort_by(f64::total_cmp);
        let expected = |percentile: f64| {
            let place = percentile * (values.len() - 1) as f64;
            let (lower, upper) = (values[place.floor() as usize], values[place.ceil() as usize]);
            lower + (upper - lower) * place.fract()
        };
        let number = |column: usize| {
            let column = cast(batch.column(column), &DataType::Float64).unwrap();
            column.as_primitive::<Float64Type>().value(row)
        };
        assert_eq!(batch.column(0).as_string::<i32>().value(row), service);
        for (column, expected) in
            [(1, expected(0.5)), (2, values.len() as f64), (3, expected(0.99)), (4, expected(0.5))]
        {
            assert!((number(column) - expected).abs() < 1e-5, "{service}, column {column}: {}", number(column));
        }
    }
}

/// Records of one hour each in a segment of its own, and one hour live.
async fn hours(folder: &Path) -> Ingest {
    let mut ingest = open(folder).await;
    for hour in 0..4_i64 {
        let mut builder = BatchBuilder::default();
        for number in 0..50 {
            let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
            let mut record = Record::new(1, Value::from(format!("hour {hour}, number {number}")), resource);
            record.time_ns = Some(hour * 3_600_000_000_000 + (number * 37 % 50));
            builder.push(&record);
        }
        let batch = builder.finish().unwrap().unwrap();
        ingest.commit(&TenantId::default(), &Class::default(), batch, None).await.unwrap();
        if hour < 3 {
            ingest.close();
            ingest = open(folder).await;
        }
    }
    ingest
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_few_by_time_need_not_look_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = hours(folder.path()).await;
    let snapshot = ingest.snapshot();
    for (order, hours) in [("desc", [3, 2, 1, 0]), ("asc", [0, 1, 2, 3])] {
        for limit in [1, 3, 50, 51, 120, 500] {
            let text =
                format!("select time, body from logs where body like 'hour%' order by time {order} limit {limit}");
            let (batches, stats) = run_counted(&snapshot, &text).await.unwrap();
            let found: Vec<String> = batches.iter().flat_map(lines).collect();
            let numbers: Vec<i64> = {
                let mut numbers: Vec<i64> = (0..50).collect();
                numbers.sort_by_key(|number| number * 37 % 50);
                if order == "desc" {
                    numbers.reverse();
                }
                numbers
            };
            let all =
                hours.iter().flat_map(|hour| numbers.iter().map(move |number| format!("hour {hour}, number {number}")));
            let expected: Vec<String> = all.take(limit).collect();
            let bodies: Vec<&str> =
                found.iter().filter_map(|line| line.split_once('|')).map(|(_, body)| body).collect();
            assert_eq!(bodies, expected, "{order} {limit}");
            // Each of the two threads fills its own list before it can know better.
            if limit <= 3 {
                assert!(stats.segments_pruned >= 1, "{order} {limit}: {stats:?}");
            }
        }
    }
}
