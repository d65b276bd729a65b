#![no_main]
//! Compressed bodies: the first byte chooses the header.
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((which, body)) = input.split_first() else { return };
    let header = ["", "gzip", "deflate", "zstd", "snappy", "gzip,deflate"][usize::from(*which) % 6];
    if let Ok(plain) = logkeep_wire::compress::decompress(body, header, 1 << 16) {
        assert!(plain.len() <= 1 << 16);
    }
});
