#![no_main]
//! Frames of Beats, and what is in compressed ones.
use libfuzzer_sys::fuzz_target;
use logkeep_record::Resource;
use logkeep_wire::lumberjack::{Frame, events, frame, open, record};

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some((found, length))) = frame(rest, 1 << 20) {
        let resource = Resource::from_attributes(Vec::new());
        match found {
            Frame::Window(_) => {}
            Frame::Event { json, .. } => logkeep_fuzz::must_come_back(&record(json, 7, resource)),
            Frame::Compressed(content) => {
                if let Ok(opened) = open(content, 1 << 20)
                    && let Ok(events) = events(&opened)
                {
                    for (_, json) in events {
                        logkeep_fuzz::must_come_back(&record(json, 7, resource.clone()));
                    }
                }
            }
        }
        rest = &rest[length..];
    }
});
