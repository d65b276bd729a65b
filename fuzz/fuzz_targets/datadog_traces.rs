#![no_main]
//! Datadog's traces: the first byte says in which form.
use libfuzzer_sys::fuzz_target;
use logkeep_normalize::{Arrival, Normalizer};
use logkeep_wire::datadog_traces::{Form, Tracer, decode_traces};

fuzz_target!(|input: &[u8]| {
    let Some((which, body)) = input.split_first() else { return };
    let form = [Form::Maps, Form::Table, Form::Payload, Form::Agent][usize::from(*which) % 4];
    let Ok(decoded) = decode_traces(form, body, &Tracer::default(), 7) else { return };
    let mut normalizer = Normalizer::new(Arrival { protocol: "datadog-traces", source: "192.0.2.1".to_owned() });
    for record in decoded.records {
        logkeep_fuzz::must_be_a_span(&record);
        logkeep_fuzz::must_be_a_span(&normalizer.normalize_span(record));
    }
});
