//! Files that may change while they are in use.
//!
//! They are looked at now and then, by content and not by notice of the system: a mounted secret is changed by a link several
//! folders up. Files are changed one after the other, so what cannot be used is said when it is still so at the next look.

use std::time::Duration;

use parking_lot::Mutex;

/// How often files are looked at.
pub const WATCH_PERIOD: Duration = Duration::from_secs(2);

/// What could not be taken up, by its digest, and whether that has been said.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Option<([u8; 32], bool)>>);

impl Refusals {
    /// Whether it is time to say that these files cannot be used: they were so before, and nobody has said it.
    pub fn is_to_be_said(&self, digest: [u8; 32]) -> bool {
        let mut last = self.0.lock();
        let is_settled = last.is_some_and(|(before, _)| before == digest);
        let is_news = is_settled && !last.is_some_and(|(_, said)| said);
        if !is_settled || is_news {
            *last = Some((digest, is_news));
        }
        is_news
    }

    /// The files as they are now are in use.
    pub fn clear(&self) {
        *self.0.lock() = None;
    }

    /// Whether the files as they are now cannot be used, as was said.
    pub fn is_failing(&self) -> bool {
        self.0.lock().is_some_and(|(_, said)| said)
    }
}
