//! Which template a form had when it came last.
//!
//! Most lines have a form that has come before, and one look at this table finds their template. What it says is compared
//! with the template always, so an entry that is out of date costs time and nothing else.

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    hash: u64,
    pub(crate) slot: u32,
    /// Templates have not changed since, where it is the same.
    pub(crate) epoch: u32,
}

/// A form has one place in the table, where the next form of that place takes over.
#[derive(Debug)]
pub(crate) struct Known {
    entries: Vec<Entry>,
    taken_over: usize,
    most: usize,
}

const SMALLEST: usize = 64;
const LARGEST: usize = 1 << 20;
const EMPTY: Entry = Entry { hash: 0, slot: u32::MAX, epoch: 0 };

impl Known {
    pub(crate) fn new(most: usize) -> Self {
        Self { entries: Vec::new(), taken_over: 0, most: most.clamp(1, LARGEST).next_power_of_two() }
    }

    pub(crate) fn get(&self, hash: u64) -> Option<Entry> {
        self.entries.get(self.place(hash)).filter(|entry| entry.hash == hash).copied()
    }

    pub(crate) fn put(&mut self, hash: u64, slot: u32, epoch: u32) {
        if self.taken_over * 2 > self.entries.len() || self.entries.is_empty() {
            self.grow();
        }
        let place = self.place(hash);
        let entry = &mut self.entries[place];
        self.taken_over += usize::from(entry.slot != u32::MAX && entry.hash != hash);
        *entry = Entry { hash, slot, epoch };
    }

    /// Twice as large, while it may be. Fewer places are fought over then.
    fn grow(&mut self) {
        self.taken_over = 0;
        let size = (self.entries.len() * 2).max(SMALLEST).min(self.most);
        if size == self.entries.len() {
            return;
        }
        let old = std::mem::replace(&mut self.entries, vec![EMPTY; size]);
        for entry in old.into_iter().filter(|entry| entry.slot != u32::MAX) {
            let place = self.place(entry.hash);
            self.entries[place] = entry;
        }
    }

    fn place(&self, hash: u64) -> usize {
        hash as usize & self.entries.len().wrapping_sub(1)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.len() * size_of::<Entry>()
    }
}
