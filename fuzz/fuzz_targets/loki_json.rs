#![no_main]
//! Loki pushes in json, already opened.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = logkeep_wire::loki::decode_json(body, 7);
});
