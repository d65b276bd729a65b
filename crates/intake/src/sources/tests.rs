//! Messages of queues over a real engine; the queues themselves are in `e2e/`.

use std::sync::Arc;

use bytes::Bytes;
use logkeep_ingest::Source;
use logkeep_record::TenantId;
use logkeep_wire::queue::{Form, kafka_facts};
use tokio_util::sync::CancellationToken;

use super::lane::{Lane, Message};
use super::store::Feed;
use crate::origin::Origin;
use crate::tests::Setup;
use crate::{Intake, Protocol};

/// Where all that these tests read comes from.
pub(crate) const QUEUE: &str = "k1:9092";

fn feed(form: Form) -> Feed {
    feed_of(Protocol::Kafka, form)
}

fn feed_of(protocol: Protocol, form: Form) -> Feed {
    let source = Arc::new(Source::new(protocol.name()).read_from(QUEUE).called("logs"));
    Feed { origin: Origin { protocol, tenant: TenantId::default(), source, bytes: 0 }, form }
}

/// Gives documents as messages of a queue, and says whether it may forget them: never of one that keeps nothing.
pub(crate) async fn deliver(
    intake: &Intake,
    (protocol, is_kept): (Protocol, bool),
    payloads: Vec<Bytes>,
    shutdown: &CancellationToken,
) -> bool {
    let messages = (0..).zip(payloads).map(|(position, payload)| message(position, payload));
    let feed = feed_of(protocol, Form::Json);
    if !is_kept {
        intake.store_unkept(&feed, messages.collect(), shutdown).await;
        return false;
    }
    let mut lane = lane(messages);
    loop {
        match intake.store_next(&mut lane, &feed, shutdown).await {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

fn message(position: u64, payload: impl Into<Bytes>) -> Message {
    let facts = kafka_facts(("logs", 0, position as i64), None, std::iter::empty());
    Message { position, payload: payload.into(), time_ns: Some(9), facts, again: false, follows: true }
}

fn lane(messages: impl IntoIterator<Item = Message>) -> Lane {
    let mut lane = Lane::new(&["kafka", "s", "g", "logs", "0"]);
    messages.into_iter().for_each(|message| lane.push(message));
    lane
}

/// Stores all of a lane, and says where each batch ended.
async fn store(setup: &Setup, lane: &mut Lane, form: Form) -> Vec<u64> {
    let mut ends = Vec::new();
    let shutdown = CancellationToken::new();
    while let Ok(Some(chunk)) = setup.intake.store_next(lane, &feed(form), &shutdown).await {
        ends.push(chunk.last());
    }
    ends
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_is_known_and_counted() {
    let setup = Setup::new().await;
    let messages = || (0..700).map(|n| message(n, format!("line {n}")));
    assert_eq!(store(&setup, &mut lane(messages()), Form::Text).await, [511, 699]);
    let mut again = lane(messages().skip(512).take(50));
    store(&setup, &mut again, Form::Text).await;
    messages().skip(562).chain([message(700, "new")]).for_each(|message| again.push(message));
    assert_eq!(store(&setup, &mut again, Form::Text).await, [699, 700]);
    let counts = setup.counts(Protocol::Kafka);
    assert_eq!((counts.received, counts.stored, counts.deduplicated), (889, 701, 188));
    assert_eq!(setup.bodies().len(), 701);
    assert_eq!(setup.bodies()[700], "new");
    setup.check_ledger(Protocol::Kafka, QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_messages_cost_only_themselves() {
    let setup = Setup::new().await;
    let payloads = ["{\"message\":\"one\"}", "no json", "", "[{\"message\":\"two\"},{\"message\":\"three\"}]"];
    let messages = payloads.iter().zip(0..).map(|(payload, n)| message(n, *payload));
    assert_eq!(store(&setup, &mut lane(messages), Form::Json).await, [3]);
    assert_eq!(setup.bodies(), ["one", "two", "three"]);
    let counts = setup.counts(Protocol::Kafka);
    assert_eq!((counts.received, counts.stored, counts.rejected), (5, 3, 2));
    // Nothing but bad ones: their place is left all the same.
    assert_eq!(store(&setup, &mut lane([message(9, "bad")]), Form::Json).await, [9]);
    setup.check_ledger(Protocol::Kafka, QUEUE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_several_batches_is_stored_once() {
    let setup = Setup::new().await;
    let many = format!("[{}]", vec!["{\"a\":1}"; 70_000].join(","));
    let messages = || [message(0, "{\"a\":0}"), message(1, many.clone()), message(2, "{\"a\":2}")];
    store(&setup, &mut lane(messages()), Form::Json).await;
    store(&setup, &mut lane(messages()), Form::Json).await;
    let counts = setup.counts(Protocol::Kafka);
    assert_eq!((counts.received, counts.stored, counts.deduplicated), (140_004, 70_002, 70_002));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_before_we_stop_is_not_left_behind() {
    let setup = Setup::new().await;
    setup.ingest.close();
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let mut lane = lane([message(0, "one")]);
    assert!(setup.intake.store_next(&mut lane, &feed(Form::Text), &shutdown).await.is_err());
    let counts = setup.counts(Protocol::Kafka);
    assert_eq!((counts.received, counts.stored, counts.deferred), (1, 0, 1));
}
