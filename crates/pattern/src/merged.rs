//! The lists of several segments as one.

use std::collections::HashMap;

use crate::limits::ALIASES;
use crate::listed::{Listed, StreamKey};
use crate::template::TemplateId;

impl Listed {
    /// Takes in another list's entry of what is the same template: the more general text wins, and where neither is, what
    /// covers both. The least id names it.
    pub(crate) fn take_in(&mut self, other: Self) {
        self.count += other.count;
        if let Some(joined) = self.template.join(&other.template) {
            self.template = joined;
        } else if other.template.by_generality(&self.template).is_lt() {
            // Never of one id by itself; the same in either order if somebody made it so.
            self.template = other.template;
        }
        let mut ids = std::mem::take(&mut self.aliases);
        ids.extend(other.aliases);
        ids.extend([self.id, other.id]);
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(ALIASES + 1);
        self.id = ids.remove(0);
        self.aliases = ids;
    }
}

/// One list of many, in which a template is there once: entries of a stream that share an id, or whose templates have the
/// same form, are one. In whatever order lists come, the result is the same, apart from ids beyond [`ALIASES`].
#[derive(Debug, Default)]
pub struct Merged {
    list: Vec<Option<Listed>>,
    /// For each list that came, the place of each of its entries.
    lists: Vec<Vec<u32>>,
    moved: HashMap<u32, u32>,
    ids: HashMap<(StreamKey, TemplateId), u32>,
    forms: HashMap<(StreamKey, Box<[u8]>), u32>,
}

impl Merged {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the list of a segment.
    pub fn add(&mut self, list: impl IntoIterator<Item = Listed>) {
        let places = list.into_iter().map(|listed| self.add_one(listed)).collect();
        self.lists.push(places);
    }

    fn add_one(&mut self, listed: Listed) -> u32 {
        let at = self.list.len() as u32;
        self.list.push(Some(listed));
        self.settle(at)
    }

    /// Puts an entry together with those that are the same, until there is none.
    fn settle(&mut self, mut at: u32) -> u32 {
        while let Some(other) = self.same_as(at) {
            let (into, from) = (at.min(other), at.max(other));
            if let (Some(gone), Some(kept)) = (self.list[from as usize].take(), &mut self.list[into as usize]) {
                kept.take_in(gone);
            }
            self.moved.insert(from, into);
            at = into;
        }
        if let Some(listed) = &self.list[at as usize] {
            let ids = listed.aliases.iter().chain([&listed.id]);
            self.ids.extend(ids.map(|id| ((listed.stream, *id), at)));
            self.forms.insert((listed.stream, listed.template.form().into()), at);
        }
        at
    }

    fn same_as(&self, at: u32) -> Option<u32> {
        let listed = self.list[at as usize].as_ref()?;
        let by_id = listed.aliases.iter().chain([&listed.id]).filter_map(|id| self.ids.get(&(listed.stream, *id)));
        let key = (listed.stream, listed.template.form().into());
        let by_form = self.forms.get(&key).filter(|other| {
            let other = self.list[self.place(**other) as usize].as_ref();
            other.is_some_and(|other| other.template.form() == listed.template.form())
        });
        by_id.chain(by_form).map(|other| self.place(*other)).find(|other| *other != at)
    }

    fn place(&self, mut at: u32) -> u32 {
        while let Some(into) = self.moved.get(&at) {
            at = *into;
        }
        at
    }

    /// The one list, by stream and id, and for each list that came the places of its entries there.
    pub fn finish(self) -> (Vec<Listed>, Vec<Vec<u32>>) {
        let mut order: Vec<u32> = (0..self.list.len() as u32).filter(|at| self.list[*at as usize].is_some()).collect();
        order.sort_by_key(|at| self.list[*at as usize].as_ref().map(|listed| (listed.stream, listed.id)));
        let to: HashMap<u32, u32> = order.iter().zip(0..).map(|(old, new)| (*old, new)).collect();
        let place = |at: &u32| to.get(&self.place(*at)).copied().unwrap_or_default();
        let lists = self.lists.iter().map(|list| list.iter().map(place).collect()).collect();
        let mut all = self.list;
        let list = order.iter().filter_map(|at| all[*at as usize].take()).collect();
        (list, lists)
    }
}
