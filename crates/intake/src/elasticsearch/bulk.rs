//! `_bulk` and single documents: plan, store, answer each item.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use logkeep_wire::elasticsearch::{Action, ItemAnswer, ItemError, Outcome};

use super::plan::{Fate, Plan, Slot, Source, plan};
use crate::Intake;
use crate::refusal::{Kind, Refusal};
use crate::request::Incoming;
use crate::store::{Part, Stored};

/// What became of the items, in their order.
pub(super) struct Answers {
    pub(super) items: Vec<ItemAnswer<'static>>,
    pub(super) took_ms: u64,
}

/// Where a record is.
enum Place {
    Stored(String),
    Known,
    NotStored,
}

impl Intake {
    /// Stores a bulk request. Refused as a whole only if nothing of it was stored.
    pub(super) async fn bulk(self, incoming: Incoming, index: Option<String>) -> Result<Answers, Refusal> {
        let started = Instant::now();
        let incoming = Arc::new(incoming);
        let plan = self.planned(&incoming, index).await?;
        let Plan { slots, prepared, claims, key } = plan;
        let stored = self.commit(&incoming.origin, prepared, key.as_deref()).await;
        let places = places(&stored);
        let is_stored = |place: usize| !matches!(places.get(place), None | Some(Place::NotStored));
        self.inner.elasticsearch.ids.settle(claims, is_stored);
        if let Some(error) = &stored.error
            && stored.stored() + stored.known() == 0
        {
            return Err(error.clone().into());
        }
        let reason = stored.error.map(|error| error.to_string()).unwrap_or_default();
        let mut next = 0;
        let items = slots.into_iter().map(|slot| item(slot, &places, &mut next, &reason)).collect();
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

/// Where each record is, in the order of the request.
fn places(stored: &Stored) -> Vec<Place> {
    let mut places = Vec::new();
    for part in &stored.parts {
        match part {
            Part::Stored { first, records } => places.extend((0..*records as u32).map(|index| {
                Place::Stored(
                    logkeep_record::RecordId { class: first.class.clone(), batch: first.batch, index }.to_string(),
                )
            })),
            Part::Known { records } => places.extend((0..*records).map(|_| Place::Known)),
            Part::NotStored { records } => places.extend((0..*records).map(|_| Place::NotStored)),
        }
    }
    if !stored.numbers.is_empty() {
        let mut in_order: Vec<_> = stored.numbers.iter().zip(places).collect();
        in_order.sort_by_key(|(number, _)| **number);
        places = in_order.into_iter().map(|(_, place)| place).collect();
    }
    places
}

fn item(slot: Slot, places: &[Place], next: &mut usize, reason: &str) -> ItemAnswer<'static> {
    let Slot { action, index, id, fate } = slot;
    let failed = |id: Option<String>, error| Outcome::Failed { id: id.map(Cow::Owned), error };
    let conflict = |id: Option<String>| {
        let error = ItemError::conflict(id.as_deref().unwrap_or_default());
        Outcome::Failed { id: id.map(Cow::Owned), error }
    };
    let outcome = match fate {
        Fate::Record { version } => {
            let place = *next;
            *next += 1;
            match places.get(place) {
                Some(Place::Stored(record)) => {
                    let id = id.map_or_else(|| Cow::Owned(record.clone()), Cow::Owned);
                    Outcome::Stored { id, version }
                }
                Some(Place::Known) if action == Action::Create && id.is_some() => conflict(id),
                Some(Place::Known) => {
                    let id = id.unwrap_or_else(|| format!("stored-before-{place}"));
                    Outcome::Stored { id: Cow::Owned(id), version }
                }
                Some(Place::NotStored) | None => failed(id, ItemError::busy(reason)),
            }
        }
        Fate::Repeat { place, .. } if matches!(places.get(place), Some(Place::NotStored)) => {
            failed(id, ItemError::busy(reason))
        }
        Fate::Repeat { .. } | Fate::Exists { .. } if action == Action::Create => conflict(id),
        // What Elasticsearch would say of a document indexed again.
        Fate::Repeat { .. } => Outcome::Stored { id: Cow::Owned(id.unwrap_or_default()), version: 2 },
        Fate::LeftOut => Outcome::Stored { id: Cow::Owned(id.unwrap_or_else(|| "left-out".to_owned())), version: 1 },
        Fate::Exists { version } => Outcome::Stored { id: Cow::Owned(id.unwrap_or_default()), version: version + 1 },
        Fate::Rejected(error) => failed(id, error),
    };
    ItemAnswer { action, index: Cow::Owned(index.to_string()), outcome }
}
