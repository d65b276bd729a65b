//! Finds what a sender's key means in a few nanoseconds.
//!
//! A document has some thirty keys and each is looked up once, so the lookup decides what a record costs. A `match` on
//! text compares one arm after the other; this hashes the length and both ends of the key and compares once.

use std::sync::LazyLock;

use crate::semconv::{ENTRIES, Entry};
use crate::shippers::SHIPPERS;

/// A power of two, at least three times the number of entries, so that probes stay short.
pub(crate) const SLOTS: usize = 2048;

/// Every key we know.
pub(crate) fn entries() -> impl Iterator<Item = &'static Entry> {
    ENTRIES.iter().chain(SHIPPERS)
}

fn entry(place: usize) -> &'static Entry {
    ENTRIES.get(place).unwrap_or_else(|| &SHIPPERS[place - ENTRIES.len()])
}

/// Place in [`entries`] plus one; 0 is empty.
static TABLE: LazyLock<[u16; SLOTS]> = LazyLock::new(|| {
    let mut slots = [0u16; SLOTS];
    for (place, entry) in entries().enumerate() {
        let mut slot = slot(entry.key.as_bytes());
        while slots[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = place as u16 + 1;
    }
    slots
});

/// What is known of `key`.
pub(crate) fn lookup(key: &str) -> Option<&'static Entry> {
    let table = &*TABLE;
    let mut slot = slot(key.as_bytes());
    loop {
        let place = usize::from(table[slot]);
        if place == 0 {
            return None;
        }
        let entry = entry(place - 1);
        if entry.key == key {
            return Some(entry);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// A number below [`SLOTS`] that most keys have alone.
pub(crate) fn slot(key: &[u8]) -> usize {
    let (head, tail) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(head), Some(tail)) => (u32::from_le_bytes(*head).into(), u32::from_le_bytes(*tail).into()),
            _ => (key.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
        },
    };
    let mixed = (head ^ tail.rotate_left(29) ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_found_once() {
        assert!(entries().count() * 3 <= SLOTS, "{} entries", entries().count());
        for entry in entries() {
            assert!(std::ptr::eq(lookup(entry.key).unwrap(), entry), "`{}` is listed twice", entry.key);
        }
        for key in ["", "a", "zz", "no.such.key", "response_codes", "\u{e9}"] {
            assert!(lookup(key).is_none(), "{key}");
        }
    }
}
