//! Bodies of documents: read, stored, and what to say of those that are none.
//!
//! Most HTTP senders of logs put JSON documents into a body in one way or another and want one answer for all of them. What
//! they have in common is here; what they have of their own is the closure they give.

use std::sync::Arc;

use logkeep_record::{Record, Resource, limits};
use logkeep_wire::compress::decompress;

use crate::Intake;
use crate::account::reason;
use crate::prepare::{Prepared, Preparing};
use crate::refusal::{Kind, Refusal};
use crate::request::Incoming;

/// Takes the records of a body.
pub(crate) struct Bodies<'p> {
    preparing: &'p mut Preparing,
    resource: Arc<Resource>,
    seen: usize,
    stored: usize,
    rejections: Vec<(usize, String)>,
}

/// Reasons that an answer gives; the others are only counted.
const REASONS: usize = 10;

impl Bodies<'_> {
    /// For senders that say nothing of themselves beside their records.
    pub(crate) fn resource(&self) -> Arc<Resource> {
        self.resource.clone()
    }

    /// Takes a record.
    pub(crate) fn push(&mut self, record: Record<'_>) -> Result<(), Refusal> {
        if self.seen >= limits::RECORDS_PER_REQUEST {
            let message = format!("the body has more than {} records; send smaller ones", limits::RECORDS_PER_REQUEST);
            return Err(Refusal::new(Kind::TooLarge, message));
        }
        self.seen += 1;
        self.stored += 1;
        self.preparing.push(record)
    }

    /// Counts what is no record, and keeps the reason.
    pub(crate) fn reject(&mut self, reason: impl Into<String>) {
        if self.rejections.len() < REASONS {
            self.rejections.push((self.seen, reason.into()));
        }
        self.seen += 1;
        self.preparing.reject_quietly(reason::MALFORMED);
    }
}

/// What became of a body.
pub(crate) struct Done {
    /// Records stored, or known as stored before.
    pub(crate) stored: usize,
    /// Of them those known before.
    pub(crate) known: usize,
    pub(crate) rejected: usize,
    /// The first that were rejected, by their place.
    pub(crate) rejections: Vec<(usize, String)>,
}

impl Done {
    /// What to tell a sender that reads text; `None` if all is well.
    pub(crate) fn rejection(&self) -> Option<String> {
        let (place, reason) = self.rejections.first()?;
        Some(format!(
            "{} of {} records rejected, the others are stored; the first is number {place}: {reason}\n",
            self.rejected,
            self.rejected + self.stored
        ))
    }
}

impl Intake {
    /// Decompresses a body, has its records read and makes them durable. A `key` makes the same body known again.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was stored.
    pub(crate) async fn store_body(
        &self,
        incoming: Incoming,
        key: Option<Vec<u8>>,
        read: impl FnOnce(&mut Bodies<'_>, &[u8], i64) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Done, Refusal> {
        let intake = self.clone();
        Self::to_the_end(async move {
            let max_bytes = intake.inner.options.request_decompressed_bytes;
            let work = move |incoming: &Incoming| prepare(incoming, max_bytes, read);
            let (incoming, (prepared, mut done)) = intake.decode(incoming, work).await?;
            let stored = intake.commit(&incoming.origin, prepared, key.as_deref()).await?;
            done.known = stored.known();
            if let Some(rejection) = done.rejection() {
                intake.tell_fault(&incoming.origin, reason::MALFORMED, &rejection);
            }
            Ok(done)
        })
        .await?
    }
}

fn prepare(
    incoming: &Incoming,
    max_bytes: usize,
    read: impl FnOnce(&mut Bodies<'_>, &[u8], i64) -> Result<(), Refusal>,
) -> Result<(Prepared, Done), Refusal> {
    let body = decompress(&incoming.body, &incoming.content_encoding, max_bytes)?;
    let mut preparing = Preparing::new(incoming.entry());
    let resource = Resource::from_attributes(Vec::new());
    let mut bodies = Bodies { preparing: &mut preparing, resource, seen: 0, stored: 0, rejections: Vec::new() };
    read(&mut bodies, &body, incoming.received_ns)?;
    let Bodies { seen, stored, rejections, .. } = bodies;
    let done = Done { stored, known: 0, rejected: seen - stored, rejections };
    Ok((preparing.finish()?, done))
}
