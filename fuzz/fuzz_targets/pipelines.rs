#![no_main]
//! Patterns and programs over a record: whatever compiles ends, and leaves a record that can be stored.
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use logkeep_pipeline::spec::{Form, Multiline, Parse, Pipeline, Signal, Step};
use logkeep_pipeline::{Joining, PipelineSet, Run};
use logkeep_record::{Record, Resource, TenantId, Value};

/// What a step may do, with the time of a slow machine; a program has 100 ms.
const LONGEST: Duration = Duration::from_secs(2);

/// Its first byte says what the first line is; the rest is the text that it is about.
fn pipeline(kind: u8, source: &str) -> Pipeline {
    let parse = |form| Step::Parse(Parse { field: "body".to_owned(), form, pattern: source.to_owned() });
    let mut pipeline = Pipeline { name: "fuzzed".to_owned(), ..Pipeline::default() };
    match kind % 5 {
        0 => pipeline.steps.push(parse(Form::Grok)),
        1 => pipeline.steps.push(parse(Form::Regex)),
        2 => pipeline.steps.push(parse(Form::Dissect)),
        3 => pipeline.steps.push(Step::Vrl { source: source.replace('\r', "\n"), file: None }),
        _ => {
            let (starts, continues) = (None, Some(source.to_owned()));
            let timeout = Duration::from_secs(1);
            pipeline.multiline = Some(Multiline { starts, continues, max_lines: 3, max_bytes: 64, timeout });
        }
    }
    pipeline
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, text)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let (source, body) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(set) = PipelineSet::compile(&[pipeline(*kind, source)]) else { return };
    let (set, tenant) = (Arc::new(set), TenantId::default());
    let resource = Resource::from_attributes(vec![("service.name".into(), "web".into())]);
    let records = body.split('\n').map(|line| {
        let mut record = Record::new(7, Value::str(line), resource.clone());
        record.attributes.push(("http.route".into(), Value::str(line)));
        record
    });
    let mut run = Run::new(&set, &tenant, Signal::Logs).expect("one pipeline is for all records");
    let Some(mut joining) = Joining::new(&set, &tenant) else {
        for mut record in records.take(4) {
            let began = Instant::now();
            let _ = run.apply(&mut record);
            assert!(began.elapsed() < LONGEST, "it took {:?}", began.elapsed());
            logkeep_fuzz::must_come_back(&record);
        }
        return;
    };
    let (now, mut done, mut lines) = (Instant::now(), Vec::new(), 0);
    for record in records {
        lines += 1;
        let left = joining.take(record, None, now, &mut done);
        assert!(left.is_none(), "it joins all");
    }
    done.extend(joining.leave(None));
    let texts: Vec<_> = done.iter().map(|(_, record)| record.body.as_str().expect("a text")).collect();
    assert_eq!(texts.join("\n"), body, "{lines} lines");
});
