//! Putting templates together that turn out to be one.
//!
//! Whether they are follows from the templates that there are, and not from the order in which they came: so a miner that
//! is restored from what segments list goes on as the one before would have.

use std::cmp::Ordering;

use crate::limits::{ALIASES, Limits};
use crate::line::Line;
use crate::run::Entries;
use crate::template::TemplateId;

use super::Stream;
use super::alike::in_common;
use super::index::{ALIAS_BYTES, sibling_keys};
use super::route::Route;

impl Stream {
    /// Makes a template cover a line.
    pub(super) fn widen(&mut self, at: u32, line: &Line, limits: &Limits, entries: &mut Entries) -> u32 {
        let Some(slot) = self.slot(at) else { return at };
        if slot.template.covers_words(line) && slot.template.has_kinds(line) {
            return at;
        }
        let Some(wider) = slot.template.join_line(line) else { return at };
        self.replace(at, wider);
        self.settle(at, limits, entries)
    }

    /// Puts templates together that are one, until none is left that is.
    pub(super) fn settle(&mut self, mut at: u32, limits: &Limits, entries: &mut Entries) -> u32 {
        loop {
            if let Some(other) = self.equal_to(at) {
                at = self.unite(at, other, entries);
                continue;
            }
            if let Some((from, into)) = self.special_case(at) {
                at = self.unite(from, into, entries);
                continue;
            }
            let Some(siblings) = self.many_siblings(at, limits) else { return at };
            at = siblings[1..].iter().fold(siblings[0], |all, one| self.unite(*one, all, entries));
        }
    }

    /// Makes two templates one, which is the second.
    pub(super) fn unite(&mut self, from: u32, into: u32, entries: &mut Entries) -> u32 {
        let joined = self.slot(from).zip(self.slot(into)).and_then(|(from, into)| into.template.join(&from.template));
        self.absorb(from, into, entries);
        if let Some(joined) = joined {
            self.replace(into, joined);
        }
        into
    }

    /// Two templates that begin alike, one of them this one, of which the first is a special case of the second.
    pub(super) fn special_case(&self, at: u32) -> Option<(u32, u32)> {
        let own = &self.slot(at)?.template;
        let slots = self.routes.get(&Route::of(own).own_key(own))?;
        let others = slots.iter().copied().filter(|other| *other != at);
        others.filter_map(|other| Some((other, &self.slot(other)?.template))).find_map(|(other, template)| {
            if own.covers_words_of(template) {
                return Some((other, at));
            }
            template.covers_words_of(own).then_some((at, other))
        })
    }

    pub(super) fn equal_to(&self, at: u32) -> Option<u32> {
        let own = &self.slot(at)?.template;
        let other = *self.shapes.get(&own.shape())?;
        (other != at && self.slot(other)?.template.is_shaped_like(own)).then_some(other)
    }

    /// Templates that are alike but for one word of the route, this one among them, if they are so many that the word is a
    /// variable. It is asked from each of them, so that it does not matter which came last.
    pub(super) fn many_siblings(&self, at: u32, limits: &Limits) -> Option<Vec<u32>> {
        for (key, word) in sibling_keys(&self.slot(at)?.template) {
            let own = self.siblings_of(at, key, word, limits)?;
            let mut all = [at].into_iter().chain(own.iter().copied().filter(|other| *other != at));
            let of_one = |one: u32| {
                self.siblings_of(one, key, word, limits).filter(|found| self.are_many(one, found, word, limits))
            };
            if let Some(mut many) = all.find_map(of_one) {
                many.sort_by(|one, other| self.order(*one, *other));
                return Some(many);
            }
        }
        None
    }

    pub(super) fn order(&self, one: u32, other: u32) -> Ordering {
        let both = self.slot(one).zip(self.slot(other));
        both.map_or(Ordering::Equal, |(one, other)| one.template.by_generality(&other.template))
    }

    /// Templates that may be the same as one if this word is a variable; itself among them.
    pub(super) fn siblings_of(&self, at: u32, key: u64, word: usize, limits: &Limits) -> Option<Vec<u32>> {
        let own = &self.slot(at)?.template;
        let candidates = self.siblings.get(&key)?.iter().copied().take(limits.alike.max(1));
        let is_one = |other: &u32| {
            let slot = self.slot(*other);
            slot.is_some_and(|slot| *other == at || in_common(own, &slot.template, word).is_some())
        };
        Some(candidates.filter(is_one).collect())
    }

    pub(super) fn are_many(&self, at: u32, found: &[u32], word: usize, limits: &Limits) -> bool {
        let Some(own) = self.slot(at) else { return false };
        let others = found.iter().filter(|other| **other != at).filter_map(|other| self.slot(*other));
        let common = others.filter_map(|other| in_common(&own.template, &other.template, word)).min().unwrap_or(0);
        found.len() >= limits.siblings[2 - common.min(2)].max(2)
    }

    /// The rows of one template are those of another from now on.
    pub(super) fn absorb(&mut self, from: u32, into: u32, entries: &mut Entries) {
        let Some(gone) = self.remove(from) else { return };
        let mut ids = gone.aliases;
        ids.extend(gone.id);
        let Some(slot) = self.slot_mut(into) else { return };
        slot.used = slot.used.max(gone.used);
        if gone.run == entries.run() {
            if slot.run == gone.run {
                entries.same(gone.number, slot.number);
            } else {
                (slot.run, slot.number) = (gone.run, gone.number);
                entries.moved(gone.number, into);
            }
        }
        self.rename(into, ids);
    }

    /// Gives a template further ids: the least names it.
    pub(super) fn rename(&mut self, at: u32, more: Vec<TemplateId>) {
        let Some(slot) = self.slots.get_mut(at as usize).and_then(Option::as_mut) else { return };
        let mut all = std::mem::take(&mut slot.aliases);
        self.bytes -= all.len() * ALIAS_BYTES;
        all.extend(slot.id);
        all.extend(more);
        all.sort_unstable();
        all.dedup();
        all.truncate(ALIASES + 1);
        if all.is_empty() {
            return;
        }
        self.ids.extend(all.iter().map(|id| (*id, at)));
        slot.id = Some(all.remove(0));
        slot.aliases = all;
        self.bytes += slot.aliases.len() * ALIAS_BYTES;
    }
}
