//! Which files of the log are still needed.

use std::collections::{BTreeMap, HashMap};

use crate::state::ClassKey;

/// For each file, the first and the last batch of each class in it. A file may go when all of them are in segments.
#[derive(Default)]
pub(crate) struct WalFiles {
    files: BTreeMap<u64, HashMap<ClassKey, (u64, u64)>>,
}

impl WalFiles {
    /// A new current file.
    pub(crate) fn begin(&mut self, file: u64) {
        self.files.entry(file).or_default();
    }

    /// A batch is in a file.
    pub(crate) fn note(&mut self, file: u64, class: &ClassKey, batch: u64) {
        let range = self.files.entry(file).or_default().entry(class.clone()).or_insert((batch, batch));
        *range = (range.0.min(batch), range.1.max(batch));
    }

    /// Forgets and gives the files, but for the current one, whose batches are all below `flushed` of their class.
    pub(crate) fn take_flushed(&mut self, flushed: impl Fn(&ClassKey) -> u64) -> Vec<u64> {
        let Some(current) = self.files.keys().next_back().copied() else { return Vec::new() };
        let done = |(file, classes): (&u64, &HashMap<ClassKey, (u64, u64)>)| {
            let all = classes.iter().all(|(class, (_, last))| *last < flushed(class));
            (*file != current && all).then_some(*file)
        };
        let gone: Vec<u64> = self.files.iter().filter_map(done).collect();
        gone.iter().for_each(|file| drop(self.files.remove(file)));
        gone
    }

    /// The first batch of a class that a file still has, and whether that is the current one.
    pub(crate) fn first_of(&self, class: &ClassKey) -> Option<(u64, bool)> {
        let current = self.files.keys().next_back().copied();
        let mut files = self.files.iter();
        files.find_map(|(file, classes)| Some((classes.get(class)?.0, Some(*file) == current)))
    }

    /// The classes that hold back the oldest file, if there is more than one file.
    pub(crate) fn holding_back(&self) -> Vec<ClassKey> {
        match self.files.iter().next() {
            Some((_, classes)) if self.files.len() > 1 => classes.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}
