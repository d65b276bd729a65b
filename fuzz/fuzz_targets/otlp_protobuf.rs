#![no_main]
//! OTLP requests in protobuf.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(decoded) = logkeep_wire::otlp::decode_protobuf(body, 7) {
        decoded.records.iter().for_each(logkeep_fuzz::must_come_back);
        logkeep_wire::otlp::success_json(logkeep_wire::otlp::Signal::Logs, &logkeep_wire::otlp::PartialSuccess::new(&decoded.rejected));
    }
});
