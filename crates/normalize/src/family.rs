//! Which kind of sender wrote a document, told by its keys.
//!
//! `status`, `path` or `duration` mean one thing in an access log and anything at all elsewhere, so the family is
//! decided from all the keys before any of them is read.

use logkeep_record::{Attributes, Value};

use crate::semconv::{ENVOY_STRONG, ENVOY_WEAK, Entry, HUBBLE, KUMA, LINKERD, ZTUNNEL};
use crate::table;

/// Who writes in this form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Family {
    /// An application: keys mean what they mean anywhere.
    #[default]
    App,
    /// Envoy and what is built on it: Istio, Consul, Kuma.
    Envoy,
    Linkerd,
    Ztunnel,
    Hubble,
    /// A web server's Common Log Format, no mesh.
    WebServer,
}

/// Keys looked at before deciding; a lane of marks counts to 255, two a key.
const KEYS: usize = 120;
/// Keys whose entries are kept; most documents have fewer.
const ENTRIES: usize = 48;

/// What is known of a document's first keys, in order.
pub(crate) type Entries = [Option<&'static Entry>; ENTRIES];

impl Family {
    /// The family of a document with these pairs at its top.
    pub(crate) fn of(pairs: &Attributes<'_>) -> Self {
        Self::with_entries(pairs).0
    }

    /// The family, and what is known of the first keys, so that they need not be looked up again.
    pub(crate) fn with_entries(pairs: &Attributes<'_>) -> (Self, Entries) {
        let (mut entries, mut marks) = ([None; ENTRIES], 0);
        for (place, (key, _)) in pairs.iter().take(KEYS).enumerate() {
            let entry = table::lookup(key);
            marks += entry.map_or(0, |entry| entry.marks);
            if let Some(slot) = entries.get_mut(place) {
                *slot = entry;
            }
        }
        (Self::from_marks(marks, pairs), entries)
    }

    fn from_marks(marks: u64, pairs: &Attributes<'_>) -> Self {
        let count = |lane: u64| (marks / lane) & 0xff;
        let (strong, weak) = (count(ENVOY_STRONG), count(ENVOY_WEAK));
        if strong > 0 && strong * 2 + weak >= 5 || count(KUMA) > 0 && strong + weak > 0 {
            Self::Envoy
        } else if count(LINKERD) >= 5 {
            Self::Linkerd
        } else if count(ZTUNNEL) >= 2 {
            Self::Ztunnel
        } else if count(HUBBLE) > 0 && is_flow(pairs) {
            Self::Hubble
        } else {
            Self::App
        }
    }

    /// Whether its records are of requests or connections.
    pub(crate) fn is_access(self) -> bool {
        self != Self::App
    }
}

/// The `flow` of a Hubble export is a map with at least two of the fields flows have.
fn is_flow(pairs: &Attributes<'_>) -> bool {
    let flow = pairs.iter().find(|(key, _)| key == "flow");
    let Some((_, Value::Map(flow))) = flow else { return false };
    let marks = ["verdict", "Type", "traffic_direction", "source", "destination", "IP", "l4", "event_type"];
    flow.iter().filter(|(key, _)| marks.contains(&key.as_ref())).count() >= 2
}
