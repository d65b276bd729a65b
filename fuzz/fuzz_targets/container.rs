#![no_main]
//! Container log files in both formats.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::container::{Format, Joiner};

fuzz_target!(|file: &[u8]| {
    let resource = logkeep_record::Resource::from_attributes(Vec::new());
    for format in [Format::Cri, Format::DockerJson] {
        let mut joiner = Joiner::new(format);
        logkeep_wire::ndjson::lines(file).filter_map(|line| joiner.line(line, 7, &resource)).count();
        joiner.finish(7, &resource);
    }
});
