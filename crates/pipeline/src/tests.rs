//! Sets of pipelines over records.

use std::slice;
use std::sync::Arc;

use logkeep_record::{Class, Record, Resource, Severity, TenantId, TraceId, Value, json};

use super::*;
use crate::spec::{Pipeline, Sample, Signal, Step, When};

fn vrl(source: &str) -> Step {
    Step::Vrl { source: source.to_owned(), file: None }
}

fn pipeline(name: &str, fields: &[(&str, &str)], steps: Vec<Step>) -> Pipeline {
    let fields = fields.iter().map(|(name, pattern)| ((*name).to_owned(), vec![(*pattern).to_owned()])).collect();
    Pipeline { name: name.to_owned(), when: When { fields, ..When::default() }, steps, ..Pipeline::default() }
}

fn compile(pipelines: &[Pipeline]) -> Arc<PipelineSet> {
    Arc::new(PipelineSet::compile(pipelines).unwrap_or_else(|faults| panic!("{faults:?}")))
}

fn record(service: &str, body: &str) -> Record<'static> {
    let name = ("service.name".into(), Value::Str(service.to_owned().into()));
    let protocol = ("logkeep.protocol".into(), Value::str("loki"));
    Record::new(0, Value::Str(body.to_owned().into()), Resource::from_attributes(vec![name, protocol]))
}

fn run(set: &Arc<PipelineSet>, record: &mut Record<'_>) -> Result<Option<Place>, Dropped> {
    Run::new(set, &TenantId::default(), Signal::Logs).map_or(Ok(None), |mut run| run.apply(record))
}

fn attributes(record: &Record<'_>) -> String {
    let mut out = String::new();
    json::write(&Value::Map(record.attributes.clone()), &mut out);
    out
}

#[test]
fn pipelines_are_for_what_they_match_in_their_order() {
    let mark =
        |letter: &str| vec![vrl(&format!(".attributes.m = join!([string(.attributes.m) ?? \"\", \"{letter}\"])"))];
    let set = compile(&[
        pipeline("a", &[("service", "web-*")], mark("a")),
        pipeline("b", &[("protocol", "loki"), ("body", "/^GET /")], mark("b")),
        pipeline("c", &[("m", "ab")], mark("c")),
        pipeline("d", &[("resource.logkeep.protocol", "otlp*")], mark("d")),
    ]);
    for (service, body, expected) in [
        ("web-1", "GET /", r#"{"m":"abc"}"#),
        ("web", "GET /", r#"{"m":"b"}"#),
        ("web-2", "PUT /", r#"{"m":"a"}"#),
        ("db", "x", "{}"),
    ] {
        let mut record = record(service, body);
        assert_eq!(run(&set, &mut record), Ok(None));
        assert_eq!(attributes(&record), expected, "{service} {body}");
    }
    let counts: Vec<_> = set.counts().map(|count| (count.name.to_string(), count.records)).collect();
    assert_eq!(counts, [("a".to_owned(), 2), ("b".to_owned(), 2), ("c".to_owned(), 1), ("d".to_owned(), 0)]);
}

#[test]
fn what_a_pipeline_makes_of_a_resource_the_next_one_sees() {
    let set = compile(&[
        pipeline("rename", &[("service", "old")], vec![vrl(".resource.\"service.name\" = \"new\"")]),
        pipeline("late", &[("service", "new")], vec![vrl(".attributes.seen = true")]),
        pipeline("never", &[("service", "old")], vec![vrl(".attributes.never = true")]),
    ]);
    let mut run = Run::new(&set, &TenantId::default(), Signal::Logs).unwrap();
    let first = record("old", "x");
    for mut one in [first.clone(), first, record("new", "y")] {
        assert_eq!(run.apply(&mut one), Ok(None));
        assert_eq!(attributes(&one), r#"{"seen":true}"#);
    }
}

#[test]
fn a_step_that_fails_says_so_in_the_record_and_the_next_goes_on() {
    let set = compile(&[pipeline(
        "p",
        &[],
        vec![
            vrl(".attributes.never = parse_json!(.body)"),
            Step::Parse(spec::Parse { field: "x".into(), form: spec::Form::Dissect, pattern: "%{a}".into() }),
            vrl(".attributes.after = true"),
        ],
    )]);
    let mut record = record("web", "no json");
    assert_eq!(run(&set, &mut record), Ok(None));
    let Some(Value::Array(errors)) = record.attribute(ERRORS) else { panic!("{record:?}") };
    let errors: Vec<_> = errors.iter().filter_map(Value::as_str).collect();
    assert!(errors[0].starts_with("p, step 1: ") && errors[0].contains("parse_json"), "{errors:?}");
    assert_eq!(errors[1], "p, step 2: there is no text in the field");
    assert_eq!(record.attribute("after"), Some(&Value::Bool(true)));
    assert_eq!(record.attribute("never"), None);
    assert_eq!(set.counts().next().unwrap().failed, 2);
}

#[test]
fn what_is_dropped_is_dropped_in_the_pipelines_name() {
    let set = compile(&[pipeline("quiet", &[], vec![vrl("if .body == \"noise\" { abort }")])]);
    assert_eq!(run(&set, &mut record("web", "noise")), Err(Dropped("quiet".into())));
    assert_eq!(run(&set, &mut record("web", "signal")), Ok(None));
    assert_eq!(set.counts().map(|count| (count.records, count.dropped)).next(), Some((2, 1)));
}

fn sample(keep: &str, except: Option<When>) -> Step {
    Step::Sample(Sample { below: parse_keep(keep).unwrap(), keep: keep.into(), by: "trace_id".into(), except })
}

#[test]
fn a_sample_keeps_traces_whole_and_is_the_same_every_time() {
    let errors = When { min_severity: Some(Severity::ERROR), ..When::default() };
    let tenth = compile(&[pipeline("s", &[], vec![sample("1/10", Some(errors))])]);
    let half = compile(&[pipeline("s", &[], vec![sample("50%", None)])]);
    let mut kept = Vec::new();
    for n in 1..=10_000_u32 {
        let mut one = record("web", "x");
        one.trace_id = TraceId::new(u128::from(n).to_be_bytes());
        let is_kept = run(&tenth, &mut one.clone()).is_ok();
        assert_eq!(is_kept, run(&tenth, &mut one.clone()).is_ok());
        assert!(!is_kept || run(&half, &mut one.clone()).is_ok(), "the smaller sample is part of the larger");
        kept.extend(is_kept.then_some(n));
        one.severity = Severity::ERROR;
        assert!(run(&tenth, &mut one).is_ok());
    }
    assert!((900..1_100).contains(&kept.len()), "{}", kept.len());
    // Fixed for ever: another server, or a later release, must keep the same traces.
    assert_eq!(kept[..5], [2, 6, 26, 30, 40]);
    assert!(run(&tenth, &mut record("web", "without a trace")).is_ok());
}

#[test]
fn shares() {
    for (text, share) in [("1/10", 0.1), ("25%", 0.25), ("0.5", 0.5), ("1", 1.0), ("100 %", 1.0), ("2/3", 2.0 / 3.0)] {
        let below = parse_keep(text).unwrap() as f64 / 2.0_f64.powi(64);
        assert!((below - share).abs() < 1e-9, "{text}: {below}");
    }
    for text in ["", "0", "2", "1/0", "-1", "x", "0/5", "NaN", "200%"] {
        assert!(parse_keep(text).is_err(), "{text}");
    }
}

#[test]
fn the_last_route_holds_and_spans_keep_their_class() {
    let place = |class: &str| Some(Class::new(class).unwrap());
    let shop = Some(TenantId::new("shop").unwrap());
    let set = compile(&[
        pipeline("a", &[], vec![Step::Route { tenant: shop.clone(), class: place("a") }]),
        pipeline("b", &[("service", "b")], vec![Step::Route { tenant: None, class: place("b") }]),
    ]);
    let routed = |service: &str| run(&set, &mut record(service, "x")).unwrap().unwrap();
    assert_eq!(routed("x"), Place { tenant: shop.clone(), class: place("a") });
    assert_eq!(routed("b"), Place { tenant: shop.clone(), class: place("b") });
    let mut spans = Run::new(&set, &TenantId::default(), Signal::Spans).unwrap();
    assert_eq!(spans.apply(&mut record("x", "")).unwrap().unwrap(), Place { tenant: shop, class: None });
}

#[test]
fn a_span_stays_a_span() {
    let set = compile(&[
        pipeline("name", &[("span.name", "GET /*")], vec![vrl(".attributes.\"span.name\" = \"GET\"")]),
        pipeline("break", &[("break", "yes")], vec![vrl("del(.attributes.\"span.duration_ns\")")]),
    ]);
    let mut run = Run::new(&set, &TenantId::default(), Signal::Spans).unwrap();
    let mut span = record("web", "");
    span.attributes.push(("span.name".into(), Value::str("GET /users/7")));
    span.attributes.push(("span.duration_ns".into(), Value::Int(5)));
    span.attributes.push(("break".into(), Value::str("yes")));
    run.apply(&mut span).unwrap();
    assert_eq!(span.attribute("span.name"), Some(&Value::str("GET")));
    assert_eq!(span.attribute("span.duration_ns"), Some(&Value::Int(5)));
    assert!(attributes(&span).contains("`span.duration_ns` is what the span is made of"), "{span:?}");
}

#[test]
fn all_faults_are_told_and_versions_tell_sets_apart() {
    let faults = PipelineSet::compile(&[
        pipeline("a", &[("service", "/(/")], vec![vrl("x")]),
        pipeline("b", &[], vec![vrl(".body = 1"), vrl("oops(")]),
    ])
    .unwrap_err();
    let places: Vec<_> = faults.iter().map(|fault| (fault.pipeline, fault.part)).collect();
    assert_eq!(places, [(0, FaultyPart::Match), (0, FaultyPart::Step(0)), (1, FaultyPart::Step(1))]);
    assert_eq!(faults[0].message, "`/(/` is no pattern: unclosed group");

    let (a, b) = (pipeline("a", &[], vec![vrl(".body = 1")]), pipeline("a", &[], vec![vrl(".body = 2")]));
    assert_eq!(compile(slice::from_ref(&a)).version(), compile(slice::from_ref(&a)).version());
    assert_ne!(compile(&[a]).version(), compile(&[b]).version());
    assert_eq!(compile(&[]).version(), &[0; 32]);
    assert!(Run::new(&compile(&[]), &TenantId::default(), Signal::Logs).is_none());
}
