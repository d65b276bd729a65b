//! Records that wait for others that belong to them.
//!
//! What waits is nowhere but in memory. So its number, its bytes and its time are bounded, what is over a bound goes on as it is, and
//! whoever keeps it takes all of it when a request, a connection or the process ends.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use logkeep_record::{Record, limits};

/// Records that wait at once.
const RECORDS: usize = 1_024;

/// Bytes that wait at once: of a few records of the largest size.
fn max_bytes() -> usize {
    4 * limits::record_bytes()
}

/// The sequence that a record is in: of one sender, one resource, and one stream of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// Whose records come, where several senders are in one.
    pub peer: Option<IpAddr>,
    /// Digest of the resource.
    pub resource: [u8; 32],
    /// What tells the streams of a resource apart.
    pub stream: Box<str>,
}

/// What has come of a record that came in parts.
pub trait Parts: Clone {
    /// About how much memory it takes.
    fn bytes(&self) -> usize;

    /// The record, of what has come.
    fn joined(self) -> Record<'static>;
}

/// A record that waits no more, and whose it is.
pub type Done = (Option<IpAddr>, Record<'static>);

/// Parts of one record, and until when they wait for more.
#[derive(Clone, Debug)]
pub struct Slot<P> {
    /// What has come.
    pub parts: P,
    until: Instant,
    /// Its place in the order in which records began.
    number: u64,
}

/// Records that wait, at most one of a sequence.
#[derive(Clone, Debug)]
pub struct Waiting<P> {
    slots: HashMap<Sequence, Slot<P>>,
    bytes: usize,
    begun: u64,
}

impl<P> Default for Waiting<P> {
    fn default() -> Self {
        Self { slots: HashMap::new(), bytes: 0, begun: 0 }
    }
}

impl<P: Parts> Waiting<P> {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// About how much memory it all takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whose records wait, each as often as it has one.
    pub fn peers(&self) -> impl Iterator<Item = Option<IpAddr>> {
        self.slots.keys().map(|sequence| sequence.peer)
    }

    /// When the first of them has waited long enough.
    pub fn until(&self) -> Option<Instant> {
        self.slots.values().map(|slot| slot.until).min()
    }

    /// Takes out what waits in a sequence.
    pub fn take(&mut self, sequence: &Sequence) -> Option<Slot<P>> {
        let slot = self.slots.remove(sequence)?;
        self.bytes -= slot.parts.bytes();
        Some(slot)
    }

    /// Lets a record wait that has just begun. Those that began first go on if that are too many.
    pub fn begin(&mut self, sequence: Sequence, parts: P, until: Instant, done: &mut Vec<Done>) {
        self.begun += 1;
        self.put(sequence, Slot { parts, until, number: self.begun }, done);
    }

    /// Lets what [`Waiting::take`] gave wait on, no longer than it would have.
    pub fn put(&mut self, sequence: Sequence, slot: Slot<P>, done: &mut Vec<Done>) {
        self.bytes += slot.parts.bytes();
        self.slots.insert(sequence, slot);
        while self.slots.len() > RECORDS || self.bytes > max_bytes() {
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.number);
            let Some(oldest) = oldest.map(|(sequence, _)| sequence.clone()) else { return };
            done.extend(self.take(&oldest).map(|slot| (oldest.peer, slot.parts.joined())));
        }
    }

    /// What has waited long enough by `now`, and all of it without a time, in the order in which it began.
    pub fn leave(&mut self, now: Option<Instant>) -> Vec<Done> {
        let is_due = |slot: &Slot<P>| now.is_none_or(|now| slot.until <= now);
        let mut left: Vec<_> = self.slots.extract_if(|_, slot| is_due(slot)).collect();
        left.sort_unstable_by_key(|(_, slot)| slot.number);
        self.bytes -= left.iter().map(|(_, slot)| slot.parts.bytes()).sum::<usize>();
        left.into_iter().map(|(sequence, slot)| (sequence.peer, slot.parts.joined())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use logkeep_record::{Resource, Value};

    use super::*;

    #[derive(Clone)]
    struct Sized(usize);

    impl Parts for Sized {
        fn bytes(&self) -> usize {
            self.0
        }

        fn joined(self) -> Record<'static> {
            Record::new(0, Value::Int(self.0 as i64), Resource::from_attributes(Vec::new()))
        }
    }

    fn sequence(stream: usize) -> Sequence {
        Sequence { peer: None, resource: [0; 32], stream: stream.to_string().into() }
    }

    fn sizes(done: &[Done]) -> Vec<i64> {
        let size = |(_, record): &Done| if let Value::Int(size) = record.body { size } else { -1 };
        done.iter().map(size).collect()
    }

    #[test]
    fn too_many_and_too_much_go_on_oldest_first() {
        let (mut waiting, mut done, now) = (Waiting::default(), Vec::new(), Instant::now());
        for place in 0..RECORDS + 3 {
            waiting.begin(sequence(place), Sized(place), now, &mut done);
        }
        assert_eq!(sizes(&done), [0, 1, 2]);
        done.clear();
        waiting.begin(sequence(0), Sized(max_bytes()), now, &mut done);
        assert_eq!((done.len(), waiting.bytes()), (RECORDS, max_bytes()));
        waiting.begin(sequence(1), Sized(max_bytes() + 1), now, &mut done);
        assert!(waiting.is_empty() && waiting.bytes() == 0, "not even one that is too large alone");
    }

    #[test]
    fn who_waits_on_keeps_time_and_place() {
        let (mut waiting, mut done, now) = (Waiting::default(), Vec::new(), Instant::now());
        let after = |ms| now + Duration::from_millis(ms);
        waiting.begin(sequence(7), Sized(7), after(10), &mut done);
        waiting.begin(sequence(8), Sized(8), after(20), &mut done);
        waiting.begin(sequence(9), Sized(9), after(30), &mut done);
        let slot = waiting.take(&sequence(7)).unwrap();
        assert_eq!(waiting.until(), Some(after(20)));
        waiting.put(sequence(7), slot, &mut done);
        assert_eq!(waiting.until(), Some(after(10)));
        assert!(waiting.leave(Some(after(9))).is_empty());
        assert_eq!(sizes(&waiting.leave(Some(after(20)))), [7, 8]);
        assert_eq!(sizes(&waiting.leave(None)), [9]);
        assert!(done.is_empty() && waiting.is_empty() && waiting.until().is_none());
    }
}
