//! Who may send, and for which tenant.
//!
//! This is asked for every request of every sender, so it waits for nothing: a token is looked up where the directory holds it
//! in memory, which makes its end felt by the next request, and what the policies say of it is remembered for as long as it
//! has the same roles. That it is in use is written down behind the sender's back.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use logkeep_record::TenantId;
use parking_lot::Mutex;

use crate::action::Action;
use crate::certificates::CertificateRules;
use crate::directory::{Directory, Role};
use crate::identity::Identity;
use crate::policy::Policies;

/// Decisions that are remembered; at this number all are made again.
const DECISIONS: usize = 16_384;

/// Leave to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// Who has it: `token:…`, or the name in a certificate.
    pub name: String,
    /// For whom; the first where the sender names none.
    tenants: Vec<TenantId>,
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLeave {
    /// What was shown is nobody's, or nobody's any more. Which is not said.
    #[error("this token is not known, or no longer")]
    NotRecognised,
    /// No rule is about the certificate.
    #[error("`{0}` stands for nobody who may send here; `access.certificates` says who does")]
    NoRule(String),
    /// No policy permits it.
    #[error("`{0}` may not send: no policy permits `write`")]
    Denied(String),
}

/// Decides who may send.
#[derive(Default)]
pub struct Senders {
    /// `None`: no token is known.
    directory: Option<Arc<Directory>>,
    certificates: CertificateRules,
    policies: Policies,
    /// By who it is: what they were, and whether they may.
    decided: Mutex<HashMap<String, Decided>>,
}

/// What policies look at, and what they say.
struct Decided {
    roles: BTreeSet<Role>,
    scoped: bool,
    may: bool,
}

impl fmt::Debug for Senders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Senders").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

impl Leave {
    /// The tenant that records are for: that which the sender names if it is among its own, or its first.
    pub fn tenant(&self, named: Option<&TenantId>) -> Option<&TenantId> {
        match named {
            Some(named) => self.tenants.iter().find(|tenant| *tenant == named),
            None => self.tenants.first(),
        }
    }
}

impl Senders {
    /// Those whom the directory knows by token, and the rules by certificate.
    pub fn new(directory: Arc<Directory>, certificates: CertificateRules, policies: Policies) -> Self {
        Self { directory: Some(directory), certificates, policies, decided: Mutex::default() }
    }

    /// Whoever shows this token. To be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`NoLeave`].
    pub fn by_token(&self, shown: &str, address: IpAddr) -> Result<Leave, NoLeave> {
        let directory = self.directory.as_ref().ok_or(NoLeave::NotRecognised)?;
        let token = directory.recognise(shown).ok_or(NoLeave::NotRecognised)?;
        if token.is_to_note {
            let directory = directory.clone();
            tokio::spawn(async move { directory.note_token_use().await });
        }
        let tenants = vec![token.info.tenant.clone()];
        self.leave(Identity::of_token(&token.info, address), tenants)
    }

    /// Whoever has proven by a certificate to be of this name.
    ///
    /// # Errors
    /// [`NoLeave`].
    pub fn by_certificate(&self, name: &str, address: IpAddr) -> Result<Leave, NoLeave> {
        let rule = self.certificates.of_sender(name).ok_or_else(|| NoLeave::NoRule(name.to_owned()))?;
        let tenant = rule.tenants.first().cloned().unwrap_or_default();
        self.leave(Identity::certified(name, rule.roles, address, tenant), rule.tenants)
    }

    fn leave(&self, who: Identity, tenants: Vec<TenantId>) -> Result<Leave, NoLeave> {
        let name = who.name().to_owned();
        if self.may_write(&who) { Ok(Leave { name, tenants }) } else { Err(NoLeave::Denied(name)) }
    }

    fn may_write(&self, who: &Identity) -> bool {
        let scoped = !who.scopes().is_empty();
        if let Some(decided) = self.decided.lock().get(who.name())
            && decided.roles == *who.roles()
            && decided.scoped == scoped
        {
            return decided.may;
        }
        let may = self.policies.allow(who, Action::Write);
        let mut decided = self.decided.lock();
        if decided.len() >= DECISIONS {
            decided.clear();
        }
        decided.insert(who.name().to_owned(), Decided { roles: who.roles().clone(), scoped, may });
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::{CertificateRule, NamePattern};

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    fn rule(name: &str, role: Role) -> CertificateRule {
        let name = NamePattern::new(name).unwrap();
        CertificateRule { name, roles: [role].into(), tenants: vec![tenant("a"), tenant("b")] }
    }

    #[test]
    fn certificates() {
        let rules = vec![rule("CN=web-*", Role::Collector), rule("CN=ann", Role::Analyst)];
        let senders = Senders { certificates: CertificateRules::new(rules), ..Senders::default() };
        for _ in 0..2 {
            let leave = senders.by_certificate("CN=web-1", ADDRESS).unwrap();
            assert_eq!(leave.tenant(None), Some(&tenant("a")));
            assert_eq!(leave.tenant(Some(&tenant("b"))), Some(&tenant("b")));
            assert_eq!(leave.tenant(Some(&tenant("c"))), None);
            let denied = senders.by_certificate("CN=ann", ADDRESS);
            assert_eq!(denied, Err(NoLeave::Denied("CN=ann".to_owned())), "an analyst only reads");
        }
        assert_eq!(senders.by_certificate("CN=x", ADDRESS), Err(NoLeave::NoRule("CN=x".to_owned())));
        assert_eq!(senders.by_token("lkt_1", ADDRESS), Err(NoLeave::NotRecognised));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_not_of_other_roles() {
        let senders = Senders::default();
        let who = |n: usize, role| Identity::certified(&format!("CN={n}"), [role].into(), ADDRESS, tenant("a"));
        let remembered =
            (0..DECISIONS).map(|n| (n.to_string(), Decided { roles: BTreeSet::new(), scoped: false, may: true }));
        senders.decided.lock().extend(remembered);
        assert!(senders.may_write(&who(1, Role::Collector)));
        assert_eq!(senders.decided.lock().len(), 1);
        assert!(!senders.may_write(&who(1, Role::Analyst)));
        assert!(senders.may_write(&who(1, Role::Collector)));
    }
}
