//! What must hold of every record, whatever bytes it was decoded from.

use logkeep_record::{Record, decode_resource, decode_value, encode_value};

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
