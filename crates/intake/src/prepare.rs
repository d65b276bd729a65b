//! Records to batches: normalised, redacted, hashed, compressed, ready for the log.
//!
//! This is most of the work of a request, and it runs beside the connections ([`Intake::process`](crate::Intake::process)).

use std::net::IpAddr;

use logkeep_ingest::{Batch, BatchBuilder, Counts};
use logkeep_normalize::Normalizer;
use logkeep_pipeline::{Done, Place, spec::Signal};
use logkeep_record::{Class, Record};
use logkeep_redact::LeftOut;
use tokio::time::Instant;

use crate::account::Shares;
use crate::entry::{Entry, Policies, Screen};
use crate::joining::{Held, Normalizers};
use crate::refusal::Refusal;

/// Batches under construction.
pub(crate) struct Preparing {
    normalizers: Normalizers,
    /// What waits for its rest, to the end of the request at most; see [`Preparing::pause`].
    held: Held,
    /// When all of it came.
    now: Instant,
    screen: Screen,
    /// By where records go; the first is where they go if no policy says otherwise.
    lanes: Vec<Lane>,
    /// Records taken, all lanes together.
    taken: u32,
    parts: Vec<Portion>,
    /// Whose records come now.
    peer: Option<IpAddr>,
    beside: Shares,
}

/// A batch under construction.
#[derive(Default)]
struct Lane {
    place: Place,
    builder: BatchBuilder,
    /// Of the sender whose records come now.
    run: Counts,
    shares: Shares,
    /// Which of the request's records it has; only where there are several lanes.
    numbers: Vec<u32>,
}

impl Lane {
    fn end_run(&mut self, peer: Option<IpAddr>) {
        let run = std::mem::take(&mut self.run);
        if !run.is_zero() {
            self.shares.of(peer).add(&run);
        }
    }
}

/// A record as it is to be stored, and where.
pub(crate) struct Screened<'a> {
    pub(crate) record: Record<'a>,
    place: Option<Place>,
}

/// A batch, and who sent its records.
pub(crate) struct Portion {
    pub(crate) batch: Batch,
    pub(crate) shares: Shares,
    /// Where it goes, if not where its origin says.
    pub(crate) place: Place,
    /// Which of the request's records it has; empty where the batches have them in order.
    pub(crate) numbers: Vec<u32>,
}

/// The batches of one request, in order.
pub(crate) struct Prepared {
    /// Of which class they are.
    pub(crate) class: Class,
    pub(crate) parts: Vec<Portion>,
    /// Records that go into no batch, to be counted with the others.
    pub(crate) beside: Shares,
    /// What the sender calls itself, where its records say it.
    pub(crate) sender: Option<String>,
}

impl Preparing {
    /// For the logs of one sender.
    pub(crate) fn new(entry: Entry) -> Self {
        let Entry { arrival, policies } = entry;
        Self::with(&policies, Signal::Logs, Normalizers::one(arrival), Held::of(&policies))
    }

    /// For spans, which come normalised.
    pub(crate) fn spans(policies: &Policies) -> Self {
        Self::with(policies, Signal::Spans, Normalizers::None, Held::default())
    }

    /// For logs of senders that are never answered, of whom something waits.
    pub(crate) fn resume(policies: &Policies, normalizers: Normalizers, mut held: Held) -> Result<Self, Refusal> {
        let (done, keys) = (held.follow(policies), std::mem::take(&mut held.keys));
        let mut preparing = Self::with(policies, Signal::Logs, normalizers, held);
        preparing.screen.go_on(keys);
        preparing.each(done, Self::push_normalized)?;
        Ok(preparing)
    }

    fn with(policies: &Policies, signal: Signal, normalizers: Normalizers, held: Held) -> Self {
        Self {
            normalizers,
            held,
            now: Instant::now(),
            screen: Screen::new(policies, signal),
            lanes: vec![Lane::default()],
            taken: 0,
            parts: Vec::new(),
            peer: None,
            beside: Shares::default(),
        }
    }

    /// What follows was sent by this one of several senders, in so many bytes.
    pub(crate) fn from(&mut self, peer: IpAddr, bytes: usize) {
        self.turn_to(Some(peer));
        self.lanes[0].run.bytes += bytes as u64;
    }

    fn turn_to(&mut self, peer: Option<IpAddr>) {
        if self.peer != peer {
            self.lanes.iter_mut().for_each(|lane| lane.end_run(self.peer));
            self.peer = peer;
        }
    }

    /// A record as it was decoded. It may be a part of a longer line, or a line of a longer text.
    pub(crate) fn push(&mut self, record: Record<'_>) -> Result<(), Refusal> {
        let mut done = Vec::new();
        let left = self.held.part(record, self.peer, self.now.into_std(), &mut done);
        self.each(done, Self::push_line)?;
        left.map_or(Ok(()), |record| self.push_line(record))
    }

    fn push_line(&mut self, record: Record<'_>) -> Result<(), Refusal> {
        let record = self.normalizers.normalize(self.peer, record);
        let mut done = Vec::new();
        let left = self.held.line(record, self.peer, self.now.into_std(), &mut done);
        self.each(done, Self::push_normalized)?;
        left.map_or(Ok(()), |record| self.push_normalized(record))
    }

    /// What waited, each for the sender whose it is.
    fn each(
        &mut self,
        done: Vec<Done>,
        push: impl Fn(&mut Self, Record<'static>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let peer = self.peer;
        for (of, record) in done {
            self.turn_to(of);
            push(self, record)?;
        }
        self.turn_to(peer);
        Ok(())
    }

    /// Takes what need not wait any more: what has waited long enough by `now`, and all of it without a time.
    fn release(&mut self, now: Option<Instant>) -> Result<(), Refusal> {
        let now = now.map(Instant::into_std);
        let parts = self.held.leave_parts(now);
        self.each(parts, Self::push_line)?;
        let lines = self.held.leave_lines(now);
        self.each(lines, Self::push_normalized)
    }

    /// A record that is whole and in our words.
    pub(crate) fn push_normalized(&mut self, mut record: Record<'_>) -> Result<(), Refusal> {
        match self.screen.apply(&mut record) {
            Ok(place) => self.push_screened(Screened { record, place }),
            Err(LeftOut(policy)) => {
                self.leave_out(&policy);
                Ok(())
            }
        }
    }

    /// A record as it is to be stored, joined to no other; `None` if a policy leaves it out, which is counted.
    pub(crate) fn screened<'a>(&mut self, record: Record<'a>) -> Option<Screened<'a>> {
        let mut record = self.normalizers.normalize(self.peer, record);
        match self.screen.apply(&mut record) {
            Ok(place) => Some(Screened { record, place }),
            Err(LeftOut(policy)) => {
                self.leave_out(&policy);
                None
            }
        }
    }

    /// Takes what [`Preparing::screened`] gave.
    pub(crate) fn push_screened(&mut self, screened: Screened<'_>) -> Result<(), Refusal> {
        let Screened { record, place } = screened;
        let at = place.map_or(0, |place| self.lane(place));
        let lane = &mut self.lanes[at];
        lane.builder.push(&record);
        lane.run.received += 1;
        lane.run.newest_ns = lane.run.newest_ns.max(Some(record.effective_time_ns()));
        if self.screen.may_route() {
            lane.numbers.push(self.taken);
        }
        self.taken += 1;
        if lane.builder.is_full() {
            self.close(at)?;
        }
        Ok(())
    }

    fn lane(&mut self, place: Place) -> usize {
        self.lanes.iter().position(|lane| lane.place == place).unwrap_or_else(|| {
            self.lanes.push(Lane { place, ..Lane::default() });
            self.lanes.len() - 1
        })
    }

    /// Counts a record that can never be stored, where its sender cannot be told why.
    pub(crate) fn reject(&mut self, kind: &'static str, reason: &str) {
        if self.beside.is_empty() {
            tracing::warn!(reason, "a record cannot be stored; those that follow in the same request are only counted");
        }
        self.reject_quietly(kind);
    }

    /// Counts a record that can never be stored, as its sender is told.
    pub(crate) fn reject_quietly(&mut self, kind: &'static str) {
        self.beside.reject(self.peer, kind, 1);
    }

    /// Counts a record that a policy leaves out, such as sampling.
    pub(crate) fn leave_out(&mut self, policy: &str) {
        self.beside.drop(self.peer, policy, 1);
    }

    fn close(&mut self, at: usize) -> Result<(), Refusal> {
        let place = self.lanes[at].place.clone();
        let mut lane = std::mem::replace(&mut self.lanes[at], Lane { place, ..Lane::default() });
        lane.end_run(self.peer);
        let Lane { place, builder, shares, numbers, .. } = lane;
        match builder.finish().map_err(Refusal::defect)? {
            Some(batch) => self.parts.push(Portion { batch, shares, place, numbers }),
            None => self.beside.merge(&shares),
        }
        Ok(())
    }

    /// All that has come.
    pub(crate) fn finish(mut self) -> Result<Prepared, Refusal> {
        self.release(None)?;
        self.prepared()
    }

    /// What has come, but for what waits for its rest; nothing does at the end.
    pub(crate) fn pause(mut self, is_end: bool) -> Result<(Prepared, Normalizers, Held), Refusal> {
        self.release((!is_end).then_some(self.now))?;
        let normalizers = std::mem::replace(&mut self.normalizers, Normalizers::None);
        let mut held = std::mem::take(&mut self.held);
        held.keys = self.screen.key_lines();
        Ok((self.prepared()?, normalizers, held))
    }

    fn prepared(mut self) -> Result<Prepared, Refusal> {
        (0..self.lanes.len()).try_for_each(|lane| self.close(lane))?;
        Ok(Prepared { class: Class::default(), parts: self.parts, beside: self.beside, sender: None })
    }
}

impl Prepared {
    /// With records that were found to be none before it was prepared.
    pub(crate) fn rejecting(mut self, records: usize, kind: &'static str) -> Self {
        self.beside.reject(None, kind, records);
        self
    }

    /// With records that were found to be stored before.
    pub(crate) fn knowing(mut self, records: usize) -> Self {
        let counts = self.beside.of(None);
        counts.received += records as u64;
        counts.deduplicated += records as u64;
        self
    }
}

/// Prepares the records of one request.
pub(crate) fn prepare<'a>(entry: Entry, records: impl IntoIterator<Item = Record<'a>>) -> Result<Prepared, Refusal> {
    let mut preparing = Preparing::new(entry);
    for record in records {
        preparing.push(record)?;
    }
    preparing.finish()
}

/// Prepares the spans of one request, as records.
pub(crate) fn prepare_spans<'a>(
    entry: Entry,
    spans: impl IntoIterator<Item = Record<'a>>,
) -> Result<Prepared, Refusal> {
    let mut preparing = Preparing::spans(&entry.policies);
    let mut normalizer = Normalizer::new(entry.arrival);
    for span in spans {
        preparing.push_normalized(normalizer.normalize_span(span))?;
    }
    Ok(Prepared { class: Class::spans(), ..preparing.finish()? })
}
