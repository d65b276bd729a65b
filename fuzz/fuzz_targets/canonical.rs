#![no_main]
//! Canonical bytes: what can be read has exactly one form.
use libfuzzer_sys::fuzz_target;
use logkeep_record::{decode_resource, decode_value, encode_value};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = decode_value(bytes) {
        let mut written = Vec::new();
        encode_value(&value, &mut written);
        assert_eq!(written, bytes);
    }
    if let Ok(resource) = decode_resource(bytes) {
        assert_eq!(resource.canonical(), bytes);
    }
});
