use logkeep_record::json;
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
