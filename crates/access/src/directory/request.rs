//! Asking for what takes two people, and deciding about it.
//!
//! A request is kept until another has decided, for a day at most. Whoever asks or decides writes it into the audit trail first: what is
//! prepared here has no effect until it is kept, refused or carried out.

use std::collections::BTreeMap;

use logkeep_cipher::random_bytes;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::carry_out::{CHANGED, TWO_ALWAYS, refused};
use super::danger::Second;
use super::{DAY_NS, Directory, DirectoryError, UserName};
use crate::approval::{Act, Ground, Signed, Statement, hash};
use crate::identity::Identity;

pub(super) const TABLE: &str = "directory/requests";

/// How long a request waits.
const WAITS_NS: i64 = DAY_NS;
/// How long a statement is good: it is used at once.
const STATEMENT_LASTS_NS: i64 = 5 * 60 * 1_000_000_000;
/// Requests that wait at most.
const MOST_REQUESTS: usize = 1_000;

/// What somebody has asked for that another must approve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// By which it is named; that of the statement, too.
    pub id: String,
    /// What is to be done.
    pub act: Act,
    /// The act in full, as it will be signed.
    pub text: String,
    /// Who asked.
    pub requester: UserName,
    /// When, nanoseconds.
    pub requested_ns: i64,
    /// Until when it waits, nanoseconds.
    pub expires_ns: i64,
}

/// What it takes to do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Nobody else.
    Nobody,
    /// Another person: this is to be kept until they have decided.
    Approval(Request),
    /// Nobody can approve it, or the asker has broken the glass: this statement says so.
    Statement(Signed),
}

impl Request {
    /// What whoever decides must name.
    pub fn hash(&self) -> String {
        hash(&self.text)
    }

    fn statement(&self, ground: Ground, now_ns: i64) -> Statement {
        Statement {
            act: self.text.clone(),
            id: self.id.clone(),
            requester: self.requester.clone(),
            ground,
            requested_ns: self.requested_ns,
            approved_ns: now_ns,
            expires_ns: now_ns.saturating_add(STATEMENT_LASTS_NS),
        }
    }
}

impl Directory {
    /// What it takes that this person does this.
    ///
    /// # Errors
    /// [`DirectoryError`] where it cannot be done, whoever approves it, or nobody could approve it now.
    pub fn needed(&self, act: &Act, who: &Identity) -> Result<Needed, DirectoryError> {
        let now_ns = self.now_ns();
        let tables = self.tables.read();
        tables.check_possible(act)?;
        if !tables.is_dangerous(act, who.user()) {
            return Ok(Needed::Nobody);
        }
        let requester = who.user().cloned().ok_or_else(|| refused("this takes two people: sign in to ask for it"))?;
        let request = Request {
            id: hex::encode(random_bytes::<16>()),
            act: act.clone(),
            text: tables.text(act),
            requester,
            requested_ns: now_ns,
            expires_ns: now_ns.saturating_add(WAITS_NS),
        };
        if let Some((id, glass)) = self.broken(&tables, who).filter(|_| !act.is_final()) {
            let ground = Ground::BreakGlass { id: id.to_owned(), reason: glass.reason.clone() };
            return self.sign(request.statement(ground, now_ns)).map(Needed::Statement);
        }
        if !tables.is_administrator(&request.requester, now_ns) {
            return Err(refused("this takes two administrators, of whom you are none"));
        }
        match tables.second(&request.requester, act.target(), now_ns) {
            Second::There => Ok(Needed::Approval(request)),
            Second::Nobody if act.is_final() => Err(refused(TWO_ALWAYS)),
            Second::Nobody => self.sign(request.statement(Ground::Waived, now_ns)).map(Needed::Statement),
            Second::NotNow => Err(refused(
                "nobody could approve this: the other administrators are whom it is about, or were kept out or lost the role \
                less than 7 days ago; who may break the glass can do it (docs/guide/approvals.md)",
            )),
        }
    }

    fn sign(&self, statement: Statement) -> Result<Signed, DirectoryError> {
        statement.sign(&self.signer).map_err(|error| DirectoryError::Invalid(error.to_string()))
    }

    /// Whether a request can be kept.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where too many wait, or the same waits already.
    pub fn check_request(&self, request: &Request) -> Result<(), DirectoryError> {
        let now_ns = self.now_ns();
        let tables = self.tables.read();
        let mut waiting = tables.requests.values().filter(|other| other.expires_ns > now_ns);
        let is_same = |other: &&Request| other.text == request.text && other.requester == request.requester;
        if let Some(other) = waiting.find(is_same) {
            return Err(refused(format!("the same waits for approval already: request `{}`", other.id)));
        }
        if tables.requests.len() >= MOST_REQUESTS {
            let what = format!("{MOST_REQUESTS} requests wait for approval, which is all that may: decide about some");
            return Err(refused(what));
        }
        Ok(())
    }

    /// Keeps a request until somebody has decided.
    ///
    /// # Errors
    /// As [`Directory::check_request`].
    pub async fn keep_request(&self, request: Request) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        self.check_request(&request)?;
        let keep = |requests: &mut BTreeMap<String, Request>| drop(requests.insert(request.id.clone(), request));
        self.change(TABLE, |tables| &mut tables.requests, keep).await
    }

    /// What waits, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.requests_that(|request, now_ns| request.expires_ns > now_ns)
    }

    /// What has waited for too long, and was not forgotten yet.
    pub fn expired_requests(&self) -> Vec<Request> {
        self.requests_that(|request, now_ns| request.expires_ns <= now_ns)
    }

    fn requests_that(&self, is_wanted: impl Fn(&Request, i64) -> bool) -> Vec<Request> {
        let now_ns = self.now_ns();
        let tables = self.tables.read();
        let mut found: Vec<Request> =
            tables.requests.values().filter(|request| is_wanted(request, now_ns)).cloned().collect();
        found.sort_by(|a, b| (a.requested_ns, &a.id).cmp(&(b.requested_ns, &b.id)));
        found
    }

    /// Forgets a request, which was refused or has expired.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`] if it is gone.
    pub async fn forget_request(&self, id: &str) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        let forget = |requests: &mut BTreeMap<String, Request>| requests.remove(id).is_some();
        let is_gone = self.change(TABLE, |tables| &mut tables.requests, forget).await?;
        if is_gone { Ok(()) } else { Err(none_of(id)) }
    }

    /// The request of this id, if it is what somebody has seen who names this hash.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`]; [`DirectoryError::Refused`] for another hash.
    pub fn request(&self, id: &str, hash: &str) -> Result<Request, DirectoryError> {
        let now_ns = self.now_ns();
        let tables = self.tables.read();
        let request =
            tables.requests.get(id).filter(|request| request.expires_ns > now_ns).ok_or_else(|| none_of(id))?;
        if !bool::from(request.hash().as_bytes().ct_eq(hash.as_bytes())) {
            return Err(refused("this hash is not that of the request: look at it again"));
        }
        Ok(request.clone())
    }

    /// The statement that this person approves a request. It has an effect once it is carried out.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] for one who may not.
    pub fn approve(&self, request: &Request, approver: &UserName) -> Result<Signed, DirectoryError> {
        let now_ns = self.now_ns();
        {
            let tables = self.tables.read();
            tables.check_approver(&request.act, &request.requester, approver, now_ns)?;
            tables.check_possible(&request.act)?;
            if tables.text(&request.act) != request.text {
                return Err(refused(CHANGED));
            }
        }
        self.sign(request.statement(Ground::Approved { by: approver.clone() }, now_ns))
    }
}

fn none_of(id: &str) -> DirectoryError {
    DirectoryError::NotFound(format!("request `{}` that waits", id.chars().take(64).collect::<String>()))
}
