//! Who asks.

use std::collections::BTreeSet;
use std::net::IpAddr;

use logkeep_record::TenantId;

use crate::directory::{Rights, Role, SessionInfo, TokenInfo, UserName};
use crate::scope::Scope;

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
    /// Rows of all of these only, if there are any.
    scopes: Vec<Scope>,
    address: String,
    tenant: TenantId,
    /// What they say they ask for.
    purpose: Option<String>,
    /// Which time, where they may do this because they have broken the glass.
    broken_glass: Option<String>,
}

impl Identity {
    fn new(name: impl Into<String>, known: Known, rights: Rights, address: IpAddr, tenant: TenantId) -> Self {
        let Rights { roles, scope } = rights;
        let (scopes, address) = (scope.into_iter().collect(), address.to_canonical().to_string());
        let (purpose, broken_glass) = (None, None);
        Self { name: name.into(), known, roles, scopes, address, tenant, purpose, broken_glass }
    }

    /// Whoever sits at this machine, from a loopback address; `None` for any other address.
    pub fn local(address: IpAddr, tenant: TenantId) -> Option<Self> {
        let loopback = address.to_canonical().is_loopback();
        loopback.then(|| Self::new("local", Known::Local, Rights::default(), address, tenant))
    }

    /// Whoever has proven by a certificate to be of this name, with the roles that a rule gives it.
    pub fn certified(name: &str, roles: BTreeSet<Role>, address: IpAddr, tenant: TenantId) -> Self {
        Self::new(name, Known::Certificate, roles.into(), address, tenant)
    }

    /// Whoever has a session, with what its user may do now.
    pub fn of_session(session: &SessionInfo, rights: Rights, address: IpAddr, tenant: TenantId) -> Self {
        let known = Known::Session { id: session.id.clone(), user: session.user.clone() };
        Self::new(session.user.as_str(), known, rights, address, tenant)
    }

    /// Whoever shows a token.
    pub fn of_token(token: &TokenInfo, address: IpAddr) -> Self {
        let known = Known::Token { id: token.id.clone(), owner: token.owner.clone() };
        let name = format!("token:{}", token.id);
        let who = Self::new(name, known, token.roles.clone().into(), address, token.tenant.clone());
        Self { scopes: token.scopes.clone(), ..who }
    }

    /// Whoever shows nothing.
    pub fn anonymous(address: IpAddr, tenant: TenantId) -> Self {
        Self::new("anonymous", Known::Anonymous, Rights::default(), address, tenant)
    }

    /// Somebody as they would be if they signed in now; to ask what they may do.
    pub fn of_user(user: &UserName, rights: Rights, tenant: TenantId) -> Self {
        let known = Known::Session { id: String::new(), user: user.clone() };
        Self::new(user.as_str(), known, rights, IpAddr::from([0, 0, 0, 0]), tenant)
    }

    /// The same with what they are by now.
    pub(crate) fn with_rights(&self, roles: BTreeSet<Role>, scopes: Vec<Scope>) -> Self {
        Self { roles, scopes, ..self.clone() }
    }

    /// The same by a broken glass, or by none.
    pub fn with_broken_glass(self, broken_glass: Option<String>) -> Self {
        Self { broken_glass, ..self }
    }

    /// The time that they have broken the glass, where that is why they may do what they do.
    pub fn broken_glass(&self) -> Option<&str> {
        self.broken_glass.as_deref()
    }

    /// The same, about the data of another of their tenants. Whether it is one of theirs is for the caller to know.
    pub fn in_tenant(&self, tenant: TenantId) -> Self {
        Self { tenant, ..self.clone() }
    }

    /// The same, as they say for a purpose. It is for the audit trail, and no leave for anything.
    pub fn for_purpose(self, purpose: Option<String>) -> Self {
        Self { purpose, ..self }
    }

    /// What they say they ask for.
    pub(crate) fn purpose(&self) -> Option<&str> {
        self.purpose.as_deref()
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

    /// For whom is counted what they read, and whose is what they save: the person, or the machine that is known by itself.
    pub fn account(&self) -> &str {
        self.user().map_or(&self.name, UserName::as_str)
    }

    /// What they are.
    pub fn roles(&self) -> &BTreeSet<Role> {
        &self.roles
    }

    /// To which rows they are held: those that all of these admit.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
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
