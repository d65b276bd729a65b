#![no_main]
//! Messages of a stream of Envoy's access log service: the first byte says where one ends and the next begins.
use libfuzzer_sys::fuzz_target;
use logkeep_normalize::{Arrival, Normalizer};
use logkeep_wire::als::Stream;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let (first, second) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let mut stream = Stream::default();
    let mut normalizer = Normalizer::new(Arrival { protocol: "envoy-als", source: "192.0.2.1".to_owned() });
    for message in [first, second] {
        if let Ok(decoded) = stream.decode(message, 7) {
            for record in decoded.records {
                logkeep_fuzz::must_come_back(&normalizer.normalize(record));
            }
        }
    }
});
