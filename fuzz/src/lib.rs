//! What must hold of every record, whatever bytes it was decoded from.

use logkeep_record::{Record, Span, decode_resource, decode_value, encode_value};

/// Stored as canonical bytes, the record comes back: otherwise it would be acknowledged and then lost.
///
/// # Panics
/// If it does not.
pub fn must_come_back(record: &Record<'_>) {
    for value in record.attributes.iter().map(|(_, value)| value).chain([&record.body]) {
        let mut bytes = Vec::new();
        encode_value(value, &mut bytes);
        assert_eq!(&decode_value(&bytes).expect("what we write can be read"), value);
    }
    let resource = decode_resource(record.resource.canonical()).expect("what we write can be read");
    assert_eq!(resource, record.resource);
}

/// The record stands for a span, and comes back as one.
///
/// # Panics
/// If it does not.
pub fn must_be_a_span(record: &Record<'_>) {
    must_come_back(record);
    assert_eq!(&Span::from_record(record.clone()).into_record(record.received_ns), record);
}
