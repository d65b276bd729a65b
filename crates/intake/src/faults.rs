//! What senders send that can never be taken, said in the server's own log.
//!
//! Many senders write nowhere what they are answered, drop it (OTLP's, of a partial success) or repeat it (Fluent Bit's outputs
//! for Elasticsearch and Datadog, whatever they are told). So it is said here: of each sender and reason once a minute, with
//! how often it came since.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::Intake;
use crate::counters::Protocol;
use crate::origin::Origin;
use crate::refusal::{Kind, Refusal};

/// Between two lines about the same.
const PAUSE: Duration = Duration::from_secs(60);
/// Senders and reasons that are told apart in that time; of those beyond nothing is said. The ledger counts them all.
const TOLD_APART: usize = 256;

/// Of what was wrong: it may quote what came.
const SHOWN_BYTES: usize = 300;

/// Who, by its address, and the ledger's word for what was wrong.
type Fault = (Protocol, Option<String>, &'static str);

/// What was said of a fault.
struct Said {
    at: Instant,
    since: u64,
}

/// What was said lately.
#[derive(Default)]
pub(crate) struct Faults(Mutex<HashMap<Fault, Said>>);

impl Faults {
    /// How often this came since it was last said, this time included; `None` if that was just now.
    fn due(&self, fault: Fault, now: Instant) -> Option<u64> {
        let is_recent = |said: &Said| now.saturating_duration_since(said.at) < PAUSE;
        let mut faults = self.0.lock();
        if let Some(said) = faults.get_mut(&fault) {
            said.since += 1;
            if is_recent(said) {
                return None;
            }
            said.at = now;
            return Some(std::mem::take(&mut said.since));
        }
        if faults.len() >= TOLD_APART {
            faults.retain(|_, said| is_recent(said));
        }
        (faults.len() < TOLD_APART).then(|| {
            faults.insert(fault, Said { at: now, since: 0 });
            1
        })
    }
}

impl Intake {
    /// Says what was wrong with something that came, for the ledger's `reason`.
    pub(crate) fn tell_fault(&self, origin: &Origin, reason: &'static str, what: &str) {
        let peer = origin.source.peer.as_deref();
        let fault = (origin.protocol, peer.map(str::to_owned), reason);
        if let Some(times) = self.inner.faults.due(fault, Instant::now()) {
            let masked = self.inner.options.redactor.masked(what.trim_end());
            let what = &masked[..masked.floor_char_boundary(SHOWN_BYTES)];
            let (protocol, sender) = (origin.protocol.name(), origin.source.sender.as_deref());
            tracing::warn!(protocol, peer, sender, reason, times, what, "something that was sent cannot be taken");
        }
    }

    /// The same of a request that is refused, if it will never be taken.
    pub(crate) fn tell_refused(&self, origin: &Origin, refusal: &Refusal) {
        if matches!(refusal.kind, Kind::Malformed | Kind::TooLarge | Kind::Unsupported) {
            self.tell_fault(origin, refusal.reason(), &refusal.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute() {
        let (faults, start) = (Faults::default(), Instant::now());
        let due = |peer: &str, reason, after_s| {
            faults.due((Protocol::Datadog, Some(peer.to_owned()), reason), start + Duration::from_secs(after_s))
        };
        assert_eq!(due("10.0.0.1", "malformed", 0), Some(1));
        assert_eq!(due("10.0.0.1", "malformed", 1), None);
        assert_eq!(due("10.0.0.1", "too_large", 1), Some(1));
        assert_eq!(due("10.0.0.2", "malformed", 1), Some(1));
        assert_eq!(due("10.0.0.1", "malformed", 59), None);
        assert_eq!(due("10.0.0.1", "malformed", 60), Some(3));
        assert_eq!(due("10.0.0.1", "malformed", 61), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (faults, start) = (Faults::default(), Instant::now());
        let due = |peer: usize, after_s| {
            faults.due((Protocol::Hec, Some(peer.to_string()), "malformed"), start + Duration::from_secs(after_s))
        };
        let said = (0..2 * TOLD_APART).filter(|peer| due(*peer, 0).is_some()).count();
        assert_eq!((said, faults.0.lock().len()), (TOLD_APART, TOLD_APART));
        assert_eq!(due(2 * TOLD_APART, 60), Some(1), "what is old makes room");
        assert_eq!(faults.0.lock().len(), 1);
    }
}
