//! How often somebody may try.
//!
//! Wrong passwords and codes are counted for a name as one address tries it, and more patiently for a name and for an address as such, so
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

/// What one attempt is counted for.
#[derive(Clone, Debug)]
pub(crate) struct Attempt([String; 3]);

impl Attempt {
    /// Somebody says to be `name`, which need not be one.
    pub(crate) fn new(name: &str, address: &str) -> Self {
        let name: String = name.to_ascii_lowercase().chars().take(64).collect();
        Self([format!("{name}\n{address}"), format!("{name}\n"), format!("\n{address}")])
    }
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
    pub(crate) fn wait(&self, attempt: &Attempt, now_ns: i64) -> Option<Duration> {
        let until = |(key, free): (&String, u32)| self.failures.get(key).map(|failures| failures.until_ns(free));
        let until = attempt.0.iter().zip(FREE).filter_map(until).max()?;
        let wait = u64::try_from(until.saturating_sub(now_ns)).ok()?;
        (wait > 0).then(|| Duration::from_nanos(wait))
    }

    /// Counts an attempt as one that was wrong, until it is known to be right.
    pub(crate) fn failed(&mut self, attempt: &Attempt, now_ns: i64) {
        for key in &attempt.0 {
            let failures = self.failures.entry(key.clone()).or_insert(Failures { count: 0, last_ns: now_ns });
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

    /// Counts an attempt no longer, and forgives nothing for it.
    pub(crate) fn taken_back(&mut self, attempt: &Attempt) {
        for key in &attempt.0 {
            if let Some(failures) = self.failures.get_mut(key) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }

    /// Forgets what a right attempt makes good, and that it was counted. What an address has done to other names stays.
    pub(crate) fn succeeded(&mut self, attempt: &Attempt) {
        self.taken_back(attempt);
        let [of_both, of_name, _] = &attempt.0;
        self.failures.remove(of_both);
        self.failures.remove(of_name);
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
            assert_eq!(lockout.wait(&Attempt::new("a", "x"), 0), None, "{attempt}");
            lockout.failed(&Attempt::new("a", "x"), 0);
        }
        assert_eq!(lockout.wait(&Attempt::new("a", "x"), 0), Some(Duration::from_secs(1)));
        assert_eq!(lockout.wait(&Attempt::new("a", "x"), SECOND), None);
        lockout.failed(&Attempt::new("a", "x"), SECOND);
        assert_eq!(lockout.wait(&Attempt::new("a", "x"), SECOND), Some(Duration::from_secs(2)));
        assert_eq!(lockout.wait(&Attempt::new("a", "y"), SECOND), None, "from elsewhere");
        assert_eq!(lockout.wait(&Attempt::new("b", "x"), SECOND), None, "somebody else");
        for _ in 0..40 {
            lockout.failed(&Attempt::new("a", "x"), SECOND);
        }
        assert_eq!(lockout.wait(&Attempt::new("a", "x"), SECOND), Some(LONGEST));
        lockout.succeeded(&Attempt::new("a", "x"));
        assert_eq!(lockout.wait(&Attempt::new("a", "x"), SECOND), None);
    }

    #[test]
    fn many_addresses_and_many_names_wait_as_well() {
        let mut lockout = Lockout::default();
        for n in 0..=50 {
            lockout.failed(&Attempt::new("a", &format!("address {n}")), 0);
            lockout.failed(&Attempt::new(&format!("name {n}"), "x"), 0);
        }
        assert!(lockout.wait(&Attempt::new("a", "new"), 0).is_some(), "a name tried from everywhere");
        assert!(lockout.wait(&Attempt::new("new", "x"), 0).is_some(), "an address that tries all names");
        assert_eq!(lockout.wait(&Attempt::new("new", "new"), 0), None);
    }

    #[test]
    fn right_passwords_cost_nothing_and_old_failures_neither() {
        let mut lockout = Lockout::default();
        for attempt in 0..200 {
            assert_eq!(lockout.wait(&Attempt::new("a", "x"), attempt), None, "{attempt}");
            lockout.failed(&Attempt::new("a", "x"), attempt);
            lockout.succeeded(&Attempt::new("a", "x"));
        }
        for _ in 0..20 {
            lockout.failed(&Attempt::new("b", "x"), 0);
        }
        assert!(lockout.wait(&Attempt::new("b", "x"), 0).is_some());
        lockout.failed(&Attempt::new("b", "x"), FORGIVEN_NS + 1);
        assert_eq!(lockout.wait(&Attempt::new("b", "x"), FORGIVEN_NS + 1), None);
    }

    #[test]
    fn an_attempt_that_is_taken_back_forgives_nothing() {
        let (mut lockout, attempt) = (Lockout::default(), Attempt::new("a", "x"));
        for at in 0..5 {
            lockout.failed(&attempt, at);
            lockout.failed(&attempt, at);
            lockout.taken_back(&attempt);
        }
        assert!(lockout.wait(&attempt, 5).is_some(), "five were wrong, whatever was between them");
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut lockout = Lockout::default();
        for n in 0..20_000 {
            lockout.failed(&Attempt::new(&n.to_string(), "x"), n);
        }
        assert!(lockout.failures.len() <= REMEMBERED);
        assert!(lockout.wait(&Attempt::new("new", "x"), 19_999).is_some(), "the one that goes on is not forgotten");
    }
}
