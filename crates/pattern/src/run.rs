//! The rows of one segment, while it is written.
//!
//! A template that a row was given may become one with another, or make way, before the last row has come. So rows get
//! numbers of the run, and what each number stands for is decided in the end.

use std::collections::HashMap;

use crate::limits::Limits;
use crate::listed::{Listed, StreamKey};
use crate::miner::Miner;
use crate::stream::Slot;
use crate::template::{Template, TemplateId};

/// What a number of a run stands for.
#[derive(Debug)]
enum Entry {
    /// A template of a stream.
    Held(StreamKey, u32),
    /// One that made way.
    Gone(StreamKey, Box<(Template, Option<TemplateId>, Vec<TemplateId>)>),
    /// The same as another number.
    Same(u32),
}

/// All numbers of a run.
#[derive(Debug)]
pub(crate) struct Entries {
    run: u64,
    list: Vec<(Entry, u64)>,
    /// Numbers of rows for whose templates there is no room.
    others: HashMap<StreamKey, u32>,
}

impl Entries {
    pub(crate) fn new(run: u64) -> Self {
        Self { run, list: Vec::new(), others: HashMap::new() }
    }

    /// Of no run: nothing is counted.
    pub(crate) fn none() -> Self {
        Self::new(u64::MAX)
    }

    /// Never 0, which templates have that are of no run yet.
    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    pub(crate) fn begin(&mut self, stream: StreamKey, slot: u32) -> u32 {
        self.list.push((Entry::Held(stream, slot), 0));
        self.list.len() as u32 - 1
    }

    /// Whether no further template gets a number.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.list.len() - self.others.len() >= limits.listed.max(1)
    }

    /// The number of such a row.
    pub(crate) fn other(&mut self, stream: StreamKey, limits: &Limits) -> u32 {
        let is_new = !self.others.contains_key(&stream);
        let key = if is_new && self.others.len() >= limits.streams { StreamKey::OTHERS } else { stream };
        let next = self.list.len() as u32;
        let number = *self.others.entry(key).or_insert(next);
        if number == next {
            self.list.push((Entry::Gone(key, Box::new((Template::everything(), None, Vec::new()))), 0));
        }
        number
    }

    pub(crate) fn count(&mut self, number: u32) {
        self.list[number as usize].1 += 1;
    }

    pub(crate) fn same(&mut self, number: u32, as_number: u32) {
        self.list[number as usize].0 = Entry::Same(as_number);
    }

    pub(crate) fn moved(&mut self, number: u32, to: u32) {
        if let Entry::Held(_, slot) = &mut self.list[number as usize].0 {
            *slot = to;
        }
    }

    pub(crate) fn gone(&mut self, slot: Slot) {
        if slot.run != self.run {
            return;
        }
        let entry = &mut self.list[slot.number as usize].0;
        if let Entry::Held(stream, _) = *entry {
            *entry = Entry::Gone(stream, Box::new((slot.template, slot.id, slot.aliases)));
        }
    }

    /// The number that another stands for.
    fn resolved(&self, mut number: u32) -> u32 {
        // Each names one that was another template at that time, so there is no circle.
        while let Entry::Same(other) = self.list[number as usize].0 {
            number = other;
        }
        number
    }
}

/// The rows of one segment. Dropped before its end, it leaves behind what was learned, and no id.
#[derive(Debug)]
pub struct Run<'a> {
    miner: &'a mut Miner,
    entries: Entries,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Each template once, by stream and id.
    pub list: Vec<Listed>,
    /// For each number that [`Run::add`] gave, the place in the list.
    pub places: Vec<u32>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(miner: &'a mut Miner, run: u64) -> Self {
        Self { miner, entries: Entries::new(run) }
    }

    /// The limits of the miner.
    pub fn limits(&self) -> &Limits {
        self.miner.limits()
    }

    /// Gives the next row its template. The number is one of this run: [`Found::places`] says what it stands for.
    pub fn add(&mut self, stream: StreamKey, text: &str) -> u32 {
        self.miner.add(stream, text, &mut self.entries)
    }

    /// Ends the run: every template has an id from now on.
    pub fn finish(mut self) -> Found {
        for number in 0..self.entries.list.len() {
            if let Entry::Held(stream, slot) = self.entries.list[number].0 {
                self.miner.publish(stream, slot, &mut self.entries);
            }
        }
        let mut found = Found { list: Vec::new(), places: vec![0; self.entries.list.len()] };
        let mut places = HashMap::new();
        for number in 0..self.entries.list.len() as u32 {
            let count = self.entries.list[number as usize].1;
            let Some(listed) = self.listed(self.entries.resolved(number), count) else { continue };
            let place = *places.entry((listed.stream, listed.id)).or_insert(found.list.len() as u32);
            found.places[number as usize] = place;
            match found.list.get_mut(place as usize) {
                Some(known) => known.take_in(listed),
                None => found.list.push(listed),
            }
        }
        found.sort();
        found
    }

    fn listed(&self, number: u32, count: u64) -> Option<Listed> {
        match &self.entries.list[number as usize].0 {
            Entry::Held(stream, slot) => {
                let slot = self.miner.slot(*stream, *slot)?;
                let id = slot.id.unwrap_or_else(|| slot.template.first_id());
                let (template, aliases) = (slot.template.clone(), slot.aliases.clone());
                Some(Listed { stream: *stream, id, aliases, template, count })
            }
            Entry::Gone(stream, gone) => {
                let (template, id, aliases) = (**gone).clone();
                let id = id.unwrap_or_else(|| template.first_id());
                Some(Listed { stream: *stream, id, aliases, template, count })
            }
            Entry::Same(_) => None,
        }
    }
}

impl Found {
    /// By stream and id, so that the same rows make the same list.
    fn sort(&mut self) {
        let mut order: Vec<u32> = (0..self.list.len() as u32).collect();
        order.sort_by_key(|at| (self.list[*at as usize].stream, self.list[*at as usize].id));
        let mut to = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, old)| to[*old as usize] = new as u32);
        self.list.sort_by_key(|listed| (listed.stream, listed.id));
        self.places.iter_mut().filter(|_| !to.is_empty()).for_each(|place| *place = to[*place as usize]);
    }
}
