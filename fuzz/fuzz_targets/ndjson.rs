#![no_main]
//! Lines of JSON or text.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let resource = logkeep_record::Resource::from_attributes(Vec::new());
    let records = logkeep_wire::ndjson::records(body, 7, resource).count();
    assert_eq!(records, logkeep_wire::ndjson::lines(body).count());
});
