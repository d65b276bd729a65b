use logkeep_record::{Span, SpanId, TraceId, Value, json};
use prost::Message;

use super::*;
use crate::Decoded;

// Thrift in the binary protocol, field by field.

fn int(field: u8, number: i64) -> Vec<u8> {
    [&[10, 0, field][..], &number.to_be_bytes()].concat()
}

fn int32(field: u8, number: i32) -> Vec<u8> {
    [&[8, 0, field][..], &number.to_be_bytes()].concat()
}

fn text(field: u8, text: &str) -> Vec<u8> {
    [&[11, 0, field, 0, 0, 0, text.len() as u8], text.as_bytes()].concat()
}

fn structure(field: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    [&[12, 0, field], &*parts.concat(), &[0]].concat()
}

fn list(field: u8, parts: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let structs = parts.iter().flat_map(|part| [part.concat(), vec![0]].concat());
    [15, 0, field, 12, 0, 0, 0, parts.len() as u8].into_iter().chain(structs).collect()
}

fn tag(key: &str, kind: i32, value: Vec<u8>) -> Vec<Vec<u8>> {
    vec![text(1, key), int32(2, kind), value]
}

fn batch() -> Vec<u8> {
    let tags = list(
        10,
        &[
            tag("span.kind", 0, text(3, "server")),
            tag("ratio", 1, [&[4, 0, 4][..], &0.5f64.to_be_bytes()].concat()),
            tag("error", 2, vec![2, 0, 5, 1]),
            tag("n", 3, int(6, -7)),
            tag("raw", 4, text(7, "ab")),
        ],
    );
    let log = vec![int(1, 6), list(2, &[tag("event", 0, text(3, "retry")), tag("n", 3, int(6, 1))])];
    let references = [(0, 2, 9), (0, 2, 8), (1, 77, 5)]
        .map(|(kind, low, span)| vec![int32(1, kind), int(2, low), int(3, 1), int(4, span)]);
    let span = vec![
        int(1, 2),
        int(2, 1),
        int(3, 3),
        int(4, 9),
        text(5, "get"),
        list(6, &references),
        int32(7, 1),
        int(8, 5),
        int(9, 4),
        tags,
        list(11, &[log]),
    ];
    let process = structure(1, &[text(1, "shop"), list(2, &[tag("hostname", 0, text(3, "web-1"))])]);
    [process, list(2, &[span])].concat()
}

fn only(decoded: Result<Decoded<'static>, SpansError>) -> Span<'static> {
    let mut decoded = decoded.unwrap();
    assert_eq!((decoded.records.len(), decoded.rejected.len()), (1, 0));
    Span::from_record(decoded.records.remove(0))
}

/// What [`batch`] says, from either form.
fn check(span: &Span<'_>) {
    let mut attributes = String::new();
    json::write(&Value::Map(span.attributes.clone()), &mut attributes);
    assert_eq!(attributes, r#"{"ratio":0.5,"error":true,"n":-7,"raw":"6162"}"#);
    assert_eq!(span.trace_id, TraceId::from_hex("00000000000000010000000000000002"));
    assert_eq!((span.span_id, span.parent_id), (SpanId::from_hex("3"), SpanId::from_hex("9")));
    assert_eq!((&*span.name, span.kind.word(), span.status.word(), span.flags), ("get", "server", "error", 1));
    assert_eq!((span.start_ns, span.end_ns), (Some(5_000), Some(9_000)));
    let [event] = span.events.as_slice() else { panic!("{:?}", span.events) };
    assert_eq!((&*event.name, event.time_ns), ("retry", Some(6_000)));
    assert_eq!(event.attributes, [("n".into(), Value::Int(1))]);
    let links: Vec<_> = span.links.iter().map(|link| (link.span_id, link.attributes[0].1.as_str())).collect();
    assert_eq!(links, [(SpanId::from_hex("8"), Some("child_of")), (SpanId::from_hex("5"), Some("follows_from"))]);
    let of_resource = |key| span.resource.attribute(key).and_then(Value::as_str);
    assert_eq!((of_resource("service.name"), of_resource("hostname")), (Some("shop"), Some("web-1")));
}

#[test]
fn a_batch_over_http() {
    let body = [batch(), vec![0]].concat();
    check(&only(decode_batch(&body, 7)));
    for cut in 0..body.len() {
        assert!(decode_batch(&body[..cut], 7).is_err(), "{cut}");
    }
    for (body, said) in [
        (&[0][..], "the body is not a Jaeger batch in Thrift: it has no process"),
        (b"{}", "the body is not a Jaeger batch in Thrift: not Thrift at byte 1: an unknown type"),
    ] {
        assert_eq!(decode_batch(body, 7).unwrap_err().to_string(), said);
    }
}

#[test]
fn a_batch_in_a_datagram() {
    let call = |name: &str| {
        let head = [&[0x80, 1, 0, 4, 0, 0, 0, name.len() as u8], name.as_bytes(), &[0, 0, 0, 1]].concat();
        [head, structure(1, &[batch()]), vec![0]].concat()
    };
    check(&only(decode_datagram(&call("emitBatch"), 7)));
    let said = decode_datagram(&call("emitZipkinBatch"), 7).unwrap_err().to_string();
    assert_eq!(said, "the body is not a call of `emitBatch` in Thrift: it calls `emitZipkinBatch`");
    assert!(decode_datagram(b"", 7).is_err());
}

/// A field in protobuf.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[tag << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

fn encoded(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(number, &mut bytes);
    bytes
}

fn varint(tag: u8, number: u8) -> Vec<u8> {
    vec![tag << 3, number]
}

#[test]
fn post_spans() {
    let tag = |key: &str, kind: u8, value: Vec<u8>| [field(1, key.as_bytes()), varint(2, kind), value].concat();
    let id = |high: u8, low: u8| [[0, 0, 0, 0, 0, 0, 0, high], [0, 0, 0, 0, 0, 0, 0, low]].concat();
    let reference = |kind, low, span| [field(1, &id(1, low)), field(2, &id(0, span)[8..]), varint(3, kind)].concat();
    let time = |ns: u16| [vec![2 << 3], encoded(ns.into())].concat();
    let log =
        [field(1, &time(6_000)), field(2, &tag("event", 0, field(3, b"retry"))), field(2, &tag("n", 2, varint(5, 1)))]
            .concat();
    let minus_seven = [&[5 << 3][..], &encoded(-7i64 as u64)].concat();
    let span = [
        field(1, &id(1, 2)),
        field(2, &id(0, 3)[8..]),
        field(3, b"get"),
        field(4, &reference(0, 2, 9)),
        field(4, &reference(0, 2, 8)),
        field(4, &reference(1, 77, 5)),
        varint(5, 1),
        field(6, &time(5_000)),
        field(7, &time(4_000)),
        field(8, &tag("span.kind", 0, field(3, b"server"))),
        field(8, &tag("ratio", 3, [&[6 << 3 | 1][..], &0.5f64.to_le_bytes()].concat())),
        field(8, &tag("error", 1, varint(4, 1))),
        field(8, &tag("n", 2, minus_seven)),
        field(8, &tag("raw", 4, field(7, b"ab"))),
        field(9, &log),
    ];
    let own = |tag: u8, span: &[u8]| [&[tag << 3 | 2][..], &encoded(span.len() as u64), span].concat();
    let process = [field(1, b"shop"), field(2, &tag("hostname", 0, field(3, b"web-1")))].concat();
    let request = |spans: &[Vec<u8>]| {
        let spans: Vec<u8> = spans.iter().flat_map(|span| own(1, span)).collect();
        own(1, &[spans, field(2, &process)].concat())
    };
    let body = request(&[span.concat()]);
    check(&only(decode_post_spans(&body, 7)));
    // A process of its own goes before that of the batch.
    let other = [span.concat(), field(10, &field(1, b"cart")), field(12, b"clock skew")].concat();
    let span = only(decode_post_spans(&request(&[other]), 7));
    assert_eq!(span.resource.attribute("service.name").and_then(Value::as_str), Some("cart"));
    assert_eq!(span.attributes.last(), Some(&("jaeger.warnings".into(), Value::Array(vec![Value::str("clock skew")]))));
    let half = decode_post_spans(&request(&[field(3, &[0xff]), field(3, b"good")]), 7).unwrap();
    assert_eq!((half.records.len(), half.rejected.len()), (1, 1));
    assert!(decode_post_spans(&body[..body.len() - 1], 7).is_err());
    assert_eq!(decode_post_spans(b"", 7), Ok(Decoded::default()));
}

#[test]
fn everything_is_to_be_sampled() {
    let strategy = json::parse(strategy_json()).unwrap();
    let Value::Map(fields) = strategy else { panic!("not an object") };
    assert_eq!(fields[0], ("strategyType".into(), Value::str("PROBABILISTIC")));
    #[derive(Message)]
    struct Rate {
        #[prost(bytes = "vec", tag = "2")]
        probabilistic: Vec<u8>,
    }
    let rate = Rate::decode(strategy_protobuf().as_slice()).unwrap().probabilistic;
    assert_eq!(rate, [&[1 << 3 | 1][..], &1f64.to_le_bytes()].concat());
}
