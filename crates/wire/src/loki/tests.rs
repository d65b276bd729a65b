use logkeep_record::json;
use proptest::prelude::*;

use super::*;

fn render(decoded: Result<Decoded<'_>, LokiError>) -> String {
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(error) => return format!("{}: {error}", error.answer().0),
    };
    let mut out = String::new();
    for record in &decoded.records {
        json::write(&Value::Map(record.resource.attributes().clone()), &mut out);
        out.push_str(&format!(" {:?} ", record.time_ns));
        json::write(&record.body, &mut out);
        json::write(&Value::Map(record.attributes.clone()), &mut out);
        out.push('\n');
    }
    for one in &decoded.rejected {
        out.push_str(&format!("rejected {}: {}\n", one.place, one.reason));
    }
    out.trim_end().to_owned()
}

fn check(body: &str, expected: &[&str]) {
    assert_eq!(render(decode_json(body.as_bytes(), 7)), expected.join("\n"), "{body}");
}

/// A length-delimited protobuf field.
fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    assert!(content.len() < 128);
    [&[tag << 3 | 2, content.len() as u8], content].concat()
}

fn stream(labels: &str, entries: &[&[u8]]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|entry| field(2, entry)).collect();
    field(1, &[field(1, labels.as_bytes()), entries].concat())
}

#[test]
fn json_v1() {
    check(
        r#"{"streams":[{"stream":{"app":"web","pod":"a"},"values":[["1570818238000000000","line \"1\""],["5","l2",{"trace_id":"x"}]]}]}"#,
        &[
            r#"{"app":"web","pod":"a"} Some(1570818238000000000) "line \"1\""{}"#,
            r#"{"app":"web","pod":"a"} Some(5) "l2"{"trace_id":"x"}"#,
        ],
    );
    check(r#"{"streams":[]}"#, &[""]);
    check(r#"{"streams":[{"values":[[0,"x"]]}]}"#, &[r#"{} None "x"{}"#]);
    let decoded = decode_json(br#"{"streams":[{"stream":{},"values":[["1","a"],["2","b"]]}]}"#, 7).unwrap();
    assert!(Arc::ptr_eq(&decoded.records[0].resource, &decoded.records[1].resource));
    assert!(matches!(decoded.records[0].body, Value::Str(Cow::Borrowed("a"))));
}

#[test]
fn json_v0() {
    check(
        r#"{"streams":[{"labels":"{foo=\"bar\"}","entries":[{"ts":"2018-12-18T08:28:06.801064-04:00","line":"x"},{"line":1}]}]}"#,
        &[r#"{"foo":"bar"} Some(1545136086801064000) "x"{}"#, "rejected 1: an entry must have a `line` that is text"],
    );
}

#[test]
fn json_entries_fail_alone() {
    check(
        r#"{"streams":[{"stream":{"a":"b"},"values":[["x","l"],["1","l",{"n":1}],["2"],["3","ok"],7]},{"stream":{"n":1},"values":[["1","l"]]}]}"#,
        &[
            r#"{"a":"b"} Some(3) "ok"{}"#,
            "rejected 0: the time must be nanoseconds as text",
            "rejected 1: the value of metadata must be a string: `n`",
            "rejected 2: an entry must be [\"<nanoseconds>\", \"<line>\"], with metadata or without",
            "rejected 4: an entry must be an array",
            "rejected 5: the value of a label must be a string: `n`",
        ],
    );
    assert!(render(decode_json(b"[]", 7)).starts_with("400: the body is not a push request in JSON"));
    assert!(render(decode_json(b"{\"streams\":", 7)).starts_with("400: the body is not a push request in JSON"));
}

#[test]
fn protobuf_in_snappy() {
    let entry =
        [field(1, b"\x08\x05\x10\x07"), field(2, b"line"), field(3, &[field(1, b"k"), field(2, b"v")].concat())];
    let bad_utf8 = field(2, b"\xff");
    let push = [
        stream(r#"{app="web"}"#, &[&entry.concat(), &bad_utf8, b"\x12\x09short"]),
        stream("{app=web}", &[&entry.concat()]),
    ]
    .concat();
    let body = snap::raw::Encoder::new().compress_vec(&push).unwrap();
    for content_type in ["application/x-protobuf", "", "text/plain"] {
        let Ok(Body::Protobuf(opened)) = open(&body, content_type, "", 1_000) else { panic!("{content_type}") };
        let expected = [
            r#"{"app":"web"} Some(5000000007) "line"{"k":"v"}"#,
            "{\"app\":\"web\"} None \"\u{fffd}\"{\"logkeep.invalid_utf8\":true}",
            "rejected 2: failed to decode Protobuf message",
            "rejected 3: labels: expected a quoted value at byte 5",
        ];
        let got = render(decode_protobuf(&opened, 7));
        for (got, expected) in got.lines().zip(expected) {
            assert!(got.starts_with(expected), "got {got}, expected {expected}");
        }
        assert_eq!(got.lines().count(), 4);
    }
    assert!(render(decode_protobuf(b"\x0a\x05", 7)).starts_with("400: the body is not a push request in protobuf"));
}

#[test]
fn bodies_whose_headers_are_wrong() {
    let json = br#"{"streams":[]}"#;
    assert!(matches!(open(json, "", "", 100), Ok(Body::Json(_))));
    assert!(matches!(open(json, "application/json; charset=utf-8", "gzip", 100), Ok(Body::Json(_))));
    assert!(matches!(open(b"", "", "", 100), Ok(Body::Protobuf(_))));
    assert_eq!(open(&[0; 200], "application/json", "", 100).unwrap_err().answer().0, 413);
    assert_eq!(open(json, "application/json", "br", 100).unwrap_err().answer().0, 415);
    assert_eq!(push_answer(&[], 3), (204, String::new()));
    let rejected = [crate::Rejection { place: 1, reason: "why".into() }];
    assert_eq!(push_answer(&rejected, 3), (400, "1 of 3 lines rejected, the others are stored\nline 1: why\n".into()));
}

#[test]
fn labels() {
    for (text, expected) in [
        (r#"{a="b", c="d",}"#, r#"{"a":"b","c":"d"}"#),
        (r#"{}"#, "{}"),
        ("", "{}"),
        (r#" a = 'x' "#, r#"{"a":"x"}"#),
        (r#"{a="q\"\\\n\t\x41\101é\u00e9\U0001F600"}"#, "{\"a\":\"q\\\"\\\\\\n\\tAAéé😀\"}"),
        (r#"{"a.b"=`raw\n`}"#, r#"{"a.b":"raw\\n"}"#),
        (r#"{a="b"#, "labels: the quotes do not close at byte 5"),
        (r#"{a="\q"}"#, "labels: unknown escape at byte 6"),
        (r#"{a="\ud800"}"#, "labels: no such character at byte 10"),
        (r#"{a="b"} x"#, "labels: expected the end at byte 8"),
        (r#"{a"b"}"#, "labels: expected `=` at byte 6"),
        (r#"{="b"}"#, "labels: expected a label name at byte 1"),
        (r#"{a="b" c="d"}"#, "labels: expected `,` or `}` at byte 7"),
    ] {
        let mut got = String::new();
        match parse_labels(text) {
            Ok(labels) => json::write(&Value::Map(labels), &mut got),
            Err(error) => got = error.to_string(),
        }
        assert_eq!(got, expected, "{text}");
    }
}

proptest! {
    #[test]
    fn labels_round_trip(value in "\\PC{0,20}") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
        let labels = parse_labels(&format!("{{name=\"{escaped}\"}}")).unwrap();
        prop_assert_eq!(labels, vec![(Cow::Borrowed("name"), Value::from(value))]);
    }

    #[test]
    fn junk_never_panics(text in "[{}a=\"\\\\xu0,\\[\\]é]{0,30}", bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = parse_labels(&text);
        render(decode_json(text.as_bytes(), 7));
        render(decode_protobuf(&bytes, 7));
        let _ = open(&bytes, "", "", 1_000);
    }
}
