//! Which kind of sender wrote a document, told by its keys.
//!
//! `status`, `path` or `duration` mean one thing in an access log and anything at all elsewhere, so the family is
//! decided from all the keys before any of them is read.

use logkeep_record::{Attributes, Value};

use crate::semconv::{ENVOY_STRONG, ENVOY_WEAK, HUBBLE, KUMA, LINKERD, ZTUNNEL};
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

/// Keys looked at before deciding; as many as a lane of marks can count.
const KEYS: usize = 200;

impl Family {
    /// The family of a document with these pairs at its top.
    pub(crate) fn of(pairs: &Attributes<'_>) -> Self {
        Self::from_marks(marks(pairs), pairs)
    }

    fn from_marks(marks: u64, pairs: &Attributes<'_>) -> Self {
        let count = |lane: u64| (marks / lane) & 0xff;
        let (strong, weak) = (count(ENVOY_STRONG), count(ENVOY_WEAK));
        if strong > 0 && strong * 2 + weak >= 5 || count(KUMA) > 0 && strong + weak > 0 {
            Self::Envoy
        } else if count(LINKERD) >= 3 {
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

fn marks(pairs: &Attributes<'_>) -> u64 {
    let known = pairs.iter().take(KEYS).filter_map(|(key, _)| table::lookup(key));
    known.fold(0, |sum, entry| sum + entry.marks)
}

/// The `flow` of a Hubble export is a map with at least one of the fields every flow has.
fn is_flow(pairs: &Attributes<'_>) -> bool {
    let flow = pairs.iter().find(|(key, _)| key == "flow");
    let Some((_, Value::Map(flow))) = flow else { return false };
    let marks = ["verdict", "Type", "traffic_direction", "source", "destination", "IP", "l4", "event_type"];
    flow.iter().filter(|(key, _)| marks.contains(&key.as_ref())).count() >= 2
}
