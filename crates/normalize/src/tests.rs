//! Real-shaped records of every kind, and what must hold for any line.

mod access;

use std::fmt::Write as _;

use logkeep_record::{Attributes, Record, Resource, Value, json};
use proptest::prelude::*;

use access::ISTIO_JSON;

use crate::{Arrival, LineFormat, Normalizer, detect};

const RECEIVED_NS: i64 = 1_795_168_860_000_000_000; // 2026-11-20T10:01:00Z

fn normalizer(protocol: &'static str) -> Normalizer {
    Normalizer::new(Arrival { protocol, source: "127.0.0.1".into() })
}

fn record<'a>(body: Value<'a>, base: Attributes<'static>) -> Record<'a> {
    Record::new(RECEIVED_NS, body, Resource::from_attributes(base))
}

/// As the decoders hand over a line: documents parsed, their text as the original.
fn decoded(line: &str) -> Record<'_> {
    match json::parse(line) {
        Ok(Value::Map(pairs)) => {
            let mut record = record(Value::Map(pairs), Vec::new());
            record.original = Some(line.into());
            record
        }
        _ => record(Value::str(line), Vec::new()),
    }
}

/// One line a fact: `severity`, `time`, `trace`, `span`, `body`, then `r` the resource's and `a` the record's
/// attributes, as `name=json`.
fn facts(record: &Record<'_>) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: String| writeln!(out, "{name}={text}").unwrap();
    line("severity", format!("{} {:?}", record.severity.number(), record.severity_text));
    line(
        "time",
        record.time_ns.map_or("none".into(), |ns| jiff::Timestamp::from_nanosecond(ns.into()).unwrap().to_string()),
    );
    line("trace", record.trace_id.map_or("none".into(), |id| id.to_string()));
    line("span", record.span_id.map_or("none".into(), |id| id.to_string()));
    line("body", record.body.as_str().unwrap_or("not text").to_owned());
    line("original", if record.original.is_some() { "kept".into() } else { "none".into() });
    let mut pairs = |prefix: &str, pairs: &Attributes<'_>| {
        for (key, value) in pairs {
            let mut text = String::new();
            json::write(value, &mut text);
            line(&format!("{prefix} {key}"), text);
        }
    };
    pairs("r", record.resource.attributes());
    pairs("a", &record.attributes);
    out
}

#[test]
fn marks_of_decoders_keep_their_names() {
    let marked = |body: Value<'static>| {
        let mut cut = record(body, Vec::new());
        cut.attributes =
            vec![("logkeep.truncated_bytes".into(), Value::Int(2)), ("logkeep.invalid_utf8".into(), Value::Bool(true))];
        cut
    };
    let ours = ["a logkeep.truncated_bytes=2", "a logkeep.invalid_utf8=true"];
    for protocol in ["ndjson", "loki", "syslog", "elasticsearch"] {
        check_record(marked("x".into()), protocol, &ours);
    }
    // OTLP's decoder makes none; these are the sender's. So are those within a document, and a text of that name.
    check_record(marked("x".into()), "otlp", &["a sender.logkeep.truncated_bytes=2", "!a logkeep."]);
    check(r#"{"logkeep.truncated_bytes":2}"#, &["a sender.logkeep.truncated_bytes=2", "!a logkeep."]);
    let mut metadata = record("x".into(), Vec::new());
    metadata.attributes = vec![("logkeep.truncated_bytes".into(), "2".into())];
    check_record(metadata, "loki", &["a sender.logkeep.truncated_bytes=\"2\"", "!a logkeep."]);
}

#[test]
fn labels_say_what_they_were_called() {
    let labels = |pairs: &[(&'static str, &'static str)]| {
        record("m".into(), pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    };
    let sent = labels(&[("namespace", "shop"), ("env", "prod"), ("app", "web"), ("pod", "NOT A NAME")]);
    let expected = [
        "r k8s.namespace.name=\"shop\"",
        "r logkeep.k8s.namespace.name.sent_as=\"namespace\"",
        "r logkeep.deployment.environment.name.sent_as=\"env\"",
        "r pod=\"NOT A NAME\"",
        "!r logkeep.app.sent_as",
        "!r logkeep.pod.sent_as",
        "!r logkeep.k8s.pod.name",
    ];
    check_record(sent, "loki", &expected);
    // Of two with one name the second keeps its own.
    let twice = labels(&[("env", "prod"), ("environment", "test")]);
    check_record(twice, "loki", &["r logkeep.deployment.environment.name.sent_as=\"env\"", "r environment=\"test\""]);
    // What says our name already says nothing more, and no sender says it for us.
    let own = labels(&[("k8s.namespace.name", "shop"), ("logkeep.k8s.namespace.name.sent_as", "forged")]);
    check_record(own, "loki", &["!r logkeep.k8s", "r sender.logkeep.k8s.namespace.name.sent_as=\"forged\""]);
}

#[test]
fn structured_data_of_syslog_says_which_trace() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let sent = |pairs: &[(&str, &str)]| {
        let mut sent = record("m".into(), Vec::new());
        let own = |(name, value): &(&str, &str)| {
            (format!("syslog.structured_data.{name}").into(), Value::from((*value).to_owned()))
        };
        sent.attributes = pairs.iter().map(own).collect();
        sent
    };
    let ids = ["trace=4bf92f3577b34da6a3ce929d0e0e4736", "span=00f067aa0ba902b7", "!a syslog"];
    check_record(sent(&[("mdc@18060.traceId", trace), ("mdc@18060.spanId", span)]), "syslog", &ids);
    let traceparent = format!("00-{trace}-{span}-01");
    check_record(sent(&[("http@1.traceparent", &traceparent)]), "syslog", &ids);
    let decimal = ["trace=000000000000000000000000000000ff", "span=0000000000000010"];
    check_record(sent(&[("dd@53595.trace_id", "255"), ("dd@53595.span_id", "16")]), "syslog", &decimal);
    // What is no id, and other words, stay as they came.
    let other = [
        "trace=none",
        "severity=0 \"\"",
        "a syslog.structured_data.x@1.trace_id=\"none\"",
        "a syslog.structured_data.x@1.level=\"error\"",
    ];
    check_record(sent(&[("x@1.trace_id", "none"), ("x@1.level", "error")]), "syslog", &other);
}

/// Each expected line must be among the facts; one that starts with `!` must not begin any.
fn check_record(record: Record<'_>, protocol: &'static str, expected: &[&str]) {
    let facts = facts(&normalizer(protocol).normalize(record));
    for expected in expected {
        match expected.strip_prefix('!') {
            Some(absent) => assert!(!facts.lines().any(|line| line.starts_with(absent)), "found {absent} in\n{facts}"),
            None => assert!(facts.lines().any(|line| line == *expected), "missing {expected} in\n{facts}"),
        }
    }
}

fn check(line: &str, expected: &[&str]) {
    check_record(decoded(line), "ndjson", expected);
    // The same line as text that the request does not lend, as syslog and Loki decoders give it.
    if !line.starts_with('{') {
        check_record(record(Value::from(line.to_owned()), Vec::new()), "ndjson", expected);
    }
}

#[test]
fn application_documents() {
    check(
        r#"{"@timestamp":"2026-11-20T10:00:00Z","log.level":"WARN","message":"slow query\n","service":{"name":"cart","version":"2.1"},"trace":{"id":"4bf92f3577b34da6a3ce929d0e0e4736"},"span.id":"00f067aa0ba902b7","http":{"request":{"method":"GET"}},"empty":{},"nothing":null,"logkeep.source":"forged"}"#,
        &[
            "severity=13 \"WARN\"",
            "time=2026-11-20T10:00:00Z",
            "body=slow query",
            "original=kept",
            "trace=4bf92f3577b34da6a3ce929d0e0e4736",
            "span=00f067aa0ba902b7",
            "r service.name=\"cart\"",
            "r service.version=\"2.1\"",
            "!r logkeep.service.name",
            "a http.request.method=\"GET\"",
            "a empty={}",
            "a nothing=null",
            "a sender.logkeep.source=\"forged\"",
            "!a message",
        ],
    );
    check(
        r#"{"level":50,"time":1795168800123,"msg":"failed","message":"","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","pid":3}"#,
        &["severity=17 \"50\"", "time=2026-11-20T10:00:00.123Z", "trace=4bf92f3577b34da6a3ce929d0e0e4736", "a pid=3"],
    );
    check(
        r#"{"ts":"yesterday","timestamp":"2026-11-20T10:00:00Z","time":"2026-11-20T11:00:00Z","trace_id":"none","event":"login","level":"custom"}"#,
        &[
            "severity=0 \"\"",
            "time=2026-11-20T10:00:00Z",
            "a ts=\"yesterday\"",
            "a time=\"2026-11-20T11:00:00Z\"",
            "a trace_id=\"none\"",
            "a level=\"custom\"",
            "body=login",
        ],
    );
    check(
        r#"{"a":1}"#,
        &["body={\"a\":1}", "original=none", "a a=1", "r service.name=\"unknown_service\"", "severity=0 \"\""],
    );
    check("{}", &["body={}", "original=none"]);
}

#[test]
fn envelopes() {
    check(
        r#"{"log":"{\"level\":\"error\",\"msg\":\"no stock\",\"sku\":7}\n","stream":"stderr","time":"2026-11-20T10:00:00.5Z","kubernetes":{"pod_name":"cart-0","container_name":"cart"}}"#,
        &[
            "severity=17 \"error\"",
            "body=no stock",
            "original=kept",
            "a sku=7",
            "a log.iostream=\"stderr\"",
            "time=2026-11-20T10:00:00.5Z",
            "r service.name=\"cart\"",
            "r logkeep.service.name.derived_from=\"k8s.pod.name\"",
        ],
    );
    check(
        r#"2026-11-20T10:00:01.5Z stdout F [2026-11-20T10:00:00.123Z] "GET / HTTP/1.1" 200 - 0 1 2 1 "-" "-" "-" "a" "10.0.0.1:80""#,
        &[
            "time=2026-11-20T10:00:00.123Z",
            "a log.iostream=\"stdout\"",
            "a http.response.status_code=200",
            "original=kept",
            "body=[2026-11-20T10:00:00.123Z] \"GET / HTTP/1.1\" 200 - 0 1 2 1 \"-\" \"-\" \"-\" \"a\" \"10.0.0.1:80\"",
        ],
    );
    check(
        "2026-11-20T10:00:01.5Z stderr P half a li",
        &["body=half a li", "a log.record.partial=true", "time=2026-11-20T10:00:01.5Z"],
    );
}

#[test]
fn text_lines() {
    check(
        "E1120 10:00:00.123456    1234 server.go:77] cannot listen",
        &[
            "severity=17 \"E\"",
            "time=2026-11-20T10:00:00.123456Z",
            "a code.file.path=\"server.go\"",
            "a code.line.number=77",
            "a thread.id=1234",
            "body=E1120 10:00:00.123456    1234 server.go:77] cannot listen",
        ],
    );
    check(
        r#"ts=2026-11-20T10:00:00Z level=warn msg="slow \"disk\"" took=1.5 n=3 ok=true id=007 path=/x"#,
        &[
            "severity=13 \"warn\"",
            "time=2026-11-20T10:00:00Z",
            "a took=1.5",
            "a n=3",
            "a ok=true",
            "a id=\"007\"",
            "a path=\"/x\"",
            "original=none",
        ],
    );
    check("2026-11-20T10:00:00Z level=error a=1 b=2", &["severity=17 \"error\"", "time=2026-11-20T10:00:00Z", "a b=2"]);
    for (line, severity) in [
        ("2026-11-20 10:00:00,123 ERROR [main] c.a.B - broken", "17 \"ERROR\""),
        ("2026-11-20T10:00:00Z [warn] careful", "13 \"warn\""),
        ("INFO:root:started", "0 \"\""),
        ("WARNING: disk is full", "13 \"WARNING\""),
        ("an error is not a level here", "0 \"\""),
        ("a=b but this is prose", "0 \"\""),
        ("  at com.example.Main(Main.java:3)", "0 \"\""),
        ("[ERROR] no", "17 \"ERROR\""),
    ] {
        check(line, &[&format!("severity={severity}"), &format!("body={line}"), "original=none"]);
    }
}

#[test]
fn labels_and_resources() {
    let labels = || -> Attributes<'static> {
        ["pod", "namespace", "job", "detected_level", "logkeep.x", "color"]
            .into_iter()
            .zip(["web-7d4f9c8b6d-x2x9z", "shop", "shop/web", "warn", "y", "red"])
            .map(|(key, value)| (key.into(), value.into()))
            .collect()
    };
    check_record(
        record("plain".into(), labels()),
        "loki",
        &[
            "severity=13 \"warn\"",
            "r k8s.pod.name=\"web-7d4f9c8b6d-x2x9z\"",
            "r k8s.namespace.name=\"shop\"",
            "r service.name=\"web\"",
            "r logkeep.service.name.derived_from=\"job\"",
            "r color=\"red\"",
            "r sender.logkeep.x=\"y\"",
            "r logkeep.protocol=\"loki\"",
        ],
    );
    let mut with_metadata = record("plain".into(), labels());
    with_metadata.attributes =
        vec![("trace_id".into(), "4bf92f3577b34da6a3ce929d0e0e4736".into()), ("pod".into(), "b".into())];
    let expected = ["trace=4bf92f3577b34da6a3ce929d0e0e4736", "r k8s.pod.name=\"web-7d4f9c8b6d-x2x9z\"", "a pod=\"b\""];
    check_record(with_metadata, "loki", &expected);
    let mut otlp = record("x".into(), vec![("service.name".into(), "cart".into())]);
    otlp.attributes = vec![("pod".into(), "b".into()), ("map".into(), Value::Map(vec![("k".into(), Value::Int(1))]))];
    otlp.severity_text = "Error".into();
    check_record(
        otlp,
        "otlp",
        &["severity=17 \"Error\"", "a pod=\"b\"", "a map.k=1", "!r logkeep.service.name", "r service.name=\"cart\""],
    );
    check_record(
        record("x".into(), vec![("service.name".into(), "unknown_service:java".into())]),
        "otlp",
        &["r service.name=\"unknown_service:java\"", "!r logkeep.service.name"],
    );
    let large = record(Value::Map(vec![("pod".into(), "b".into())]), vec![("big".into(), "x".repeat(5_000).into())]);
    check_record(large, "loki", &["a k8s.pod.name=\"b\"", "!r k8s.pod.name", "r service.name=\"unknown_service\""]);
    let kvlist = record(Value::Map(vec![("message".into(), "hi".into()), ("n".into(), Value::Int(2))]), Vec::new());
    check_record(kvlist, "otlp", &["body=hi", "original=kept", "a n=2"]);
}

#[test]
fn limits_are_kept_and_counted() {
    let pairs: Attributes<'_> = (0..logkeep_record::limits::ATTRIBUTES_PER_RECORD + 7)
        .map(|place| (format!("k{place}").into(), Value::Int(1)))
        .chain([("x".repeat(2_000).into(), Value::Null)])
        .collect();
    let normalised = normalizer("otlp").normalize(record(Value::Map(pairs), Vec::new()));
    assert_eq!(normalised.attributes.len(), logkeep_record::limits::ATTRIBUTES_PER_RECORD);
    assert_eq!(normalised.dropped_attributes, 8);
    let mut deep = Value::Int(1);
    for _ in 0..200 {
        deep = Value::Map(vec![("a".into(), deep)]);
    }
    let normalised = normalizer("otlp").normalize(record(deep, Vec::new()));
    let (key, value) = &normalised.attributes[0];
    assert_eq!(key.split('.').count(), 65);
    assert!(matches!(value, Value::Map(_)));
}

#[test]
fn the_documentation_lists_every_key() {
    let page = include_str!("../../../docs/normalization.md");
    for entry in crate::table::entries() {
        assert!(page.contains(&format!("`{}`", entry.key)), "docs/normalization.md does not name `{}`", entry.key);
        for rule in [entry.access, entry.general].into_iter().flatten() {
            use crate::semconv::Rule::*;
            let names = match rule {
                As(name) | Int(name) | Millis(name) | Nanos(name) | Identity(name) | Lift(name) | LiftName(name) => {
                    [name, name]
                }
                Size(first, second) | Address(first, second) => [first, second],
                _ => continue,
            };
            let line = page.lines().find(|line| {
                let (keys, fields) = line.strip_prefix('|').and_then(|line| line.split_once(" | ")).unwrap_or_default();
                keys.contains(&format!("`{}`", entry.key))
                    && names.iter().all(|name| fields.contains(&format!("`{name}`")))
            });
            assert!(line.is_some(), "docs/normalization.md does not say that `{}` becomes {names:?}", entry.key);
        }
    }
}

#[test]
fn formats_are_detected() {
    for (line, format) in [
        (ISTIO_JSON, LineFormat::EnvoyJson),
        (r#"{"msg":"x"}"#, LineFormat::NdJson),
        (r#"{"log":"x\n","stream":"stdout","time":"2026-11-20T10:00:00Z"}"#, LineFormat::DockerJson),
        ("2026-11-20T10:00:01.5Z stdout F x", LineFormat::Cri),
        ("<34>1 2026-11-20T10:00:00Z host app - - - x", LineFormat::Syslog),
        ("Nov 20 10:00:00 host app[1]: x", LineFormat::Syslog),
        (
            r#"[2026-11-20T10:00:00Z] "GET / HTTP/1.1" 200 - 0 1 2 1 "-" "-" "-" "a" "10.0.0.1:80""#,
            LineFormat::EnvoyText,
        ),
        (r#"10.0.0.4:5 - - [2026-11-20T10:00:00Z] "GET / HTTP/2.0" 200"#, LineFormat::LinkerdApache),
        (r#"10.0.0.4 - - [20/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1"#, LineFormat::CommonLog),
        ("2026-11-20T10:00:00Z\tinfo\taccess\tdone\tsrc.addr=1.1.1.1:1 dst.addr=2.2.2.2:2", LineFormat::Ztunnel),
        ("hello", LineFormat::PlainText),
        ("", LineFormat::PlainText),
    ] {
        assert_eq!(detect(&[line, "", line, "stray"]), format, "{line}");
    }
    assert_eq!(detect(&[r#"{"a":1}"#, r#"{"a":1}"#, "x", "y", ISTIO_JSON]), LineFormat::NdJson);
    for format in LineFormat::ALL {
        assert_eq!(format.to_string().parse(), Ok(*format));
    }
    assert!("envoy".parse::<LineFormat>().unwrap_err().to_string().contains("envoy-text"));
}

/// Lines made of the pieces real ones have, so that they get far into the parsers.
fn line() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("[2026-11-20T10:00:00Z] \"GET ".to_owned()),
        Just(" HTTP/1.1\" 200 - 1 2 3 4 \"-\" \"".to_owned()),
        Just("\" \"".to_owned()),
        Just("\"".to_owned()),
        Just(" - ".to_owned()),
        Just("10.0.0.1:80 - - [20/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" ".to_owned()),
        Just("2026-11-20T10:00:00Z stdout F ".to_owned()),
        Just("2026-11-20T10:00:00Z\tinfo\taccess\tx\t".to_owned()),
        Just("E1120 10:00:00.1 1 a.go:1] ".to_owned()),
        Just("k=\"a\\".to_owned()),
        Just("level=warn x=1 ".to_owned()),
        Just("{\"message\":\"".to_owned()),
        Just("\"}".to_owned()),
        Just(" took 1ms, sent 1 bytes, received: 1 bytes".to_owned()),
        "\\PC{0,12}",
        "[\\x00-\\x7f]{0,6}",
    ];
    proptest::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

/// Keys of which several mean the same, as senders and their envelopes say them.
const SAME: &[&str] = &[
    "host",
    "hostname",
    "host.name",
    "host.hostname",
    "service",
    "service.name",
    "service_name",
    "app",
    "pod",
    "pod_name",
    "k8s.pod.name",
    "kubernetes",
    "kubernetes.labels.app",
    "k8s.pod.label.app",
    "labels",
    "log.level",
    "level",
    "time",
    "msg",
    "message",
    "http.method",
    "http.request.method",
    "logkeep.source",
    "sender.logkeep.source",
    "logkeep.repeated.host",
    "sender.logkeep.repeated.host",
    "job",
    "version",
    "client.ip",
    "client.address",
    "node",
    "cluster_name",
    "log_name",
    "node_name",
];

fn pairs(depth: u32) -> BoxedStrategy<Attributes<'static>> {
    let text = prop_oneof![Just("a"), Just("b"), Just("info"), Just("unknown_service:x"), Just("2026-11-20T10:00:00Z")];
    let text = text.prop_map(Value::str);
    let value = match depth {
        0 => prop_oneof![text, Just(Value::Int(7))].boxed(),
        depth => prop_oneof![4 => text, 1 => Just(Value::Null), 2 => pairs(depth - 1).prop_map(Value::Map)].boxed(),
    };
    let key = (0..SAME.len(), 0..4_usize).prop_map(|(place, part)| match part {
        // The last part alone, as it stands within an object.
        0 => SAME[place].rsplit('.').next().unwrap_or_default().into(),
        _ => SAME[place].into(),
    });
    proptest::collection::vec((key, value), 0..9).boxed()
}

fn names_are_unique(attributes: &Attributes<'_>) -> bool {
    let names: std::collections::HashSet<_> = attributes.iter().map(|(name, _)| name).collect();
    names.len() == attributes.len()
}

/// All single values that a record has, wherever they are.
fn leaves(value: &Value<'_>, out: &mut Vec<String>) {
    match value {
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| leaves(value, out)),
        Value::Array(values) => values.iter().for_each(|value| leaves(value, out)),
        value => out.push(format!("{value:?}")),
    }
}

#[test]
fn what_carried_a_record_says_who_sent_it() {
    let named = |body: &'static str| {
        let mut record = decoded(body);
        record.resource =
            Resource::from_attributes(vec![("host.name".into(), "vm".into()), ("service.name".into(), "nginx".into())]);
        record
    };
    let check = |body, expected: &[&str]| check_record(named(body), "syslog", expected);
    check(
        r#"{"host":"shop.example","w":"zqa","service.name":"other"}"#,
        &[
            "r host.name=\"vm\"",
            "r service.name=\"nginx\"",
            "a host=\"shop.example\"",
            "a service.name=\"other\"",
            "a w=\"zqa\"",
        ],
    );
    check(r#"{"host":"vm"}"#, &["r host.name=\"vm\"", "!a host"]);
    check(r#"{"pod":"web-0"}"#, &["r k8s.pod.name=\"web-0\"", "r host.name=\"vm\""]);
    // Of a sender that was told no name, a document's counts.
    let mut vague = decoded(r#"{"service.name":"cart"}"#);
    vague.resource = Resource::from_attributes(vec![("service.name".into(), "unknown_service:java".into())]);
    check_record(vague, "loki", &["r service.name=\"cart\"", "!a service.name", "!r logkeep.service.name.derived"]);
    // Two labels that mean the same.
    let labels: Attributes<'static> = [("host", "a"), ("hostname", "b"), ("host.name", "c")]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
    check_record(record("x".into(), labels), "loki", &["r host=\"a\"", "r hostname=\"b\"", "r host.name=\"c\""]);
}

#[test]
fn keys_that_come_twice_are_kept_beside() {
    check(
        r#"{"a":1,"a":2,"b":{"c":1},"b.c":1,"a":"x"}"#,
        &["a a=1", "a b.c=1", "a logkeep.repeated.a=[2,\"x\"]", "!a logkeep.repeated.b"],
    );
}

#[test]
fn a_document_knows_its_time_better_than_the_envelope_it_came_in() {
    let time = |ns: Option<i64>| {
        ns.map_or("none".into(), |ns| jiff::Timestamp::from_nanosecond(ns.into()).unwrap().to_string())
    };
    for (protocol, envelope, body, expected, observed) in [
        ("syslog", "10:00:01", r#"{"time":"2026-11-20T10:00:00.25Z"}"#, "10:00:00.25", "10:00:01"),
        ("relp", "10:00:01", r#"{"ts":1795168800.5,"msg":"x"}"#, "10:00:00.5", "10:00:01"),
        ("import", "10:00:01", "ts=2026-11-20T10:00:00.5Z level=info a=1", "10:00:00.5", "10:00:01"),
        // The same second, more precisely.
        ("syslog", "10:00:00.75", r#"{"time":"2026-11-20T10:00:00Z"}"#, "10:00:00.75", "none"),
        ("syslog", "10:00:00", r#"{"time":"2026-11-20T10:00:00Z"}"#, "10:00:00", "none"),
        ("syslog", "10:00:00", r#"{"time":"yesterday"}"#, "10:00:00", "none"),
        ("syslog", "10:00:00", "no document", "10:00:00", "none"),
        // What a protocol says of each record itself counts.
        ("loki", "10:00:01", r#"{"time":"2026-11-20T10:00:00.25Z"}"#, "10:00:01", "none"),
    ] {
        let mut record = decoded(body);
        record.time_ns = Some(crate::time::from_value(&Value::from(format!("2026-11-20T{envelope}Z"))).unwrap());
        let record = normalizer(protocol).normalize(record);
        let full = |text: &str| if text == "none" { text.to_owned() } else { format!("2026-11-20T{text}Z") };
        assert_eq!((time(record.time_ns), time(record.observed_ns)), (full(expected), full(observed)), "{body}");
        let is_lifted = record.attribute("time").is_none();
        assert_eq!(is_lifted, protocol != "loki" && !body.contains("yesterday"), "{body}: {record:?}");
    }
}

proptest! {
    #[test]
    fn text_is_kept_verbatim(line in line()) {
        let normalised = normalizer("loki").normalize(record(Value::str(&line), Vec::new()));
        let kept = normalised.original.as_deref().or(normalised.body.as_str());
        prop_assert_eq!(kept, Some(line.as_str()));
        let name = normalised.resource.attribute("service.name").and_then(Value::as_str).unwrap_or_default();
        prop_assert!(!name.is_empty());
        let owned = normalizer("loki").normalize(record(Value::from(line.clone()), Vec::new()));
        prop_assert_eq!(owned, normalised);
        detect(&[&line]);
    }

    #[test]
    fn documents_are_kept_verbatim(keys in proptest::collection::vec((0..crate::table::entries().count(), "[-a-z0-9:/?.]{0,9}"), 0..12)) {
        let pairs = keys.iter().map(|(place, text)| (crate::table::entries().nth(*place).map_or("", |entry| entry.key).into(), Value::str(text))).collect();
        let mut line = String::new();
        json::write(&Value::Map(pairs), &mut line);
        let normalised = normalizer("ndjson").normalize(decoded(&line));
        prop_assert_eq!(normalised.original.as_deref().or(normalised.body.as_str()), Some(line.as_str()));
    }

    #[test]
    fn each_name_is_there_once_and_nothing_is_lost(
        base in pairs(0), own in pairs(1), body in pairs(2),
        protocol in prop_oneof![Just("otlp"), Just("syslog"), Just("loki"), Just("datadog-traces")],
    ) {
        let mut sent = record(Value::Map(body), base);
        sent.attributes = own;
        let mut before = Vec::new();
        sent.resource.attributes().iter().chain(&sent.attributes).for_each(|(_, value)| leaves(value, &mut before));
        let mut normalizer = normalizer(protocol);
        for record in [normalizer.normalize(sent.clone()), normalizer.normalize_span(sent)] {
            prop_assert!(names_are_unique(record.resource.attributes()), "{:?}", record.resource.attributes());
            prop_assert!(names_are_unique(&record.attributes), "{:?}", record.attributes);
            prop_assert_eq!(record.dropped_attributes, 0);
            let mut after = Vec::new();
            record.resource.attributes().iter().chain(&record.attributes).for_each(|(_, value)| leaves(value, &mut after));
            after.push(format!("{:?}", Value::Str(record.severity_text)));
            // That no name was known gives way to one.
            let is_lost = |leaf: &&String| !after.contains(leaf) && !leaf.contains("unknown_service");
            let lost: Vec<_> = before.iter().filter(is_lost).collect();
            prop_assert!(lost.is_empty(), "{lost:?} of {before:?} in {after:?}");
        }
    }
}
