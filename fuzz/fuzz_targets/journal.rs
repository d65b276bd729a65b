#![no_main]
//! The journal's export format: entries found in a stream, and read.
use libfuzzer_sys::fuzz_target;
use logkeep_record::Resource;
use logkeep_wire::journal::{Extent, record};

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(length)) = Extent::default().find(rest) {
        // The end is found at the same place if the entry arrives in two pieces.
        let mut extent = Extent::default();
        assert_eq!(extent.find(&rest[..length / 2]), Ok(None));
        assert_eq!(extent.find(rest), Ok(Some(length)));
        let resource = Resource::from_attributes(Vec::new());
        record(&rest[..length], 7, resource).iter().for_each(logkeep_fuzz::must_come_back);
        rest = &rest[length..];
    }
    record(bytes, 7, Resource::from_attributes(Vec::new())).iter().for_each(logkeep_fuzz::must_come_back);
});
