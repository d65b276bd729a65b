#![no_main]
//! Messages of the Forward protocol: found in a stream, read, and the client's part of the handshake.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::forward::{handshake, message};
use logkeep_wire::msgpack::Extent;

fuzz_target!(|bytes: &[u8]| {
    let _ = handshake::ping(bytes);
    // The end is found at the same place, however the bytes arrive.
    let mut extent = Extent::new(1 << 20);
    let found = bytes.chunks(7).scan(0, |end, part| {
        *end += part.len();
        Some(extent.find(&bytes[..*end]))
    });
    let found = found.take(64).find(|found| !matches!(found, Ok(None)));
    if let Some(Ok(Some(length))) = &found {
        assert_eq!(Extent::new(1 << 20).find(bytes), Ok(Some(*length)));
    }
    if let Ok(Some(message)) = message(bytes)
        && let Ok(body) = message.body(1 << 20)
    {
        message.events(&body, 7).flatten().for_each(|record| logkeep_fuzz::must_come_back(&record));
    }
});
