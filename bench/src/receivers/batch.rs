//! The lines of one request, and how lines are put together to requests.

use std::collections::BTreeMap;

use logkeep_meshsim::{Event, render};

use crate::generate::Lines;

/// Events with their numbers, in the order of the lines.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) numbers: Vec<u64>,
    pub(super) events: Vec<Event>,
}

impl Batch {
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u64, &Event)> {
        self.numbers.iter().copied().zip(&self.events)
    }

    /// Tells this batch from all others of a run.
    pub(super) fn id(&self) -> u64 {
        self.numbers.first().copied().unwrap_or_default()
    }

    fn push(&mut self, number: u64, event: Event) {
        self.numbers.push(number);
        self.events.push(event);
    }
}

/// Which lines may be in one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    /// Any, as an agent on a host or a gateway sends them.
    Any,
    /// Those of one service, as a library inside of it sends them.
    OneService,
    /// Those of proxies alone; the others are left out and as many more are taken.
    Access,
}

/// Gives `lines` lines to `take`, in batches of at most `size`. Returns the bytes of the lines, as NDJSON.
pub(super) fn batches(
    source: &mut Lines,
    lines: u64,
    pick: Pick,
    size: usize,
    mut take: impl FnMut(Batch) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let mut open: BTreeMap<String, Batch> = BTreeMap::new();
    let (mut bytes, mut left, mut document) = (0, lines, String::new());
    while left > 0 {
        let Some((number, event)) = source.next() else { break };
        if pick == Pick::Access && event.access().is_none() {
            continue;
        }
        left -= 1;
        document.clear();
        render::document(&event, &mut document);
        bytes += document.len() as u64 + 1;
        let key = if pick == Pick::OneService { event.pod.service.clone() } else { String::new() };
        let batch = open.entry(key).or_default();
        batch.push(number, event);
        if batch.events.len() == size {
            take(std::mem::take(batch))?;
        }
    }
    open.into_values().filter(|batch| !batch.events.is_empty()).try_for_each(take)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Plan, START_NS};

    fn check(pick: Pick, each: impl Fn(&Batch) -> bool) -> (u64, u64) {
        let plan = Plan { seed: 1, start_ns: START_NS, ns_per_line: 1_000_000, needles_over: 500 };
        let (mut count, mut numbers) = (0, Vec::new());
        let bytes = batches(&mut Lines::new(plan), 500, pick, 40, |batch| {
            assert!(!batch.events.is_empty() && batch.events.len() <= 40 && each(&batch), "{batch:?}");
            assert_eq!(batch.events.len(), batch.numbers.len());
            count += batch.events.len() as u64;
            numbers.extend(batch.numbers);
            Ok(())
        });
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "each line once");
        (count, bytes.unwrap())
    }

    #[test]
    fn every_line_is_in_one_batch() {
        let (any, bytes) = check(Pick::Any, |_| true);
        let one = |batch: &Batch| batch.events.iter().all(|event| event.pod.service == batch.events[0].pod.service);
        assert_eq!(check(Pick::OneService, one), (any, bytes));
        let access = |batch: &Batch| batch.events.iter().all(|event| event.access().is_some());
        assert_eq!((any, check(Pick::Access, access).0), (500, 500));
        assert!(bytes > 500 * 300);
    }
}
