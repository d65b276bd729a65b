#![no_main]
//! Frames of RELP.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::relp::frame;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some((found, length))) = frame(rest) {
        assert!(found.data.len() < length);
        rest = &rest[length..];
    }
});
