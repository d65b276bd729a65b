//! Records as they arrive, as server-sent events.
//!
//! One task per reader looks at every batch that becomes searchable. What matches goes into a bounded queue; when the
//! reader is too slow for it, records are left out and counted, and the count is sent every second.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{self, Stream};
use logkeep_access::{Action, Grant, Identity, Totals};
use logkeep_ingest::Arrived;
use logkeep_query::Follower;
use logkeep_record::RecordId;
use serde_json::json;
use tokio::sync::{broadcast, mpsc};

use super::answer::outcome;
use super::caller::Caller;
use super::{ApiError, AppState, render};

/// Records that may wait for a reader.
const QUEUE: usize = 2_048;
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Counts {
    matched: AtomicU64,
    sent: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
    /// Records for the reader that do not count as read out yet.
    uncounted: AtomicU64,
}

/// Who follows, and by which grant.
struct Reader {
    state: AppState,
    who: Identity,
    grant: String,
    counts: Arc<Counts>,
}

impl Reader {
    /// Whether what they were given since the last time is still within what they may read out.
    async fn may_read_on(&self) -> bool {
        let rows = self.counts.uncounted.swap(0, Ordering::Relaxed);
        self.state.access.followed(&self.who, &self.grant, rows).await.is_ok()
    }

    /// When the server stops, or the reader may not read any more.
    async fn is_over(&self) {
        while self.state.still_may(&self.who, Action::Tail) && self.may_read_on().await {
            if tokio::time::timeout(STATUS_INTERVAL, self.state.stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}

pub(crate) async fn tail(
    State(state): State<AppState>,
    Caller(who): Caller,
    query: Query<std::collections::HashMap<String, String>>,
) -> Result<Response, ApiError> {
    let params = state.params(query);
    let filter = params.filter()?;
    let grant = state.access.authorize(&who, Action::Tail, &params.subject("tail")).await?;
    let follower = state.query.check_there(grant.tenant()).and_then(|()| Follower::new(&grant, &filter));
    let (grant, follower) = outcome(grant, follower).await?;
    let arrivals = state.ingest.arrivals();
    grant.release().await?;
    let counts = Arc::new(Counts::default());
    let (sender, receiver) = mpsc::channel(QUEUE);
    let reader = Reader { state, who, grant: grant.id().to_owned(), counts: counts.clone() };
    tokio::spawn(follow(arrivals, follower, sender, reader));
    let closing = Closing { grant: Some(grant), counts: counts.clone() };
    let events = events(receiver, counts, closing);
    Ok(Sse::new(events).into_response())
}

/// Looks at every batch until the reader or the server goes, and counts the last of what the reader was given.
async fn follow(
    arrivals: broadcast::Receiver<Arrived>,
    follower: Follower,
    sender: mpsc::Sender<String>,
    reader: Reader,
) {
    tokio::select! {
        () = offer_all(arrivals, &follower, &sender, &reader.counts) => {}
        () = sender.closed() => {}
        () = reader.is_over() => {}
    }
    drop(sender);
    reader.may_read_on().await;
}

async fn offer_all(
    mut arrivals: broadcast::Receiver<Arrived>,
    follower: &Follower,
    sender: &mpsc::Sender<String>,
    counts: &Counts,
) {
    loop {
        match arrivals.recv().await {
            Ok(arrived) => offer(&arrived, follower, sender, counts),
            // Nobody looked at these batches: at least one record each was left out, and the reader must know.
            Err(broadcast::error::RecvError::Lagged(batches)) => {
                counts.dropped.fetch_add(batches, Ordering::Relaxed);
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn offer(arrived: &Arrived, follower: &Follower, sender: &mpsc::Sender<String>, counts: &Counts) {
    for (row, record) in follower.matches(arrived) {
        counts.matched.fetch_add(1, Ordering::Relaxed);
        let Ok(permit) = sender.try_reserve() else {
            counts.dropped.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let Ok((batch, index)) = arrived.rows.place(row) else { continue };
        let mut json = String::new();
        render::record(&record, &RecordId { class: arrived.class.clone(), batch, index }, &mut json);
        counts.uncounted.fetch_add(1, Ordering::Relaxed);
        permit.send(json);
    }
}

/// Writes the closing audit record when the reader goes.
struct Closing {
    grant: Option<Grant>,
    counts: Arc<Counts>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            let rows = self.counts.sent.load(Ordering::Relaxed);
            grant.close(Totals { rows, bytes: self.counts.bytes.load(Ordering::Relaxed) });
        }
    }
}

fn events(
    receiver: mpsc::Receiver<String>,
    counts: Arc<Counts>,
    closing: Closing,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let ticks = tokio::time::interval(STATUS_INTERVAL);
    stream::unfold((receiver, ticks, closing), move |(mut receiver, mut ticks, closing)| {
        let counts = counts.clone();
        async move {
            let event = tokio::select! {
                // The status first: under load there is always a record, and the count must still go out.
                biased;
                _ = ticks.tick() => status(&counts),
                record = receiver.recv() => {
                    let record = record?;
                    counts.sent.fetch_add(1, Ordering::Relaxed);
                    counts.bytes.fetch_add(record.len() as u64, Ordering::Relaxed);
                    Event::default().event("record").data(record)
                }
            };
            Some((Ok(event), (receiver, ticks, closing)))
        }
    })
}

fn status(counts: &Counts) -> Event {
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let body = json!({"matched": read(&counts.matched), "sent": read(&counts.sent), "dropped": read(&counts.dropped)});
    Event::default().event("status").data(body.to_string())
}
