use logkeep_record::{Span, Value, json};

use super::*;
use crate::testing::rendered;

/// A span in one line, with what is not empty.
fn line(span: &Span<'_>) -> String {
    let id = |id: Option<String>| id.unwrap_or_else(|| "-".into());
    let mut out = format!(
        "{} {} {} {} {} {:?}+{:?} ",
        id(span.trace_id.map(|id| id.to_string())),
        id(span.span_id.map(|id| id.to_string())),
        id(span.parent_id.map(|id| id.to_string())),
        span.kind.word(),
        span.name,
        span.start_ns.unwrap_or(0),
        span.duration_ns().unwrap_or(0),
    );
    json::write(span.resource.attribute("service.name").unwrap_or(&Value::Null), &mut out);
    json::write(&Value::Map(span.attributes.clone()), &mut out);
    for event in &span.events {
        out += &format!(" {}@{}", event.name, event.time_ns.unwrap_or(0));
    }
    if span.status != logkeep_record::SpanStatus::Unset {
        out += &format!(" {}:{}", span.status.word(), span.status_message);
    }
    out
}

fn render(decoded: Result<Decoded<'_>, SpansError>) -> String {
    rendered(decoded, |record| line(&Span::from_record(record.clone())))
}

fn check(decoded: Result<Decoded<'_>, SpansError>, expected: &str) {
    assert_eq!(render(decoded), expected);
}

#[test]
fn version_2_of_real_tracers() {
    // As OpenTelemetry for Python writes it.
    let python = r#"[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","id":"00f067aa0ba902b7","name":"GET /","timestamp":1795168800000001,
        "duration":2500,"localEndpoint":{"serviceName":"shop"},"kind":null,"debug":true,
        "tags":{"n":"1","error":"refused","otel.status_code":"ERROR"},
        "annotations":[{"timestamp":1795168800000002,"value":"{\"exception\": {}}"}],"parentId":"00f067aa0ba902b8"}]"#;
    check(
        decode_v2(python.as_bytes(), 7),
        concat!(
            "4bf92f3577b34da6a3ce929d0e0e4736 00f067aa0ba902b7 00f067aa0ba902b8 unspecified GET / ",
            r#"1795168800000001000+2500000 "shop"{"n":"1","error":"refused","otel.status_code":"ERROR","zipkin.debug":true} "#,
            r#"{"exception": {}}@1795168800000002000 error:refused"#
        ),
    );
    // As Envoy does: 64 bits, shared, port 0, another order of keys in each span.
    let envoy = r#" [{"shared":true,"traceId":"a3ce929d0e0e4736","kind":"SERVER","localEndpoint":{"ipv4":"127.0.0.1","port":0,
        "serviceName":"edge"},"id":"b7","name":"example.com","tags":{"http.status_code":"200"},"duration":1,"timestamp":5},
        {"id":"b8","parentId":"b7","timestamp":5,"traceId":"a3ce929d0e0e4736","kind":"CLIENT","remoteEndpoint":
        {"serviceName":"cart","ipv6":"::1","port":80}}]"#;
    check(
        decode_v2(envoy.as_bytes(), 7),
        concat!(
            r#"0000000000000000a3ce929d0e0e4736 00000000000000b7 - server example.com 5000+1000 "edge""#,
            r#"{"http.status_code":"200","network.local.address":"127.0.0.1","zipkin.shared":true}"#,
            "\n",
            "0000000000000000a3ce929d0e0e4736 00000000000000b8 00000000000000b7 client  5000+0 null",
            r#"{"peer.service":"cart","network.peer.address":"::1","network.peer.port":80}"#
        ),
    );
    for empty in ["", "[]", "  \n"] {
        check(decode_v2(empty.as_bytes(), 7), "");
        check(decode_v1(empty.as_bytes(), 7), "");
    }
}

#[test]
fn a_bad_span_costs_only_itself() {
    for (span, reason) in [
        ("1", "a span must be an object"),
        ("{}", "a span has no `traceId`"),
        (r#"{"traceId":"0"}"#, "`traceId` must be 1 to 32 hexadecimal digits, not all zero"),
        (r#"{"traceId":"1","id":"xyz"}"#, "`id` must be 1 to 16 hexadecimal digits"),
        (r#"{"traceId":"1","tags":{"a":[1]}}"#, "a tag must be text"),
        (r#"{"traceId":"1","annotations":{}}"#, "`annotations` must be an array"),
        (r#"{"traceId":"1","timestamp":"soon"}"#, "`timestamp` must be a whole number"),
    ] {
        let body = format!(r#"[{span},{{"traceId":"1","name":"good"}}]"#);
        let got = render(decode_v2(body.as_bytes(), 7));
        assert!(got.contains(" good ") && got.ends_with(&format!("\nrejected 0: {reason}")), "{got}");
    }
    for (body, said) in [
        ("{}", "the body is not a list of Zipkin v2 spans in JSON or protobuf: it begins like neither"),
        ("[{", "the body is not a list of Zipkin spans in JSON: "),
        ("\n\u{5}a", "the body is not a list of Zipkin v2 spans in protobuf: "),
    ] {
        assert!(render(decode_v2(body.as_bytes(), 7)).starts_with(said), "{body}");
    }
    assert!(render(decode_v1(b"\n\x05", 7)).contains("v1 spans in JSON or Thrift"));
    let many = format!("[{}]", vec![r#"{"a":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}"#; MAX_SPANS_OF_20].join(","));
    assert!(render(decode_v2(many.as_bytes(), 7)).starts_with("the request has more than 2097152 values"));
}

const MAX_SPANS_OF_20: usize = crate::spans::MAX_VALUES / 19 + 1;

/// A field in protobuf: a varint or bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

#[test]
fn version_2_in_protobuf() {
    let fixed = |tag: u8, number: u64| [&[tag << 3 | 1][..], &number.to_le_bytes()].concat();
    let endpoint = [field(1, b"shop"), field(2, &[10, 0, 0, 1]), vec![4 << 3, 80]].concat();
    let tag = [field(1, b"k"), field(2, b"v")].concat();
    let annotation = [fixed(1, 6), field(2, b"here")].concat();
    let span = [
        field(1, &[0xaa; 16]),
        field(2, &[0xbb; 8]),
        field(3, &[0xcc; 8]),
        vec![4 << 3, 2],
        field(5, b"get"),
        fixed(6, 5),
        vec![7 << 3, 2],
        field(8, &endpoint),
        field(10, &annotation),
        field(11, &tag),
        vec![13 << 3, 1],
    ]
    .concat();
    let good = concat!(
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa cccccccccccccccc bbbbbbbbbbbbbbbb server get 5000+2000 ",
        r#""shop"{"k":"v","network.local.address":"10.0.0.1","network.local.port":80,"zipkin.shared":true} here@6000"#
    );
    let list = [field(1, &span), field(1, &[5 << 3 | 2, 1, 0xff])].concat();
    let got = render(decode_v2(&list, 7));
    assert!(got.starts_with(&format!("{good}\nrejected 1: ")), "{got}");
    assert!(decode_v2(&list[..list.len() - 1], 7).is_err());
}

const V1: &str = r#"[{"traceId":"1","id":"2","name":"get","binaryAnnotations":[
    {"key":"sa","value":true,"endpoint":{"serviceName":"cart","ipv4":"10.0.0.2","port":80}},
    {"key":"n","value":"1","endpoint":{"serviceName":"shop","ipv4":"10.0.0.1"}}],
    "annotations":[{"timestamp":5,"value":"cs","endpoint":{"serviceName":"shop","ipv4":"10.0.0.1"}},
    {"timestamp":6,"value":"retry"},{"timestamp":9,"value":"cr"}]}]"#;
const V1_LINE: &str = concat!(
    "00000000000000000000000000000001 0000000000000002 - client get 5000+4000 ",
    r#""shop"{"n":"1","network.local.address":"10.0.0.1","peer.service":"cart","#,
    r#""network.peer.address":"10.0.0.2","network.peer.port":80} retry@6000"#
);

#[test]
fn version_1_in_json() {
    check(decode_v1(V1.as_bytes(), 7), V1_LINE);
    // npm's zipkin sends spans without annotations.
    check(
        decode_v1(
            br#"[{"traceId":"1","id":"2","name":"a","binaryAnnotations":[{"key":"ca","value":true,
            "endpoint":{"serviceName":"web"}}],"timestamp":5,"duration":1}]"#,
            7,
        ),
        concat!(
            "00000000000000000000000000000001 0000000000000002 - server a 5000+1000 null",
            r#"{"peer.service":"web"}"#
        ),
    );
}

#[test]
fn version_1_in_thrift() {
    let int = |field: u8, number: i64| [&[10, 0, field][..], &number.to_be_bytes()].concat();
    let text = |field: u8, text: &[u8]| [&[11, 0, field, 0, 0, 0, text.len() as u8][..], text].concat();
    let host = |field: u8, name: &[u8], last: u8, port: u8| {
        [&[12, 0, field, 8, 0, 1, 10, 0, 0, last, 6, 0, 2, 0, port][..], &text(3, name), &[0]].concat()
    };
    let annotation = |us, value: &[u8]| [int(1, us), text(2, value), host(3, b"shop", 1, 0), vec![0]].concat();
    let list =
        |field: u8, parts: &[Vec<u8>]| [&[15, 0, field, 12, 0, 0, 0, parts.len() as u8], &*parts.concat()].concat();
    let tag = |key: &[u8], value: &[u8], kind: u8, host: Vec<u8>| {
        [text(1, key), text(2, value), vec![8, 0, 3, 0, 0, 0, kind], host, vec![0]].concat()
    };
    let tags = [tag(b"sa", &[1], 0, host(4, b"cart", 2, 80)), tag(b"n", b"1", 6, host(4, b"shop", 1, 0))];
    let annotations = [annotation(5, b"cs"), annotation(6, b"retry"), annotation(9, b"cr")];
    let span = [int(1, 1), text(3, b"get"), int(4, 2), list(6, &annotations), list(8, &tags), vec![0]].concat();
    let body = [&[12, 0, 0, 0, 1][..], &span].concat();
    check(decode_v1(&body, 7), V1_LINE);
    for (kind, bytes, expected) in [
        (0, &[1][..], "true"),
        (2, &[0xff, 0xfe], "-2"),
        (3, &[0, 0, 1, 0], "256"),
        (4, &[0, 0, 0, 0, 0, 0, 0, 9], "9"),
        (5, &[0x3f, 0xe0, 0, 0, 0, 0, 0, 0], "0.5"),
        (3, &[7], "\"07\""),
    ] {
        let span = [int(1, 1), list(8, &[tag(b"k", bytes, kind, Vec::new())]), vec![0]].concat();
        let got = render(decode_v1(&[&[12, 0, 0, 0, 1][..], &span].concat(), 7));
        assert!(got.ends_with(&format!("{{\"k\":{expected}}}")), "{kind} {got}");
    }
    assert!(decode_v1(&body[..body.len() - 1], 7).is_err());
    check(decode_v1(&[12, 0, 0, 0, 1, 0], 7), "rejected 0: a span has no trace id");
}
