//! Topics of Kafka, as a member of a consumer group.
//!
//! What one call gives is stored partition by partition, and then the positions of all of them are committed in one request.
//! While that takes, nothing more is read; heartbeats go on, and a member that is away for too long is given its partitions
//! again with all that was not committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use krafka::auth::{AuthConfig, TlsConfig};
use krafka::consumer::{AutoOffsetReset, Consumer, IsolationLevel, OffsetAndMetadata, PartitionLag, TopicPartition};
use krafka::{ConsumerRecord, Kafka, KrafkaError};
use logkeep_ingest::Source;
use logkeep_wire::queue::kafka_facts;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lag::Lag;
use super::lane::{Lane, Message};
use super::store::Feed;
use super::{Broken, End, KafkaOptions, OutgoingTls, SaslMechanism, Start, secret};
use crate::Intake;
use crate::counters::Protocol;
use crate::origin::Origin;

/// How long one call waits for messages.
const POLL: Duration = Duration::from_millis(500);
/// Messages that one call gives, and that wait for the next one.
const MESSAGES: i32 = 4_096;
/// What a broker is asked for at once, of all partitions and of one. A larger message comes alone.
const FETCH_BYTES: i32 = 16 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
/// Answers that are longer are surely no answers.
const RESPONSE_BYTES: usize = 64 << 20;
/// Requests to one broker that are under way at once.
const IN_FLIGHT: usize = 5;
/// A member that says nothing for so long is taken for dead, as we are after a kill: until then nobody reads its partitions.
const SESSION: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(3);
/// Partitions that are stored at once.
const LANES: usize = 8;
/// Calls that fail one after the other before we connect anew.
const FAILURES: u32 = 10;
/// Between them.
const PAUSE: Duration = Duration::from_secs(1);

type Lanes = HashMap<(Arc<str>, i32), Lane>;

/// Reads topics until `shutdown`, or until the brokers are lost for good.
pub(super) async fn read(intake: &Intake, options: &KafkaOptions, shutdown: &CancellationToken) -> Result<(), End> {
    let consumer = tokio::select! {
        consumer = connect(intake, options) => consumer?,
        () = shutdown.cancelled() => return Ok(()),
    };
    tracing::info!(source = options.common.name, topics = ?options.topics, group = options.group, "reading from Kafka");
    let read = consume(intake, options, &consumer, shutdown).await;
    if let Err(error) = consumer.close().await {
        tracing::debug!(source = options.common.name, %error, "the consumer group was not left in order");
    }
    read
}

async fn connect(intake: &Intake, options: &KafkaOptions) -> Result<Consumer, Broken> {
    let broken = |what: &'static str| move |error: KrafkaError| Broken::of(what)(error.into());
    let builder = Kafka::builder(options.brokers.join(",")).client_id("logkeep");
    let builder = builder.max_response_size(RESPONSE_BYTES).max_in_flight_requests(IN_FLIGHT);
    let builder = match security(options)? {
        Some(security) => builder.security(security),
        None => builder,
    };
    let kafka = builder.connect().await.map_err(broken("the brokers cannot be reached"))?;
    let reset = match options.common.start {
        Start::Earliest => AutoOffsetReset::Earliest,
        Start::Latest => AutoOffsetReset::Latest,
    };
    let consumer = kafka
        .consumer(&options.group)
        .enable_auto_commit(false)
        .auto_offset_reset(reset)
        .isolation_level(IsolationLevel::ReadCommitted)
        .max_poll_records(MESSAGES)
        .max_buffered_records(MESSAGES)
        .fetch_max_bytes(FETCH_BYTES)
        .max_partition_fetch_bytes(PARTITION_BYTES)
        .max_decompressed_size(intake.inner.options.request_decompressed_bytes)
        .session_timeout(SESSION)
        .heartbeat_interval(HEARTBEAT)
        .metrics_push(false)
        .build()
        .await
        .map_err(broken("the consumer group cannot be joined"))?;
    consumer.subscribe(&options.topics).await.map_err(broken("the topics cannot be read"))?;
    Ok(consumer)
}

fn security(options: &KafkaOptions) -> Result<Option<AuthConfig>, Broken> {
    let tls = options.common.tls.as_ref().map(tls);
    let Some(sasl) = &options.sasl else { return Ok(tls.map(AuthConfig::ssl)) };
    let (user, password) = (sasl.user.as_str(), secret(&sasl.password_file)?);
    let auth = match sasl.mechanism {
        SaslMechanism::Plain => AuthConfig::sasl_plain(user, password),
        SaslMechanism::ScramSha256 => AuthConfig::sasl_scram_sha256(user, password),
        SaslMechanism::ScramSha512 => AuthConfig::sasl_scram_sha512(user, password),
    };
    Ok(Some(match tls {
        Some(tls) => auth.with_tls(tls),
        None => auth,
    }))
}

fn tls(tls: &OutgoingTls) -> TlsConfig {
    let config = match &tls.ca {
        Some(file) => TlsConfig::new().with_ca_cert(file.to_string_lossy()),
        None => TlsConfig::new().with_native_roots(),
    };
    match &tls.certificate {
        Some((certificate, key)) => config.with_client_cert(certificate.to_string_lossy(), key.to_string_lossy()),
        None => config,
    }
}

async fn consume(
    intake: &Intake,
    options: &KafkaOptions,
    consumer: &Consumer,
    shutdown: &CancellationToken,
) -> Result<(), End> {
    let mut lanes = Lanes::new();
    let mut uncommitted = HashMap::new();
    let mut failures = 0;
    loop {
        let polled = tokio::select! {
            polled = consumer.poll(POLL) => polled,
            () = shutdown.cancelled() => return Ok(()),
        };
        let failed = match polled {
            Ok(records) => {
                say_lag(intake, options, consumer, &records).await;
                let stored = store(intake, options, &mut lanes, records, &mut uncommitted, shutdown).await;
                let committed = commit(consumer, &mut uncommitted).await;
                stored?;
                say_lag(intake, options, consumer, &[]).await;
                committed.err()
            }
            Err(error) => Some(error),
        };
        let Some(error) = failed else {
            failures = 0;
            continue;
        };
        failures += 1;
        if error.is_fatal() || failures >= FAILURES {
            return Err(Broken(error.to_string()).into());
        }
        tracing::warn!(source = options.common.name, %error, "Kafka does not answer as it should");
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
    }
}

/// Stores what was read; `uncommitted` gets what is durable, also if we have to stop in the middle.
async fn store(
    intake: &Intake,
    options: &KafkaOptions,
    lanes: &mut Lanes,
    records: Vec<ConsumerRecord>,
    uncommitted: &mut HashMap<TopicPartition, i64>,
    shutdown: &CancellationToken,
) -> Result<(), End> {
    let mut filled = HashMap::new();
    for record in records {
        let place = (record.topic.clone(), record.partition);
        let lane = filled.entry(place).or_insert_with_key(|place| {
            lanes.remove(place).unwrap_or_else(|| {
                let (name, group) = (&options.common.name, &options.group);
                Lane::new(&["kafka", name, group, &place.0, &place.1.to_string()])
            })
        });
        lane.push(message(&record));
    }
    let at_once = Arc::new(Semaphore::new(LANES));
    let mut storing = JoinSet::new();
    for (place, mut lane) in filled {
        let (intake, feed, shutdown) = (intake.clone(), feed(options, &place.0), shutdown.clone());
        let at_once = at_once.clone();
        storing.spawn(async move {
            let _permit = at_once.acquire_owned().await;
            let mut next = None;
            let end = loop {
                match intake.store_next(&mut lane, &feed, &shutdown).await {
                    Ok(Some(chunk)) if chunk.ends_batch => next = Some(chunk.last() as i64 + 1),
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(end) => break Some(end),
                }
            };
            (place, lane, next, end)
        });
    }
    let mut ended = Ok(());
    while let Some(stored) = storing.join_next().await {
        let (place, lane, next, end) = stored.map_err(|error| Broken(error.to_string()))?;
        let partition = TopicPartition::new(&*place.0, place.1);
        uncommitted.extend(next.map(|next| (partition, next)));
        match end {
            None => drop(lanes.insert(place, lane)),
            Some(end) => ended = Err(end),
        }
    }
    ended
}

/// Says how far behind we are while `unstored` are all that was given and is not stored. The brokers tell where a partition ends
/// with what they give of it.
async fn say_lag(intake: &Intake, options: &KafkaOptions, consumer: &Consumer, unstored: &[ConsumerRecord]) {
    let lag = |(place, at): (TopicPartition, PartitionLag)| {
        let is_of = |record: &&ConsumerRecord| *record.topic == *place.topic && record.partition == place.partition;
        let end = at.position?.checked_add(i64::try_from(at.lag?).ok()?)?;
        let next = unstored.iter().find(is_of).map(|record| record.offset).or(at.position)?;
        let messages = u64::try_from(end.saturating_sub(next)).unwrap_or_default();
        Some(Lag { sequence: place.topic.to_string(), partition: Some(place.partition), messages })
    };
    let mut lags: Vec<Lag> = consumer.lag().await.into_iter().filter_map(lag).collect();
    lags.sort();
    intake.set_lags("kafka", &options.common.name, lags);
}

/// Moves positions to what is durable. What cannot be committed now is with a later one, or comes again and is known.
async fn commit(consumer: &Consumer, uncommitted: &mut HashMap<TopicPartition, i64>) -> Result<(), KrafkaError> {
    if uncommitted.is_empty() {
        return Ok(());
    }
    let assigned = consumer.assignment().await;
    uncommitted
        .retain(|place, _| assigned.get(&place.topic).is_some_and(|partitions| partitions.contains(&place.partition)));
    let offsets: Vec<_> = uncommitted.iter().map(|(place, next)| (place, OffsetAndMetadata::new(*next))).collect();
    consumer.commit_offsets(offsets).await?;
    uncommitted.clear();
    Ok(())
}

fn feed(options: &KafkaOptions, topic: &str) -> Feed {
    // The ledger tells topics apart, as they are who sends.
    let source = Arc::new(Source::new(Protocol::Kafka.name()).read_from(&options.brokers.join(",")).called(topic));
    let tenant = options.common.tenant.clone();
    Feed { origin: Origin { protocol: Protocol::Kafka, tenant, source, bytes: 0 }, form: options.common.form }
}

fn message(record: &ConsumerRecord) -> Message {
    let ConsumerRecord { topic, partition, offset, key, value, headers, timestamp, .. } = record;
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()));
    Message {
        position: u64::try_from(*offset).unwrap_or_default(),
        payload: value.clone().unwrap_or_default(),
        time_ns: timestamp.checked_mul(1_000_000).filter(|ns| *ns > 0),
        facts: kafka_facts((topic, *partition, *offset), key.as_deref(), headers),
        again: false,
        follows: true,
    }
}
