use logkeep_record::{JOINED_PARTS, json};
use proptest::prelude::*;

use super::*;
use crate::ndjson;

fn records(format: Format, file: &[u8]) -> Vec<Record<'_>> {
    let resource = Resource::from_attributes(Vec::new());
    let mut joiner = Joiner::new(format);
    let mut records: Vec<_> = ndjson::lines(file).filter_map(|line| joiner.line(line, 7, &resource)).collect();
    records.extend(joiner.finish(7, &resource));
    records
}

fn check(format: Format, file: &str, expected: &[&str]) {
    let mut got = Vec::new();
    for record in records(format, file.as_bytes()) {
        let mut text = format!("{:?} ", record.time_ns.map(|ns| ns % 60_000_000_000));
        json::write(&record.body, &mut text);
        for (_, value) in &record.attributes {
            text.push(' ');
            json::write(value, &mut text);
        }
        got.push(text);
    }
    assert_eq!(got, expected, "{file}");
}

#[test]
fn cri() {
    check(
        Format::Cri,
        "2026-11-20T10:00:00.000000001Z stdout F hello\n\
         2026-11-20T10:00:00.000000002+00:00 stdout P par\n\
         2026-11-20T10:00:00.000000003Z stderr F {\"a\":1}\n\
         2026-11-20T10:00:00.000000004Z stdout F:x tial\n\
         2026-11-20T10:00:00.000000005Z stdout F \n\
         not cri at all\n\
         2026-11-20T10:00:00.000000006Z stderr P cut off",
        &[
            r#"Some(1) "hello" "stdout""#,
            r#"Some(3) {"a":1} "stderr""#,
            r#"Some(2) "partial" "stdout""#,
            r#"Some(5) "" "stdout""#,
            r#"None "not cri at all""#,
            r#"Some(6) "cut off" "stderr""#,
        ],
    );
}

#[test]
fn docker() {
    check(
        Format::DockerJson,
        "{\"log\":\"hello\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:00.000000001Z\"}\n\
         {\"log\":\"par\",\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:00.000000002Z\"}\n\
         {\"log\":\"{\\\"a\\\":1}\\r\\n\",\"stream\":\"stderr\",\"attrs\":{\"x\":\"y\"},\"time\":\"2026-11-20T10:00:00.000000003Z\"}\n\
         {\"log\":\"tial\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:00.000000004Z\"}\n\
         {\"log\":7}\n\
         {\"log\":\"end\",\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:00.000000005Z\"}",
        &[
            r#"Some(1) "hello" "stdout""#,
            r#"Some(3) {"a":1} "stderr""#,
            r#"Some(2) "partial" "stdout""#,
            r#"None {"log":7}"#,
            r#"Some(5) "end" "stdout""#,
        ],
    );
}

#[test]
fn formats_are_told_apart() {
    for (line, expected) in [
        ("2026-11-20T10:00:00Z stdout F x", Some(Format::Cri)),
        ("{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:00Z\"}", Some(Format::DockerJson)),
        ("{\"log\":\"x\"}", None),
        ("2026-11-20T10:00:00Z stdout X x", None),
        ("", None),
    ] {
        assert_eq!(Format::detect(line.as_bytes()), expected, "{line}");
    }
}

#[test]
fn a_line_of_many_parts_is_bounded() {
    let part = format!("2026-11-20T10:00:00Z stdout P {}\n", "a".repeat(400_000));
    let file = part.repeat(4) + "2026-11-20T10:00:00Z stdout F end";
    let records = records(Format::Cri, file.as_bytes());
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].body.as_str().map(str::len), Some(limits::RECORD_BYTES));
    let cut = 1_600_003 - limits::RECORD_BYTES as i64;
    assert_eq!(records[0].attribute("logkeep.truncated_bytes"), Some(&Value::Int(cut)));
}

proptest! {
    #[test]
    fn junk_never_panics(file in "[0-9TZ:. {}\"a-z\\\\FP\n-]{0,120}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for format in [Format::Cri, Format::DockerJson] {
            records(format, file.as_bytes());
            records(format, &bytes);
        }
    }
}

#[test]
fn parts_say_whether_more_follows() {
    for (format, line, expected) in [
        (Format::Cri, "2026-11-20T10:00:00Z stdout P a", Some(("stdout", false))),
        (Format::Cri, "2026-11-20T10:00:00Z stderr F a", Some(("stderr", true))),
        (Format::DockerJson, r#"{"log":"a","stream":"stdout","time":"2026-11-20T10:00:00Z"}"#, Some(("stdout", false))),
        (
            Format::DockerJson,
            r#"{"log":"a\n","stream":"stdout","time":"2026-11-20T10:00:00Z"}"#,
            Some(("stdout", true)),
        ),
        (Format::DockerJson, "other", None),
    ] {
        assert_eq!(format.part(line.as_bytes()), expected, "{line}");
    }
}

fn line_of(records: Vec<Record<'_>>) -> Record<'static> {
    let mut records = records.into_iter().map(|record| (LinePart::of(&record).unwrap(), record));
    let (part, first) = records.next().unwrap();
    let mut line = PartLine::begin(first, &part);
    records.for_each(|(part, record)| line.add(&record, &part));
    line.into_record()
}

fn document(text: &str) -> Record<'_> {
    Record::new(7, json::parse(text).unwrap(), Resource::from_attributes(Vec::new()))
}

#[test]
fn parts_in_the_journal_of_docker_are_one_document() {
    let line = line_of(vec![
        document(
            r#"{"MESSAGE":"a ","CONTAINER_PARTIAL_MESSAGE":"true","CONTAINER_PARTIAL_ID":"x","CONTAINER_PARTIAL_ORDINAL":"1","CONTAINER_PARTIAL_LAST":"false","_PID":"1"}"#,
        ),
        document(
            r#"{"MESSAGE":"line","CONTAINER_PARTIAL_ID":"x","CONTAINER_PARTIAL_ORDINAL":"2","CONTAINER_PARTIAL_LAST":"true","_PID":"1"}"#,
        ),
    ]);
    let mut body = String::new();
    json::write(&line.body, &mut body);
    assert_eq!(body, r#"{"MESSAGE":"a line","_PID":"1"}"#);
    assert_eq!(line.attribute(JOINED_PARTS), Some(&Value::Int(2)));
}

#[test]
fn what_is_no_part_is_none() {
    for text in [
        r#"{"log":"a","partial_id":"x"}"#,
        r#"{"log":7,"partial_id":"x","partial_last":"true"}"#,
        r#"{"partial_id":"x","partial_last":"true"}"#,
        r#"{"log":"a"}"#,
        r#""2026-11-20T10:00:00Z stdout X a""#,
        r#""stdout P a""#,
        "7",
    ] {
        assert_eq!(LinePart::of(&document(text)), None, "{text}");
    }
}

#[test]
fn records_of_many_parts_are_bounded_and_say_what_was_cut() {
    let content = "é".repeat(300_000);
    let text = format!("2026-11-20T10:00:00Z stdout P {content}");
    let part = || {
        let mut record = Record::new(7, Value::str(&text), Resource::from_attributes(Vec::new()));
        record.attributes.push(("logkeep.truncated_bytes".into(), Value::Int(5)));
        record
    };
    let line = line_of(vec![part(), part(), part(), part()]);
    let (body, original) = (line.body.as_str().unwrap(), line.original.as_deref().unwrap());
    assert!(body.len() <= limits::RECORD_BYTES && original.len() <= limits::RECORD_BYTES);
    let sent = 30 + 4 * content.len() as i64;
    assert_eq!(line.attribute("logkeep.truncated_bytes"), Some(&Value::Int(sent - body.len() as i64 + 4 * 5)));
    assert_eq!(line.attributes.len(), 2, "each key once");
}

proptest! {
    #[test]
    fn any_parts_become_a_record(
        parts in proptest::collection::vec(("[a-z\u{e9}\n]{0,6}", "[0-9-]{0,3}", any::<bool>()), 1..6),
    ) {
        let texts: Vec<_> = parts.iter().map(|(log, ordinal, last)| {
            let mut text = String::from("{\"log\":");
            json::write_str(log, &mut text);
            text + &format!(",\"partial_id\":\"x\",\"partial_ordinal\":\"{ordinal}\",\"partial_last\":\"{last}\"}}")
        }).collect();
        let line = line_of(texts.iter().map(|text| document(text)).collect());
        let Value::Map(pairs) = &line.body else { panic!("{line:?}") };
        let all: String = parts.iter().map(|(log, ..)| log.as_str()).collect();
        prop_assert_eq!(pairs[0].1.as_str(), Some(all.as_str()));
    }
}
