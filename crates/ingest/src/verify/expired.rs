//! Whether what retention has destroyed was old enough by the word of two people, and nothing of it was held.

use logkeep_tlog::{PublicKey, open_statement};

use super::roots::Expected;
use crate::retention::{KIND, Range, Record, Rules};
use crate::state::ClassKey;

/// What is known of the class.
pub(super) struct Known<'a> {
    pub(super) class: &'a ClassKey,
    /// Those that sign checkpoints, and signed them before a restore.
    pub(super) keys: &'a [PublicKey],
    pub(super) rules: &'a Rules,
    /// What the tree says of each batch.
    pub(super) expected: &'a [Expected],
    pub(super) now_ns: i64,
}

impl Known<'_> {
    /// What is wrong with the record: from which batch on, and why.
    pub(super) fn faults(&self, record: &Record) -> Vec<(u64, String)> {
        let mut faults = Vec::new();
        match open_statement(&record.statement, KIND, self.keys) {
            Ok(body) if body == record.body(self.class) => {}
            Ok(_) => faults.push((0, "its statement says something else".to_owned())),
            Err(error) => faults.push((0, format!("its statement: {error}"))),
        }
        let mut next = 0;
        for range in &record.ranges {
            if range.from != next || range.to <= range.from {
                faults.push((next, format!("it says nothing of the batches {next} to {}", range.from)));
            }
            next = range.to;
            faults.extend(self.fault(range).map(|what| (range.from, what)));
        }
        faults
    }

    fn fault(&self, range: &Range) -> Option<String> {
        let Range { from, to, records, newest_ns, days, approval, destroyed_ns } = range;
        let batches = format!("batches {from} to {}", to.saturating_sub(1));
        // A running server may have destroyed more since the tree was read.
        let tree = self.expected.get(*from as usize..*to as usize)?;
        let in_tree = tree.iter().map(|batch| u64::from(batch.records)).sum::<u64>();
        let newest = tree.iter().map(|batch| batch.max_received_ns).max();
        if (in_tree, newest) != (*records, Some(*newest_ns)) {
            return Some(format!("{batches} have other records or arrived at another time than it says"));
        }
        if !range.is_old_enough() {
            return Some(format!("{batches} were destroyed before their {days} days were over"));
        }
        if *destroyed_ns > self.now_ns {
            return Some(format!("{batches} were destroyed at a time that has not come"));
        }
        let rule = self.rules.classes.get(self.class);
        if !rule.is_some_and(|rule| rule.allowed(approval, *days, *destroyed_ns)) {
            return Some(format!("{batches} were destroyed after {days} days, which no two people have ordered"));
        }
        let (hold, row) = self.rules.hold_of(self.class)?;
        (row.placed_ns < *destroyed_ns).then(|| format!("{batches} were destroyed while they were held by `{hold}`"))
    }
}
