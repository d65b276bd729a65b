#![no_main]
//! Jaeger's batches over HTTP, in Thrift.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(decoded) = logkeep_wire::jaeger::decode_batch(body, 7) {
        decoded.records.iter().for_each(logkeep_fuzz::must_be_a_span);
    }
});
