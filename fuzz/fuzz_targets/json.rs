#![no_main]
//! JSON text: what was read and written again must read the same.
use libfuzzer_sys::fuzz_target;
use logkeep_record::json;

fuzz_target!(|text: &str| {
    if let Ok(value) = json::parse(text) {
        let mut written = String::new();
        json::write(&value, &mut written);
        assert_eq!(json::parse(&written).expect("what we write is JSON"), value);
    }
});
