//! Pipelines on the way in: before redaction, whole for a request, counted for the right sender and tenant.

use std::sync::Arc;

use logkeep_pipeline::PipelineSet;
use logkeep_pipeline::spec::{Pipeline, Step, When};
use logkeep_record::{Class, Record, TenantId};
use tokio_util::sync::CancellationToken;

use super::{Setup, options, send};
use crate::IntakeOptions;

fn vrl(source: &str) -> Step {
    Step::Vrl { source: source.to_owned(), file: None }
}

fn set(steps: Vec<Step>) -> Arc<PipelineSet> {
    let pipeline = Pipeline { name: "one".to_owned(), steps, ..Pipeline::default() };
    Arc::new(PipelineSet::compile(&[pipeline]).unwrap())
}

async fn setup(steps: Vec<Step>) -> Setup {
    let tenants = vec![TenantId::new("shop").unwrap()];
    Setup::with(IntakeOptions { pipelines: set(steps), tenants, ..options() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn redaction_has_the_last_word() {
    let setup = setup(vec![vrl(".attributes.note = join!([\"password=hun\", \"ter2\"])\n.body = \"changed\"")]).await;
    let router = setup.intake.native_router();
    assert_eq!(send(&router, "POST /api/v1/ingest/ndjson", "{\"message\":\"as it came\"}\n").await.status, 200);
    let records = setup.logs_and_spans(|record| format!("{record:?}"));
    assert!(records[0].contains("changed") && records[0].contains("as it came"), "{records:?}");
    assert!(!records[0].contains("hunter2") && records[0].contains("[redacted:secret]"), "{records:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_records_are_counted_for_the_pipeline() {
    let setup = setup(vec![vrl("if contains(string!(.body), \"health\") { abort }")]).await;
    let router = setup.intake.native_router();
    let body = "{\"message\":\"health\"}\n".repeat(7) + &"{\"message\":\"order\"}\n".repeat(3);
    assert_eq!(send(&router, "POST /api/v1/ingest/ndjson", body).await.status, 200);
    let [(_, counts)] = &setup.ledger().await[..] else { panic!("one source") };
    assert!(counts.is_balanced());
    assert_eq!((counts.received, counts.stored), (10, 3));
    assert_eq!(counts.dropped, [("one".to_owned(), 7)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_goes_to_several_tenants_and_classes() {
    let shop = TenantId::new("shop").unwrap();
    let route = |tenant: Option<&TenantId>, class: Option<&str>| Step::Route {
        tenant: tenant.cloned(),
        class: class.map(|class| Class::new(class).unwrap()),
    };
    let pipeline = |name: &str, body: &str, step: Step| {
        let fields = vec![("body".to_owned(), vec![body.to_owned()])];
        let when = When { fields, ..When::default() };
        Pipeline { name: name.to_owned(), when, steps: vec![step], ..Pipeline::default() }
    };
    let pipelines = [
        pipeline("to-shop", "shop*", route(Some(&shop), None)),
        pipeline("to-debug", "*debug", route(None, Some("short"))),
        pipeline("noise", "*noise", vrl("abort")),
    ];
    let pipelines = Arc::new(PipelineSet::compile(&pipelines).unwrap());
    let setup = Setup::with(IntakeOptions { pipelines, tenants: vec![shop.clone()], ..options() }).await;
    let router = setup.intake.elasticsearch_router();
    let item = |id: &str, text: &str| format!("{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"message\":\"{text}\"}}\n");
    let bulk = [item("1", "a"), item("2", "shop b"), item("3", "noise"), item("4", "shop debug"), item("5", "debug")];
    for status in [201, 409] {
        let answer = send(&router, "POST /web/_bulk", bulk.concat()).await.json();
        let items: Vec<_> = (0..5).map(|place| answer["items"][place]["create"]["status"].as_u64().unwrap()).collect();
        assert_eq!(items, [status, status, 201, status, status], "{answer}");
    }
    let bodies = |tenant: &TenantId, class: &str| {
        let body = |record: &Record<'_>| record.body.as_str().unwrap().to_owned();
        setup.stored_in(&Class::new(class).unwrap(), tenant.as_str(), body)
    };
    let default = TenantId::default();
    assert_eq!(bodies(&default, "default"), ["a"]);
    assert_eq!(bodies(&default, "short"), ["debug"]);
    assert_eq!(bodies(&shop, "default"), ["shop b"]);
    assert_eq!(bodies(&shop, "short"), ["shop debug"]);
    let [(_, own)] = &setup.ledger().await[..] else { panic!("one source") };
    assert!(own.is_balanced());
    // What the ids recognise is counted for whom they were sent to.
    assert_eq!((own.received, own.stored, own.deduplicated), (8, 2, 4));
    assert_eq!(own.dropped, [("noise".to_owned(), 2)].into());
    let [(_, theirs)] = &setup.ledger_of(&shop).await[..] else { panic!("one source") };
    assert!(theirs.is_balanced());
    assert_eq!((theirs.received, theirs.stored), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_sent_again_is_known_in_all_its_parts() {
    let shop = TenantId::new("shop").unwrap();
    let fields = vec![("body".to_owned(), vec!["shop*".to_owned()])];
    let route = Step::Route { tenant: Some(shop.clone()), class: None };
    let when = When { fields, ..When::default() };
    let pipeline = Pipeline { name: "to-shop".into(), when, steps: vec![route], ..Pipeline::default() };
    let pipelines = Arc::new(PipelineSet::compile(&[pipeline]).unwrap());
    let setup = Setup::with(IntakeOptions { pipelines, tenants: vec![shop.clone()], ..options() }).await;
    let router = setup.intake.native_router();
    let post = "POST /api/v1/ingest/ndjson\nx-logkeep-batch: k";
    let body = "{\"message\":\"a\"}\n{\"message\":\"shop\"}\n{\"message\":\"b\"}\n";
    for (stored, known) in [(3, 0), (0, 3)] {
        let answer = send(&router, post, body).await.json();
        assert_eq!(
            (answer["stored"].as_u64(), answer["deduplicated"].as_u64()),
            (Some(stored), Some(known)),
            "{answer}"
        );
    }
    for (ledger, records) in [(setup.ledger().await, 2), (setup.ledger_of(&shop).await, 1)] {
        let [(_, counts)] = &ledger[..] else { panic!("one source") };
        assert_eq!((counts.received, counts.stored, counts.deduplicated), (2 * records, records, records));
    }
    // Another set cuts it elsewhere and sends it elsewhere, and it is known all the same, also after a restart.
    let elsewhere =
        set(vec![vrl("if .body == \"a\" { abort }"), Step::Route { tenant: Some(shop.clone()), class: None }]);
    setup.intake.set_pipelines(elsewhere.clone());
    let known = |answer: &serde_json::Value| (answer["stored"].as_u64(), answer["deduplicated"].as_u64());
    let answer = send(&router, post, body).await.json();
    assert_eq!(known(&answer), (Some(0), Some(2)), "{answer}");
    let options = IntakeOptions { pipelines: elsewhere, tenants: vec![shop.clone()], ..options() };
    let restarted = setup.restarted(options).await;
    let router = restarted.intake.native_router();
    let answer = send(&router, post, body).await.json();
    assert_eq!(known(&answer), (Some(0), Some(2)), "{answer}");
    // What all went elsewhere is known to whom it was sent to, and to nobody else.
    for (head, expected) in [
        ("POST /api/v1/ingest/ndjson\nx-logkeep-batch: k2", (Some(1), Some(0))),
        ("POST /api/v1/ingest/ndjson\nx-logkeep-batch: k2", (Some(0), Some(1))),
        ("POST /api/v1/ingest/ndjson\nx-logkeep-batch: k2\nx-logkeep-tenant: shop", (Some(1), Some(0))),
    ] {
        let answer = send(&router, head, "{\"message\":\"b\"}\n").await.json();
        assert_eq!(known(&answer), expected, "{head}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_set_from_its_first_record_to_its_last() {
    let setup = setup(vec![vrl(".attributes.v = \"first\"")]).await;
    let other = set(vec![vrl(".attributes.v = \"second\"")]);
    let first = setup.intake.pipelines();
    let stop = CancellationToken::new();
    let swapping = {
        let (intake, first, other, stop) = (setup.intake.clone(), first.clone(), other.clone(), stop.clone());
        tokio::spawn(async move {
            for set in [first, other].iter().cycle() {
                if stop.is_cancelled() {
                    return;
                }
                intake.set_pipelines(set.clone());
                tokio::task::yield_now().await;
            }
        })
    };
    let router = setup.intake.native_router();
    for request in 0..40 {
        let body: String = (0..500).map(|n| format!("{{\"message\":\"{request}-{n}\"}}\n")).collect();
        setup.intake.set_pipelines([&first, &other][request % 2].clone());
        assert_eq!(send(&router, "POST /api/v1/ingest/ndjson", body).await.status, 200);
    }
    stop.cancel();
    swapping.await.unwrap();
    let seen = setup.logs_and_spans(|record| {
        let request = record.body.as_str().unwrap().split('-').next().unwrap().to_owned();
        format!("{request} {}", record.attribute("v").unwrap().as_str().unwrap())
    });
    assert_eq!(seen.len(), 20_000);
    let by_request: std::collections::BTreeSet<_> = seen.into_iter().collect();
    assert_eq!(by_request.len(), 40, "each request has one");
    let versions: std::collections::BTreeSet<_> = by_request.iter().filter_map(|seen| seen.split(' ').nth(1)).collect();
    assert_eq!(versions.len(), 2, "both were in use");
}
