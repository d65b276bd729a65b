//! From rules to records without what they are about.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logkeep_record::{Record, Resource, TenantId, Value};

use crate::hash::{HashKey, TenantKey};
use crate::key_lines::{self, KeyLines};
use crate::kind::{Kind, KindSet};
use crate::recognise::Found;
use crate::replace::{Patch, apply, marker, rank};
use crate::rewrite::{Known, Rewriter, search};
use crate::rules::{Plan, Rules};
use crate::scan::Scanner;
use crate::suspect::{Extent, Gathering, Harmless};
use crate::unescape::Layers;

/// Resources remembered by one [`Redaction`]; at this number all are forgotten and the ones in use come back.
const RESOURCES: usize = 4_096;

/// The policy that leaves a record out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut(pub Arc<str>);

/// Rules, ready to be used by any number of threads.
pub struct Redactor {
    rules: Rules,
    pub(crate) scanner: Scanner,
    /// All that any rule may be about.
    wanted: KindSet,
    key: HashKey,
    /// For rules that say nothing of tenants and services.
    one_plan: Option<Arc<Plan>>,
    counts: [AtomicU64; Kind::COUNT],
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Redactor {
    /// Makes rules ready. `key` is what values are hashed with.
    pub fn new(rules: Rules, key: HashKey) -> Self {
        let is_one = rules.rules.iter().all(|rule| rule.tenants.is_empty() && rule.services.is_empty());
        let one_plan = is_one.then(|| Arc::new(rules.plan(&TenantId::default(), "")));
        let wanted = rules.wanted();
        let scanner = Scanner::new(wanted);
        Self { rules, scanner, wanted, key, one_plan, counts: [const { AtomicU64::new(0) }; Kind::COUNT] }
    }

    /// Values found since the start, by what they are.
    pub fn counts(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.iter().map(|kind| (*kind, self.counts[*kind as usize].load(Ordering::Relaxed)))
    }

    pub(crate) fn count(&self, kind: Kind) {
        self.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What is found in a text of the default tenant, in order: what it is, and its place.
    pub fn find(&self, text: &str) -> Vec<(Kind, std::ops::Range<usize>)> {
        let plan = self.plan(&TenantId::default(), "");
        let mut found = Vec::new();
        search(&self.scanner, text, plan.wanted, |one, _, _| found.push((one.kind, one.start..one.end)));
        found.sort_by_key(|(kind, place)| (place.start, *kind));
        let mut end = 0;
        found.retain(|(_, place)| {
            let is_new = place.start >= end;
            end = end.max(place.end);
            is_new
        });
        found
    }

    /// A text that is no part of a record, such as what a sender calls itself, without anything that a rule is about for
    /// whomever.
    pub fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut patches = Vec::new();
        search(&self.scanner, text, self.wanted, |Found { kind, start, end }, _, layer| {
            patches.push(Patch { start, end, marker: marker(kind.name(), None), rank: rank(kind, layer) });
        });
        if patches.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(apply(text, patches)) }
    }

    fn plan(&self, tenant: &TenantId, service: &str) -> Arc<Plan> {
        self.one_plan.clone().unwrap_or_else(|| Arc::new(self.rules.plan(tenant, service)))
    }
}

/// What is known of a resource.
struct Seen {
    plan: Arc<Plan>,
    resource: Result<Arc<Resource>, LeftOut>,
    /// What it holds that its records may hold as well.
    known: Known,
}

/// What was seen of a record at first sight.
struct Suspicion {
    /// Its text may hold something.
    by_text: bool,
    /// It has a field that a rule names.
    has_field: bool,
    /// Not all of its text was searched.
    spared: bool,
}

/// Redacts records of one tenant. Remembers their resources, so one per task, and not shared.
pub struct Redaction {
    redactor: Arc<Redactor>,
    key: TenantKey,
    by_resource: HashMap<[u8; 32], Arc<Seen>>,
    last: Option<(Arc<Resource>, Arc<Seen>)>,
    scratch: Vec<u8>,
    harmless: Harmless,
    found: Vec<Found>,
    key_lines: KeyLines,
}

impl Redaction {
    /// For the records of a tenant.
    pub fn new(redactor: Arc<Redactor>, tenant: TenantId) -> Self {
        let key = TenantKey::new(&redactor.key, tenant);
        Self {
            redactor,
            key,
            by_resource: HashMap::new(),
            last: None,
            scratch: Vec::new(),
            harmless: Harmless::default(),
            found: Vec::new(),
            key_lines: KeyLines::default(),
        }
    }

    /// Where private keys have begun and not ended.
    pub fn key_lines(&self) -> &KeyLines {
        &self.key_lines
    }

    /// Goes on where another stopped, whose records came before.
    pub fn go_on(&mut self, key_lines: KeyLines) {
        self.key_lines = key_lines;
    }

    /// Hides in a record what the rules are about.
    ///
    /// # Errors
    /// [`LeftOut`]: the record is not to be stored at all.
    pub fn apply(&mut self, record: &mut Record<'_>) -> Result<(), LeftOut> {
        let seen = self.seen(&record.resource);
        if seen.plan.is_idle() {
            return Ok(());
        }
        let resource = seen.resource.as_ref().map_err(Clone::clone)?;
        let of_a_key = if self.key_lines.is_empty() { None } else { self.key_lines.next(record) };
        if of_a_key.is_some() || self.is_suspect(record, &seen) {
            let mut rewriter = Rewriter::new(&self.redactor, &seen.plan, &self.key, seen.known.clone());
            if seen.plan.wanted.has(Kind::PrivateKey) && record.body.as_str().is_some_and(key_lines::begins) {
                self.key_lines.begin(record);
            }
            if let Some(line) = of_a_key {
                rewriter.hide(Kind::PrivateKey, &line)?;
            }
            rewriter.record(record)?;
        }
        if !Arc::ptr_eq(&record.resource, resource) {
            record.resource = resource.clone();
        }
        Ok(())
    }

    fn seen(&mut self, resource: &Arc<Resource>) -> Arc<Seen> {
        if let Some((last, seen)) = &self.last
            && Arc::ptr_eq(last, resource)
        {
            return seen.clone();
        }
        let seen = match self.by_resource.get(resource.digest()) {
            Some(seen) => seen.clone(),
            None => {
                if self.by_resource.len() >= RESOURCES {
                    self.by_resource.clear();
                }
                let seen = Arc::new(self.look_at(resource));
                self.by_resource.insert(*resource.digest(), seen.clone());
                seen
            }
        };
        self.last = Some((resource.clone(), seen.clone()));
        seen
    }

    fn look_at(&self, resource: &Arc<Resource>) -> Seen {
        let service = resource.attribute("service.name").and_then(Value::as_str).unwrap_or_default();
        let plan = self.redactor.plan(self.key.tenant(), service);
        let mut rewriter = Rewriter::new(&self.redactor, &plan, &self.key, Known::default());
        let rewritten = rewriter.resource(resource);
        let known = rewriter.into_known();
        let resource = rewritten.map(|changed| changed.unwrap_or_else(|| resource.clone()));
        Seen { plan, resource, known }
    }

    /// Whether the record may hold something.
    fn is_suspect(&mut self, record: &Record<'_>, seen: &Seen) -> bool {
        if !seen.known.is_empty() {
            return true;
        }
        let once = self.suspicion(record, &seen.plan, Extent::Once);
        // The name of a field whose text is elsewhere may be all there is.
        if once.by_text && once.spared && !once.has_field {
            return self.suspicion(record, &seen.plan, Extent::Whole).by_text;
        }
        once.has_field || once.by_text
    }

    fn suspicion(&mut self, record: &Record<'_>, plan: &Plan, extent: Extent) -> Suspicion {
        let buffer = std::mem::take(&mut self.scratch);
        let mut gathering = Gathering::new(plan, &self.redactor.scanner, &mut self.harmless, buffer);
        gathering.record(record, extent);
        let Gathering { text, has_field, spared, .. } = gathering;
        let by_text = !has_field && self.has_any(&text, plan);
        self.scratch = text;
        Suspicion { by_text, has_field, spared }
    }

    fn has_any(&mut self, text: &[u8], plan: &Plan) -> bool {
        self.found.clear();
        let mut layers = Layers::of(text);
        loop {
            self.redactor.scanner.scan(layers.bytes(), plan.wanted, &mut self.found);
            if !self.found.is_empty() || !layers.undo() {
                break;
            }
        }
        !self.found.is_empty()
    }
}
