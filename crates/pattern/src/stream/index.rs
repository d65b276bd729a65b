//! The maps by which templates are found, kept in step with them.

use std::collections::HashMap;

use crate::line::ANYTHING;
use crate::template::{Template, TemplateId};
use crate::words::Words as _;

use super::route::Route;
use super::{Slot, Stream};

/// Memory that a template takes beside its own, roughly: its place, and entries of maps.
const OVERHEAD: usize = 320;
/// And each further id.
pub(super) const ALIAS_BYTES: usize = 40;

impl Stream {
    pub(super) fn insert(&mut self, template: Template, id: Option<TemplateId>, aliases: Vec<TemplateId>) -> u32 {
        let slot = Slot { template, id, aliases, used: self.clock, run: 0, number: 0 };
        let at = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[at as usize] = Some(slot);
        self.count += 1;
        self.link(at);
        at
    }

    pub(super) fn replace(&mut self, at: u32, template: Template) {
        self.unlink(at);
        if let Some(slot) = self.slot_mut(at) {
            slot.template = template;
        }
        self.link(at);
        self.epoch = self.epoch.wrapping_add(1);
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<Slot> {
        self.slot(at)?;
        self.unlink(at);
        let slot = self.slots[at as usize].take()?;
        for id in slot.aliases.iter().chain(&slot.id) {
            if self.ids.get(id) == Some(&at) {
                self.ids.remove(id);
            }
        }
        self.free.push(at);
        self.count -= 1;
        self.epoch = self.epoch.wrapping_add(1);
        Some(slot)
    }

    pub(super) fn link(&mut self, at: u32) {
        let Some(slot) = self.slots[at as usize].as_ref() else { return };
        let template = &slot.template;
        self.routes.entry(Route::of(template).own_key(template)).or_default().push(at);
        for (key, _) in sibling_keys(template) {
            self.siblings.entry(key).or_default().push(at);
        }
        self.shapes.entry(template.shape()).or_insert(at);
        self.bytes += template.bytes() + OVERHEAD + slot.aliases.len() * ALIAS_BYTES;
    }

    pub(super) fn unlink(&mut self, at: u32) {
        let Some(slot) = self.slots[at as usize].as_ref() else { return };
        let template = &slot.template;
        take(&mut self.routes, Route::of(template).own_key(template), at);
        for (key, _) in sibling_keys(template) {
            take(&mut self.siblings, key, at);
        }
        let shape = template.shape();
        if self.shapes.get(&shape) == Some(&at) {
            self.shapes.remove(&shape);
        }
        self.bytes -= template.bytes() + OVERHEAD + slot.aliases.len() * ALIAS_BYTES;
    }
}

fn take(map: &mut HashMap<u64, Vec<u32>>, key: u64, at: u32) {
    if let Some(slots) = map.get_mut(&key) {
        slots.retain(|slot| *slot != at);
        if slots.is_empty() {
            map.remove(&key);
        }
    }
}

/// What a template shares with its siblings, which differ in one word of the route, and which word that is.
pub(super) fn sibling_keys(template: &Template) -> impl Iterator<Item = (u64, usize)> + '_ {
    let route = Route::of(template);
    let keys = route.sibling_keys(template);
    // Siblings have that word in the same place.
    let words =
        route.words.into_iter().zip(keys).filter_map(|(word, key)| Some((key.wrapping_add(word? as u64), word?)));
    words.filter(|(_, at)| !template.word(*at).contains(&ANYTHING))
}
