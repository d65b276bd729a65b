//! Messages of a queue to the log.

use std::sync::Arc;

use logkeep_normalize::Normalizer;
use logkeep_record::Class;
use logkeep_wire::queue::{self, Form, Reader};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::End;
use super::lane::{Chunk, Lane, Message};
use crate::Intake;
use crate::account::{Fate, reason};
use crate::counters::add;
use crate::entry::Entry;
use crate::origin::Origin;
use crate::prepare::{Prepared, Preparing};
use crate::refusal::{Kind, Refusal};

/// What becomes of the messages of one sequence.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) origin: Origin,
    pub(super) form: Form,
}

impl Intake {
    /// Stores the next messages of a lane and gives them back; `None` if none are left.
    ///
    /// # Errors
    /// [`End::Stopping`]: they are not stored, and come again.
    pub(super) async fn store_next(
        &self,
        lane: &mut Lane,
        feed: &Feed,
        shutdown: &CancellationToken,
    ) -> Result<Option<Chunk>, End> {
        let is_stored = |key: &[u8]| self.inner.ingest.knows(&feed.origin.tenant, key);
        let Some(mut chunk) = lane.next(is_stored) else { return Ok(None) };
        let prepared = loop {
            match self.prepare_chunk(feed, &chunk).await {
                Ok(prepared) => break Some(prepared),
                Err(_) if shutdown.is_cancelled() => return Err(End::Stopping),
                Err(_) if chunk.messages.len() == 1 => break None,
                Err(_) => chunk = lane.halve(chunk),
            }
        };
        let counts = self.inner.counters.of(feed.origin.protocol);
        add(&counts.requests, 1);
        match prepared {
            Some(prepared) => self.persist_chunk(feed, &chunk, prepared, shutdown).await?,
            // By a defect of ours, which would strike again.
            None => self.count_dropped(&feed.origin, None, reason::FAILED, chunk.messages.len()),
        }
        lane.done(&chunk);
        Ok(Some(chunk))
    }

    async fn prepare_chunk(&self, feed: &Feed, chunk: &Chunk) -> Result<Prepared, Refusal> {
        let (entry, form, received_ns) = (self.entry(&feed.origin), feed.form, self.now_ns());
        let messages = chunk.messages.clone();
        self.process(move || prepare(form, entry, &messages, received_ns)).await?
    }

    async fn persist_chunk(
        &self,
        feed: &Feed,
        chunk: &Chunk,
        prepared: Prepared,
        shutdown: &CancellationToken,
    ) -> Result<(), End> {
        let origin = feed.origin.of_bytes(chunk.bytes());
        add(&self.inner.counters.of(origin.protocol).bytes, origin.bytes);
        let (entry, form, received_ns) = (self.entry(&origin), feed.form, self.now_ns());
        let (messages, key) = (chunk.messages.clone(), chunk.key.clone());
        let first = Mutex::new(Some(prepared));
        let again = move || match first.lock().take() {
            Some(prepared) => Ok(prepared),
            None => prepare(form, entry.clone(), &messages, received_ns),
        };
        let (intake, shutdown) = (self.clone(), shutdown.clone());
        let storing = async move { intake.persist_keyed(&origin, again, Some(&key), Fate::Deferred, &shutdown).await };
        match Self::to_the_end(storing).await {
            Ok(Ok(())) => Ok(()),
            // What the tenant had was destroyed, and this is counted as dropped: the queue need not keep it.
            Ok(Err(unstored)) if unstored.refusal.kind == Kind::Tenant => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Stopping),
        }
    }

    /// Stores messages of a queue that will not give them again.
    pub(super) async fn store_unkept(&self, feed: &Feed, messages: Vec<Message>, shutdown: &CancellationToken) {
        let bytes = messages.iter().map(|message| message.payload.len()).sum();
        let origin = feed.origin.of_bytes(bytes);
        let counts = self.inner.counters.of(origin.protocol);
        add(&counts.requests, 1);
        add(&counts.bytes, bytes);
        let (entry, form, received_ns) = (self.entry(&origin), feed.form, self.now_ns());
        let messages: Arc<[Message]> = messages.into();
        let prepare = move || prepare(form, entry.clone(), &messages, received_ns);
        self.store_for_sure(&origin, prepare, shutdown).await;
    }
}

fn prepare(form: Form, entry: Entry, messages: &[Message], received_ns: i64) -> Result<Prepared, Refusal> {
    let is_spans = form == Form::OtlpTraces;
    let mut normalizer = Normalizer::new(entry.arrival.clone());
    let mut preparing = if is_spans { Preparing::spans(&entry.policies) } else { Preparing::new(entry) };
    let mut reader = Reader::new(form);
    for Message { payload, time_ns, facts, .. } in messages {
        let message = queue::Message { payload, time_ns: *time_ns, facts };
        reader.each(&message, received_ns, |record| match record {
            Ok(record) if is_spans => preparing.push_normalized(normalizer.normalize_span(record)),
            Ok(record) => preparing.push(record),
            Err(error) => {
                preparing.reject(reason::MALFORMED, &error);
                Ok(())
            }
        })?;
    }
    let prepared = preparing.finish()?;
    let class = if is_spans { Class::spans() } else { prepared.class.clone() };
    Ok(Prepared { class, ..prepared })
}
