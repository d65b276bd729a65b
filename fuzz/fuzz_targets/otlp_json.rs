#![no_main]
//! OTLP requests in json.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(decoded) = logkeep_wire::otlp::decode_json(body, 7) {
        logkeep_wire::otlp::success_json(&logkeep_wire::otlp::PartialSuccess::new(&decoded.rejected));
    }
});
