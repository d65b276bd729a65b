#![no_main]
//! What Firehose and Pub/Sub push.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::cloud::{common_attributes, firehose, pubsub};
use logkeep_wire::documents::text;

fuzz_target!(|bytes: &[u8]| {
    let body = text(bytes);
    let common = common_attributes(&body);
    if let Ok(delivery) = firehose(&body) {
        let taken = delivery.each(7, &common, |record| {
            record.iter().for_each(logkeep_fuzz::must_come_back);
            Ok::<_, ()>(())
        });
        taken.expect("nothing that takes records fails");
    }
    if let Ok(message) = pubsub(&body)
        && let Ok(data) = message.data()
    {
        logkeep_fuzz::must_come_back(&message.record(&data, 7));
    }
});
