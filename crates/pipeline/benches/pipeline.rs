//! Time that one record takes in a pipeline: `cargo bench -p logkeep-pipeline`.

use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use logkeep_pipeline::spec::{Form, Parse, Pipeline, Sample, Signal, Step, When};
use logkeep_pipeline::{PipelineSet, Run, parse_keep};
use logkeep_record::{Record, Resource, TenantId, TraceId, Value, json};

fn main() {
    divan::main();
}

const LINE: &str = "10.244.1.5 GET /reviews/0?full=1 200 0.017";
const DOCUMENT: &str = r#"{"authority":"reviews:9080","bytes_sent":379,"duration":17,"method":"GET","path":"/reviews/0?full=1","protocol":"HTTP/1.1","request_id":"5f2b6c1e-0d55-9e1f-8a8e-1b9d5f0a7c11","response_code":200,"route_name":"default","upstream_cluster":"outbound|9080||reviews.shop.svc.cluster.local","upstream_host":"10.244.2.7:9080","user_agent":"Mozilla/5.0 (X11; Linux x86_64)"}"#;

fn vrl(source: &str) -> Step {
    Step::Vrl { source: source.to_owned(), file: None }
}

fn parse(form: Form, pattern: &str) -> Step {
    Step::Parse(Parse { field: "body".to_owned(), form, pattern: pattern.to_owned() })
}

/// A record of a mesh with a dozen fields, and `body`.
fn run(bencher: Bencher<'_, '_>, service: &str, body: &str, step: Step) {
    let fields = vec![("service".to_owned(), vec![service.to_owned()])];
    let pipeline = Pipeline {
        name: "p".into(),
        when: When { fields, ..When::default() },
        steps: vec![step],
        ..Pipeline::default()
    };
    let Ok(set) = PipelineSet::compile(&[pipeline]) else { return };
    let Some(mut run) = Run::new(&Arc::new(set), &TenantId::default(), Signal::Logs) else { return };
    let resource = Resource::from_attributes(vec![("service.name".into(), Value::str("web"))]);
    let Ok(Value::Map(attributes)) = json::parse(DOCUMENT) else { return };
    bencher
        .counter(ItemsCount::new(1usize))
        .with_inputs(|| {
            let mut record = Record::new(0, Value::str(body), resource.clone());
            record.attributes = attributes.clone();
            record.trace_id = TraceId::new([7; 16]);
            record
        })
        .bench_local_values(|mut record| (run.apply(&mut record), record));
}

#[divan::bench]
fn not_for_this_service(bencher: Bencher<'_, '_>) {
    run(bencher, "other-*", LINE, vrl(".attributes.x = 1"));
}

#[divan::bench]
fn sample(bencher: Bencher<'_, '_>) {
    let keep =
        Sample { below: parse_keep("1/2").unwrap_or(0), keep: "1/2".into(), by: "trace_id".into(), except: None };
    run(bencher, "web*", LINE, Step::Sample(keep));
}

#[divan::bench]
fn dissect(bencher: Bencher<'_, '_>) {
    run(bencher, "web*", LINE, parse(Form::Dissect, "%{a} %{b} %{c} %{d} %{e}"));
}

#[divan::bench]
fn regex(bencher: Bencher<'_, '_>) {
    run(bencher, "web*", LINE, parse(Form::Regex, r"^(?<a>\S+) (?<b>\w+) (?<c>\S+) (?<d>\d+) (?<e>\S+)$"));
}

#[divan::bench]
fn grok(bencher: Bencher<'_, '_>) {
    let pattern = "%{IP:a} %{WORD:b} %{NOTSPACE:c} %{INT:d:int} %{NUMBER:e:float}";
    run(bencher, "web*", LINE, parse(Form::Grok, pattern));
}

#[divan::bench]
fn vrl_severity(bencher: Bencher<'_, '_>) {
    run(bencher, "web*", LINE, vrl("if .severity == \"debug\" { abort }"));
}

#[divan::bench]
fn vrl_one_attribute(bencher: Bencher<'_, '_>) {
    run(bencher, "web*", LINE, vrl("if .attributes.path == \"/healthz\" { abort }\n.attributes.tier = \"edge\""));
}

#[divan::bench]
fn vrl_json_body(bencher: Bencher<'_, '_>) {
    run(bencher, "web*", DOCUMENT, vrl(".attributes = merge(.attributes, object!(parse_json!(.body)))"));
}
