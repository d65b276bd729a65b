//! What finds the message templates of records, one for each tenant and class that is flushed.
//!
//! It is memory only: what it knew before a restart is in the lists of the newest segments.

use std::collections::HashMap;
use std::sync::Arc;

use logkeep_pattern::{Limits, Miner};
use tracing::warn;

use crate::state::{ClassKey, SegmentHandle};

/// Miners kept at most; the least recent goes first, and comes back from the lists of its segments.
const MINERS: usize = 64;
/// Bytes of templates in all miners together. A mesh of a hundred services has some megabytes.
const BYTES: usize = 48 << 20;
/// Segments, the newest, of which a new miner takes up the templates.
const RESTORED: usize = 16;

#[derive(Default)]
pub(crate) struct Miners {
    of: HashMap<ClassKey, (Miner, u64)>,
    clock: u64,
}

impl Miners {
    /// The miner of a class that holds logs. A new one knows the templates of these segments, the newest last.
    pub(crate) fn of(&mut self, class: &ClassKey, segments: &[Arc<SegmentHandle>]) -> Option<&mut Miner> {
        if !class.1.holds_logs() {
            return None;
        }
        self.clock += 1;
        let used = self.clock;
        let entry = self.of.entry(class.clone()).or_insert_with(|| (restored(class, segments), used));
        entry.1 = used;
        Some(&mut entry.0)
    }

    /// Lets the least recent go until all fit.
    pub(crate) fn keep_bounds(&mut self) {
        while self.of.len() > 1 && (self.of.len() > MINERS || self.bytes() > BYTES) {
            let least = self.of.iter().min_by_key(|(_, (_, used))| *used).map(|(class, _)| class.clone());
            least.map(|class| self.of.remove(&class));
        }
    }

    /// Forgets those of classes of which this does not hold.
    pub(crate) fn retain(&mut self, keep: impl Fn(&ClassKey) -> bool) {
        self.of.retain(|class, _| keep(class));
    }

    fn bytes(&self) -> usize {
        self.of.values().map(|(miner, _)| miner.bytes()).sum()
    }
}

fn restored(class: &ClassKey, segments: &[Arc<SegmentHandle>]) -> Miner {
    let mut miner = Miner::new(Limits::default());
    for handle in segments.iter().rev().take(RESTORED) {
        match handle.segment().and_then(|segment| segment.templates()) {
            Ok(templates) => {
                let list = templates.iter().flat_map(|templates| templates.list());
                list.for_each(|known| miner.restore(&known.listed));
            }
            // Ids come from texts, so most stay; a query that reads the segment will say what is wrong with it.
            Err(error) => {
                warn!(tenant = %class.0, class = %class.1, %error, "templates of a segment cannot be read");
            }
        }
    }
    miner
}
