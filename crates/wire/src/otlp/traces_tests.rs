use logkeep_record::{Span, json};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceMessage;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as SpanMessage, Status};
use prost::Message;

use super::*;
use crate::Decoded;

fn pair(key: &str, number: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Any::IntValue(number)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn full_span() -> SpanMessage {
    SpanMessage {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        trace_state: "a=b".into(),
        parent_span_id: vec![3; 8],
        flags: 0x101,
        name: "GET /cart".into(),
        kind: 2,
        start_time_unix_nano: 1_795_168_800_123_456_789,
        end_time_unix_nano: 1_795_168_800_123_456_999,
        attributes: vec![pair("http.response.status_code", 503), pair("span.name", 1)],
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: 1_795_168_800_123_456_800,
            name: "exception".into(),
            attributes: vec![pair("n", 1)],
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id: vec![4; 16],
            span_id: vec![5; 8],
            trace_state: "c=d".into(),
            attributes: vec![pair("n", 2)],
            dropped_attributes_count: 4,
            flags: 1,
        }],
        dropped_links_count: 5,
        status: Some(Status { message: "refused".into(), code: 2 }),
    }
}

fn request(spans: Vec<SpanMessage>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope { name: "lib".into(), version: "1".into(), ..InstrumentationScope::default() };
    let resource = ResourceMessage { attributes: vec![pair("pid", 7)], ..ResourceMessage::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: "s".into() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans, schema_url: "r".into() }],
    }
}

const FULL_JSON: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"pid","value":{"intValue":"7"}}]},
  "schemaUrl":"r","scopeSpans":[{"scope":{"name":"lib","version":"1"},"schemaUrl":"s","spans":[{
  "traceId":"01010101010101010101010101010101","spanId":"0202020202020202","traceState":"a=b",
  "parentSpanId":"0303030303030303","flags":257,"name":"GET /cart","kind":2,"unknown":{"a":[1]},
  "startTimeUnixNano":"1795168800123456789","endTimeUnixNano":1795168800123456999,
  "attributes":[{"key":"http.response.status_code","value":{"intValue":503}},{"key":"span.name","value":{"intValue":1}}],
  "droppedAttributesCount":1,"events":[{"timeUnixNano":"1795168800123456800","name":"exception",
  "attributes":[{"key":"n","value":{"intValue":"1"}}],"droppedAttributesCount":2}],"droppedEventsCount":3,
  "links":[{"traceId":"04040404040404040404040404040404","spanId":"0505050505050505","traceState":"c=d",
  "attributes":[{"key":"n","value":{"intValue":2}}],"droppedAttributesCount":4,"flags":1}],"droppedLinksCount":5,
  "status":{"message":"refused","code":"STATUS_CODE_ERROR"}}]}]}]}"#;

fn spans(decoded: Decoded<'_>) -> Vec<Span<'static>> {
    decoded.into_owned().records.into_iter().map(Span::from_record).collect()
}

#[test]
fn both_forms_say_the_same() {
    let body = request(vec![full_span()]).encode_to_vec();
    let from_protobuf = spans(decode_traces_protobuf(&body, 7).unwrap());
    assert_eq!(spans(decode_traces_json(FULL_JSON.as_bytes(), 7).unwrap()), from_protobuf);
    let [span] = from_protobuf.as_slice() else { panic!("{from_protobuf:?}") };
    assert_eq!(span.trace_id.unwrap().to_string(), "01".repeat(16));
    assert_eq!((span.kind.word(), span.status.word(), &*span.status_message), ("server", "error", "refused"));
    assert_eq!((span.start_ns, span.duration_ns()), (Some(1_795_168_800_123_456_789), Some(210)));
    assert_eq!((span.dropped_attributes, span.dropped_events, span.dropped_links), (1, 3, 5));
    assert_eq!((&*span.events[0].name, span.events[0].dropped_attributes), ("exception", 2));
    assert_eq!((span.links[0].span_id.unwrap().to_string(), span.links[0].flags), ("05".repeat(8), 1));
    assert_eq!((span.resource.schema_url(), span.resource.scope().schema_url.as_str()), ("r", "s"));
    let mut attributes = String::new();
    json::write(&logkeep_record::Value::Map(span.attributes.clone()), &mut attributes);
    assert_eq!(attributes, r#"{"http.response.status_code":503,"span.name":1}"#);
}

#[test]
fn ids_of_64_bits_are_padded_and_wrong_ones_left_out() {
    let with_id = |id: &[u8]| SpanMessage { trace_id: id.to_vec(), ..SpanMessage::default() };
    let ids = [&[9; 8][..], &[0; 16], &[9; 5], &[9; 17]];
    let body = request(ids.iter().map(|id| with_id(id)).collect()).encode_to_vec();
    let padded = format!("{}{}", "0".repeat(16), "09".repeat(8));
    let hex = |span: Span<'_>| span.trace_id.map(|id| id.to_string());
    let found = spans(decode_traces_protobuf(&body, 7).unwrap());
    assert_eq!(found.into_iter().map(hex).collect::<Vec<_>>(), [Some(padded.clone()), None, None, None]);
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0909090909090909"},{"traceId":"09"}]}]}]}"#;
    let found = spans(decode_traces_json(body.as_bytes(), 7).unwrap());
    assert_eq!(found.into_iter().map(hex).collect::<Vec<_>>(), [Some(padded), None]);
}

#[test]
fn one_bad_span_costs_only_itself() {
    let mut body =
        request(vec![full_span(), SpanMessage { name: "XX".into(), ..SpanMessage::default() }]).encode_to_vec();
    let at = body.windows(2).position(|pair| pair == b"XX").unwrap();
    body[at] = 0xff;
    let decoded = decode_traces_protobuf(&body, 7).unwrap();
    assert_eq!((decoded.records.len(), decoded.rejected.len(), decoded.rejected[0].place), (1, 1, 1));
    let one = |span: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    for (span, reason) in [
        ("[]", "span: not an object"),
        (r#"{"kind":[]}"#, "`kind`: must be a 64-bit integer, as a number or as text"),
        (r#"{"events":{}}"#, "`events`: must be an array"),
        (r#"{"links":[1]}"#, "`links`: must be an object"),
        (r#"{"status":3}"#, "`status`: must be an object"),
    ] {
        let body = one(span);
        let decoded = decode_traces_json(body.as_bytes(), 7).unwrap();
        assert_eq!(decoded.rejected[0].reason, reason, "{span}");
    }
    for body in ["", "[]", r#"{"resourceSpans":[[]]}"#, r#"{"resourceSpans":[{"scopeSpans":{}}]}"#] {
        assert!(decode_traces_json(body.as_bytes(), 7).is_err(), "{body}");
    }
}

#[test]
fn enums_come_as_numbers_and_names() {
    let one = |span: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    for (kind, word) in
        [("3", "client"), ("\"3\"", "client"), ("\"SPAN_KIND_PRODUCER\"", "producer"), ("null", "unspecified")]
    {
        let body = one(&format!(r#"{{"kind":{kind}}}"#));
        assert_eq!(spans(decode_traces_json(body.as_bytes(), 7).unwrap())[0].kind.word(), word, "{kind}");
    }
}

#[test]
fn values_are_counted_at_every_depth() {
    let events = vec![Event { attributes: vec![pair("a", 1); 3], ..Event::default() }; 2];
    let body = request(vec![SpanMessage { events, ..SpanMessage::default() }]).encode_to_vec();
    // Request, resource spans, scope spans, resource with a pair, scope, span, two events of three pairs.
    let messages = 3 + 3 + 1 + 1 + 2 * (1 + 3 * 2);
    let kind = count::Kind::TracesRequest;
    assert_eq!(count::messages(kind, &body, messages + 1), Ok(()));
    assert!(count::messages(kind, &body, messages).is_err());
}
