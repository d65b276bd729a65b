use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::canonical::tests::any_value;

fn any_text() -> impl Strategy<Value = Cow<'static, str>> {
    prop_oneof![Just(Cow::Borrowed("")), ".{0,12}".prop_map(Cow::Owned)]
}

/// Keys, among them ours, ours as we escape them, and what merely looks like it.
fn any_key() -> impl Strategy<Value = Cow<'static, str>> {
    let ours = (0..RESERVED.len(), 0..3usize).prop_map(|(place, times)| OWN.repeat(times) + RESERVED[place]);
    prop_oneof!["[a-z.]{0,8}".prop_map(Cow::Owned), ours.prop_map(Cow::Owned), Just(Cow::Borrowed("attributes.span"))]
}

fn any_attributes() -> impl Strategy<Value = Attributes<'static>> {
    vec((any_key(), any_value()), 0..4)
}

fn any_trace_id() -> impl Strategy<Value = Option<TraceId>> {
    any::<[u8; 16]>().prop_map(TraceId::new)
}

fn any_span_id() -> impl Strategy<Value = Option<SpanId>> {
    prop_oneof![Just(None), any::<[u8; 8]>().prop_map(SpanId::new)]
}

fn any_event() -> impl Strategy<Value = SpanEvent<'static>> {
    (any_text(), option::of(any::<i64>()), any_attributes(), any::<u32>()).prop_map(
        |(name, time_ns, attributes, dropped_attributes)| SpanEvent { name, time_ns, attributes, dropped_attributes },
    )
}

fn any_link() -> impl Strategy<Value = SpanLink<'static>> {
    (any_trace_id(), any_span_id(), any_text(), any::<u32>(), any_attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, flags, attributes, dropped_attributes)| SpanLink {
            trace_id,
            span_id,
            trace_state,
            flags,
            attributes,
            dropped_attributes,
        },
    )
}

fn any_span() -> impl Strategy<Value = Span<'static>> {
    let ids = (any_trace_id(), any_span_id(), any_span_id(), any_text(), any::<u32>());
    let times = (option::of(any::<i64>()), option::of(any::<i64>()));
    let dropped = (any::<u32>(), any::<u32>(), any::<u32>());
    let lists = (any_attributes(), vec(any_event(), 0..3), vec(any_link(), 0..3));
    let said = (any_text(), 0..7i64, 0..4i64, any_text());
    (ids, times, dropped, lists, said).prop_map(|(ids, times, dropped, lists, said)| {
        let mut span = Span::new(said.0, Resource::from_attributes(vec![("service.name".into(), Value::str("a"))]));
        (span.trace_id, span.span_id, span.parent_id, span.trace_state, span.flags) = ids;
        (span.start_ns, span.end_ns) = times;
        (span.dropped_attributes, span.dropped_events, span.dropped_links) = dropped;
        (span.attributes, span.events, span.links) = lists;
        (span.kind, span.status) = (SpanKind::from_number(said.1), SpanStatus::from_number(said.2));
        span.status_message = said.3;
        span
    })
}

proptest! {
    #[test]
    fn spans_come_back_exactly(span in any_span()) {
        let record = span.clone().into_record(7);
        prop_assert_eq!(record.received_ns, 7);
        prop_assert_eq!(Span::from_record(record), span);
    }

    /// What is no span of ours may be read as one, but must not panic.
    #[test]
    fn any_record_can_be_read(attributes in any_attributes()) {
        let mut record = Record::new(1, Value::Null, Resource::from_attributes(vec![]));
        record.attributes = attributes;
        Span::from_record(record);
    }
}

#[test]
fn a_span_is_found_by_its_names() {
    let mut span = Span::new("GET /cart", Resource::from_attributes(vec![]));
    (span.start_ns, span.end_ns) = (Some(1_000), Some(3_500));
    span.kind = SpanKind::Server;
    span.status = SpanStatus::Error;
    span.parent_id = SpanId::from_hex("1");
    span.events = vec![SpanEvent { name: "exception".into(), ..SpanEvent::default() }];
    span.attributes = vec![("http.route".into(), Value::str("/cart")), (name::KIND.into(), Value::Int(1))];
    let record = span.into_record(9);
    let mut found = String::new();
    crate::json::write(&Value::Map(record.attributes.clone()), &mut found);
    assert_eq!(
        found,
        concat!(
            r#"{"span.name":"GET /cart","span.kind":"server","span.parent_id":"0000000000000001","#,
            r#""span.duration_ns":2500,"span.status.code":"error","span.events":[{"name":"exception"}],"#,
            r#""http.route":"/cart","attributes.span.kind":1}"#
        )
    );
    assert_eq!((record.time_ns, record.severity), (Some(1_000), Severity::ERROR));
}

#[test]
fn words_are_read_in_any_case() {
    for (word, kind) in [("CLIENT", SpanKind::Client), ("consumer", SpanKind::Consumer), ("?", SpanKind::Unspecified)] {
        assert_eq!(SpanKind::from_word(word), kind, "{word}");
    }
    assert_eq!(SpanStatus::from_number(99), SpanStatus::Unset);
}
