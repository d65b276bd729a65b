#![no_main]
//! OTLP requests with spans in protobuf.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(decoded) = logkeep_wire::otlp::decode_traces_protobuf(body, 7) {
        decoded.records.iter().for_each(logkeep_fuzz::must_be_a_span);
    }
    let _ = logkeep_wire::otlp::count_points_protobuf(body);
});
