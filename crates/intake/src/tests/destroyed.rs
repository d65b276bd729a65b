//! A tenant of which everything was destroyed, while others send through the same pipelines and queues.

use logkeep_catalog::Catalog as _;
use logkeep_ingest::{APPROVAL_KEYS, DESTRUCTION_ORDERS};
use logkeep_pipeline::PipelineSet;
use logkeep_pipeline::spec::{Pipeline, Step, When};
use logkeep_record::{Resource, Value};
use logkeep_tlog::{Signer, sign_statement};

use super::*;
use crate::account::Fate;
use crate::origin::Origin;
use crate::prepare::Preparing;
use crate::sources::tests::deliver;

/// As after an approval of two people.
async fn destroy(setup: &Setup, tenant: &str) {
    let signer = Signer::from_seed("logkeep-0011223344556677/approvals", [9; 32]).unwrap();
    let body = format!(
        "version 1\nact {{\"act\":\"destroy_keys\",\"tenant\":\"{tenant}\"}}\nhash 00\nid 6f1c\nrequester alice\napprover bob\n\
        requested 1\napproved 2\nexpires 3\n"
    );
    let note = sign_statement(&signer, "approval", &body).unwrap();
    let orders = serde_json::json!({"version": 1, "rows": {tenant: {"note": note, "ordered_ns": 2}}}).to_string();
    let path = setup.folder.path().join("data/catalog.sqlite");
    let catalog = SqliteCatalog::open(&path, &DataKey::from_bytes([3; 32])).await.unwrap();
    let keys = signer.public_key().to_string();
    catalog.set_secrets(&[(APPROVAL_KEYS, keys.as_bytes()), (DESTRUCTION_ORDERS, orders.as_bytes())]).await.unwrap();
    setup.ingest.take_up_destructions().await.unwrap();
    setup.ingest.destroy(&TenantId::new(tenant).unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_routed_to_it_is_dropped_and_the_rest_of_a_request_is_stored() {
    let shop = TenantId::new("shop").unwrap();
    let fields = vec![("body".to_owned(), vec!["shop*".to_owned()])];
    let (when, to) = (When { fields, ..When::default() }, Step::Route { tenant: Some(shop.clone()), class: None });
    let pipeline = Pipeline { name: "to-shop".into(), when, steps: vec![to], ..Pipeline::default() };
    let pipelines = Arc::new(PipelineSet::compile(&[pipeline]).unwrap());
    let setup = Setup::with(IntakeOptions { pipelines, tenants: vec![shop.clone()], ..options() }).await;
    let router = setup.intake.elasticsearch_router();
    let item = |text: &str| format!("{{\"create\":{{}}}}\n{{\"message\":\"{text}\"}}\n");
    let all = [item("shop a"), item("b"), item("shop c")].concat();
    let statuses = async || {
        let answer = send(&router, "POST /web/_bulk", all.clone()).await.json();
        (0..3).map(|place| answer["items"][place]["create"]["status"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(statuses().await, [201; 3]);
    assert_eq!((setup.bodies().len(), setup.stored("shop", |_| String::new()).len()), (1, 2));
    destroy(&setup, "shop").await;
    assert_eq!(statuses().await, [201; 3], "as of what a pipeline leaves out");
    let live = (setup.bodies(), setup.stored("shop", |_| String::new()).len());
    assert_eq!(live, (vec!["b".to_owned()], 0), "the one before is in a segment");
    assert_eq!(send(&router, "POST /web/_bulk", item("shop alone")).await.status, 200);

    let [(_, own)] = &setup.ledger().await[..] else { panic!("one source") };
    assert!(own.is_balanced());
    assert_eq!((own.received, own.stored, own.dropped.clone()), (5, 2, [("destroyed".to_owned(), 3)].into()));
    let refused =
        send(&setup.intake.native_router(), "POST /api/v1/ingest/ndjson\nx-logkeep-tenant: shop", "{}\n").await;
    assert!(refused.status == 403 && refused.text().contains("was destroyed"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_never_answered_is_counted_and_who_is_learns_that_it_is_for_good() {
    let setup = Setup::new().await;
    let origin = Origin::of_many(Protocol::Gelf);
    let policies = setup.intake.policies(&origin.tenant);
    let prepare = move || {
        let mut preparing = Preparing::spans(&policies);
        preparing.push_normalized(Record::new(1, Value::str("late"), Resource::from_attributes(vec![])))?;
        preparing.finish()
    };
    destroy(&setup, "default").await;
    let going = CancellationToken::new();
    let persist = |fate| setup.intake.persist(&origin, prepare.clone(), fate, &going);
    assert!(persist(Fate::Dropped("stopping")).await.is_ok());
    let unstored = persist(Fate::Deferred).await.unwrap_err();
    assert!(unstored.records == 1 && unstored.refusal.message.contains("was destroyed"), "{unstored:?}");
    let messages = vec!["{\"message\":\"late\"}".into(), "{\"message\":\"later\"}".into()];
    assert!(deliver(&setup.intake, (Protocol::Kafka, true), messages, &going).await, "a queue need not keep them");
    let of_queue = setup.counts(Protocol::Kafka);
    assert_eq!((of_queue.received, of_queue.dropped), (2, 2));
    assert_eq!(setup.bodies(), [] as [String; 0]);
    let ledger = setup.ledger().await;
    let of_gelf = |(source, _): &&(Source, Counts)| source.protocol == Protocol::Gelf.name();
    let [(_, counts)] = &ledger.iter().filter(of_gelf).collect::<Vec<_>>()[..] else { panic!("one source") };
    assert!(counts.is_balanced());
    assert_eq!((counts.received, counts.dropped.clone()), (2, [("destroyed".to_owned(), 2)].into()));
}
