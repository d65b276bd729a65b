#![no_main]
//! Elasticsearch bulk requests, with the documents in them.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::elasticsearch::{Item, decode};

fuzz_target!(|body: &[u8]| {
    let resource = logkeep_record::Resource::from_attributes(Vec::new());
    for item in decode(body, Some("index")).unwrap_or_default() {
        if let Item::Document(document) = item {
            let _ = document.record(7, &resource);
        }
    }
});
