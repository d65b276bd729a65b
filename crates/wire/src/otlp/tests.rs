use logkeep_record::{Record, Value, json};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::Decoded;
use crate::testing::rendered;

fn pairs(attributes: &[(std::borrow::Cow<'_, str>, Value<'_>)], out: &mut String) {
    json::write(&Value::Map(attributes.to_vec()), out);
}

fn line(record: &Record<'_>) -> String {
    let mut out = format!(
        "{:?} {:?} {}{:?} {} trace={} span={} flags={} event={} ",
        record.time_ns,
        record.observed_ns,
        record.severity.number(),
        record.severity_text,
        record.dropped_attributes,
        record.trace_id.map(|id| id.to_string()).unwrap_or_default(),
        record.span_id.map(|id| id.to_string()).unwrap_or_default(),
        record.flags,
        record.event_name,
    );
    json::write(&record.body, &mut out);
    pairs(&record.attributes, &mut out);
    pairs(record.resource.attributes(), &mut out);
    out.push_str(&record.resource.scope().name);
    out
}

fn render(decoded: Result<Decoded<'_>, OtlpError>) -> String {
    rendered(decoded, line)
}

fn check_json(body: &str, expected: &[&str]) {
    let got = render(decode_json(body.as_bytes(), 7));
    for (got, expected) in got.lines().zip(expected) {
        assert!(got.starts_with(expected), "got {got}, expected {expected}");
    }
    assert_eq!(got.lines().count(), expected.len(), "{got}");
}

fn any_value(value: Any) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: any_value(value), ..KeyValue::default() }
}

fn request(log_records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope = InstrumentationScope { name: "app".into(), version: "1".into(), ..InstrumentationScope::default() };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(ResourceMessage {
                attributes: vec![pair("service.name", Any::StringValue("checkout".into()))],
                ..ResourceMessage::default()
            }),
            scope_logs: vec![ScopeLogs { scope: Some(scope), log_records, schema_url: "s".into() }],
            schema_url: "r".into(),
        }],
    }
}

fn sdk_record() -> LogRecord {
    let list = ArrayValue { values: vec![AnyValue { value: Some(Any::DoubleValue(0.5)) }, AnyValue { value: None }] };
    let map = KeyValueList { values: vec![pair("b", Any::BytesValue(vec![1, 255]))] };
    LogRecord {
        time_unix_nano: 1_795_168_800_123_456_789,
        observed_time_unix_nano: 1_795_168_800_200_000_000,
        severity_number: 17,
        severity_text: "ERROR".into(),
        body: any_value(Any::StringValue("payment refused".into())),
        attributes: vec![
            pair("code.lineno", Any::IntValue(-3)),
            pair("retry", Any::BoolValue(true)),
            pair("list", Any::ArrayValue(list)),
            pair("map", Any::KvlistValue(map)),
        ],
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: vec![0x4b; 16],
        span_id: vec![0x0f; 8],
        event_name: "pay".into(),
    }
}

const SDK_LINE: &str = concat!(
    r#"Some(1795168800123456789) Some(1795168800200000000) 17"ERROR" 2 trace=4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b "#,
    r#"span=0f0f0f0f0f0f0f0f flags=1 event=pay "payment refused"{"code.lineno":-3,"retry":true,"list":[0.5,null],"#,
    r#""map":{"b":"01ff"}}{"service.name":"checkout"}app"#
);

#[test]
fn protobuf_of_an_sdk() {
    let body = request(vec![sdk_record(), LogRecord::default()]).encode_to_vec();
    let empty = r#"None None 0"" 0 trace= span= flags=0 event= null{}{"service.name":"checkout"}app"#;
    assert_eq!(render(decode_protobuf(&body, 7)), format!("{SDK_LINE}\n{empty}"));
    let decoded = decode_protobuf(&body, 7).unwrap();
    assert!(std::sync::Arc::ptr_eq(&decoded.records[0].resource, &decoded.records[1].resource));
    assert_eq!(decoded.records[0].resource.scope().schema_url, "s");
    assert_eq!(render(decode_protobuf(b"", 7)), "");
}

#[test]
fn protobuf_bad_records_cost_only_themselves() {
    let mut body = request(vec![sdk_record(), sdk_record()]).encode_to_vec();
    let at = body.windows(7).position(|part| part == b"refused").unwrap();
    body[at] = 0xff;
    let got = render(decode_protobuf(&body, 7));
    assert!(got.starts_with(SDK_LINE) && got.contains("\nrejected 0: "), "{got}");
    // The resource cannot be read: its records have no origin.
    let at = body.windows(8).position(|part| part == b"checkout").unwrap();
    body[at] = 0xff;
    assert_eq!(render(decode_protobuf(&body, 7)).matches("rejected").count(), 2);
    assert!(render(decode_protobuf(b"{\"a\":1}", 7)).starts_with("the body is not an OTLP export request"));
    assert!(render(decode_protobuf(&body[..body.len() - 1], 7)).starts_with("the body is not"));
}

#[test]
fn protobuf_of_tiny_messages_is_bounded() {
    let records = LogRecord::default();
    let logs = request(vec![records; limits() + 1]).encode_to_vec();
    assert_eq!(render(decode_protobuf(&logs, 7)), "the request has more than 524288 records; send smaller ones");
}

fn limits() -> usize {
    logkeep_record::limits::RECORDS_PER_REQUEST
}

#[test]
fn json_of_an_sdk() {
    let record = r#"{"timeUnixNano":"1795168800123456789","observedTimeUnixNano":1795168800200000000,"severityNumber":17,
        "severityText":"ERROR","body":{"stringValue":"payment refused"},"attributes":[{"key":"code.lineno","value":{"intValue":"-3"}},
        {"key":"retry","value":{"boolValue":true}},{"key":"list","value":{"arrayValue":{"values":[{"doubleValue":0.5},{}]}}},
        {"key":"map","value":{"kvlistValue":{"values":[{"key":"b","value":{"bytesValue":"Af8="}}]}}}],"droppedAttributesCount":2,
        "flags":1,"traceId":"4B4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b","spanId":"0f0f0f0f0f0f0f0f","eventName":"pay","unknown":[{}]}"#;
    let body = format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"checkout"}}}}]}},
        "scopeLogs":[{{"scope":{{"name":"app"}},"logRecords":[{record},{record}]}}]}}],"more":1}}"#
    );
    check_json(&body, &[SDK_LINE, SDK_LINE]);
    let decoded = decode_json(body.as_bytes(), 7).unwrap();
    assert!(std::sync::Arc::ptr_eq(&decoded.records[0].resource, &decoded.records[1].resource));
}

fn one(record: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record}]}}]}}]}}"#)
}

#[test]
fn json_forms() {
    check_json(&one(r#"{"severityNumber":"SEVERITY_NUMBER_WARN2","body":null}"#), &[r#"None None 14"" 0"#]);
    check_json(&one(r#"{"severityNumber":"9","timeUnixNano":0}"#), &[r#"None None 9"""#]);
    check_json(&one(r#"{"body":{"doubleValue":"NaN"}}"#), &[r#"None None 0"" 0 trace= span= flags=0 event= "NaN""#]);
    check_json(
        &one(r#"{"traceId":"AQEBAQEBAQEBAQEBAQEBAQ==","spanId":"zz"}"#),
        &["None None 0\"\" 0 trace=01010101010101010101010101010101 span= "],
    );
    check_json(r#"{"resource_logs":[{"scope_logs":[{"log_records":[{"time_unix_nano":"5"}]}]}]}"#, &["Some(5)"]);
    for empty in
        ["{}", r#"{"resourceLogs":null}"#, r#"{"resourceLogs":[{}]}"#, r#"{"resourceLogs":[{"scopeLogs":[{}]}]}"#]
    {
        check_json(empty, &[]);
    }
}

#[test]
fn json_bad_records_cost_only_themselves() {
    let records = [
        r#"{"severityNumber":1}"#,
        r#"{"timeUnixNano":"x"}"#,
        r#"{"body":"text"}"#,
        "7",
        r#"{"attributes":[{"key":1}]}"#,
    ]
    .join(",");
    check_json(
        &one(&records),
        &[
            r#"None None 1"""#,
            "rejected 1: log record: `timeUnixNano`: must be an unsigned 64-bit integer, as a number or as text",
            "rejected 2: log record: `body`: a value must be an object",
            "rejected 3: log record: not an object",
            "rejected 4: log record: `attributes`: must be a string",
        ],
    );
    let deep = format!("{{\"body\":{}{}}}", "{\"arrayValue\":{\"values\":[".repeat(40), "]}}".repeat(40));
    check_json(&one(&deep), &["rejected 0: log record: not JSON at byte"]);
    for body in [
        "",
        "[]",
        "{",
        "{\"resourceLogs\":[1]}",
        "{\"resourceLogs\":[[]]}",
        "{\"resourceLogs\":[{\"scopeLogs\":[[]]}]}",
        "{}x",
    ] {
        check_json(body, &["the body is not an OTLP export request in JSON"]);
    }
    let body = [one("{\"body\":{\"stringValue\":\"").as_bytes(), b""].concat();
    assert!(decode_json(&body[..body.len() - 9], 7).is_err());
    let not_utf8 = one(r#"{"eventName":"?"}"#).replace('?', "\u{1}").replace('\u{1}', "ÿ").into_bytes();
    let latin1: Vec<u8> = not_utf8.into_iter().filter(|byte| *byte != 0xc3).collect();
    assert!(render(decode_json(&latin1, 7)).contains("event=\u{fffd}"));
}

#[test]
fn answers() {
    let none = PartialSuccess::new(&[]);
    assert!(success_protobuf(&none).is_empty());
    assert_eq!(success_json(Signal::Logs, &none), b"{}");
    let rejected: Vec<_> = (0..4).map(|place| crate::Rejection { place, reason: "bad \"x\"".into() }).collect();
    let some = PartialSuccess::new(&rejected);
    let text = r#"{"partialSuccess":{"rejectedLogRecords":"4","errorMessage":"record 0: bad \"x\"; record 1: bad \"x\"; record 2: bad \"x\"; …"}}"#;
    assert_eq!(String::from_utf8(success_json(Signal::Logs, &some)).unwrap(), text);
    assert_eq!(success_protobuf(&some)[..4], [0x0a, success_protobuf(&some).len() as u8 - 2, 0x08, 0x04]);

    let status = Status { code: 14, message: "busy".into(), retry_after_s: Some(5) };
    let json = r#"{"code":14,"message":"busy","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"5s"}]}"#;
    assert_eq!(String::from_utf8(error_json(&status)).unwrap(), json);
    let bytes = error_protobuf(&status);
    assert!(bytes.starts_with(b"\x08\x0e\x12\x04busy\x1a") && bytes.ends_with(b"\x12\x04\x0a\x02\x08\x05"));
}

proptest! {
    #[test]
    fn damaged_protobuf_never_panics(at in 0..200usize, byte in any::<u8>(), cut in 0..300usize) {
        let mut body = request(vec![sdk_record(), sdk_record()]).encode_to_vec();
        let place = at % body.len();
        body[place] = byte;
        render(decode_protobuf(&body, 7));
        render(decode_protobuf(&body[..cut.min(body.len())], 7));
    }

    #[test]
    fn both_forms_say_the_same(text in "\\PC{0,20}", number in any::<i64>(), time in any::<u64>()) {
        let log = LogRecord {
            time_unix_nano: time,
            body: any_value(Any::StringValue(text.clone())),
            attributes: vec![pair("n", Any::IntValue(number))],
            ..LogRecord::default()
        };
        let mut escaped = String::new();
        json::write_str(&text, &mut escaped);
        let record = format!(r#"{{"timeUnixNano":"{time}","body":{{"stringValue":{escaped}}},"attributes":[{{"key":"n","value":{{"intValue":{number}}}}}]}}"#);
        let proto = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs { log_records: vec![log], ..ScopeLogs::default() }], ..ResourceLogs::default() }] };
        prop_assert_eq!(render(decode_json(one(&record).as_bytes(), 7)), render(decode_protobuf(&proto.encode_to_vec(), 7)));
    }
}
