#![no_main]
//! Loki pushes in protobuf, already opened.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let _ = logkeep_wire::loki::decode_protobuf(body, 7);
});
