#![no_main]
//! Messages of any text: every one has a template that matches it and is read back from its text,
//! and counts add up, within small limits and after a restart.
use libfuzzer_sys::fuzz_target;
use logkeep_pattern::{Limits, Miner, Reader, StreamKey, Template};

const LIMITS: Limits =
    Limits { streams: 3, templates: 8, alike: 4, siblings: [3, 3, 3], values: 2, known: 16, listed: 12, bytes: 60_000 };

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // A message may have several lines, so messages are apart by something else.
    let lines: Vec<String> = text.split('\u{1e}').take(64).map(str::to_owned).collect();
    let mut miner = Miner::new(LIMITS);
    let mut reader = Reader::default();
    for _ in 0..2 {
        let mut run = miner.begin();
        let numbers: Vec<u32> =
            lines.iter().zip(0..).map(|(line, nth)| run.add(StreamKey(nth % 5), line)).collect();
        let found = run.finish();
        assert_eq!(found.list.iter().map(|listed| listed.count).sum::<u64>(), lines.len() as u64);
        for (line, number) in lines.iter().zip(numbers) {
            let template = &found.list[found.places[number as usize] as usize].template;
            let parameters = template.parameters(&mut reader, line).expect("a line is of its template");
            assert!(parameters.iter().all(|one| line.get(one.place.clone()).is_some()));
            assert_eq!(Template::parse(&template.to_string()).as_ref(), Ok(template));
        }
        assert!(miner.bytes() <= LIMITS.bytes && miner.templates() <= LIMITS.streams * LIMITS.templates);
        miner = Miner::new(LIMITS);
        found.list.iter().for_each(|listed| miner.restore(listed));
    }
});
