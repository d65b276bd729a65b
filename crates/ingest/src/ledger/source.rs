//! Who sent something, as far as we know.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Characters of what a source says of itself.
const CHARS: usize = 128;

/// A source. Its texts are short, whatever it says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// As records name it.
    pub protocol: String,
    /// Address without port, or the place that we read from; `None` for what we say ourselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// What the sender calls itself: a user agent, a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// What the sender has proven to be, such as the name in its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// All sources of this protocol for which there was no room.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others: bool,
}

impl Source {
    /// What a protocol brings.
    pub fn new(protocol: &str) -> Self {
        Self { protocol: protocol.to_owned(), ..Self::default() }
    }

    /// What we say ourselves.
    pub(crate) fn own() -> Arc<Self> {
        Arc::new(Self::new("logkeep"))
    }

    /// From this address.
    #[must_use]
    pub fn at(self, peer: IpAddr) -> Self {
        Self { peer: Some(peer.to_canonical().to_string()), ..self }
    }

    /// Read from this place, such as the brokers of a queue.
    #[must_use]
    pub fn read_from(self, place: &str) -> Self {
        Self { peer: Some(place.chars().take(CHARS).collect()), ..self }
    }

    /// Calling itself this; nothing if it says nothing.
    #[must_use]
    pub fn called(self, sender: &str) -> Self {
        let sender: String = sender.trim().chars().filter(|c| !c.is_control()).take(CHARS).collect();
        Self { sender: (!sender.is_empty()).then_some(sender), ..self }
    }

    /// Having proven to be this.
    #[must_use]
    pub fn proven(self, identity: &str) -> Self {
        Self { identity: Some(identity.to_owned()), ..self }
    }

    /// What its lines go to where there is no room.
    pub(crate) fn others(&self) -> Self {
        Self { others: true, ..Self::new(&self.protocol) }
    }
}
