//! Counts of templates are those of the records, wherever these are stored.

use std::collections::BTreeMap;

use logkeep_access::Scope;
use logkeep_ingest::SegmentHandle;
use logkeep_pattern::{Template, TemplateId};

use super::*;
use crate::exec::templates::{AskedTemplate, TemplateFilter};
use crate::exec::{Pattern, PatternSearch, Patterns};

pub(super) fn segments(data: &Data) -> Vec<Arc<SegmentHandle>> {
    let snapshot = data.ingest.snapshot();
    let tenant = TenantId::default();
    snapshot.logs_of(&tenant).flat_map(|view| view.segments.iter().cloned()).collect()
}

/// What a program may write, by what it is about.
const STATEMENTS: [(&str, &str); 5] = [
    ("order", "order 4711 placed by user u-17 in 12 ms"),
    ("refused", "payment of 12.50 refused by bank 9"),
    ("conn", "connection from 10.2.3.4:5555 closed"),
    ("start", "server started"),
    ("", ""),
];

fn line(dice: &mut Dice, number: i64) -> (&'static str, Record<'static>) {
    let (about, text) = STATEMENTS[dice.roll(5) as usize];
    let service = dice.pick(&["web", "cart"]).to_owned();
    let pod = format!("{service}-{}", dice.roll(3));
    let digit = char::from(b'1' + dice.roll(9) as u8);
    let body = text.chars().map(|one| if one.is_ascii_digit() { digit } else { one }).collect::<String>();
    let body = if about.is_empty() { Value::Int(number) } else { Value::from(body) };
    let resource = vec![("service.name".into(), Value::from(service)), ("k8s.pod.name".into(), Value::from(pod))];
    let mut record = Record::new(1_000 + number, body, Resource::from_attributes(resource));
    record.time_ns = Some(dice.roll(500) as i64);
    record.severity = Severity::from_number(dice.roll(25) as i64);
    (about, record)
}

pub(super) async fn lines(seed: u64) -> (Data, Vec<&'static str>) {
    let mut dice = Dice(seed);
    let (about, records) = (0..300).map(|number| line(&mut dice, number)).unzip();
    (stored(records).await, about)
}

/// Which statement a template is of.
fn about(pattern: &Pattern) -> &'static str {
    let text = pattern.template.to_string();
    let about = STATEMENTS.iter().find(|(_, statement)| statement.split(' ').next() == text.split(' ').next());
    about.unwrap_or_else(|| panic!("`{text}` is of no statement")).0
}

fn counts(patterns: &Patterns, count: impl Fn(&Pattern) -> u64) -> BTreeMap<&'static str, u64> {
    let counted: BTreeMap<_, _> = patterns.patterns.iter().map(|one| (about(one), count(one))).collect();
    assert_eq!(counted.len(), patterns.patterns.len(), "each statement is one template: {patterns:?}");
    counted.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn truth(data: &Data, about: &[&'static str], is_counted: impl Fn(&Record<'_>) -> bool) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for (_, about) in data.records.iter().zip(about).filter(|(record, about)| is_counted(record) && !about.is_empty()) {
        *counts.entry(*about).or_default() += 1;
    }
    counts
}

fn patterns_as(view: &Arc<View>, data: &Data, query: &str, (start, end): (i64, i64)) -> Patterns {
    let range = TimeRange::new(start, end).unwrap();
    let whole = TimeRange::new(start - (end - start), end).unwrap();
    let scan = scan_as(view, &data.ingest.snapshot(), &parse(query).unwrap(), whole);
    scan.patterns(&PatternSearch { range, buckets: 10, examples: 200 }, &segments(data)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_of_the_records() {
    let (data, statements) = lines(5).await;
    for query in ["", "service:web", "level:error", "service:cart not level:error"] {
        let filter = parse(query).unwrap();
        for (start, end) in [(0, 500), (200, 350)] {
            let patterns = patterns_as(&Arc::default(), &data, query, (start, end));
            let within = |record: &Record<'_>, start: i64, end: i64| {
                matches(&filter, record) && (start..end).contains(&record.effective_time_ns())
            };
            let now = truth(&data, &statements, |record| within(record, start, end));
            assert_eq!(counts(&patterns, |one| one.count), now, "{query}");
            let before = truth(&data, &statements, |record| within(record, start - (end - start), start));
            assert_eq!(counts(&patterns, |one| one.before), before, "{query}");
            for one in &patterns.patterns {
                assert_eq!(one.series.iter().sum::<u64>(), one.count, "{one:?}");
                assert_eq!(one.severity.iter().sum::<u64>(), one.count, "{one:?}");
                assert_eq!(one.services.iter().map(|(_, count)| count).sum::<u64>(), one.count, "{one:?}");
                assert!(one.id.is_some() && one.first_seen_ns.is_some_and(|first| first <= one.times_ns.0), "{one:?}");
                let (_, body) = one.example.as_ref().unwrap();
                assert!(one.template.matches(&mut logkeep_pattern::Reader::default(), body), "{one:?}");
            }
            let all = data.records.iter().filter(|record| within(record, start, end));
            let no_text = all.clone().filter(|record| record.body.as_str().is_none()).count() as u64;
            assert_eq!((patterns.total, patterns.without), (all.count() as u64, no_text));
            assert_eq!(patterns.total, patterns.without + now.values().sum::<u64>());
        }
    }
}

/// The records that a scan of one template finds.
fn of_template(view: &Arc<View>, data: &Data, asked: AskedTemplate) -> usize {
    let mut scan = scan_as(view, &data.ingest.snapshot(), &Expr::All, TimeRange::ALL);
    let filter = TemplateFilter::new(asked, !view.is_limited(), segments(data));
    scan.template = Some(Arc::new(filter));
    assert!(!scan.takes_all());
    found(&scan, Order::Ascending, 100).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_selects_the_records_that_it_counts() {
    let (data, _) = lines(6).await;
    let view = Arc::default();
    for one in patterns_as(&view, &data, "", (0, 500)).patterns {
        assert_eq!(of_template(&view, &data, AskedTemplate::Id(one.id.unwrap())) as u64, one.count, "{one:?}");
        assert_eq!(of_template(&view, &data, AskedTemplate::Text(one.template.clone())) as u64, one.count, "{one:?}");
    }
    assert_eq!(of_template(&view, &data, AskedTemplate::Id(TemplateId(1))), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_segment_lists_has_no_id_yet() {
    let (mut data, _) = lines(7).await;
    let mut builder = BatchBuilder::default();
    let mut record = data.records[0].clone();
    record.time_ns = Some(10);
    record.body = Value::str("nobody has said this before");
    builder.push(&record);
    let batch = builder.finish().unwrap().unwrap();
    data.ingest.commit(&TenantId::default(), &Class::default(), batch, None).await.unwrap();
    data.records.push(record);
    let patterns = patterns_as(&Arc::default(), &data, "", (0, 500)).patterns;
    let unnamed: Vec<_> = patterns.iter().filter(|one| one.id.is_none()).collect();
    assert_eq!(unnamed.len(), 1, "{unnamed:?}");
    assert_eq!((unnamed[0].count, unnamed[0].first_seen_ns), (1, None));
    let asked: AskedTemplate = unnamed[0].template.to_string().parse().unwrap();
    assert_eq!(of_template(&Arc::default(), &data, asked), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_service_that_writes_what_others_write_is_found_by_their_id() {
    let (data, _) = lines(9).await;
    let mut builder = BatchBuilder::default();
    let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("new"))]);
    let mut record = Record::new(2_000, Value::str("server started"), resource);
    record.time_ns = Some(10);
    builder.push(&record);
    let batch = builder.finish().unwrap().unwrap();
    data.ingest.commit(&TenantId::default(), &Class::default(), batch, None).await.unwrap();
    let view = Arc::default();
    let patterns = patterns_as(&view, &data, "", (0, 500)).patterns;
    let started = patterns.iter().find(|one| about(one) == "start").unwrap();
    assert!(started.services.contains(&("new".to_owned(), 1)), "{started:?}");
    assert_eq!(of_template(&view, &data, AskedTemplate::Id(started.id.unwrap())) as u64, started.count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_reader_learns_by_what_they_may_see_alone() {
    let (data, statements) = lines(8).await;
    let scope = Scope { services: ["web".to_owned()].into(), ..Scope::default() };
    let view = Arc::new(View { scopes: vec![scope], mask: None });
    let patterns = patterns_as(&view, &data, "", (0, 500));
    let is_web = |record: &Record<'_>| record.resource.attribute("service.name").and_then(Value::as_str) == Some("web");
    assert_eq!(counts(&patterns, |one| one.count), truth(&data, &statements, is_web));
    assert!(patterns.patterns.iter().all(|one| one.id.is_none() && one.first_seen_ns.is_none()));
    for one in patterns.patterns {
        assert_eq!(of_template(&view, &data, AskedTemplate::Text(one.template.clone())) as u64, one.count, "{one:?}");
    }
}

#[test]
fn templates_are_asked_for_by_id_or_text() {
    assert_eq!("00000000000000ff".parse(), Ok(AskedTemplate::Id(TemplateId(255))));
    let text = Template::parse("user <num> came").unwrap();
    assert_eq!("user <num> came".parse(), Ok(AskedTemplate::Text(text)));
    assert!("two  blanks".parse::<AskedTemplate>().unwrap_err().contains("word"));
}
