//! Columns of message templates say of each record what it is counted by.

use std::collections::BTreeMap;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use logkeep_access::Scope;

use super::patterns::lines;
use super::sql::{answer_as, answer_with};
use super::*;
use crate::exec::{PatternSearch, Patterns};
use crate::mask::Mask;

type Counts = BTreeMap<(Option<String>, Option<String>), u64>;

fn instant(ns: i64) -> String {
    format!("'1970-01-01T00:00:00.{ns:09}Z'")
}

/// Everybody who may ask: of everything, of one service, without one field that every message may have.
fn views() -> [Arc<View>; 3] {
    let scope = Scope { services: ["web".to_owned()].into(), ..Scope::default() };
    let mask = Some(Arc::new(Mask::new(["k8s.pod.name"]).unwrap()));
    [Arc::default(), Arc::new(View { scopes: vec![scope], mask: None }), Arc::new(View { scopes: Vec::new(), mask })]
}

fn patterns_of(view: &Arc<View>, snapshot: &Snapshot, (start, end): (i64, i64)) -> Patterns {
    let range = TimeRange::new(start, end).unwrap();
    let tenant = TenantId::default();
    let segments: Vec<_> = snapshot.logs_of(&tenant).flat_map(|view| view.segments.iter().cloned()).collect();
    let scan = scan_as(view, snapshot, &Expr::All, range);
    scan.patterns(&PatternSearch { range, buckets: 1, examples: 0 }, &segments).unwrap()
}

fn counted(patterns: &Patterns) -> Counts {
    let named = patterns
        .patterns
        .iter()
        .map(|one| ((one.id.map(|id| id.to_string()), Some(one.template.to_string())), one.count));
    let without = patterns.without + patterns.others;
    named.chain([((None, None), without)]).filter(|(_, count)| *count > 0).collect()
}

async fn ask(view: &Arc<View>, snapshot: &Snapshot, sql: &str) -> Vec<RecordBatch> {
    answer_as(view, snapshot, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn count(view: &Arc<View>, snapshot: &Snapshot, sql: &str) -> u64 {
    let batches = ask(view, snapshot, sql).await;
    batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>().value(0) as u64).sum()
}

async fn counts(view: &Arc<View>, snapshot: &Snapshot, condition: &str) -> Counts {
    let sql = format!("select template_id, template, count(*) from logs where {condition} group by 1, 2");
    let mut counts = Counts::new();
    for batch in ask(view, snapshot, &sql).await {
        let text = |column: usize, row| {
            let texts = batch.column(column).as_string::<i32>();
            texts.is_valid(row).then(|| texts.value(row).to_owned())
        };
        let numbers = batch.column(2).as_primitive::<Int64Type>().values();
        for (row, number) in numbers.iter().enumerate() {
            let known = counts.insert((text(0, row), text(1, row)), *number as u64);
            assert_eq!(known, None, "a group is told once");
        }
    }
    counts
}

/// The statements of the other tests, and one that no segment lists yet.
async fn told() -> Data {
    let (data, _) = lines(12).await;
    let mut builder = BatchBuilder::default();
    let mut record = data.records[0].clone();
    (record.time_ns, record.body) = (Some(10), Value::str("nobody has said this before"));
    builder.push(&record);
    let batch = builder.finish().unwrap().unwrap();
    data.ingest.commit(&TenantId::default(), &Class::default(), batch, None).await.unwrap();
    data
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_of_patterns() {
    let data = told().await;
    // One for all questions: what is written to a segment meanwhile gets ids.
    let snapshot = data.ingest.snapshot();
    for view in views() {
        for range in [(0, 500), (120, 380), (490, 500)] {
            let condition = format!("time >= {} and time < {}", instant(range.0), instant(range.1));
            let patterns = patterns_of(&view, &snapshot, range);
            assert!(!patterns.patterns.is_empty(), "{range:?}");
            assert_eq!(counts(&view, &snapshot, &condition).await, counted(&patterns), "{view:?} {range:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_select_what_is_counted() {
    let data = told().await;
    // One for all questions: what is written to a segment meanwhile gets ids.
    let snapshot = data.ingest.snapshot();
    for view in views() {
        let patterns = patterns_of(&view, &snapshot, (0, 500));
        for one in &patterns.patterns {
            let by_text = format!("select count(*) from logs where template = '{}'", one.template);
            assert_eq!(count(&view, &snapshot, &by_text).await, one.count, "{one:?}");
            // A condition that is about messages too reads rows in another way.
            let and_more = format!("{by_text} and length(body) > 3 and severity_number < 30");
            assert_eq!(count(&view, &snapshot, &and_more).await, one.count, "{one:?}");
            if let Some(id) = one.id {
                let by_id = format!("select count(*) from logs where template_id = '{id}'");
                assert_eq!(count(&view, &snapshot, &by_id).await, one.count, "{one:?}");
            }
        }
        let without = count(&view, &snapshot, "select count(*) from logs where template is null").await;
        assert_eq!(without, patterns.without + patterns.others);
        let ids = patterns.patterns.iter().filter(|one| one.id.is_some()).map(|one| one.count).sum::<u64>();
        assert_eq!(count(&view, &snapshot, "select count(template_id) from logs").await, ids);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_beside_a_message_covers_it() {
    let data = told().await;
    // One for all questions: what is written to a segment meanwhile gets ids.
    let snapshot = data.ingest.snapshot();
    for view in views() {
        let mut rows = 0;
        for order in ["time desc", "template, id", "id limit 7"] {
            for batch in ask(&view, &snapshot, &format!("select template, body, id from logs order by {order}")).await {
                let (templates, bodies) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
                for (template, body) in templates.iter().zip(bodies).filter(|(template, _)| template.is_some()) {
                    let template = logkeep_pattern::Template::parse(template.unwrap()).unwrap();
                    assert!(
                        template.matches(&mut logkeep_pattern::Reader::default(), body.unwrap()),
                        "{template} {body:?}"
                    );
                    rows += 1;
                }
            }
        }
        assert!(rows > 100, "{rows}");
    }
}

fn names(batches: &[RecordBatch]) -> Vec<String> {
    batches[0].schema().fields().iter().map(|field| field.name().clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_columns_are_those_without_templates_unless_one_is_named() {
    let mut record = Record::new(1, Value::str("hello <all>"), Resource::from_attributes(Vec::new()));
    record.attributes.push(("template".into(), Value::str("of its own")));
    let data = stored(vec![record; 6]).await;
    let snapshot = data.ingest.snapshot();
    let of_templates = |names: &[String]| names.iter().filter(|name| name.starts_with("template")).count();
    let view = Arc::default();
    for (sql, expected) in [
        ("select * from logs", 0),
        ("select * from logs where body like '%template%' or true", 0),
        ("select *, template as t from logs", 2),
        ("select * from logs order by logs.template_id", 2),
    ] {
        let names = names(&ask(&view, &snapshot, sql).await);
        assert_eq!(of_templates(&names), expected, "{sql}: {names:?}");
        assert!(names.contains(&"attributes.template".to_owned()), "{sql}: {names:?}");
    }
    let own = "select count(*) from logs where \"attributes.template\" = 'of its own' and template <> 'of its own'";
    assert_eq!(count(&view, &snapshot, own).await, 6);
    let listed = "select count(*) from information_schema.columns where column_name in ('template', 'template_id')";
    assert_eq!(count(&view, &snapshot, listed).await, 2);
    let joined = "select count(*) from logs a join (select distinct template from logs) b using (template)";
    assert_eq!(count(&view, &snapshot, joined).await, 6);
}

/// Numbers are not for those who may not see all, so each row is remembered.
#[tokio::test(flavor = "multi_thread")]
async fn rows_without_numbers_take_memory_of_questions() {
    let (data, _) = lines(13).await;
    let (snapshot, [_, view, _]) = (data.ingest.snapshot(), views());
    let asked = async |column| {
        let sql = format!("select count(*) from logs where {column} = 'server started'");
        answer_with(200, &view, &snapshot, &sql).await
    };
    assert!(matches!(asked("template").await, Err(QueryError::OverMemory)));
    assert!(asked("body").await.is_ok());
}
