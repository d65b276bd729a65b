#![no_main]
//! Loki pushes in protobuf, already opened.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(decoded) = logkeep_wire::loki::decode_protobuf(body, 7) {
        decoded.records.iter().for_each(logkeep_fuzz::must_come_back);
    }
});
