//! The templates of all streams of a tenant and class.

use std::collections::HashMap;

use crate::limits::Limits;
use crate::line::Line;
use crate::listed::{Listed, StreamKey};
use crate::run::{Entries, Run};
use crate::scan;
use crate::stream::{Slot, Stream};

/// Finds templates, and keeps them from one segment to the next. One for each tenant and class, so that nothing of one
/// shows in another.
#[derive(Debug)]
pub struct Miner {
    limits: Limits,
    streams: HashMap<StreamKey, Box<Stream>>,
    line: Line,
    bytes: usize,
    clock: u64,
    runs: u64,
}

impl Miner {
    /// Knows nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, streams: HashMap::new(), line: Line::default(), bytes: 0, clock: 0, runs: 0 }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Bytes of memory that templates take, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many streams there are.
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// How many templates there are.
    pub fn templates(&self) -> usize {
        self.streams.values().map(|stream| stream.count()).sum()
    }

    /// Begins the rows of a segment.
    pub fn begin(&mut self) -> Run<'_> {
        self.runs += 1;
        let run = self.runs;
        Run::new(self, run)
    }

    /// Takes up a template that a segment lists, so that lines get its id again. The newest segments come first: what is
    /// over the limits makes way in the order in which it came.
    pub fn restore(&mut self, listed: &Listed) {
        if listed.template.is_everything() {
            return;
        }
        let mut entries = Entries::none();
        let ids = listed.aliases.iter().chain([&listed.id]).copied().collect();
        let limits = self.limits;
        self.with(listed.stream, &mut entries, |stream, entries| {
            stream.restore(listed.template.clone(), ids, &limits, entries);
        });
        self.keep_bounds(listed.stream, &mut entries);
    }

    pub(crate) fn add(&mut self, key: StreamKey, text: &str, entries: &mut Entries) -> u32 {
        let mut line = std::mem::take(&mut self.line);
        scan::read(text, &mut line);
        let limits = self.limits;
        let number = self.with(key, entries, |stream, entries| stream.add(&line, &limits, entries));
        self.line = line;
        if self.bytes > self.limits.bytes {
            self.keep_bounds(key, entries);
        }
        number
    }

    pub(crate) fn publish(&mut self, key: StreamKey, slot: u32, entries: &mut Entries) {
        self.with(key, entries, |stream, entries| stream.publish(slot, entries));
    }

    pub(crate) fn slot(&self, key: StreamKey, slot: u32) -> Option<&Slot> {
        self.streams.get(&key)?.slot(slot)
    }

    /// Does something with a stream, and keeps count of its bytes.
    fn with<T>(
        &mut self,
        key: StreamKey,
        entries: &mut Entries,
        act: impl FnOnce(&mut Stream, &mut Entries) -> T,
    ) -> T {
        if !self.streams.contains_key(&key) {
            self.make_room(entries);
        }
        self.clock += 1;
        let limits = &self.limits;
        let mut made = 0;
        let stream = self.streams.entry(key).or_insert_with(|| {
            let stream = Box::new(Stream::new(key, limits));
            made = stream.bytes();
            stream
        });
        stream.used = self.clock;
        let before = stream.bytes() - made;
        let result = act(stream, entries);
        self.bytes = self.bytes + stream.bytes() - before;
        result
    }

    fn make_room(&mut self, entries: &mut Entries) {
        while self.streams.len() >= self.limits.streams.max(1) && self.drop_least(None, entries) {}
    }

    /// Lets streams go until all fit, and then templates of the one in use.
    fn keep_bounds(&mut self, used: StreamKey, entries: &mut Entries) {
        while self.bytes > self.limits.bytes && self.drop_least(Some(used), entries) {}
        while self.bytes > self.limits.bytes {
            let before = self.bytes;
            self.with(used, entries, |stream, entries| stream.evict_least(entries));
            if self.bytes == before {
                return;
            }
        }
    }

    /// Lets the least recent stream go that is not this one; `false` if there is none.
    fn drop_least(&mut self, but: Option<StreamKey>, entries: &mut Entries) -> bool {
        let others = self.streams.iter().filter(|(key, _)| but != Some(**key));
        let Some(key) = others.min_by_key(|(_, stream)| stream.used).map(|(key, _)| *key) else { return false };
        if let Some(mut stream) = self.streams.remove(&key) {
            self.bytes -= stream.bytes();
            stream.evict_all(entries);
        }
        true
    }
}
