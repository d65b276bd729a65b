//! The clock of the demo: what happened lately, as fast as it is taken, then what happens now, as it happens.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logkeep_meshsim::{Event, Fault, Mesh, Mix, Options, Simulator, Span};
use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;

use crate::protocol::{Protocol, Targets};
use crate::sender::{self, Batch, Progress, Summary};

/// The service whose deploy goes wrong.
pub const FAULTY_SERVICE: &str = "checkout";

/// Events, or spans, of one request to a receiver.
const BATCH_EVENTS: usize = 400;
/// Requests that wait for a receiver, per protocol.
const WAITING_BATCHES: usize = 8;
/// How often live events are sent.
const TICK: Duration = Duration::from_millis(200);
/// How long the last batches may take after the end.
const DRAIN: Duration = Duration::from_secs(3);

/// How lively the demo is.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Over all services; at least 1.
    pub events_per_second: u32,
    /// Of the simulation.
    pub seed: u64,
    /// The bad deploy comes this long after the start.
    pub fault_after: Duration,
    /// How much of the past is sent at the start.
    pub back_fill: Duration,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            events_per_second: 50,
            seed: 1,
            fault_after: Duration::from_secs(60),
            back_fill: Duration::from_secs(30 * 60),
        }
    }
}

/// Sends until `shutdown` completes. Without any target it only waits.
pub async fn run(targets: Targets, options: DemoOptions, shutdown: impl Future<Output = ()>) -> Summary {
    run_with_progress(targets, options, shutdown, Arc::default()).await
}

/// As [`run`], with counts that can be read meanwhile.
pub async fn run_with_progress(
    targets: Targets,
    options: DemoOptions,
    shutdown: impl Future<Output = ()>,
    progress: Arc<Progress>,
) -> Summary {
    let mut tasks = JoinSet::new();
    let queues = Protocol::ALL.map(|protocol| {
        let address = targets.address(protocol)?;
        let (sender, receiver) = channel(WAITING_BATCHES);
        tasks.spawn(sender::run(protocol, address, receiver, Arc::clone(&progress)));
        Some(sender)
    });
    {
        let feeding = pin!(feed(&targets, &options, &queues));
        let shutdown = pin!(shutdown);
        tokio::select! {
            () = feeding => {}
            () = shutdown => {}
        }
    }
    drop(queues);
    let drained = async { while tasks.join_next().await.is_some() {} };
    // What a receiver does not take by then is lost with the demo; dropping the set ends the tasks.
    let _ = tokio::time::timeout(DRAIN, drained).await;
    progress.summary()
}

type Queues = [Option<Sender<Batch>>; Protocol::ALL.len()];

/// Never ends.
async fn feed(targets: &Targets, options: &DemoOptions, queues: &Queues) {
    let now_ns = now_ns();
    let fault_at = now_ns.saturating_add(nanos(options.fault_after));
    let simulation = Options {
        seed: options.seed,
        start_ns: now_ns.saturating_sub(nanos(options.back_fill)),
        ns_per_event: 1_000_000_000 / u64::from(options.events_per_second.max(1)),
        mix: Mix::default(),
        fault: Some(Fault { service: FAULTY_SERVICE.to_owned(), at_ns: fault_at, until_ns: None }),
    };
    let mut shop = Simulator::new(Mesh::shop(), simulation);
    if targets.address(Protocol::OtlpTraces).is_some() {
        shop = shop.traced();
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        send_due(&mut shop, self::now_ns(), targets, queues).await;
    }
}

/// Sends all events up to `until_ns`. Waits where a queue is full.
async fn send_due(shop: &mut Simulator, until_ns: i64, targets: &Targets, queues: &Queues) {
    let mut batches: [Vec<Event>; Protocol::ALL.len()] = Default::default();
    let mut unfinished = 0;
    while let Some(event) = shop.next_until(until_ns) {
        if shop.waiting_spans() >= unfinished + BATCH_EVENTS {
            send_spans(shop.take_spans(event.time_ns), queues).await;
            unfinished = shop.waiting_spans();
        }
        let Some(protocol) = Protocol::of(&event.pod, targets) else { continue };
        let batch = &mut batches[protocol.index()];
        batch.push(event);
        if batch.len() == BATCH_EVENTS {
            enqueue(queues, protocol, Batch::Logs(std::mem::take(batch))).await;
        }
    }
    for (protocol, batch) in Protocol::ALL.into_iter().zip(batches) {
        if !batch.is_empty() {
            enqueue(queues, protocol, Batch::Logs(batch)).await;
        }
    }
    send_spans(shop.take_spans(until_ns), queues).await;
}

/// A span is sent once it has ended, as tracers do.
async fn send_spans(mut spans: Vec<Span>, queues: &Queues) {
    while !spans.is_empty() {
        let rest = spans.split_off(spans.len().min(BATCH_EVENTS));
        enqueue(queues, Protocol::OtlpTraces, Batch::Spans(std::mem::replace(&mut spans, rest))).await;
    }
}

async fn enqueue(queues: &Queues, protocol: Protocol, batch: Batch) {
    if let Some(queue) = &queues[protocol.index()] {
        // The task ends only with its queue, so this cannot fail; if it ever did, there is no one to send to.
        let _ = queue.send(batch).await;
    }
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    nanos(since)
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
