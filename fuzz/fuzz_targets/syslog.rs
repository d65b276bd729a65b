#![no_main]
//! Syslog streams, and each input as one datagram.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::frame::{Frame, Framer};
use logkeep_wire::syslog::Parser;

fuzz_target!(|bytes: &[u8]| {
    let (mut framer, mut parser) = (Framer::syslog(), Parser::new(3_600));
    parser.record(&Frame::new(bytes), 1_767_312_000_000_000_000);
    framer.push(bytes);
    while let Ok(Some(frame)) = framer.next_frame() {
        parser.record(&frame, 1_767_312_000_000_000_000);
    }
    framer.finish();
});
