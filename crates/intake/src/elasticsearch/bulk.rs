//! `_bulk` and single documents: plan, store, answer each item.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use logkeep_record::RecordId;
use logkeep_wire::elasticsearch::{Action, ItemAnswer, ItemError, Outcome};

use super::plan::{Fate, Plan, Slot, Source, plan};
use crate::Intake;
use crate::account::reason;
use crate::refusal::{Kind, Refusal};
use crate::request::Incoming;
use crate::store::Stored;

/// What became of the items, in their order.
pub(super) struct Answers {
    pub(super) items: Vec<ItemAnswer<'static>>,
    pub(super) took_ms: u64,
}

impl Intake {
    /// Stores a bulk request, or refuses it as a whole.
    pub(super) async fn bulk(self, incoming: Incoming, index: Option<String>) -> Result<Answers, Refusal> {
        let started = Instant::now();
        let incoming = Arc::new(incoming);
        let plan = self.planned(&incoming, index).await?;
        let Plan { slots, prepared, claims, key } = plan;
        let documents = claims.documents();
        let stored = self.commit_documents(&incoming.origin, prepared, key.as_deref(), documents).await;
        self.inner.elasticsearch.ids.settle(claims, stored.is_ok());
        if let Some(error) = slots.iter().find_map(Slot::fault) {
            self.tell_fault(&incoming.origin, reason::MALFORMED, &error.to_string());
        }
        let mut places = places(stored?).into_iter();
        let items = slots.into_iter().map(|slot| item(slot, &mut places)).collect();
        Ok(Answers { items, took_ms: started.elapsed().as_millis() as u64 })
    }

    /// Plans the request, after any other that has claimed its ids.
    async fn planned(&self, incoming: &Arc<Incoming>, index: Option<String>) -> Result<Plan, Refusal> {
        let deadline = tokio::time::Instant::now() + self.inner.options.max_wait;
        let index: Option<Arc<str>> = index.map(Into::into);
        loop {
            let mut settled = pin!(self.inner.elasticsearch.ids.settled.notified());
            settled.as_mut().enable();
            let (inner, incoming, index) = (self.inner.clone(), incoming.clone(), index.clone());
            let work = move || {
                let source = Source {
                    tenant: &incoming.origin.tenant,
                    entry: incoming.entry(),
                    body: &incoming.body,
                    content_encoding: &incoming.content_encoding,
                    default_index: index.as_deref(),
                    received_ns: incoming.received_ns,
                    max_bytes: inner.options.request_decompressed_bytes,
                };
                plan(source, &inner.elasticsearch.ids)
            };
            if let Some(plan) = self.process(work).await?? {
                return Ok(plan);
            }
            if tokio::time::timeout_at(deadline, settled).await.is_err() {
                let message = "documents of the same ids are still being stored by another request, send again later";
                return Err(Refusal::new(Kind::Busy, message));
            }
        }
    }
}

/// Where each record is, in the order of the request; `None` if it was stored before.
fn places(stored: Stored) -> Vec<Option<String>> {
    let Stored { parts, records, numbers } = stored;
    let Some(parts) = parts else { return vec![None; records] };
    let mut places = Vec::with_capacity(records);
    for (first, records) in parts {
        let own = |index| RecordId { class: first.class.clone(), batch: first.batch, index };
        places.extend((0..records as u32).map(|index| Some(own(index).to_string())));
    }
    if !numbers.is_empty() {
        let mut in_order: Vec<_> = numbers.into_iter().zip(places).collect();
        in_order.sort_by_key(|(number, _)| *number);
        places = in_order.into_iter().map(|(_, place)| place).collect();
    }
    places
}

/// The answer for an item; `places` are those of the records to come.
fn item(slot: Slot, places: &mut impl Iterator<Item = Option<String>>) -> ItemAnswer<'static> {
    let Slot { action, index, id, fate } = slot;
    let conflict = |id: Option<String>| {
        let error = ItemError::conflict(id.as_deref().unwrap_or_default());
        Outcome::Failed { id: id.map(Cow::Owned), error }
    };
    let outcome = match fate {
        Fate::Record { version } => match places.next().flatten() {
            Some(record) => Outcome::Stored { id: Cow::Owned(id.unwrap_or(record)), version },
            // Known by its batch key, which only a request whose documents all have ids has.
            None if action == Action::Create => conflict(id),
            None => Outcome::Stored { id: Cow::Owned(id.unwrap_or_default()), version },
        },
        Fate::Repeat { .. } | Fate::Exists { .. } if action == Action::Create => conflict(id),
        // What Elasticsearch would say of a document indexed again.
        Fate::Repeat { .. } => Outcome::Stored { id: Cow::Owned(id.unwrap_or_default()), version: 2 },
        Fate::LeftOut => Outcome::Stored { id: Cow::Owned(id.unwrap_or_else(|| "left-out".to_owned())), version: 1 },
        Fate::Exists { version } => Outcome::Stored { id: Cow::Owned(id.unwrap_or_default()), version: version + 1 },
        Fate::Rejected(error) => Outcome::Failed { id: id.map(Cow::Owned), error },
    };
    ItemAnswer { action, index: Cow::Owned(index.to_string()), outcome }
}
