#![no_main]
//! Zipkin's spans of version 2, in JSON and protobuf.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(decoded) = logkeep_wire::zipkin::decode_v2(body, 7) {
        decoded.records.iter().for_each(logkeep_fuzz::must_be_a_span);
    }
});
