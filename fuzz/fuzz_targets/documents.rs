#![no_main]
//! Bodies of documents: HEC's envelopes, GELF, Datadog, and plain JSON.
use libfuzzer_sys::fuzz_target;
use logkeep_record::Resource;
use logkeep_wire::documents::{documents, record, text};
use logkeep_wire::frame::Frame;
use logkeep_wire::{datadog, gelf, hec};

fuzz_target!(|bytes: &[u8]| {
    let resource = Resource::from_attributes(Vec::new());
    let body = text(bytes);
    for document in documents(&body).flatten() {
        logkeep_fuzz::must_come_back(&record(document, 7, resource.clone()));
        logkeep_fuzz::must_come_back(&gelf::document(document, 7, resource.clone()));
        datadog::document(document, 7, resource.clone()).iter().for_each(logkeep_fuzz::must_come_back);
    }
    hec::events(&body, 7, &resource).flatten().for_each(|record| logkeep_fuzz::must_come_back(&record));
    let _ = hec::acks(&body);
    logkeep_fuzz::must_come_back(&datadog::line(&Frame::new(bytes), 7, resource.clone()));
    logkeep_fuzz::must_come_back(&gelf::record(&Frame::new(bytes), 7, resource));
});
