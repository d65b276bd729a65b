#![no_main]
//! Lines and documents to the one vocabulary: nothing is refused, and what was sent is still there.
use libfuzzer_sys::fuzz_target;
use logkeep_normalize::{Arrival, Normalizer, detect};
use logkeep_record::{Record, Resource, Value};

fuzz_target!(|input: &[u8]| {
    let Some((which, body)) = input.split_first() else { return };
    let protocol = ["otlp", "elasticsearch", "loki", "syslog", "ndjson", "import"][usize::from(*which) % 6];
    let mut normalizer = Normalizer::new(Arrival { protocol, source: "192.0.2.1:5".to_owned() });
    let resource = Resource::from_attributes(Vec::new());
    for record in logkeep_wire::ndjson::records(body, 7, resource.clone()) {
        logkeep_fuzz::must_come_back(&normalizer.normalize(record));
    }
    let Ok(text) = std::str::from_utf8(body) else { return };
    detect(&text.lines().take(300).collect::<Vec<_>>());
    let record = normalizer.normalize(Record::new(7, Value::str(text), resource));
    logkeep_fuzz::must_come_back(&record);
    let kept = [record.body.as_str(), record.original.as_deref()];
    assert!(kept.contains(&Some(text)), "the text sent is neither the body nor the original");
});
