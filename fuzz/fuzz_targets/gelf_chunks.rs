#![no_main]
//! Datagrams of GELF, cut at every 0xff of the input.
use libfuzzer_sys::fuzz_target;
use logkeep_wire::gelf::Assembler;

fuzz_target!(|bytes: &[u8]| {
    let mut assembler = Assembler::default();
    let sources = [[10, 0, 0, 1], [10, 0, 0, 2]].map(std::net::IpAddr::from);
    for (place, datagram) in bytes.split(|byte| *byte == 0xff).enumerate() {
        assembler.take(datagram, sources[place % 2], place as i64 * 500_000_000);
    }
});
