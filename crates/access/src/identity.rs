//! Who asks.

use std::collections::BTreeSet;
use std::net::IpAddr;

use logkeep_record::TenantId;

use crate::action::Action;
use crate::directory::{Role, SessionInfo, TokenInfo, UserName};
use crate::policy;

/// By what somebody is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// They are on this machine, and the operator has left that door open.
    Local,
    /// A client certificate.
    Certificate,
    /// A session: a person with a browser.
    Session {
        /// Which.
        id: String,
        /// Who.
        user: UserName,
    },
    /// A token: a machine, or a person without a browser.
    Token {
        /// Which.
        id: String,
        /// Who answers for it.
        owner: UserName,
    },
    /// Nobody that we know.
    Anonymous,
}

/// Who asks, from where, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    known: Known,
    roles: BTreeSet<Role>,
    address: String,
    tenant: TenantId,
}

impl Identity {
    fn new(name: impl Into<String>, known: Known, roles: BTreeSet<Role>, address: IpAddr, tenant: TenantId) -> Self {
        Self { name: name.into(), known, roles, address: address.to_canonical().to_string(), tenant }
    }

    /// Whoever sits at this machine, from a loopback address; `None` for any other address.
    pub fn local(address: IpAddr, tenant: TenantId) -> Option<Self> {
        let loopback = address.to_canonical().is_loopback();
        loopback.then(|| Self::new("local", Known::Local, BTreeSet::new(), address, tenant))
    }

    /// Whoever has proven by a certificate to be of this name.
    pub fn certified(name: &str, address: IpAddr, tenant: TenantId) -> Self {
        Self::new(name, Known::Certificate, BTreeSet::from([Role::Analyst, Role::Auditor]), address, tenant)
    }

    /// Whoever has a session, with the roles that its user has now.
    pub fn of_session(session: &SessionInfo, roles: BTreeSet<Role>, address: IpAddr, tenant: TenantId) -> Self {
        let known = Known::Session { id: session.id.clone(), user: session.user.clone() };
        Self::new(session.user.as_str(), known, roles, address, tenant)
    }

    /// Whoever shows a token.
    pub fn of_token(token: &TokenInfo, address: IpAddr) -> Self {
        let known = Known::Token { id: token.id.clone(), owner: token.owner.clone() };
        Self::new(format!("token:{}", token.id), known, token.roles.clone(), address, token.tenant.clone())
    }

    /// Whoever shows nothing.
    pub fn anonymous(address: IpAddr, tenant: TenantId) -> Self {
        Self::new("anonymous", Known::Anonymous, BTreeSet::new(), address, tenant)
    }

    /// The same with what they are by now.
    pub fn with_roles(&self, roles: BTreeSet<Role>) -> Self {
        Self { roles, ..self.clone() }
    }

    /// The name in the audit trail.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// By what they are known.
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// The person, where it is one or a token of one.
    pub fn user(&self) -> Option<&UserName> {
        match &self.known {
            Known::Session { user, .. } => Some(user),
            Known::Token { owner, .. } => Some(owner),
            Known::Local | Known::Certificate | Known::Anonymous => None,
        }
    }

    /// Whether a policy permits them to do this.
    pub fn may(&self, action: Action) -> bool {
        policy::allows(self, action)
    }

    /// What they are.
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// Where the request came from.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The tenant this identity belongs to.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }
}
