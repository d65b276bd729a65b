#![no_main]
//! Messages of queues, in every form, with a key and headers of any bytes.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::queue::{Form, Message, Reader, kafka_facts};

fuzz_target!(|bytes: &[u8]| {
    let (head, payload) = bytes.split_at(bytes.len().min(8));
    let facts = kafka_facts(("logs", 0, 1), Some(head), [("h", head)].into_iter());
    let message = Message { payload, time_ns: Some(7), facts: &facts };
    for (_, form) in Form::NAMES {
        let read = Reader::new(*form).each(&message, 7, |record| {
            if let (Ok(record), true) = (record, *form != Form::OtlpTraces) {
                logkeep_fuzz::must_come_back(&record);
            }
            Ok::<_, ()>(())
        });
        assert_eq!(read, Ok(()));
    }
});
