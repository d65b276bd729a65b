#![no_main]
//! Loki pushes in json, already opened.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(decoded) = logkeep_wire::loki::decode_json(body, 7) {
        decoded.records.iter().for_each(logkeep_fuzz::must_come_back);
    }
});
