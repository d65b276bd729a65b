//! Counts of fields are those of the records, wherever these are stored.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::exec::{Comparison, Differences, With};
use crate::kql::fields::{Target, resolve};

pub(super) fn asked(with: With, range: TimeRange) -> Comparison {
    let other = crate::compared_range(range, with);
    Comparison { with, range, other, named: BTreeSet::new(), fields: 100, values: 100 }
}

fn compared(data: &Data, query: &str, asked: &Comparison) -> Differences {
    let filter = parse(query).unwrap();
    let whole = TimeRange::new(asked.other.start_ns(), asked.range.end_ns()).unwrap();
    scan(&data.ingest.snapshot(), &filter, whole).compare(asked).unwrap()
}

/// Two services over two periods: in the second one `web` is rolled out anew, and its calls of the bank fail.
fn of_a_rollout() -> Vec<Record<'static>> {
    let record = |number: i64| {
        let (is_late, is_web) = (number >= 300, number % 2 == 0);
        let fails = is_late && is_web && number % 3 == 0;
        let resource = vec![
            ("service.name".into(), Value::str(if is_web { "web" } else { "cart" })),
            ("version".into(), Value::str(if is_web && is_late { "v2" } else { "v1" })),
            ("zone".into(), Value::str("of the resource")),
        ];
        let mut record = Record::new(1_000 + number, Value::str("paid"), Resource::from_attributes(resource));
        record.time_ns = Some(number);
        record.severity = Severity::from_number(if fails { 17 } else { 9 });
        record.attributes.push(("status".into(), Value::Int(if fails { 503 } else { 200 })));
        record.attributes.push(("request".into(), Value::from(format!("r-{number}"))));
        record.attributes.push(("parity".into(), Value::Bool(number % 4 < 2)));
        if number % 3 == 0 {
            record.attributes.push(("zone".into(), Value::str("of the record")));
        }
        record
    };
    (0..600).map(record).collect()
}

fn told(differences: &Differences) -> BTreeMap<String, BTreeMap<String, [u64; 2]>> {
    let value = |one: &crate::exec::ValueDifference| (one.value.clone().unwrap_or("none".into()), one.counts);
    differences.fields.iter().map(|field| (field.name.clone(), field.values.iter().map(value).collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_found_against_the_time_before() {
    let data = stored(of_a_rollout()).await;
    let differences = compared(&data, "", &asked(With::Before, TimeRange::new(300, 600).unwrap()));
    assert_eq!(differences.totals, [300, 300]);
    let found = told(&differences);
    // By another name `status` means the status of a response as well.
    let names: Vec<&str> = differences.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["version", "attributes.status", "severity"]);
    assert_eq!(found["version"], [("v1".into(), [150, 300]), ("v2".into(), [150, 0])].into());
    assert_eq!(found["attributes.status"], [("200".into(), [250, 300]), ("503".into(), [50, 0])].into());
    assert_eq!(found["severity"], [("info".into(), [250, 300]), ("error".into(), [50, 0])].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_found_against_the_rest() {
    let data = stored(of_a_rollout()).await;
    let range = TimeRange::new(300, 600).unwrap();
    let differences = compared(&data, "status:503", &asked(With::Rest, range));
    assert_eq!(differences.totals, [50, 250]);
    let found = told(&differences);
    assert_eq!(found["version"], [("v1".into(), [0, 150]), ("v2".into(), [50, 100])].into());
    assert_eq!(found["service.name"], [("cart".into(), [0, 150]), ("web".into(), [50, 100])].into());
    // What the record says goes before what its resource says, as it does for a filter.
    assert_eq!(found["zone"], [("of the record".into(), [50, 50]), ("of the resource".into(), [0, 200])].into());
    assert!(!found.contains_key("parity"), "{found:?}");
    let named = Comparison { named: ["severity".to_owned()].into(), ..asked(With::Rest, range) };
    assert!(found.contains_key("severity") && !told(&compared(&data, "status:503", &named)).contains_key("severity"));
}

/// The value by which a filter finds the record, if it is one that can be counted.
fn value(record: &Record<'_>, name: &str) -> Option<String> {
    let Target::Attribute(sources) = resolve(name) else { return None };
    let place = |wanted: &str| name.strip_prefix(wanted).unwrap_or(name);
    let own = |name: &str| {
        record.attributes.iter().find(|(key, value)| key == name && !value.is_null()).map(|(_, value)| value)
    };
    let found = match sources.len() {
        3 => own(name).or_else(|| record.resource.attribute(name)),
        _ if name.starts_with("attributes.") => own(place("attributes.")),
        _ => record.resource.attribute(place("resource.")),
    };
    let found = found.filter(|value| !matches!(value, Value::Null | Value::Array(_) | Value::Map(_)))?;
    Some(match found {
        Value::Str(text) => text.to_string(),
        other => crate::exec::project::text_of(other),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_those_of_the_records() {
    let data = data().await;
    let mut checked = 0;
    for query in ["level:error", "red", "a:*", "not pod:pod-1"] {
        let filter = parse(query).unwrap();
        let differences = compared(&data, query, &asked(With::Rest, TimeRange::ALL));
        let (these, rest): (Vec<_>, Vec<_>) = data.records.iter().partition(|record| matches(&filter, record));
        assert_eq!(differences.totals, [these.len() as u64, rest.len() as u64], "{query}");
        for field in differences.fields.iter().filter(|field| field.name != "severity") {
            for one in field.values.iter().filter(|one| one.value.is_some()) {
                let of = |records: &[&Record<'_>]| {
                    records.iter().filter(|record| value(record, &field.name) == one.value).count() as u64
                };
                assert_eq!(one.counts, [of(&these), of(&rest)], "{query}: {} {:?}", field.name, one.value);
                checked += 1;
            }
        }
    }
    assert!(checked > 3, "{checked}");
}
