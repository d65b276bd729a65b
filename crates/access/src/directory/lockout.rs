//! How often somebody may try.
//!
//! Wrong passwords are counted for a name as one address tries it, and more patiently for a name and for an address as such, so
//! that whoever guesses from one place does not lock out the person who is meant. Names that do not exist count too: the
//! answer is the same.

use std::collections::HashMap;
use std::time::Duration;

/// Names and addresses remembered; beyond that those silent for longest are forgotten.
const REMEMBERED: usize = 16_384;
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Who has been silent for so long begins anew.
const FORGIVEN_NS: i64 = 3_600 * 1_000_000_000;

/// Wrong passwords that cost no wait: of a name from one address, of a name, of an address.
const FREE: [u32; 3] = [5, 50, 50];

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last_ns: i64,
}

/// What is remembered of failed attempts.
#[derive(Debug, Default)]
pub(crate) struct Lockout {
    failures: HashMap<String, Failures>,
}

fn keys(name: &str, address: &str) -> [String; 3] {
    [format!("{name}\n{address}"), format!("{name}\n"), format!("\n{address}")]
}

impl Failures {
    /// From when on there may be another attempt.
    fn until_ns(self, free: u32) -> i64 {
        let Some(beyond) = self.count.checked_sub(free) else { return i64::MIN };
        let wait = Duration::from_secs(1 << beyond.min(10)).min(LONGEST);
        self.last_ns.saturating_add(wait.as_nanos() as i64)
    }
}

impl Lockout {
    /// How long an attempt has to wait; `None` if it may be made now.
    pub(crate) fn wait(&self, name: &str, address: &str, now_ns: i64) -> Option<Duration> {
        let until = |(key, free): (String, u32)| self.failures.get(&key).map(|failures| failures.until_ns(free));
        let until = keys(name, address).into_iter().zip(FREE).filter_map(until).max()?;
        let wait = u64::try_from(until.saturating_sub(now_ns)).ok()?;
        (wait > 0).then(|| Duration::from_nanos(wait))
    }

    /// Counts an attempt as one with a wrong password, until it is known to be right.
    pub(crate) fn failed(&mut self, name: &str, address: &str, now_ns: i64) {
        for key in keys(name, address) {
            let failures = self.failures.entry(key).or_insert(Failures { count: 0, last_ns: now_ns });
            if now_ns.saturating_sub(failures.last_ns) > FORGIVEN_NS {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last_ns = now_ns;
        }
        if self.failures.len() > REMEMBERED {
            self.forget();
        }
    }

    /// Forgets what a right password makes good, and that it was counted. What an address has done to other names stays.
    pub(crate) fn succeeded(&mut self, name: &str, address: &str) {
        let [of_both, of_name, of_address] = keys(name, address);
        self.failures.remove(&of_both);
        self.failures.remove(&of_name);
        if let Some(failures) = self.failures.get_mut(&of_address) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    fn forget(&mut self) {
        let mut times: Vec<i64> = self.failures.values().map(|failures| failures.last_ns).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        self.failures.retain(|_, failures| failures.last_ns > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn waits_grow_and_end() {
        let mut lockout = Lockout::default();
        for attempt in 0..5 {
            assert_eq!(lockout.wait("a", "x", 0), None, "{attempt}");
            lockout.failed("a", "x", 0);
        }
        assert_eq!(lockout.wait("a", "x", 0), Some(Duration::from_secs(1)));
        assert_eq!(lockout.wait("a", "x", SECOND), None);
        lockout.failed("a", "x", SECOND);
        assert_eq!(lockout.wait("a", "x", SECOND), Some(Duration::from_secs(2)));
        assert_eq!(lockout.wait("a", "y", SECOND), None, "from elsewhere");
        assert_eq!(lockout.wait("b", "x", SECOND), None, "somebody else");
        for _ in 0..40 {
            lockout.failed("a", "x", SECOND);
        }
        assert_eq!(lockout.wait("a", "x", SECOND), Some(LONGEST));
        lockout.succeeded("a", "x");
        assert_eq!(lockout.wait("a", "x", SECOND), None);
    }

    #[test]
    fn many_addresses_and_many_names_wait_as_well() {
        let mut lockout = Lockout::default();
        for n in 0..=50 {
            lockout.failed("a", &format!("address {n}"), 0);
            lockout.failed(&format!("name {n}"), "x", 0);
        }
        assert!(lockout.wait("a", "new", 0).is_some(), "a name tried from everywhere");
        assert!(lockout.wait("new", "x", 0).is_some(), "an address that tries all names");
        assert_eq!(lockout.wait("new", "new", 0), None);
    }

    #[test]
    fn right_passwords_cost_nothing_and_old_failures_neither() {
        let mut lockout = Lockout::default();
        for attempt in 0..200 {
            assert_eq!(lockout.wait("a", "x", attempt), None, "{attempt}");
            lockout.failed("a", "x", attempt);
            lockout.succeeded("a", "x");
        }
        for _ in 0..20 {
            lockout.failed("b", "x", 0);
        }
        assert!(lockout.wait("b", "x", 0).is_some());
        lockout.failed("b", "x", FORGIVEN_NS + 1);
        assert_eq!(lockout.wait("b", "x", FORGIVEN_NS + 1), None);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut lockout = Lockout::default();
        for n in 0..20_000 {
            lockout.failed(&n.to_string(), "x", n);
        }
        assert!(lockout.failures.len() <= REMEMBERED);
        assert!(lockout.wait("new", "x", 19_999).is_some(), "the one that goes on is not forgotten");
    }
}
