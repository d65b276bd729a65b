//! Subjects of NATS.
//!
//! A stream of JetStream keeps what is published until our durable consumer has acked it, and gives it again after a while
//! without an ack. Acks go out from the last message of a batch to the first: if only some of them arrive, what is left still
//! begins where the batch began, and is known by that. Without a stream we hear what is published while we listen: like
//! syslog over UDP, and said so in the log.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::{self, AckKind};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, Subscriber};
use futures::StreamExt as _;
use logkeep_ingest::Source;
use logkeep_wire::queue::nats_facts;
use tokio_util::sync::CancellationToken;

use super::lag::Lag;
use super::lane::{Lane, Message};
use super::store::Feed;
use super::{Broken, End, LULL, NatsOptions, Start, secret};
use crate::Intake;
use crate::account::reason;
use crate::counters::Protocol;
use crate::origin::Origin;

/// Messages that are taken at once, and that may be under way.
const MESSAGES: usize = 512;
const UNDER_WAY: i64 = 4_096;
/// … and their bytes; a larger message comes alone.
const BYTES: usize = 8 << 20;
/// What a message has beside its payload.
const HEADER_BYTES: usize = 1 << 20;
/// After so long without an ack a message is given again.
const ACK_WAIT: Duration = Duration::from_secs(15);
/// A request for messages ends after so long without any, and is known to be heard by a heartbeat.
const EXPIRES: Duration = Duration::from_secs(20);
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long the last acks may take when we stop: what they are of is known when it comes again.
const LAST_ACKS: Duration = Duration::from_secs(1);
/// Messages heard and not yet stored; those beyond it are lost.
const HEARD: usize = 16_384;

/// Reads a subject until `shutdown`, or until the server is lost.
pub(super) async fn read(intake: &Intake, options: &NatsOptions, shutdown: &CancellationToken) -> Result<(), End> {
    let feed = feed(options);
    let client = tokio::select! {
        client = connect(intake, options, &feed) => client?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let source = &options.common.name;
    match &options.stream {
        Some(stream) => {
            let (messages, pending) = consumer(&client, options, stream).await?;
            say_lag(intake, options, pending);
            tracing::info!(source, stream, consumer = options.group, "reading from a stream of NATS");
            let read = consume(intake, options, &feed, messages, shutdown).await;
            // Acks that are under way; to a server that is away they would wait for it.
            drop(tokio::time::timeout(LAST_ACKS, client.flush()).await);
            read
        }
        None => {
            let heard = subscribe(&client, options).await?;
            tracing::warn!(
                source,
                subject = options.subject,
                "reading from NATS without a stream: what is published while this server is away is lost"
            );
            listen(intake, &feed, heard, shutdown).await
        }
    }
}

fn broken<E: Into<Box<dyn std::error::Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Broken {
    move |error| Broken::of(what)(error.into())
}

async fn connect(intake: &Intake, options: &NatsOptions, feed: &Feed) -> Result<Client, Broken> {
    let mut connect = ConnectOptions::new().name("logkeep").subscription_capacity(HEARD);
    if let Some(tls) = &options.common.tls {
        connect = connect.require_tls(true);
        connect = tls.ca.iter().fold(connect, |connect, file| connect.add_root_certificates(file.clone()));
        if let Some((certificate, key)) = &tls.certificate {
            connect = connect.add_client_certificate(certificate.clone(), key.clone());
        }
    }
    if let Some(file) = &options.credentials_file {
        let unreadable = |error: std::io::Error| Broken(format!("`{}`: {error}", file.display()));
        connect = connect.credentials(&text(file).map_err(unreadable)?).map_err(unreadable)?;
    }
    if let Some(file) = &options.token_file {
        connect = connect.token(secret(file)?);
    }
    if let Some((user, file)) = &options.user {
        connect = connect.user_and_password(user.clone(), secret(file)?);
    }
    let (intake, origin, source) = (intake.clone(), feed.origin.clone(), options.common.name.clone());
    let connect = connect.event_callback(move |event| {
        match &event {
            Event::SlowConsumer(_) => intake.count_dropped(&origin, None, reason::QUEUE_FULL, 1),
            Event::Connected => tracing::info!(source, "connected to NATS"),
            other => tracing::warn!(source, event = %other, "NATS"),
        }
        std::future::ready(())
    });
    connect.connect(&options.servers).await.map_err(broken("the servers cannot be reached"))
}

fn text(file: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(file)
}

/// The messages of our consumer, and how many there are at first.
async fn consumer(client: &Client, options: &NatsOptions, stream: &str) -> Result<(pull::Stream, u64), Broken> {
    let stream =
        jetstream::new(client.clone()).get_stream(stream).await.map_err(broken("the stream cannot be read"))?;
    let deliver_policy = match options.common.start {
        Start::Earliest => DeliverPolicy::All,
        Start::Latest => DeliverPolicy::New,
    };
    let config = pull::Config {
        durable_name: Some(options.group.clone()),
        description: Some("Logkeep".to_owned()),
        deliver_policy,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        filter_subject: options.subject.clone().unwrap_or_default(),
        max_ack_pending: UNDER_WAY,
        ..pull::Config::default()
    };
    let consumer = stream.get_or_create_consumer(&options.group, config).await;
    let consumer = consumer.map_err(broken("the consumer cannot be made"))?;
    let pending = consumer.cached_info().num_pending + consumer.cached_info().num_ack_pending as u64;
    let bytes = BYTES.max(client.server_info().max_payload + HEADER_BYTES);
    let messages = consumer.stream().max_messages_per_batch(MESSAGES).max_bytes_per_batch(bytes);
    let messages = messages.expires(EXPIRES).heartbeat(HEARTBEAT).messages();
    Ok((messages.await.map_err(broken("the consumer cannot be read"))?, pending))
}

/// Says how far behind we are.
fn say_lag(intake: &Intake, options: &NatsOptions, messages: u64) {
    let sequence = options.stream.clone().unwrap_or_default();
    intake.set_lags("nats", &options.common.name, vec![Lag { sequence, partition: None, messages }]);
}

/// Takes what is there, stores it, acks it.
async fn consume(
    intake: &Intake,
    options: &NatsOptions,
    feed: &Feed,
    mut messages: pull::Stream,
    shutdown: &CancellationToken,
) -> Result<(), End> {
    let stream = options.stream.as_deref().unwrap_or_default();
    let mut lane = Lane::new(&["nats", &options.common.name, stream, &options.group]);
    let mut before = Delivery::default();
    loop {
        let first = tokio::select! {
            first = messages.next() => first,
            () = shutdown.cancelled() => return Ok(()),
        };
        let mut given = Vec::new();
        let mut next = first;
        while let Some(message) = next {
            given.push(message.map_err(broken("the stream ended"))?);
            if given.len() >= MESSAGES {
                break;
            }
            next = tokio::time::timeout(LULL, messages.next()).await.unwrap_or(None);
        }
        if given.is_empty() {
            return Err(Broken("the server ended the stream".to_owned()).into());
        }
        let pending = given.last().and_then(|last| last.info().ok()).map_or(0, |info| info.pending);
        say_lag(intake, options, pending + given.len() as u64);
        let mut unacked = HashMap::new();
        for given in given {
            let message = message(&given, stream, &mut before).map_err(Broken)?;
            unacked.insert(message.position, given);
            lane.push(message);
        }
        while let Some(chunk) = intake.store_next(&mut lane, feed, shutdown).await? {
            for given in chunk.acked().rev().filter_map(|message| unacked.get(&message.position)) {
                given.ack_with(AckKind::Ack).await.map_err(broken("an ack cannot be sent"))?;
            }
        }
        say_lag(intake, options, pending);
    }
}

/// Places of the message before.
#[derive(Default)]
struct Delivery {
    in_stream: u64,
    in_consumer: u64,
}

fn message(given: &jetstream::Message, stream: &str, before: &mut Delivery) -> Result<Message, String> {
    let info = given.info().map_err(|error| format!("a message does not say where it is from: {error}"))?;
    let at = Delivery { in_stream: info.stream_sequence, in_consumer: info.consumer_sequence };
    let again = info.delivered > 1;
    // Of those given again any may be given later still; of new ones none is left out, if none was lost on its way.
    let follows = if again { at.in_stream == before.in_stream + 1 } else { at.in_consumer == before.in_consumer + 1 };
    *before = at;
    let place = Some((stream, info.stream_sequence));
    let facts = nats_facts(&given.subject, place, headers(given.headers.as_ref()));
    Ok(Message {
        position: info.stream_sequence,
        payload: given.payload.clone(),
        time_ns: i64::try_from(info.published.unix_timestamp_nanos()).ok(),
        facts,
        again,
        follows,
    })
}

fn headers(headers: Option<&HeaderMap>) -> impl Iterator<Item = (&str, &[u8])> {
    let each = headers.into_iter().flat_map(HeaderMap::iter);
    let mut named: Vec<(&str, &[u8])> = each
        .flat_map(|(name, values)| values.iter().map(move |value| (name.as_ref(), value.as_str().as_bytes())))
        .collect();
    // A map has no order, and records are compared.
    named.sort_by_key(|(name, _)| *name);
    named.into_iter()
}

async fn subscribe(client: &Client, options: &NatsOptions) -> Result<Subscriber, Broken> {
    let subject = options.subject.clone().unwrap_or_default();
    let heard = client.queue_subscribe(subject, options.group.clone()).await;
    heard.map_err(broken("the subject cannot be read"))
}

/// Stores what is heard.
async fn listen(intake: &Intake, feed: &Feed, mut heard: Subscriber, shutdown: &CancellationToken) -> Result<(), End> {
    loop {
        let first = tokio::select! {
            first = heard.next() => first,
            () = shutdown.cancelled() => return Ok(()),
        };
        let Some(first) = first else { return Err(Broken("the subscription ended".to_owned()).into()) };
        let mut messages = vec![unkept(first)];
        let mut bytes = messages[0].payload.len();
        while messages.len() < MESSAGES
            && bytes < BYTES
            && let Ok(Some(next)) = tokio::time::timeout(LULL, heard.next()).await
        {
            bytes += next.payload.len();
            messages.push(unkept(next));
        }
        intake.store_unkept(feed, messages, shutdown).await;
    }
}

fn unkept(heard: async_nats::Message) -> Message {
    let facts = nats_facts(&heard.subject, None, headers(heard.headers.as_ref()));
    Message { position: 0, payload: heard.payload, time_ns: None, facts, again: false, follows: true }
}

fn feed(options: &NatsOptions) -> Feed {
    // Without names or passwords that a URL may have.
    let places = options.servers.iter().map(|server| server.rsplit(['/', '@']).next().unwrap_or_default());
    let sender = options.stream.as_deref().or(options.subject.as_deref()).unwrap_or_default();
    let source = Source::new(Protocol::Nats.name()).read_from(&places.collect::<Vec<_>>().join(",")).called(sender);
    let tenant = options.common.tenant.clone();
    let origin = Origin { protocol: Protocol::Nats, tenant, source: Arc::new(source), bytes: 0 };
    Feed { origin, form: options.common.form }
}
