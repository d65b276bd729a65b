//! Where something came from, as the ledger names it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use logkeep_ingest::Source;
use logkeep_normalize::Arrival;
use logkeep_record::TenantId;

use crate::counters::Protocol;
use crate::senders::Demand;

/// Who is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is.
    pub address: SocketAddr,
    /// What it has proven to be by a certificate: `spiffe://…`, `CN=…` or `DNS=…`.
    pub identity: Option<Arc<str>>,
    /// What the listener that it came to demands of those who send.
    pub demanded: Demand,
}

impl Peer {
    /// One that has proven nothing, at a listener that demands nothing.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, identity: None, demanded: Demand::Open }
    }

    pub(crate) fn source(&self, protocol: Protocol) -> Source {
        let source = Source::new(protocol.name()).at(self.address.ip());
        match &self.identity {
            Some(identity) => source.proven(identity),
            None => source,
        }
    }
}

/// A source of a tenant, and how much of what it sent is meant.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) protocol: Protocol,
    pub(crate) tenant: TenantId,
    pub(crate) source: Arc<Source>,
    /// Bytes as they arrived, where they are not counted by sender.
    pub(crate) bytes: usize,
}

impl Origin {
    /// Of the default tenant, at the other end of a connection.
    pub(crate) fn of(protocol: Protocol, peer: &Peer) -> Self {
        let source = Arc::new(peer.source(protocol));
        Self { protocol, tenant: TenantId::default(), source, bytes: 0 }
    }

    /// Of many senders, each of which is named where it matters.
    pub(crate) fn of_many(protocol: Protocol) -> Self {
        let source = Arc::new(Source::new(protocol.name()));
        Self { protocol, tenant: TenantId::default(), source, bytes: 0 }
    }

    /// That calls itself this.
    pub(crate) fn called(self, sender: &str) -> Self {
        Self { source: Arc::new((*self.source).clone().called(sender)), ..self }
    }

    /// The same, of another tenant.
    pub(crate) fn in_tenant(&self, tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), ..self.clone() }
    }

    /// About so much of it.
    pub(crate) fn of_bytes(&self, bytes: usize) -> Self {
        Self { bytes, ..self.clone() }
    }

    /// One of its senders.
    pub(crate) fn source_at(&self, peer: Option<IpAddr>) -> Arc<Source> {
        peer.map_or_else(|| self.source.clone(), |peer| Arc::new((*self.source).clone().at(peer)))
    }

    /// What records say of it.
    pub(crate) fn arrival(&self) -> Arrival {
        Arrival { protocol: self.protocol.name(), source: self.source.peer.clone().unwrap_or_default() }
    }
}
