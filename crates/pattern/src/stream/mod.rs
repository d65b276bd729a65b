//! The templates of one stream.
//!
//! A line's form is looked up among forms that came before (`known`); if it is new, its beginning leads to a few templates
//! (`route`), of which one may cover it or be like it (`find`, `alike`). A template that was widened may have become the
//! same as others (`settle`).

mod alike;
mod find;
mod index;
mod known;
mod route;
mod settle;

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::limits::Limits;
use crate::line::Line;
use crate::listed::StreamKey;
use crate::run::Entries;
use crate::template::{Template, TemplateId};
use crate::words::Words;

use known::Known;
use route::Route;

/// A template, and what is known of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) template: Template,
    /// From when it was first listed.
    pub(crate) id: Option<TemplateId>,
    pub(crate) aliases: Vec<TemplateId>,
    used: u64,
    /// The run that has it, and the number it has there.
    pub(crate) run: u64,
    pub(crate) number: u32,
}

#[derive(Debug)]
pub(crate) struct Stream {
    key: StreamKey,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    count: usize,
    /// Templates by their route.
    routes: HashMap<u64, Vec<u32>>,
    /// Templates by their form with one word of the route left open.
    siblings: HashMap<u64, Vec<u32>>,
    /// Templates by their shape.
    shapes: HashMap<u64, u32>,
    ids: HashMap<TemplateId, u32>,
    known: Known,
    epoch: u32,
    clock: u64,
    bytes: usize,
    pub(crate) used: u64,
}

impl Stream {
    pub(crate) fn new(key: StreamKey, limits: &Limits) -> Self {
        Self {
            key,
            slots: Vec::new(),
            free: Vec::new(),
            count: 0,
            routes: HashMap::new(),
            siblings: HashMap::new(),
            shapes: HashMap::new(),
            ids: HashMap::new(),
            known: Known::new(limits.known),
            epoch: 0,
            clock: 0,
            bytes: size_of::<Self>(),
            used: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.known.bytes()
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn slot(&self, at: u32) -> Option<&Slot> {
        self.slots.get(at as usize)?.as_ref()
    }

    pub(crate) fn slot_mut(&mut self, at: u32) -> Option<&mut Slot> {
        self.slots.get_mut(at as usize)?.as_mut()
    }

    /// The template of a line: the number that it has in this run.
    pub(crate) fn add(&mut self, line: &Line, limits: &Limits, entries: &mut Entries) -> u32 {
        let hash = xxh3_64(&line.form);
        self.clock += 1;
        let at = match self.known(hash, line) {
            Some(at) => at,
            None => {
                let at = self.find(hash, line, limits, entries);
                self.known.put(hash, at, self.epoch);
                at
            }
        };
        let number = self.number(at, limits, entries);
        entries.count(number);
        number
    }

    /// The number of a template in a run.
    fn number(&mut self, at: u32, limits: &Limits, entries: &mut Entries) -> u32 {
        let (clock, key, run) = (self.clock, self.key, entries.run());
        let Some(slot) = self.slot_mut(at) else { return entries.other(key, limits) };
        slot.used = clock;
        if slot.run != run {
            if entries.is_full(limits) {
                return entries.other(key, limits);
            }
            (slot.run, slot.number) = (run, entries.begin(key, at));
        }
        slot.number
    }

    fn known(&self, hash: u64, line: &Line) -> Option<u32> {
        let entry = self.known.get(hash)?;
        let template = &self.slot(entry.slot)?.template;
        let fits = (!template.has_anything() || entry.epoch == self.epoch) && template.covers_words(line);
        (fits && template.has_kinds(line)).then_some(entry.slot)
    }

    fn find(&mut self, hash: u64, line: &Line, limits: &Limits, entries: &mut Entries) -> u32 {
        let route = Route::of(line);
        let found = self.same_shape(hash, line).map(|at| vec![at]).or_else(|| self.best(line, &route, limits));
        let at = match found.as_deref() {
            Some([at, others @ ..]) => {
                let at = self.widen(*at, line, limits, entries);
                others.iter().fold(at, |all, one| self.unite(*one, all, entries))
            }
            _ => {
                self.make_room(limits, entries, &route, line);
                self.insert(Template::of(line), None, Vec::new())
            }
        };
        self.settle(at, limits, entries)
    }

    /// The id of a template, which it has from now on.
    pub(crate) fn publish(&mut self, at: u32, entries: &mut Entries) {
        let Some(slot) = self.slot(at).filter(|slot| slot.id.is_none()) else { return };
        let id = slot.template.first_id();
        match self.ids.get(&id).copied().filter(|other| *other != at) {
            Some(other) => {
                self.unite(at, other, entries);
            }
            None => self.rename(at, vec![id]),
        }
    }

    /// Takes up a template that was listed before.
    pub(crate) fn restore(&mut self, template: Template, ids: Vec<TemplateId>, limits: &Limits, entries: &mut Entries) {
        let known = ids.iter().find_map(|id| self.ids.get(id)).copied();
        let at = match known {
            Some(at) => {
                let joined = self.slot(at).and_then(|slot| slot.template.join(&template));
                if let Some(joined) = joined {
                    self.replace(at, joined);
                }
                at
            }
            None => {
                let route = Route::of(&template);
                self.make_room(limits, entries, &route, &template);
                self.insert(template, None, Vec::new())
            }
        };
        self.rename(at, ids);
        self.settle(at, limits, entries);
    }

    /// Lets the least recent templates go until there is room for one that begins like this.
    fn make_room(&mut self, limits: &Limits, entries: &mut Entries, route: &Route, line: &impl Words) {
        let alike = self.routes.get(&route.own_key(line)).filter(|slots| slots.len() >= limits.alike.max(1));
        let least = alike.and_then(|slots| slots.iter().copied().min_by_key(|at| self.slot(*at).map(|slot| slot.used)));
        if let Some(at) = least {
            self.evict(at, entries);
        }
        while self.count >= limits.templates.max(1) && self.evict_least(entries) {}
    }

    /// Lets the least recent template go; `false` if there is none.
    pub(crate) fn evict_least(&mut self, entries: &mut Entries) -> bool {
        let used = |at: &u32| self.slot(*at).map_or(u64::MAX, |slot| slot.used);
        let least = (0..self.slots.len() as u32).filter(|at| self.slot(*at).is_some()).min_by_key(used);
        least.map(|at| self.evict(at, entries)).is_some()
    }

    /// Lets all templates go.
    pub(crate) fn evict_all(&mut self, entries: &mut Entries) {
        (0..self.slots.len() as u32).for_each(|at| self.evict(at, entries));
    }

    fn evict(&mut self, at: u32, entries: &mut Entries) {
        if let Some(slot) = self.remove(at) {
            entries.gone(slot);
        }
    }
}
