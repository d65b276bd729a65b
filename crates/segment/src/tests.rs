//! A record comes back exactly, whatever path it took.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use logkeep_record::{Attributes, BatchSeed, Record, Resource, Scope, Severity, SpanId, TraceId, Value};
use proptest::prelude::*;

use crate::{Rows, RowsBuilder, Segment, for_each_token, is_second_fraction, merge, token_hash, write_segment};

fn any_value() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop_oneof![Just(f64::NAN), Just(-0.0), any::<f64>()].prop_map(Value::Double),
        "[a-zé ]{0,12}".prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| Value::Bytes(Cow::Owned(bytes))),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::vec(("[ab]{0,2}".prop_map(Cow::Owned), inner), 0..3).prop_map(Value::Map),
        ]
    })
}

/// Few keys, so that duplicates and one key with several types are common.
fn any_attributes() -> impl Strategy<Value = Attributes<'static>> {
    proptest::collection::vec(("[abc]{1,2}".prop_map(Cow::Owned), any_value()), 0..6)
}

prop_compose! {
    fn any_record()(
        time_ns in any::<Option<i64>>(),
        observed_ns in any::<Option<i64>>(),
        received_ns in any::<i64>(),
        severity in 0i64..25,
        body in any_value(),
        original in any_original(),
        attributes in any_attributes(),
        resource in any_attributes(),
        ids in any::<([u8; 16], [u8; 8])>(),
        dropped_attributes in any::<u32>(),
        texts in ("[A-Z]{0,5}", "[a-z]{0,5}"),
    ) -> Record<'static> {
        let scope = Scope { name: texts.1.clone(), ..Scope::default() };
        let mut record = Record {
            time_ns, observed_ns, received_ns,
            severity: Severity::from_number(severity),
            severity_text: Cow::Owned(texts.0),
            body,
            original: None,
            attributes,
            dropped_attributes,
            flags: dropped_attributes >> 3,
            trace_id: TraceId::new(ids.0),
            span_id: SpanId::new(ids.1),
            event_name: Cow::Owned(texts.1),
            resource: Resource::new(resource, dropped_attributes, String::new(), scope),
        };
        record.original = original.text(&record).map(Cow::Owned);
        record
    }
}

/// What an original has to do with its record.
#[derive(Clone, Debug)]
enum Original {
    None,
    Other(String),
    /// A document with the record's fields, and one more.
    Document(String),
    /// A line that ends with the body.
    Line(String),
}

fn any_original() -> impl Strategy<Value = Original> {
    prop_oneof![
        Just(Original::None),
        "[a-z {}\u{1f}]{0,20}".prop_map(Original::Other),
        "[a-z:\"\\\\0-9]{0,9}".prop_map(Original::Document),
        "[a-z ]{0,9}".prop_map(Original::Line),
    ]
}

impl Original {
    fn text(&self, record: &Record<'_>) -> Option<String> {
        match self {
            Self::None => None,
            Self::Other(text) => Some(text.clone()),
            Self::Document(more) => {
                let mut pairs = record.attributes.clone();
                pairs.push(("message".into(), record.body.clone()));
                pairs.push(("trace".into(), Value::from(record.trace_id.map(|id| id.to_string()).unwrap_or_default())));
                pairs.extend(record.resource.attributes().iter().cloned());
                let mut text = String::new();
                logkeep_record::json::write(&Value::Map(pairs), &mut text);
                text.truncate(text.len() - 1);
                Some(format!("{text},\"more\":{more}}}"))
            }
            Self::Line(head) => Some(format!("{head}{}", record.body.as_str().unwrap_or_default())),
        }
    }
}

fn build(records: &[Record<'_>], number: u64, max_columns: usize) -> Rows {
    let mut builder = RowsBuilder::with_max_columns(max_columns);
    records.iter().for_each(|record| builder.push(record));
    let payload = builder.finish().expect("records").to_payload().unwrap();
    Rows::from_payload(&payload, number, BatchSeed::new([number as u8; 32])).unwrap()
}

fn check_all(rows: &Rows, expected: &HashMap<(u64, u32), &Record<'_>>) {
    assert_eq!(rows.len(), expected.len());
    for row in 0..rows.len() {
        assert_eq!(&rows.record(row).unwrap(), expected[&rows.place(row).unwrap()], "row {row}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn records_come_back_exactly(
        batches in proptest::collection::vec(proptest::collection::vec(any_record(), 1..12), 1..4),
        max_columns in prop_oneof![Just(0usize), Just(3), Just(1000)],
    ) {
        let mut expected = HashMap::new();
        for (number, batch) in batches.iter().enumerate() {
            let places = batch.iter().enumerate().map(|(index, record)| ((number as u64, index as u32), record));
            expected.extend(places);
        }
        let parts = batches.iter().enumerate().map(|(number, batch)| build(batch, number as u64, max_columns)).collect();
        let rows = merge(parts).unwrap().unwrap();
        check_all(&rows, &expected);

        let bytes = write_segment([Ok(rows.clone())], 1, None).unwrap().bytes;
        let segment = Segment::open(Arc::new(bytes::Bytes::from(bytes))).unwrap();
        let read = segment.rows_where(None).unwrap();
        check_all(&read, &expected);
        prop_assert_eq!(read.batches().len(), batches.len());
        prop_assert_eq!(read.batches()[0].seed.as_bytes(), rows.batches()[0].seed.as_bytes());
        // What was merged once can be merged again.
        check_all(&merge(vec![read]).unwrap().unwrap(), &expected);

        for record in batches.iter().flatten() {
            check_indexed(&segment, record);
        }
    }

    /// The seal guards a segment's bytes, so what arrives here is whole or nothing; other bytes must still be refused.
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Segment::open(Arc::new(bytes::Bytes::from(bytes.clone()))).is_err());
        prop_assert!(Rows::from_payload(&bytes, 0, BatchSeed::new([0; 32])).is_err());
    }
}

fn check_indexed(segment: &Segment, record: &Record<'_>) {
    let mut texts: Vec<String> = record.original.iter().map(|text| text.to_string()).collect();
    let values = record.attributes.iter().chain(record.resource.attributes()).map(|(_, value)| value);
    for value in values.chain([&record.body]) {
        if let Value::Str(_) | Value::Int(_) | Value::Double(_) = value {
            let mut text = String::new();
            logkeep_record::json::write(value, &mut text);
            texts.push(text);
        }
    }
    texts.extend(record.trace_id.iter().map(ToString::to_string));
    texts.push(record.severity_text.to_string());
    for text in texts {
        for_each_token(&text, |token| {
            assert!(
                is_second_fraction(token) || segment.index().may_contain(0, token_hash(token)),
                "{}",
                String::from_utf8_lossy(token)
            );
        });
    }
}

#[test]
fn rows_are_in_order_of_service_and_time() {
    let resource = |name: &str| Resource::from_attributes(vec![("service.name".into(), Value::from(name.to_owned()))]);
    let (web, cart) = (resource("web"), resource("cart"));
    let record = |time: i64, resource: &Arc<Resource>| {
        let mut record = Record::new(0, Value::str("x"), resource.clone());
        record.time_ns = Some(time);
        record
    };
    let rows = merge(vec![
        build(&[record(5, &web), record(1, &cart)], 0, 9),
        build(&[record(3, &web), record(0, &cart)], 1, 9),
    ]);
    let rows = rows.unwrap().unwrap();
    let order: Vec<_> = (0..4)
        .map(|row| {
            let record = rows.record(row).unwrap();
            let service = record.resource.attribute("service.name").and_then(Value::as_str).unwrap().to_owned();
            (service, record.time_ns.unwrap())
        })
        .collect();
    let expected = [("cart", 0), ("cart", 1), ("web", 3), ("web", 5)].map(|(name, time)| (name.to_owned(), time));
    assert_eq!(order, expected);
}

#[test]
fn stretches_are_the_whole_in_pieces() {
    let resource = |name: &str| Resource::from_attributes(vec![("service.name".into(), Value::from(name.to_owned()))]);
    let services: Vec<_> = (0..3).map(|number| resource(&format!("service-{number}"))).collect();
    let record = |number: usize| {
        let mut record = Record::new(0, Value::from(format!("{number}")), services[number % 3].clone());
        record.time_ns = Some((number * 7_919 % 50_000) as i64);
        if number.is_multiple_of(2) {
            record.attributes = vec![("n".into(), Value::Int(number as i64))];
        }
        record
    };
    let batches = || {
        let batch = |number: usize| {
            let records: Vec<_> = (number * 10_000..(number + 1) * 10_000).map(record).collect();
            build(&records, number as u64, 9)
        };
        (0..5).map(batch).collect::<Vec<_>>()
    };
    let whole = merge(batches()).unwrap().unwrap();
    let pieces: Vec<Rows> = crate::Merge::of(batches()).unwrap().unwrap().stretches().map(Result::unwrap).collect();
    assert!(pieces.len() > 2);
    let tables: Vec<_> = pieces.iter().map(|rows| rows.table().clone()).collect();
    assert_eq!(arrow::compute::concat_batches(&tables[0].schema(), &tables).unwrap(), *whole.table());
    let at_once = write_segment([Ok(whole)], 1, None).unwrap();
    let in_pieces = write_segment(pieces.into_iter().map(Ok), 1, None).unwrap();
    assert_eq!((at_once.records, at_once.time_bounds), (in_pieces.records, in_pieces.time_bounds));
    let read = |bytes: Vec<u8>| Segment::open(Arc::new(bytes::Bytes::from(bytes))).unwrap();
    let (at_once, in_pieces) = (read(at_once.bytes), read(in_pieces.bytes));
    assert_eq!(at_once.rows_where(None).unwrap().table(), in_pieces.rows_where(None).unwrap().table());
    assert_eq!(at_once.block_times_ns(), in_pieces.block_times_ns());
    assert!(in_pieces.block_times_ns().is_some(), "a page a block");
}

#[test]
fn keys_mean_the_texts_that_they_stand_for() {
    use arrow::array::Array as _;
    use arrow::datatypes::DataType;
    const ROWS: usize = 30_000;
    let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
    let record = |number: usize| {
        let mut record = Record::new(number as i64, Value::str("x"), resource.clone());
        // Few values, too many for one dictionary, and none at all in most rows.
        record.attributes.push(("few".into(), Value::from(format!("value {}", number % 7))));
        record.attributes.push(("many".into(), Value::from(format!("{number:060}"))));
        if number.is_multiple_of(5) {
            record.attributes.push(("seldom".into(), Value::from(format!("{}", number % 3))));
        }
        record
    };
    let records: Vec<_> = (0..ROWS).map(record).collect();
    let rows = merge(vec![build(&records, 0, 9)]).unwrap().unwrap();
    let segment =
        Segment::open(Arc::new(bytes::Bytes::from(write_segment([Ok(rows)], 1, None).unwrap().bytes))).unwrap();
    let names: Vec<&str> = segment.schema().fields().iter().map(|field| field.name().as_str()).collect();
    let blocks = || Some(vec![parquet::arrow::arrow_reader::RowSelector::select(9_000)].into());
    let (mut keyed, mut plain) = (Vec::new(), Vec::new());
    for selection in [None, blocks()] {
        let texts = segment.read(&names, selection.clone(), 4_000).unwrap();
        let keys = segment.read_keys(&names, selection, 4_000).unwrap();
        for (texts, keys) in texts.zip(keys) {
            let (texts, keys) = (texts.unwrap(), keys.unwrap());
            for (at, text) in texts.columns().iter().enumerate() {
                let key = keys.column(at);
                let is_keyed = matches!(key.data_type(), DataType::Dictionary(..));
                if is_keyed { &mut keyed } else { &mut plain }.push(names[at]);
                assert_eq!(&arrow::compute::cast(key, text.data_type()).unwrap(), text, "{}", names[at]);
            }
        }
    }
    let has = |list: &[&str], key: &str| list.iter().any(|name| name.contains(key));
    assert!(has(&keyed, "few") && has(&keyed, "seldom") && !has(&keyed, "many"), "{keyed:?}");
    assert!(has(&plain, "many") && !has(&plain, "few"), "{plain:?}");
}
