//! One sequence of messages, and what of it is stored.
//!
//! A batch of messages has a key made of its first position, the content of its first message and its last position. A queue
//! that gives messages again does so in order from where a batch began, as positions only move over whole batches. So where
//! we know nothing we ask of the first message for each position where its batch may have ended, and a batch that is found
//! says what of the sequence is stored. The content is in the key because a queue may be made anew with the same positions.

use std::collections::VecDeque;

use bytes::Bytes;
use logkeep_record::Attributes;
use sha2::{Digest, Sha256};

/// Positions that one batch may span, and so how many are asked for.
const SPAN: u64 = 512;
/// Bytes of messages that are stored together.
const BYTES: usize = 1 << 20;
/// Batches that are remembered.
const FOUND: usize = 256;

/// A message as its queue gave it.
#[derive(Clone, Debug)]
pub(super) struct Message {
    /// Its place in the sequence.
    pub(super) position: u64,
    pub(super) payload: Bytes,
    /// When it was put there, nanoseconds.
    pub(super) time_ns: Option<i64>,
    pub(super) facts: Attributes<'static>,
    /// Whether the queue says that it has given it before.
    pub(super) again: bool,
    /// Whether no message can lie between the one before and this.
    pub(super) follows: bool,
}

impl Message {
    fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.time_ns.unwrap_or(0).to_le_bytes());
        hasher.update(&self.payload);
        hasher.finalize().into()
    }
}

/// Messages that are stored together.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) messages: Vec<Message>,
    /// What a retry is known by.
    pub(super) key: Vec<u8>,
    /// Whether a batch ends with it: positions move over whole batches, or what comes after another kill begins inside of one.
    pub(super) ends_batch: bool,
    /// Whether its first message has just shown that all of them are stored. Others of its batch may still come.
    pub(super) is_found: bool,
}

impl Chunk {
    pub(super) fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.payload.len()).sum()
    }

    /// What may be acked one by one: of messages that were found to be stored the first is what shows it, so its turn comes when it
    /// is given again, after the others.
    pub(super) fn acked(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.messages.iter().skip(usize::from(self.is_found))
    }

    /// Position of its last message.
    pub(super) fn last(&self) -> u64 {
        self.messages.last().map_or(0, |message| message.position)
    }
}

/// A batch that was stored before we began.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Batch {
    first: u64,
    last: u64,
    key: Vec<u8>,
}

impl Batch {
    fn has(&self, message: &Message) -> bool {
        (self.first..=self.last).contains(&message.position)
    }
}

/// What is known of the messages to come.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// Nothing.
    Nothing,
    /// From this position on they are new.
    NewFrom(u64),
    /// They are in this batch.
    Batch(Batch),
}

/// A sequence: a partition of a topic, a stream.
#[derive(Debug)]
pub(super) struct Lane {
    /// What tells it from others.
    name: Vec<u8>,
    known: Known,
    /// Batches that were found lately, for messages of them that are given again later than others.
    found: VecDeque<Batch>,
    waiting: VecDeque<Message>,
}

impl Lane {
    /// That is told from others by all of these together.
    pub(super) fn new(names: &[&str]) -> Self {
        let mut name = Vec::new();
        for part in names {
            name.extend((part.len() as u32).to_le_bytes());
            name.extend(part.as_bytes());
        }
        Self { name, known: Known::Nothing, found: VecDeque::new(), waiting: VecDeque::new() }
    }

    /// Takes a message that has come.
    pub(super) fn push(&mut self, message: Message) {
        self.waiting.push_back(message);
    }

    /// What to store next; `is_stored` says of a key whether there is a batch with it.
    pub(super) fn next(&mut self, is_stored: impl Fn(&[u8]) -> bool) -> Option<Chunk> {
        let first = self.waiting.front()?;
        let position = first.position;
        let in_batch = matches!(&self.known, Known::Batch(batch) if batch.has(first));
        let is_new = !first.again && matches!(&self.known, Known::NewFrom(next) if position >= *next);
        let mut is_found = false;
        if !in_batch && !is_new {
            self.known = match (self.remembered(first), find(&self.name, first, &is_stored)) {
                (Some(batch), _) => Known::Batch(batch.clone()),
                (None, Some(batch)) => {
                    is_found = true;
                    self.remember(batch.clone());
                    Known::Batch(batch)
                }
                (None, None) => Known::NewFrom(position),
            };
        }
        if let Known::Batch(batch) = &self.known {
            let batch = batch.clone();
            let count = self.waiting.iter().take_while(|message| batch.has(message)).count();
            let messages = self.take(count);
            let is_past = self.waiting.front().is_some_and(|next| next.position > batch.last);
            let ends_batch = is_past || messages.last().is_some_and(|last| last.position == batch.last);
            return Some(Chunk { messages, key: batch.key, ends_batch, is_found });
        }
        let count = self.new_ones(&is_stored);
        let messages = self.take(count);
        Some(self.chunk(messages))
    }

    fn remembered(&self, message: &Message) -> Option<&Batch> {
        self.found.iter().find(|batch| message.again && batch.has(message))
    }

    fn remember(&mut self, batch: Batch) {
        self.found.truncate(FOUND - 1);
        self.found.push_front(batch);
    }

    /// How many messages from the front on are new and may be in one batch.
    fn new_ones(&self, is_stored: impl Fn(&[u8]) -> bool) -> usize {
        let Some(first) = self.waiting.front() else { return 0 };
        let may_follow = |message: &&Message| {
            let is_near = message.position.checked_sub(first.position).is_some_and(|span| span < SPAN);
            let is_stored = || {
                message.again && (self.remembered(message).is_some() || find(&self.name, message, &is_stored).is_some())
            };
            message.follows && message.again == first.again && is_near && !is_stored()
        };
        1 + self.waiting.iter().skip(1).take_while(may_follow).count()
    }

    /// The first half of what cannot be prepared as a whole; the other is taken back.
    pub(super) fn halve(&mut self, mut chunk: Chunk) -> Chunk {
        let rest = chunk.messages.split_off(chunk.messages.len().div_ceil(2));
        rest.into_iter().rev().for_each(|message| self.waiting.push_front(message));
        self.chunk(chunk.messages)
    }

    /// All of it is stored, or never will be.
    pub(super) fn done(&mut self, chunk: &Chunk) {
        let next = chunk.last().saturating_add(1);
        match &self.known {
            Known::Batch(batch) if next <= batch.last => {}
            // After a batch that was known another may come.
            Known::Batch(_) => self.known = Known::Nothing,
            Known::NewFrom(_) | Known::Nothing => self.known = Known::NewFrom(next),
        }
    }

    fn chunk(&self, messages: Vec<Message>) -> Chunk {
        let last = messages.last().map_or(0, |message| message.position);
        let key = messages.first().map(|first| key(&self.name, first.position, &first.digest(), last));
        Chunk { messages, key: key.unwrap_or_default(), ends_batch: true, is_found: false }
    }

    /// As many messages from the front as their positions grow, and they are not too much at once.
    fn take(&mut self, count: usize) -> Vec<Message> {
        let mut taken: Vec<Message> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.waiting.front().filter(|_| taken.len() < count) {
            bytes += next.payload.len();
            let grows = taken.last().is_none_or(|last| next.position > last.position);
            if !taken.is_empty() && (bytes > BYTES || !grows) {
                break;
            }
            taken.extend(self.waiting.pop_front());
        }
        taken
    }
}

/// The batch that began with this message; the longest, if there are several.
fn find(name: &[u8], first: &Message, is_stored: impl Fn(&[u8]) -> bool) -> Option<Batch> {
    let digest = first.digest();
    let ends = (first.position..first.position.saturating_add(SPAN)).rev();
    let mut batches =
        ends.map(|last| Batch { first: first.position, last, key: key(name, first.position, &digest, last) });
    batches.find(|batch| is_stored(&batch.key))
}

fn key(name: &[u8], first: u64, digest: &[u8; 32], last: u64) -> Vec<u8> {
    [b"queue\0", name, &first.to_le_bytes(), digest, &last.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn message(position: u64) -> Message {
        let payload = Bytes::from(position.to_string());
        Message { position, payload, time_ns: None, facts: Vec::new(), again: false, follows: true }
    }

    /// A store that outlives lanes.
    #[derive(Default)]
    struct Stored {
        keys: RefCell<HashSet<Vec<u8>>>,
        positions: RefCell<Vec<u64>>,
    }

    impl Stored {
        /// Gives messages to a lane and stores what it gives; as many chunks at most.
        fn run(&self, lane: &mut Lane, messages: impl IntoIterator<Item = Message>, chunks: usize) -> Option<u64> {
            messages.into_iter().for_each(|message| lane.push(message));
            let mut last = None;
            for _ in 0..chunks {
                let Some(chunk) = lane.next(|key| self.keys.borrow().contains(key)) else { break };
                if self.keys.borrow_mut().insert(chunk.key.clone()) {
                    self.positions.borrow_mut().extend(chunk.messages.iter().map(|message| message.position));
                }
                lane.done(&chunk);
                last = chunk.ends_batch.then(|| chunk.last()).or(last);
            }
            last
        }

        fn positions(&self) -> Vec<u64> {
            let mut positions = self.positions.borrow().clone();
            positions.sort_unstable();
            positions
        }
    }

    fn lane() -> Lane {
        Lane::new(&["kafka", "s", "g", "t", "0"])
    }

    #[test]
    fn what_was_stored_before_a_kill_is_known_however_it_comes() {
        let stored = Stored::default();
        stored.run(&mut lane(), (0..1_300).map(message), 2);
        assert_eq!(stored.positions().len(), 1_024);
        // The position was never committed, and the queue now gives few messages at a time.
        let mut lane = lane();
        for from in (0..1_300).step_by(100) {
            stored.run(&mut lane, (from..from + 100).map(message), usize::MAX);
        }
        assert_eq!(stored.positions(), (0..1_300).collect::<Vec<_>>());
    }

    #[test]
    fn gaps_are_no_matter() {
        let stored = Stored::default();
        let positions = [3, 4, 9, 400, 514, 515, 5_000];
        stored.run(&mut lane(), positions.map(message), 1);
        assert_eq!(stored.positions(), [3, 4, 9, 400, 514]);
        stored.run(&mut lane(), positions.map(message), usize::MAX);
        assert_eq!(stored.positions(), positions);
    }

    #[test]
    fn a_queue_made_anew_is_another() {
        let stored = Stored::default();
        stored.run(&mut lane(), (0..10).map(message), usize::MAX);
        let other = |position| Message { payload: Bytes::from_static(b"other"), ..message(position) };
        stored.run(&mut lane(), (0..10).map(other), usize::MAX);
        assert_eq!(stored.positions().len(), 20);
        stored.run(&mut Lane::new(&["kafka", "s", "g", "t", "1"]), (0..10).map(message), usize::MAX);
        assert_eq!(stored.positions().len(), 30);
    }

    #[test]
    fn what_is_given_again_among_what_is_new_is_told_from_it() {
        let stored = Stored::default();
        // 11 to 20 are stored and not acked; 21 to 25 were only delivered, 12 was lost on its way.
        let first = (11..=20).filter(|position| *position != 12).map(message);
        let first = first.map(|message| Message { follows: message.position != 13, ..message });
        stored.run(&mut lane(), first, usize::MAX);
        assert_eq!(stored.positions().len(), 9);
        let mut lane = lane();
        stored.run(&mut lane, (26..=30).map(message), usize::MAX);
        let again = (11..=25).map(|position| Message { again: true, ..message(position) });
        stored.run(&mut lane, again.clone(), usize::MAX);
        stored.run(&mut lane, again.skip(10), usize::MAX);
        assert_eq!(stored.positions(), (11..=30).collect::<Vec<_>>());
    }

    #[test]
    fn a_chunk_is_bounded_and_can_be_halved() {
        let mut lane = lane();
        let large = |position| Message { payload: Bytes::from(vec![b'x'; BYTES / 2]), ..message(position) };
        (0..5).for_each(|position| lane.push(large(position)));
        let chunk = lane.next(|_| false).unwrap();
        assert_eq!((chunk.messages.len(), chunk.bytes()), (2, BYTES));
        let half = lane.halve(chunk.clone());
        assert_eq!((half.messages.len(), half.last()), (1, 0));
        assert_ne!(half.key, chunk.key);
        lane.done(&half);
        assert_eq!(lane.next(|_| false).unwrap().messages[0].position, 1);
        lane.push(Message { payload: Bytes::from(vec![b'x'; 2 * BYTES]), ..message(9) });
    }

    proptest! {
        /// Kafka: after any kill reading begins where a batch ended, and nothing is lost or stored twice.
        #[test]
        fn each_message_is_stored_once(runs in proptest::collection::vec((1usize..700, 0usize..6, 0usize..6), 1..12)) {
            let (stored, end) = (Stored::default(), 2_000u64);
            let mut ends = vec![0];
            for (step, chunks, back) in runs.into_iter().chain([(500, usize::MAX, 0)]) {
                let mut lane = lane();
                ends.sort_unstable();
                let mut at = ends[ends.len().saturating_sub(1 + back)];
                let mut left = chunks;
                while at < end && left > 0 {
                    let until = end.min(at + step as u64);
                    (at..until).for_each(|position| lane.push(message(position)));
                    while left > 0 && !lane.waiting.is_empty() {
                        ends.extend(stored.run(&mut lane, [], 1).map(|last| last + 1));
                        left -= 1;
                    }
                    at = until;
                }
            }
            // The last run had no bound.
            let positions = stored.positions();
            prop_assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "one is stored twice");
            prop_assert_eq!(positions.len() as u64, end);
        }

        /// NATS: what is not acked is given again, among what is new, and any number of acks is lost in a kill.
        #[test]
        fn each_message_is_stored_once_among_new_ones(
            runs in proptest::collection::vec((1usize..80, 0usize..5, 0usize..60, 0usize..200), 1..10)
        ) {
            let stored = Stored::default();
            let mut unacked: std::collections::BTreeMap<u64, bool> = std::collections::BTreeMap::new();
            let mut sent = 0;
            for (new, chunks, group, mut acks) in runs.into_iter().chain([(1, usize::MAX, 7, usize::MAX); 3]) {
                let mut lane = lane();
                let again: Vec<u64> = unacked.keys().copied().collect();
                let fresh = sent..sent + new as u64;
                sent = fresh.end;
                unacked.extend(fresh.clone().map(|position| (position, true)));
                let mut begins = true;
                let fresh = fresh.map(|position| Message { follows: !std::mem::take(&mut begins), ..message(position) });
                let mut before = u64::MAX - 1;
                let again = again.into_iter().map(|position| {
                    let follows = position == before + 1;
                    before = position;
                    Message { again: true, follows, ..message(position) }
                });
                let again: Vec<_> = again.collect();
                let (early, late) = again.split_at(group.min(again.len()));
                let mut left = chunks;
                for part in [early.to_vec(), fresh.collect(), late.to_vec()] {
                    part.into_iter().for_each(|message| lane.push(message));
                    while left > 0 && let Some(chunk) = lane.next(|key| stored.keys.borrow().contains(key)) {
                        if stored.keys.borrow_mut().insert(chunk.key.clone()) {
                            stored.positions.borrow_mut().extend(chunk.messages.iter().map(|message| message.position));
                        }
                        for message in chunk.acked().rev() {
                            if acks > 0 {
                                acks -= 1;
                                unacked.remove(&message.position);
                            }
                        }
                        lane.done(&chunk);
                        left -= 1;
                    }
                }
            }
            let positions = stored.positions();
            prop_assert!(positions.windows(2).all(|pair| pair[0] < pair[1]), "one is stored twice: {positions:?}");
            prop_assert_eq!(positions.len() as u64, sent);
        }
    }
}
