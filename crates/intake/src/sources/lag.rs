//! How far behind queues we are: messages that are there and not stored here yet, as the queue said with what it gave last.
//!
//! No queue is asked for it. Of one that we have to connect to anew nothing is known.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::Intake;

/// A queue that is read, and how far behind we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLags {
    /// `kafka` or `nats`.
    pub kind: &'static str,
    /// As the configuration names it.
    pub name: String,
    /// By sequence; none of those that nothing is known of.
    pub lags: Vec<Lag>,
}

/// How far behind one sequence of messages we are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lag {
    /// The topic or the stream.
    pub sequence: String,
    /// The partition of a topic.
    pub partition: Option<i32>,
    /// Messages that are not stored yet; of Kafka positions, of which some may be empty.
    pub messages: u64,
}

/// Of all that are read, by kind and name.
#[derive(Debug, Default)]
pub(crate) struct Lags(Mutex<BTreeMap<(&'static str, String), Vec<Lag>>>);

impl Intake {
    /// How far behind the queues we are that are read.
    pub fn source_lags(&self) -> Vec<SourceLags> {
        let lags = self.inner.lags.0.lock();
        lags.iter().map(|((kind, name), lags)| SourceLags { kind, name: name.clone(), lags: lags.clone() }).collect()
    }

    pub(super) fn set_lags(&self, kind: &'static str, name: &str, lags: Vec<Lag>) {
        self.inner.lags.0.lock().insert((kind, name.to_owned()), lags);
    }
}
