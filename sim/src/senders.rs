//! Senders, and the writer that answers them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use logkeep_ingest::{CommitError, Committed, Ingest, RotationStep, WriterStep};
use logkeep_store::{Clock, ManualClock};

use crate::disk::SimDisk;
use crate::ledger;
use crate::model::{Fate, Model};
use crate::rng::Rng;

type Answer = Result<Committed, CommitError>;
type Waiting = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Of one life of the engine.
pub(crate) struct Senders {
    pub(crate) ingest: Ingest,
    pub(crate) writer: WriterStep,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) disk: SimDisk,
    pub(crate) rng: Rng,
    pub(crate) model: Model,
    waiting: Vec<(usize, Waiting)>,
    pub(crate) counts: Counts,
    /// The first invariant that was broken where nobody could be told.
    pub(crate) broken: Option<String>,
}

/// What was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches stored.
    pub acked: u64,
    /// Batches recognised.
    pub recognised: u64,
    /// Batches refused.
    pub refused: u64,
}

impl Senders {
    pub(crate) fn new(
        (ingest, writer): (Ingest, WriterStep),
        (clock, disk): (Arc<ManualClock>, SimDisk),
        rng: Rng,
        model: Model,
        counts: Counts,
    ) -> Self {
        Self { ingest, writer, clock, disk, rng, model, waiting: Vec::new(), counts, broken: None }
    }

    /// Sends a batch. It waits for the writer.
    pub(crate) fn send(&mut self) -> Result<(), String> {
        let number = self.model.choose(&mut self.rng);
        let mut seed = [0; 32];
        seed.chunks_mut(8).for_each(|part| part.copy_from_slice(&self.rng.next().to_le_bytes()));
        let batch = self.model.build(number, self.clock.now_ns(), seed)?;
        let sent = &mut self.model.sent[number];
        if sent.fate == Fate::Refused {
            sent.fate = Fate::Unknown;
        }
        if number.is_multiple_of(3) {
            ledger::reject(&self.ingest, &sent.class.0, self.clock.now_ns());
            self.model.rejected += 1;
        }
        let sent = &self.model.sent[number];
        let (ingest, (tenant, class), key) = (self.ingest.clone(), sent.class.clone(), sent.key.clone());
        let commit = async move { ingest.commit(&tenant, &class, batch, key.as_deref()).await };
        let mut waiting: Waiting = Box::pin(commit);
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => self.waiting.push((number, waiting)),
            Poll::Ready(answer) => {
                return Err(format!("batch {number} was answered before it was written: {answer:?}"));
            }
        }
        Ok(())
    }

    /// The writer commits a group; the senders read their answers.
    pub(crate) fn write(&mut self) -> Result<(), String> {
        let failed_before = self.disk.tally().refusals();
        self.writer.step();
        let failures = self.disk.tally().refusals() - failed_before;
        // With a second failure, or without power, the log could not be taken back to where it was.
        let taken_back = failures < 2 && !self.disk.is_dead();
        let mut context = Context::from_waker(Waker::noop());
        let mut answered = Vec::new();
        for (number, mut waiting) in std::mem::take(&mut self.waiting) {
            match waiting.as_mut().poll(&mut context) {
                Poll::Ready(answer) => answered.push((number, answer)),
                Poll::Pending => self.waiting.push((number, waiting)),
            }
        }
        for (number, answer) in &answered {
            self.hear(*number, answer, taken_back)?;
        }
        Ok(())
    }

    fn hear(&mut self, number: usize, answer: &Answer, taken_back: bool) -> Result<(), String> {
        let elsewhere = self.waiting.iter().any(|(other, _)| *other == number);
        let sent = &mut self.model.sent[number];
        match answer {
            Ok(Committed { first: Some(first), records }) => {
                self.counts.acked += 1;
                if *records != sent.records {
                    return Err(format!("batch {number} of {} records was stored as {records}", sent.records));
                }
                if sent.fate == Fate::Acked {
                    return Err(format!("batch {number} was stored again under its key"));
                }
                sent.place = Some(first.clone());
                sent.fate = Fate::Acked;
            }
            Ok(Committed { first: None, .. }) => {
                self.counts.recognised += 1;
                if sent.key.is_none() {
                    return Err(format!("batch {number} has no key and was recognised"));
                }
                sent.fate = Fate::Acked;
            }
            Err(_) => {
                self.counts.refused += 1;
                if sent.fate == Fate::Unknown && taken_back && sent.place.is_none() && !elsewhere && !sent.uncertain {
                    sent.fate = Fate::Refused;
                } else if sent.fate == Fate::Unknown {
                    sent.uncertain = true;
                }
            }
        }
        Ok(())
    }

    /// Begins a file of the log behind what waits; its number, unless that fails.
    pub(crate) fn begin_log_file(&mut self, rotation: &RotationStep) -> Result<Option<u64>, String> {
        let mut begun = Box::pin(rotation.begin_log_file());
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match begun.as_mut().poll(&mut context) {
                Poll::Ready(begun) => return Ok(begun.ok()),
                Poll::Pending => self.write()?,
            }
        }
    }

    /// Whoever still waits will never hear.
    pub(crate) fn give_up(&mut self) {
        for (number, _) in std::mem::take(&mut self.waiting) {
            self.model.sent[number].uncertain = true;
        }
    }
}
