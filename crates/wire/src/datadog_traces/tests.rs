use logkeep_record::{Span, SpanStatus, Value, json};

use super::*;
use crate::msgpack::{write_short_bin, write_str};
use crate::testing::rendered;

/// A span in one line, with what is not empty.
fn line(span: &Span<'_>) -> String {
    let id = |id: Option<String>| id.unwrap_or_else(|| "-".into());
    let mut out = format!(
        "{} {} {} {} {} {}+{} ",
        id(span.trace_id.map(|id| id.to_string())),
        id(span.span_id.map(|id| id.to_string())),
        id(span.parent_id.map(|id| id.to_string())),
        span.kind.word(),
        span.name,
        span.start_ns.unwrap_or(0),
        span.duration_ns().unwrap_or(-1),
    );
    let map = |attributes: &logkeep_record::Attributes<'_>, out: &mut String| {
        json::write(&Value::Map(attributes.iter().map(|(k, v)| (k.clone(), v.clone())).collect()), out);
    };
    map(&span.resource.attributes().clone(), &mut out);
    map(&span.attributes, &mut out);
    for event in &span.events {
        out += &format!(" {}@{}", event.name, event.time_ns.unwrap_or(0));
        map(&event.attributes, &mut out);
    }
    for link in &span.links {
        out +=
            &format!(" ->{}/{}", id(link.trace_id.map(|id| id.to_string())), id(link.span_id.map(|id| id.to_string())));
        map(&link.attributes, &mut out);
    }
    if span.status != SpanStatus::Unset {
        out += &format!(" {}:{}", span.status.word(), span.status_message);
    }
    out
}

fn render(decoded: Result<Decoded<'_>, SpansError>) -> String {
    rendered(decoded, |record| line(&Span::from_record(record.clone())))
}

fn decode(form: Form, body: &[u8]) -> String {
    render(decode_traces(form, body, &Tracer::default(), 7))
}

/// MessagePack of JSON text; `"0x…"` is an integer, `"bin:…"` bytes of its own MessagePack.
fn msgpack(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write(&json::parse(text).unwrap(), &mut out);
    out
}

fn write(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(truth) => out.push(0xc2 | u8::from(*truth)),
        Value::Int(number) => {
            out.push(0xd3);
            out.extend(number.to_be_bytes());
        }
        Value::Double(number) => {
            out.push(0xcb);
            out.extend(number.to_be_bytes());
        }
        Value::Str(text) => match (text.strip_prefix("0x"), text.strip_prefix("bin:")) {
            (Some(digits), _) => {
                out.push(0xcf);
                out.extend(u64::from_str_radix(digits, 16).unwrap().to_be_bytes());
            }
            (_, Some(inner)) => write_short_bin(&msgpack(inner), out),
            _ => write_str(text.as_bytes(), out),
        },
        Value::Bytes(bytes) => write_short_bin(bytes, out),
        Value::Array(values) => {
            out.push(0xdd);
            out.extend((values.len() as u32).to_be_bytes());
            values.iter().for_each(|value| write(value, out));
        }
        Value::Map(pairs) => {
            out.push(0xdf);
            out.extend((pairs.len() as u32).to_be_bytes());
            for (key, value) in pairs {
                write_str(key.as_bytes(), out);
                write(value, out);
            }
        }
    }
}

/// As ddtrace 4.16 for Python writes a trace of two spans.
const PYTHON: &str = r#"[[{"trace_id":"0xf8e46280e24be538","span_id":"0xf44aa7f42fc78865","service":"shop","name":"web.request",
    "resource":"GET /cart","type":"web","start":1795278306893818573,"duration":9468537,
    "meta":{"_dd.p.tid":"6b01c5d200000000","env":"prod","version":"1.2","span.kind":"server","http.status_code":"500"},
    "metrics":{"_sampling_priority_v1":1.0,"process_id":7}},
    {"trace_id":"0xf8e46280e24be538","span_id":2,"parent_id":"0xf44aa7f42fc78865","service":"shop","name":"pay.charge",
    "resource":"pay.charge","start":1795278306894081124,"duration":9015433,"error":1,
    "meta":{"env":"prod","error.message":"card refused","peer.service":"pay","span.kind":"client"},
    "meta_struct":{"appsec":"bin:{\"a\":[1,2]}","odd":"bin:\"\\u00e9\""},
    "span_links":[{"trace_id":3,"trace_id_high":"0x8000000000000001","span_id":"0xf000000000000004","attributes":{"k":"v"},"flags":2147483649}],
    "span_events":[{"name":"retry","time_unix_nano":5,"attributes":{"n":{"type":2,"int_value":2},
    "why":{"type":4,"array_value":{"values":[{"type":0,"string_value":"a"},{"type":1,"bool_value":true}]}}}}]}]]"#;

const ROOT: &str = concat!(
    "6b01c5d200000000f8e46280e24be538 f44aa7f42fc78865 - server web.request 1795278306893818573+9468537 ",
    r#"{"service.name":"shop","deployment.environment.name":"prod","service.version":"1.2"}"#,
    r#"{"http.status_code":"500","resource.name":"GET /cart","span.type":"web","#,
    r#""_sampling_priority_v1":1.0,"process_id":7}"#,
);
const CHILD: &str = concat!(
    "6b01c5d200000000f8e46280e24be538 0000000000000002 f44aa7f42fc78865 client pay.charge 1795278306894081124+9015433 ",
    r#"{"service.name":"shop","deployment.environment.name":"prod"}"#,
    r#"{"error.message":"card refused","peer.service":"pay","resource.name":"pay.charge","#,
    r#""meta_struct.appsec":{"a":[1,2]},"meta_struct.odd":"é"} "#,
    r#"retry@5{"n":2,"why":["a",true]} ->80000000000000010000000000000003/f000000000000004{"k":"v"} error:card refused"#,
);

#[test]
fn maps() {
    assert_eq!(decode(Form::Maps, &msgpack(PYTHON)), format!("{ROOT}\n{CHILD}"));
    for empty in [&b""[..], b"\x90", b"[]", b"\x91\x90", b"[[]]"] {
        assert_eq!(decode(Form::Maps, empty), "");
    }
}

#[test]
fn json_has_ids_of_64_bits() {
    let text = r#" [[{"trace_id":17934567921788118328,"span_id":17603066760746469477,"parent_id":null,"name":"a","service":"s",
        "start":5,"duration":2,"meta":{"_dd.p.tid":"6b01c5d200000000"},"metrics":{"n":1},
        "span_links":[{"trace_id":17934567921788118328,"span_id":1}]}]]"#;
    let expected = concat!(
        "6b01c5d200000000f8e46280e24be538 f44aa7f42fc78865 - unspecified a 5+2 {\"service.name\":\"s\"}{\"n\":1} ",
        "->0000000000000000f8e46280e24be538/0000000000000001{}"
    );
    assert_eq!(decode(Form::Maps, text.as_bytes()), expected);
}

#[test]
fn a_table_of_texts() {
    let body = r#"[["","shop","web.request","GET /cart","_dd.p.tid","6b01c5d200000000","env","prod","n","web","events",
        "[{\"name\": \"retry\", \"time_unix_nano\": 5, \"attributes\": {\"ok\": true}}]","_dd.span_links",
        "[{\"trace_id\": \"6b01c5d200000000f8e46280e24be538\", \"span_id\": \"f44aa7f42fc78865\", \"flags\": 0}]"],
        [[[1,2,3,"0xf8e46280e24be538","0xf44aa7f42fc78865",0,5,2,0,MAP1,MAP2,9]]]]"#;
    // Keys of its maps are numbers, too.
    let mut bytes = msgpack(&body.replace("MAP1", "\"meta\"").replace("MAP2", "\"metrics\""));
    for (word, pairs) in [("meta", &[(4, 5), (6, 7), (10, 11), (12, 13)][..]), ("metrics", &[(8, 3)])] {
        let mut written = Vec::new();
        write_str(word.as_bytes(), &mut written);
        let at = bytes.windows(written.len()).rposition(|window| window == written).unwrap();
        let map =
            [vec![0x80 | pairs.len() as u8], pairs.iter().flat_map(|(key, value)| [*key, *value]).collect()].concat();
        bytes.splice(at..at + written.len(), map);
    }
    let expected = concat!(
        "6b01c5d200000000f8e46280e24be538 f44aa7f42fc78865 - unspecified web.request 5+2 ",
        r#"{"service.name":"shop","deployment.environment.name":"prod"}"#,
        r#"{"resource.name":"GET /cart","span.type":"web","n":3} retry@5{"ok":true} "#,
        "->6b01c5d200000000f8e46280e24be538/f44aa7f42fc78865{}"
    );
    assert_eq!(decode(Form::Table, &bytes), expected);
    assert_eq!(decode(Form::Table, &msgpack("[[],[]]")), "");
}

#[test]
fn a_payload_with_facts_of_the_tracer() {
    let body = r#"{"language_name":"go","tracer_version":"2.0","env":"prod","hostname":"web-1","app_version":"3","container_id":"c",
        "runtime_id":"r","tags":{"team":"a"},"chunks":[{"priority":1,"origin":"lambda","dropped_trace":false,
        "tags":{"_dd.p.tid":"6b01c5d200000000"},"spans":[{"trace_id":1,"span_id":2,"name":"a","service":"s","start":5,"duration":1},
        {"trace_id":1,"span_id":3,"parent_id":2,"name":"b","service":"t","start":5,"duration":1,"meta":{"version":"4"}}]}]}"#;
    let facts = r#""telemetry.sdk.language":"go","telemetry.sdk.version":"2.0","deployment.environment.name":"prod","host.name":"web-1","#;
    let rest = r#""container.id":"c","runtime-id":"r","team":"a"}"#;
    let expected = [
        r#"6b01c5d2000000000000000000000001 0000000000000002 - unspecified a 5+1 {"service.name":"s","#,
        facts,
        r#""service.version":"3","#,
        rest,
        r#"{"_dd.origin":"lambda","_sampling_priority_v1":1}"#,
        "\n",
        r#"6b01c5d2000000000000000000000001 0000000000000003 0000000000000002 unspecified b 5+1 {"service.name":"t","#,
        r#""service.version":"4","#,
        facts,
        rest,
        "{}",
    ];
    assert_eq!(decode(Form::Payload, &msgpack(body)), expected.concat());
    assert_eq!(decode(Form::Payload, &msgpack("{}")), "");
    let headers = Tracer { language: "python".into(), container_id: "d".into(), ..Tracer::default() };
    let span = r#"{"container_id":"c","chunks":[{"spans":[{"trace_id":1,"span_id":2,"name":"a"}]}]}"#;
    let got = render(decode_traces(Form::Payload, &msgpack(span), &headers, 7));
    assert!(got.contains(r#"{"telemetry.sdk.language":"python","container.id":"c"}"#), "{got}");
}

fn varint(number: u64) -> Vec<u8> {
    let low = (number & 0x7f) as u8;
    if number < 0x80 { vec![low] } else { [vec![low | 0x80], varint(number >> 7)].concat() }
}

/// A number in protobuf.
fn num(field: u8, number: u64) -> Vec<u8> {
    [vec![field << 3], varint(number)].concat()
}

/// Eight bytes.
fn fixed(field: u8, bits: u64) -> Vec<u8> {
    [&[field << 3 | 1], &bits.to_le_bytes()[..]].concat()
}

/// A text or a message.
fn sized(field: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    [vec![field << 3 | 2], varint(content.len() as u64), content.to_vec()].concat()
}

/// An entry of a map of texts.
fn tag(field: u8, key: &str, value: &str) -> Vec<u8> {
    sized(field, [sized(1, key), sized(2, value)].concat())
}

/// The trace of [`PYTHON`], as an Agent has it.
fn of_an_agent() -> Vec<u8> {
    let ids = |id, parent: &[u8]| [num(4, 0xf8e4_6280_e24b_e538), num(5, id), parent.to_vec()].concat();
    let root = [
        [sized(1, "shop"), sized(2, "web.request"), sized(3, "GET /cart")].concat(),
        ids(0xf44a_a7f4_2fc7_8865, b""),
        [num(7, 1_795_278_306_893_818_573), num(8, 9_468_537), sized(12, "web")].concat(),
        [tag(10, "_dd.p.tid", "6b01c5d200000000"), tag(10, "env", "prod"), tag(10, "version", "1.2")].concat(),
        [tag(10, "span.kind", "server"), tag(10, "http.status_code", "500")].concat(),
        sized(11, [sized(1, "process_id"), fixed(2, 7.0_f64.to_bits())].concat()),
    ];
    let text = |text: &str| sized(2, text);
    let values = [sized(1, text("a")), sized(1, [num(1, 1), num(3, 1)].concat())].concat();
    let attributes = [
        sized(3, [sized(1, "n"), sized(2, [num(1, 2), num(4, 2)].concat())].concat()),
        sized(3, [sized(1, "zero"), sized(2, num(1, 2))].concat()),
        sized(3, [sized(1, "why"), sized(2, [num(1, 4), sized(6, values)].concat())].concat()),
    ];
    let link = [
        num(1, 3),
        num(2, 0x8000_0000_0000_0001),
        num(3, 0xf000_0000_0000_0004),
        tag(4, "k", "v"),
        num(6, 0x8000_0001),
    ];
    let child = [
        [sized(1, "shop"), sized(2, "pay.charge"), sized(3, "pay.charge")].concat(),
        ids(2, &num(6, 0xf44a_a7f4_2fc7_8865)),
        [num(7, 1_795_278_306_894_081_124), num(8, 9_015_433), num(9, 1)].concat(),
        [tag(10, "env", "prod"), tag(10, "error.message", "card refused"), tag(10, "span.kind", "client")].concat(),
        sized(13, [sized(1, "appsec"), sized(2, b"\x81\xa1a\x92\x01\x02")].concat()),
        sized(14, link.concat()),
        sized(15, [fixed(1, 5), sized(2, "retry"), attributes.concat()].concat()),
    ];
    let chunk =
        [num(1, 1), sized(2, "lambda"), sized(3, root.concat()), sized(3, child.concat()), tag(4, "t", "u")].concat();
    let tracer =
        [sized(1, "c"), sized(2, "python"), sized(4, "4.16"), sized(6, chunk), tag(7, "team", "a"), sized(10, "3")]
            .concat();
    let other =
        [sized(2, "go"), sized(8, "test"), sized(6, sized(3, [num(4, 1), num(5, 2), sized(2, "b")].concat()))].concat();
    [sized(1, "web-1"), sized(2, "prod"), sized(5, tracer), sized(5, other), tag(6, "site", "x"), sized(7, "7.60")]
        .concat()
}

#[test]
fn what_an_agent_sends_on() {
    let root = concat!(
        "6b01c5d200000000f8e46280e24be538 f44aa7f42fc78865 - server web.request 1795278306893818573+9468537 ",
        r#"{"service.name":"shop","deployment.environment.name":"prod","service.version":"1.2","site":"x","#,
        r#""host.name":"web-1","team":"a","container.id":"c","telemetry.sdk.language":"python","#,
        r#""telemetry.sdk.version":"4.16"}{"http.status_code":"500","_dd.origin":"lambda","t":"u","#,
        r#""resource.name":"GET /cart","span.type":"web","process_id":7.0,"_sampling_priority_v1":1}"#,
    );
    let child = concat!(
        "6b01c5d200000000f8e46280e24be538 0000000000000002 f44aa7f42fc78865 client pay.charge 1795278306894081124+9015433 ",
        r#"{"service.name":"shop","deployment.environment.name":"prod","site":"x","host.name":"web-1","team":"a","#,
        r#""container.id":"c","telemetry.sdk.language":"python","telemetry.sdk.version":"4.16","service.version":"3"}"#,
        r#"{"error.message":"card refused","resource.name":"pay.charge","meta_struct.appsec":{"a":[1,2]}} "#,
        r#"retry@5{"n":2,"zero":0,"why":["a",true]} ->80000000000000010000000000000003/f000000000000004{"k":"v"} "#,
        "error:card refused",
    );
    let other = concat!(
        "00000000000000000000000000000001 0000000000000002 - unspecified b 0+-1 ",
        r#"{"site":"x","host.name":"web-1","telemetry.sdk.language":"go","deployment.environment.name":"test"}"#,
        r#"{"_sampling_priority_v1":0}"#,
    );
    assert_eq!(decode(Form::Agent, &of_an_agent()), format!("{root}\n{child}\n{other}"));
    assert_eq!(decode(Form::Agent, b""), "");
    let bad =
        sized(5, sized(6, [sized(3, b""), sized(3, b"\x0a\x09x"), sized(3, [num(4, 1), num(5, 2)].concat())].concat()));
    let got = decode(Form::Agent, &bad);
    assert!(got.contains("\nrejected 0: a span has no `trace_id`\nrejected 1: "), "{got}");
    for cut in 0..of_an_agent().len() {
        decode(Form::Agent, &of_an_agent()[..cut]);
    }
}

#[test]
fn a_bad_span_costs_only_itself() {
    for (span, reason) in [
        ("1", "not MessagePack as expected at byte 9: expected a map, found an integer"),
        ("{}", "a span has no `trace_id`"),
        (r#"{"trace_id":1}"#, "a span has no `span_id`"),
        (r#"{"trace_id":1,"span_id":1,"name":5}"#, "`name` must be text"),
        (r#"{"trace_id":1,"span_id":1,"meta":[]}"#, "`meta` must be a map"),
        (r#"{"trace_id":1,"span_id":1,"start":"soon"}"#, "`start` must be a whole number"),
        (r#"{"trace_id":1,"span_id":1,"span_events":[5]}"#, "`an event` must be a map"),
    ] {
        let got = decode(Form::Maps, &msgpack(&format!(r#"[[{span},{{"trace_id":1,"span_id":2,"name":"good"}}]]"#)));
        assert!(got.contains(" good ") && got.ends_with(&format!("\nrejected 0: {reason}")), "{got}");
    }
    let json = br#"[[{"trace_id":-1},{"trace_id":1,"span_id":2,"name":"good"}]]"#;
    let got = decode(Form::Maps, json);
    assert!(got.contains(" good ") && got.contains("rejected 0: "), "{got}");
    for (row, reason) in [
        ("[0,0]", "a span has 2 fields instead of 12"),
        ("[9,0,0,1,1,0,0,0,0,0,0,0]", "text 9 is not in the table of 1"),
        ("[0,0,0,1,1,0,0,0,0,0,0,0]", "an integer where a map must be"),
        ("[0,0,0,1,1,0,0,0,0,null,null,-1]", "text -1 is not in the table of 1"),
    ] {
        let body = format!(r#"[["good"],[[{row},[0,0,0,1,1,0,0,0,0,null,null,0]]]]"#);
        let got = decode(Form::Table, &msgpack(&body));
        assert!(got.contains(" good ") && got.ends_with(&format!("\nrejected 0: {reason}")), "{got}");
    }
}

#[test]
fn what_is_none_of_it() {
    for (form, body, said) in [
        (Form::Maps, &b"{}"[..], "the body is not a list of Datadog traces in MessagePack or JSON: "),
        (Form::Maps, b"[{", "the body is not a list of Datadog traces in JSON: "),
        (Form::Maps, b"\x91\x91", "the body is not a list of Datadog traces in MessagePack or JSON: "),
        (Form::Maps, b"\xdd\xff\xff\xff\xff", "the body is not a list of Datadog traces in MessagePack or JSON: "),
        (Form::Table, b"\x91\x90", "the body is not Datadog traces of version 0.5 in MessagePack: "),
        (Form::Table, b"\x92\xdd\x00\x10\x00\x00", "the body is not Datadog traces of version 0.5 in MessagePack: "),
        (Form::Table, b"\x92\xdd\xff\xff\xff\xff", "the request has more than 2097152 texts in its table"),
        (Form::Payload, b"\x90", "the body is not a Datadog payload of traces in MessagePack: "),
        (Form::Agent, b"\x2a\xff", "the body is not an Agent's payload of traces in protobuf: "),
        (Form::Agent, b"\x5a\x00", "the body is not an Agent's payload of traces in protobuf: its texts are in tables"),
    ] {
        let got = decode(form, body);
        assert!(got.starts_with(said), "{body:02x?}: {got}");
    }
}

#[test]
fn bombs() {
    // Deeper than a value may be.
    let deep = [b"\x91\x91\x81\xa4meta".as_slice(), &[0x91; 1_000], &[0xc0]].concat();
    assert!(decode(Form::Maps, &deep).contains("nested more than 64 deep"));
    let opaque =
        [b"\x91\x91\x83\xa8trace_id\x01\xa7span_id\x01\xabmeta_struct\x81\xa1a\xc5\x01\xf4".as_slice(), &[0x91; 500]];
    let got = decode(Form::Maps, &opaque.concat());
    assert!(got.contains("\"meta_struct.a\":\"9191"), "{got}");
    // A long text that is pointed to again and again.
    let mut body = msgpack(&format!(r#"[["{}"],[]]"#, "x".repeat(1 << 20)));
    body.truncate(body.len() - 5);
    let span = msgpack("[0,0,0,1,1,0,0,0,0,null,null,0]");
    body.extend([0x91, 0xdc, 0, 100]);
    (0..100).for_each(|_| body.extend(&span));
    assert_eq!(decode(Form::Table, &body), "the request has more than 67108864 bytes of text; send smaller ones");
    // Payloads of nothing, and a fact that each of them would have.
    assert_eq!(
        decode(Form::Agent, &[0x2a_u8, 0].repeat(3 << 20)),
        "the request has more than 2097152 values; send smaller ones"
    );
    let mut body = sized(1, "x".repeat(1 << 20));
    body.extend([0x2a, 0].repeat(100));
    assert_eq!(decode(Form::Agent, &body), "the request has more than 67108864 bytes of text; send smaller ones");
    // More values than memory should hold.
    let mut body = b"\x91\x91\x83\xa8trace_id\x01\xa7span_id\x01\xa7metrics\xdf\x00\x22\x00\x00".to_vec();
    (0..0x0022_0000).for_each(|_| body.extend([0xa0, 1]));
    assert!(decode(Form::Maps, &body).contains("a span of "));
}

#[test]
fn closed_texts_stay_texts() {
    let body = br#"[[{"trace_id":1,"span_id":1,"meta":{"events":"[5]","_dd.p.tid":"x","env":""}}]]"#;
    let got = decode(Form::Maps, body);
    assert!(got.ends_with(r#"{}{"events":"[5]","_dd.p.tid":"x","env":""}"#), "{got}");
    let mut left = 10;
    assert!(!span::may_open(11, &mut left) && left == 10 && span::may_open(10, &mut left) && left == 0);
}
