//! Whether what is gone was destroyed by the word of two people: all that a tenant had, or what was old enough and not held.

use logkeep_record::Class;
use logkeep_store::{Clock as _, SystemClock};
use logkeep_tlog::{PublicKey, open_statement};

use super::roots::Expected;
use super::{ClassVerifier, DestroyedBy, DestroyedReport};
use crate::retention::{KIND, Range, Record, Rules};
use crate::state::ClassKey;

impl ClassVerifier<'_> {
    /// What retention has destroyed of it.
    pub(super) async fn expired(&mut self) -> Option<Record> {
        let class = (self.done.tenant.clone(), self.done.class.clone());
        let record = Record::load(&*self.v.catalog, &class).await;
        record.unwrap_or_else(|error| {
            self.report.find("catalog", None, error);
            None
        })
    }

    /// What is not there any more must have been destroyed by two people's word, or was kept for as long as two people have said.
    pub(super) fn destroyed(&mut self, batches: u64, expired: Option<Record>, expected: &[Expected]) {
        if let Some(record) = &expired {
            self.check_expired(record, expected);
        }
        let order = self.order.filter(|_| self.done.class != Class::audit());
        let by = match (order, &expired) {
            _ if batches == 0 => return,
            (Some(order), _) => DestroyedBy::Order(order.clone()),
            (None, Some(record)) if batches <= record.end() => {
                DestroyedBy::Retention(record.ranges.last().map_or(0, |range| range.days))
            }
            (None, record) => {
                let first = record.as_ref().map_or(0, Record::end);
                return self.report.find(
                    self.name(),
                    Some(first),
                    "its batches were destroyed, and nobody has ordered that",
                );
            }
        };
        let records = expected.iter().take(batches as usize).map(|batch| u64::from(batch.records)).sum();
        self.done.destroyed = Some(DestroyedReport { batches, records, by });
    }

    fn check_expired(&mut self, record: &Record, expected: &[Expected]) {
        let class = (self.done.tenant.clone(), self.done.class.clone());
        let object = format!("what retention destroyed of {}/{}", class.0, class.1);
        let (size, root) = &record.tree;
        if self.roots.get(size).is_some_and(|own| own.to_string() != *root) {
            self.report.find(&object, None, "it is of another tree");
        }
        let (rules, keys) = (self.rules, self.signers.as_slice());
        let known = Known { class: &class, keys, rules, expected, now_ns: SystemClock::new().now_ns() };
        for (batch, what) in known.faults(record) {
            self.report.find(&object, Some(batch), what);
        }
    }
}

/// What is known of the class.
struct Known<'a> {
    class: &'a ClassKey,
    /// Those that sign checkpoints, and signed them before a restore.
    keys: &'a [PublicKey],
    rules: &'a Rules,
    /// What the tree says of each batch.
    expected: &'a [Expected],
    now_ns: i64,
}

impl Known<'_> {
    /// What is wrong with the record: from which batch on, and why.
    fn faults(&self, record: &Record) -> Vec<(u64, String)> {
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
