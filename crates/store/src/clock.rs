//! Time as an argument, so that tests and simulations decide what time it is.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Nanoseconds since the Unix epoch, UTC; never less than what it said before.
    fn now_ns(&self) -> i64;

    /// Nanoseconds since some moment, at the pace of a second per second: to measure how long something has waited.
    fn elapsed_ns(&self) -> u64;
}

/// The system's clock, except that it stands still where the system's steps back, so that no later thing gets an
/// earlier time.
#[derive(Debug)]
pub struct SystemClock {
    latest_ns: AtomicI64,
    started: Instant,
}

impl SystemClock {
    /// A clock that has not told a time yet.
    pub fn new() -> Self {
        Self { latest_ns: AtomicI64::new(0), started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now_ns(&self) -> i64 {
        let now = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
            Err(_) => 0,
        };
        self.latest_ns.fetch_max(now, Ordering::AcqRel).max(now)
    }

    fn elapsed_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }
}

/// A clock that is set by hand.
#[derive(Debug, Default)]
pub struct ManualClock {
    now_ns: AtomicI64,
}

impl ManualClock {
    /// A clock that says `now_ns`.
    pub fn at(now_ns: i64) -> Self {
        Self { now_ns: AtomicI64::new(now_ns) }
    }

    /// Moves it forward; a negative step changes nothing.
    pub fn advance_ns(&self, step_ns: i64) {
        self.now_ns.fetch_add(step_ns.max(0), Ordering::AcqRel);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> i64 {
        self.now_ns.load(Ordering::Acquire)
    }

    fn elapsed_ns(&self) -> u64 {
        self.now_ns().max(0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_goes_back() {
        let clock = SystemClock { latest_ns: AtomicI64::new(i64::MAX - 1), started: Instant::now() };
        assert_eq!(clock.now_ns(), i64::MAX - 1, "a step back of the system is not repeated");
        let clock = SystemClock::new();
        let first = clock.now_ns();
        assert!(first > 1_577_836_800_000_000_000, "after 2020");
        assert!(clock.now_ns() >= first);
    }

    #[test]
    fn set_by_hand() {
        let clock = ManualClock::at(5);
        clock.advance_ns(10);
        clock.advance_ns(-10);
        assert_eq!(clock.now_ns(), 15);
    }
}
