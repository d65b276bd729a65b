//! A bulk request before it is stored: which items become records, and what the others are answered.

use std::sync::Arc;

use logkeep_record::{Resource, TenantId};
use logkeep_wire::compress::decompress;
use logkeep_wire::elasticsearch::{Action, BulkError, Document, Item, ItemError, decode};
use sha2::{Digest as _, Sha256};

use super::ids::{self, Claim, Claims, Ids, Kept};
use crate::account::reason;
use crate::entry::Entry;
use crate::prepare::{Prepared, Preparing};
use crate::refusal::{Kind, Refusal};

/// Status of an item whose id belongs to other content.
const CONFLICT: u16 = 409;

/// One item on its way to its answer.
pub(super) struct Slot {
    pub(super) action: Action,
    pub(super) index: Arc<str>,
    pub(super) id: Option<String>,
    pub(super) fate: Fate,
}

impl Slot {
    /// What is wrong with an item that can never be stored.
    pub(super) fn fault(&self) -> Option<&ItemError> {
        match &self.fate {
            Fate::Rejected(error) if error.status != CONFLICT => Some(error),
            _ => None,
        }
    }
}

/// What becomes of an item.
pub(super) enum Fate {
    /// The next record of the request, as this version.
    Record { version: u64 },
    /// The same id as a record of the request; with the same bytes, or to be created with others.
    Repeat { same: bool },
    /// Stored before, with the same bytes; nothing to do.
    Exists { version: u64 },
    /// Left out by a policy, which is no concern of its sender's.
    LeftOut,
    /// Never to be stored.
    Rejected(ItemError),
}

/// A request ready to be stored.
pub(super) struct Plan {
    pub(super) slots: Vec<Slot>,
    pub(super) prepared: Prepared,
    pub(super) claims: Kept,
    /// Set if all of its records have ids: it names exactly these documents in these versions.
    pub(super) key: Option<Vec<u8>>,
}

/// What a request came with.
pub(super) struct Source<'a> {
    pub(super) tenant: &'a TenantId,
    pub(super) entry: Entry,
    pub(super) body: &'a [u8],
    pub(super) content_encoding: &'a str,
    pub(super) default_index: Option<&'a str>,
    pub(super) received_ns: i64,
    pub(super) max_bytes: usize,
}

impl From<BulkError> for Refusal {
    fn from(error: BulkError) -> Self {
        let kind = if error == BulkError::TooMany { Kind::TooLarge } else { Kind::Malformed };
        Self::new(kind, error.to_string())
    }
}

/// Plans a request. `None` if an id of it is claimed by another that is still under way: nothing is claimed, plan again
/// when that is settled.
pub(super) fn plan(source: Source<'_>, ids: &Ids) -> Result<Option<Plan>, Refusal> {
    let body = decompress(source.body, source.content_encoding, source.max_bytes)?;
    let items = decode(&body, source.default_index)?;
    let mut planner = Planner {
        tenant: source.tenant,
        received_ns: source.received_ns,
        resource: Resource::from_attributes(Vec::new()),
        claims: ids.claims(source.received_ns),
        preparing: Preparing::new(source.entry),
        records: 0,
        key: Some(Sha256::new()),
        index: "".into(),
    };
    let mut slots = Vec::with_capacity(items.len());
    let (mut known, mut conflicts, mut malformed) = (0, 0, 0);
    for item in items {
        let Some(slot) = planner.item(item)? else { return Ok(None) };
        match &slot.fate {
            Fate::Record { .. } | Fate::LeftOut => {}
            Fate::Exists { .. } | Fate::Repeat { same: true, .. } => known += 1,
            Fate::Repeat { .. } => conflicts += 1,
            Fate::Rejected(error) if error.status == CONFLICT => conflicts += 1,
            Fate::Rejected(_) => malformed += 1,
        }
        slots.push(slot);
    }
    let key = planner.key.filter(|_| planner.records > 0);
    let key = key.map(|hasher| [b"elasticsearch\0".as_slice(), &hasher.finalize()].concat());
    let prepared = planner.preparing.finish()?.knowing(known);
    let prepared = prepared.rejecting(conflicts, reason::CONFLICT).rejecting(malformed, reason::MALFORMED);
    Ok(Some(Plan { slots, prepared, claims: planner.claims.keep(), key }))
}

struct Planner<'a, 'i> {
    tenant: &'a TenantId,
    received_ns: i64,
    resource: Arc<Resource>,
    claims: Claims<'i>,
    preparing: Preparing,
    records: usize,
    key: Option<Sha256>,
    /// The last one; most requests name but one.
    index: Arc<str>,
}

impl Planner<'_, '_> {
    fn item(&mut self, item: Item<'_>) -> Result<Option<Slot>, Refusal> {
        let (action, index, id, fate) = match item {
            Item::Rejected(item) => (item.action, item.index, item.id, Some(Fate::Rejected(item.error))),
            Item::Document(document) => {
                let fate = self.document(&document)?;
                (document.action, document.index, document.id, fate)
            }
        };
        if *self.index != *index {
            self.index = index.as_ref().into();
        }
        let id = id.map(|id| id.into_owned());
        Ok(fate.map(|fate| Slot { action, index: self.index.clone(), id, fate }))
    }

    /// `None` if its id is claimed by another request.
    fn document(&mut self, document: &Document<'_>) -> Result<Option<Fate>, Refusal> {
        let record = match document.record(self.received_ns, &self.resource) {
            Ok(record) => record,
            Err(error) => return Ok(Some(Fate::Rejected(error))),
        };
        let Some(screened) = self.preparing.screened(record) else { return Ok(Some(Fate::LeftOut)) };
        let version = match &document.id {
            None => {
                self.key = None;
                1
            }
            Some(id) => match self.claim(document, id) {
                Ok(version) => version,
                Err(fate) => return Ok(fate),
            },
        };
        self.preparing.push_screened(screened)?;
        self.records += 1;
        Ok(Some(Fate::Record { version }))
    }

    /// The version to store, or what else becomes of the document.
    fn claim(&mut self, document: &Document<'_>, id: &str) -> Result<u64, Option<Fate>> {
        let name = ids::name(self.tenant, &document.index, id);
        let content = ids::content(document.source());
        let create = document.action == Action::Create;
        match self.claims.claim(name, content, create) {
            Claim::Fresh { version } => {
                if let Some(key) = &mut self.key {
                    key.update(name);
                    key.update(content);
                    key.update(version.to_le_bytes());
                }
                Ok(version)
            }
            Claim::Exists { version, same: true } => Err(Some(Fate::Exists { version })),
            Claim::Exists { .. } => Err(Some(Fate::Rejected(ItemError::conflict(id)))),
            Claim::Own { same } => Err(Some(Fate::Repeat { same })),
            Claim::Wait => Err(None),
        }
    }
}
