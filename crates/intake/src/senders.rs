//! Who sends, and whether they may: decided once, before anything of a request is read.
//!
//! A request becomes a [`Sender`], which gives its records a place to go ([`Sender::let_in`]) only if its listener lets it in.
//! Where a listener demands nothing, whoever comes may send for any tenant that is declared; but a token that is shown has to
//! be good, and binds. Who is not let in is counted in the ledger, and told to the audit trail in sums: a sender that is not
//! let in comes again, and again.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::USER_AGENT;
use logkeep_access::{Leave, NoLeave};
use logkeep_ingest::{CommitError, Source};
use logkeep_record::TenantId;
use parking_lot::Mutex;

use crate::Intake;
use crate::counters::Protocol;
use crate::credentials::{self, Shown};
use crate::origin::{Origin, Peer};
use crate::refusal::{Kind, Refusal};
use crate::request::peer;

/// Senders that are told apart until they are told.
const TOLD_APART: usize = 256;

/// What a listener demands of those who send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Demand {
    /// Nothing.
    #[default]
    Open,
    /// A token, or what a protocol has in its place.
    Token,
    /// A certificate.
    Certificate,
    /// A token or a certificate.
    Any,
}

impl Demand {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Open, Self::Token, Self::Certificate, Self::Any];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Token => "token",
            Self::Certificate => "certificate",
            Self::Any => "any",
        }
    }

    fn takes_tokens(self) -> bool {
        self != Self::Certificate
    }

    fn takes_certificates(self) -> bool {
        self != Self::Token
    }
}

/// Whoever sends a request.
#[derive(Debug)]
pub(crate) struct Sender {
    origin: Origin,
    refusal: Option<Refusal>,
}

impl Sender {
    /// Where its records go.
    pub(crate) fn let_in(&self) -> Result<&Origin, Refusal> {
        self.refusal.clone().map_or(Ok(&self.origin), Err)
    }
}

/// Senders that were not let in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TurnedAway {
    /// By which way they came.
    pub protocol: &'static str,
    /// From where; `None` for those that there was no room to tell apart.
    pub address: Option<IpAddr>,
    /// What they have proven to be.
    pub identity: Option<String>,
    /// As the ledger has it.
    pub reason: &'static str,
}

#[derive(Default)]
pub(crate) struct TurnedAwayCounts(Mutex<BTreeMap<TurnedAway, u64>>);

impl TurnedAwayCounts {
    fn add(&self, who: TurnedAway, times: u64) {
        let mut counts = self.0.lock();
        let is_full = counts.len() >= TOLD_APART && !counts.contains_key(&who);
        let who = if is_full { TurnedAway { address: None, identity: None, ..who } } else { who };
        *counts.entry(who).or_default() += times;
    }
}

impl From<NoLeave> for Refusal {
    fn from(no: NoLeave) -> Self {
        let kind = if no == NoLeave::NotRecognised { Kind::Unauthenticated } else { Kind::Denied };
        Self::new(kind, no.to_string())
    }
}

fn nothing_shown(demand: Demand) -> Refusal {
    let what = match demand {
        Demand::Certificate => "a client certificate",
        Demand::Token => "a token",
        Demand::Open | Demand::Any => "a token or a client certificate",
    };
    Refusal::new(Kind::Unauthenticated, format!("whoever sends here has to show {what} (docs/receivers.md)"))
}

impl Intake {
    /// Who sends a request, and whether it is let in; `tenant_header` is where its protocol names the tenant.
    pub(crate) fn sender<B>(&self, protocol: Protocol, tenant_header: &str, request: &http::Request<B>) -> Sender {
        let (headers, peer) = (request.headers(), peer(request.extensions()));
        let mut source = peer.map_or_else(|| Source::new(protocol.name()), |peer| peer.source(protocol));
        if let Some(agent) = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()) {
            source = source.called(&self.inner.options.redactor.masked(agent));
        }
        let shown = credentials::shown(protocol, headers, request.uri());
        let leave = shown.and_then(|shown| self.leave(peer, &shown));
        if let Ok(Some(leave)) = &leave {
            source = source.proven(&leave.name);
        }
        let tenant = leave.and_then(|leave| self.tenant_for(leave.as_ref(), headers, tenant_header));
        let (tenant, refusal) = match tenant {
            Ok(tenant) => (tenant, None),
            Err(refusal) => (TenantId::default(), Some(refusal)),
        };
        Sender { origin: Origin { protocol, tenant, source: Arc::new(source), bytes: 0 }, refusal }
    }

    /// Whose leave a request has; `None` where none is demanded.
    fn leave(&self, peer: Option<&Peer>, shown: &Shown) -> Result<Option<Leave>, Refusal> {
        let Some(peer) = peer else { return Err(nothing_shown(Demand::Any)) };
        let (demand, address) = (peer.demanded, peer.address.ip());
        if let Shown::Token(token) = shown
            && demand.takes_tokens()
        {
            return Ok(Some(self.inner.options.senders.by_token(token, address)?));
        }
        self.leave_by_certificate(peer)
    }

    fn leave_by_certificate(&self, peer: &Peer) -> Result<Option<Leave>, Refusal> {
        match (&peer.identity, peer.demanded) {
            (_, Demand::Open) => Ok(None),
            (Some(name), demand) if demand.takes_certificates() => {
                Ok(Some(self.inner.options.senders.by_certificate(name, peer.address.ip())?))
            }
            (_, demand) => Err(nothing_shown(demand)),
        }
    }

    /// The tenant of what a connection sends that has no other way to say whose it is. `has_key` says that its protocol asks
    /// for a key before it takes anything.
    pub(crate) fn tenant_of_connection(&self, peer: &Peer, has_key: bool) -> Result<TenantId, Refusal> {
        let tenant = match self.leave_by_certificate(peer) {
            Ok(leave) => leave.and_then(|leave| leave.tenant(None).cloned()).unwrap_or_default(),
            Err(_) if has_key && peer.identity.is_none() && peer.demanded.takes_tokens() => TenantId::default(),
            Err(refusal) => return Err(refusal),
        };
        self.unless_destroyed(tenant)
    }

    /// The tenant that a header names, where that is allowed, or the sender's own.
    fn tenant_for(&self, leave: Option<&Leave>, headers: &HeaderMap, header: &str) -> Result<TenantId, Refusal> {
        let value =
            credentials::only(headers, header).map_err(|refusal| Refusal::new(Kind::Tenant, refusal.message))?;
        let name = value.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
        let shown = || name.as_deref().unwrap_or_default().chars().take(64).collect::<String>();
        let named = name.as_deref().map(|name| TenantId::new(name).ok());
        let Some(leave) = leave else {
            let tenant = named.unwrap_or_else(|| Some(TenantId::default()));
            let declared = tenant.filter(|tenant| self.has_tenant(tenant)).ok_or_else(|| undeclared(&shown()))?;
            return self.unless_destroyed(declared);
        };
        // Whether others exist is nobody's business who may not send for them.
        let own = named.map_or_else(|| leave.tenant(None), |named| leave.tenant(Some(&named?)));
        let own = own.ok_or_else(|| {
            Refusal::new(Kind::Tenant, format!("`{}` may not send for the tenant `{}`", leave.name, shown()))
        })?;
        if !self.has_tenant(own) {
            return Err(undeclared(own.as_str()));
        }
        self.unless_destroyed(own.clone())
    }

    /// A tenant whose data were destroyed gets nothing more: whoever still sends for it is told at once, and for good.
    fn unless_destroyed(&self, tenant: TenantId) -> Result<TenantId, Refusal> {
        if self.inner.ingest.destruction(&tenant).is_some() {
            return Err(CommitError::Destroyed(tenant).into());
        }
        Ok(tenant)
    }

    /// Whether a tenant is declared.
    pub fn has_tenant(&self, tenant: &TenantId) -> bool {
        self.inner.tenants.contains(tenant)
    }

    /// Counts a request that is answered with no, and says so where that is for good.
    pub(crate) fn count_refusal(&self, sender: &Sender, refusal: &Refusal) {
        self.count_refused(&sender.origin, refusal.reason());
        self.turn_away(&sender.origin, refusal);
        self.tell_refused(&sender.origin, refusal);
    }

    /// Remembers, for the audit trail, who was not let in.
    pub(crate) fn turn_away(&self, origin: &Origin, refusal: &Refusal) {
        if refusal.is_about_the_sender() {
            let address = origin.source.peer.as_deref().and_then(|peer| peer.parse().ok());
            let identity = origin.source.identity.clone();
            let who = TurnedAway { protocol: origin.protocol.name(), address, identity, reason: refusal.reason() };
            self.inner.turned_away.add(who, 1);
        }
    }

    /// Who was not let in since this was last asked, and how often.
    pub fn take_turned_away(&self) -> Vec<(TurnedAway, u64)> {
        std::mem::take(&mut *self.inner.turned_away.0.lock()).into_iter().collect()
    }

    /// Gives back what could not be written down.
    pub fn turned_away_again(&self, who: TurnedAway, times: u64) {
        self.inner.turned_away.add(who, times);
    }
}

fn undeclared(shown: &str) -> Refusal {
    Refusal::new(Kind::Tenant, format!("tenant `{shown}` is not declared; add it to `tenants` in the configuration"))
}
