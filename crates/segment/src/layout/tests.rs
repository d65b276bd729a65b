use std::borrow::Cow;

use logkeep_record::{Resource, SpanId, TraceId, json};

use super::*;

fn record<'a>(attributes: &'a str, body: &'a str) -> Record<'a> {
    let Ok(Value::Map(attributes)) = json::parse(attributes) else { panic!("{attributes}") };
    let resource = Resource::from_attributes(vec![
        ("service.name".into(), Value::str("orders")),
        ("k8s.pod.name".into(), Value::str("orders-1")),
    ]);
    let mut record = Record::new(7, Value::str(body), resource);
    record.attributes = attributes;
    record.time_ns = Some(1_795_132_804_877_000_000);
    record.severity_text = Cow::Borrowed("info");
    record.trace_id = TraceId::new([0xab; 16]);
    record.span_id = SpanId::new([0xcd; 8]);
    record
}

/// Derives the layout of `text`, tries it, and gives what is left over.
fn rest_of(record: &Record<'_>, text: &str) -> Option<String> {
    let layout = Layout::derive(record, text)?;
    let (mut rest, mut scratch) = (String::new(), String::new());
    assert!(layout.fits(record, text, &mut rest, &mut scratch), "{layout:?}");
    assert_eq!(layout.write(record, &rest).as_deref(), Some(text));
    assert_eq!(Layout::decode(&layout.encode()).as_ref(), Some(&layout));
    Some(rest.replace(PIECE_END, "|"))
}

#[test]
fn a_document_of_known_fields_leaves_nothing_over() {
    let record = record(
        r#"{"url.path":"/a","url.query":"b=1","server.address":"::1","server.port":80,"version":"1.1","ms":12.0,
            "ns":1.5,"size":-5,"half":0.5}"#,
        "say \"hi\"\n\u{e9}",
    );
    let text = concat!(
        r#"{ "@timestamp" : "2026-11-20T00:00:04.877Z","service":"orders","pod":"orders-1","level":"info","path":"/a?b=1","#,
        r#""host":"::1:80","protocol":"HTTP/1.1","duration":12,"total_ns":"1500000","size":"-5","half":0.5,"none":"-","#,
        r#""trace":"abababababababababababababababab","span":"cdcdcdcdcdcdcdcd","ok":true,"x":null,"#,
        "\"message\":\"say \\\"hi\\\"\\n\u{e9}\"}"
    );
    assert_eq!(rest_of(&record, text).as_deref(), Some(""));
}

#[test]
fn what_no_field_has_is_left_over() {
    let record = record(r#"{"a":"x","n":1.5}"#, "b");
    let rest = |text: &str, expected: Option<&str>| assert_eq!(rest_of(&record, text).as_deref(), expected, "{text}");
    rest(r#"{"a":"x","other":"y z","n":1.50,"again":"x"}"#, Some("y z|1.50|"));
    rest(r#"{"a":"x","list":["p","q"],"not json"#, None);
    rest(r#"{"a":"x","odd":abc12}"#, Some(""));
    rest("2026-11-20T00:00:04.877Z stdout F b", Some(" stdout F |"));
    rest("<13>1 host app: b", Some("<13>1 host app: |"));
    rest("xb", None);
    rest("", None);
    rest("{}", None);
    rest("{\"a\":\"x\",\"b\":\"\\", None);
}

#[test]
fn a_layout_fits_only_what_it_gives_back() {
    let (first, second) = (record(r#"{"a":"x"}"#, "b"), record(r#"{"a":"y\"z"}"#, "b"));
    let layout = Layout::derive(&first, r#"{"a":"x","c":"1"}"#).unwrap();
    let fits = |record: &Record<'_>, text: &str| layout.fits(record, text, &mut String::new(), &mut String::new());
    assert!(fits(&first, r#"{"a":"x","c":"anything"}"#));
    assert!(!fits(&first, r#"{"a":"x","c":"1"} "#));
    assert!(!fits(&first, r#"{"a":"y","c":"1"}"#));
    assert!(!fits(&first, "{\"a\":\"x\",\"c\":\"\u{1f}\"}"));
    // The value needs escapes in this one, and the layout writes it without.
    assert!(!fits(&second, r#"{"a":"y\"z","c":"1"}"#));
    assert_eq!(layout.write(&first, ""), None);
    assert_eq!(layout.write(&first, "1\u{1f}2\u{1f}"), None);
}

#[test]
fn damaged_layouts_are_refused() {
    for bytes in [&b"l\x05\0\0\0ab"[..], b"a\0\0\0\0?", b"c\x0a", b"z", b"b"] {
        assert_eq!(Layout::decode(bytes), None, "{bytes:?}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]
    /// Whatever the text: no panic, and what fits is given back.
    #[test]
    fn any_text_is_given_back_or_refused(text in r#"\{?["{}:,\\0-9aeé?. \-]{0,60}"#, body in r#"["\\0-9aé\n]{0,8}"#) {
        let record = record(r#"{"a":"a","b":"0","c":1,"d":1.5,"e":"é\"","f":0.0}"#, &body);
        for text in [text.clone(), format!("{text} {body}")] {
            rest_of_any(&record, &text);
        }
    }
}

fn rest_of_any(record: &Record<'_>, text: &str) {
    let Some(layout) = Layout::derive(record, text) else { return };
    let (mut rest, mut scratch) = (String::new(), String::new());
    if layout.fits(record, text, &mut rest, &mut scratch) {
        assert_eq!(layout.write(record, &rest).as_deref(), Some(text), "{layout:?}");
    }
}

#[test]
fn a_word_begins_with_an_escape_only_if_a_field_has_the_rest() {
    let record = record(r#"{"note":"a\tthere\u0007eep"}"#, "x");
    let text = r#"{"note":"a\tthere\u0007eep","message":"x"}"#;
    let layout = Layout::derive(&record, text).unwrap();
    let check = |word: &str, tokens: &[&str], expected: bool| {
        let word = Word { text: word, is_whole: true };
        assert_eq!(layout.may_reword(word, &|token| tokens.contains(&token)), expected, "{word:?} of {tokens:?}");
    };
    check("tthere", &["there"], true);
    check("tthere", &["tthere", "here"], false);
    check("u0007eep", &["eep"], true);
    check("u0007eep", &["0007eep"], false);
    // What follows the escape may be no letter at all.
    check("t", &[], true);
    check("u0007", &[], true);
    check("u000", &["000"], false);
    check("user", &["ser"], false);
    check("there", &["there"], false);
}
