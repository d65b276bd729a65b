//! Carrying out what was asked for about people and what is kept: the one door for whatever may take two of them.
//!
//! What takes two is done with a statement in hand only, which is checked here and nowhere else: who signed it, that it is for exactly this, that
//! nobody approved their own, that all are still who they must be, that it has not expired, and that it was not used
//! before. That it is used up is in the same write of the catalog as the change.

use std::collections::BTreeMap;

use logkeep_ingest::Order;

use super::danger::{Second, is_powerful};
use super::glass::Glass;
use super::link::{self, PASSWORD_LINK_LASTS, Purpose};
use super::user::User;
use super::{DAY_NS, Directory, DirectoryError, Kind, Rights, Tables, UserName, second};
use crate::approval::{Act, Ground, Statement};

pub(super) const USED_TABLE: &str = "directory/used_statements";

/// Statements that were used are remembered for longer than any is good, so that no step of a clock makes one good again.
const REMEMBERED_NS: i64 = 30 * DAY_NS;
/// Of them at most.
const MOST_USED: usize = 10_000;

pub(super) const TWO_ALWAYS: &str =
    "nobody can undo this, so it takes two administrators always: with one only, add another first";
pub(super) const CHANGED: &str = "what was approved is something else, or what it is about has changed since: ask anew";

/// By what somebody acts.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// By the word of one, where it is known of whom: for what takes no two.
    One(Option<&'a UserName>),
    /// By a signed statement.
    Statement(&'a str),
}

/// What is known before anything is changed.
struct Ready {
    /// The hash of a password that is set.
    hash: Option<String>,
    /// The id of the statement that is used up.
    used: Option<String>,
    /// For what another layer does: the statement, which is kept for it.
    order: Option<Order>,
    /// Who does it by their own word, where that is known.
    by: Option<UserName>,
    now_ns: i64,
}

impl Directory {
    /// Does it, or nothing. Gives the secret of the link if there is one for the person to choose a password by.
    ///
    /// # Errors
    /// [`DirectoryError::Refused`] where it takes a statement, or the statement is not for this, not good, or not any more. Others
    /// where it cannot be done.
    pub async fn carry_out(
        &self,
        act: &Act,
        password: Option<&str>,
        by: By<'_>,
    ) -> Result<Option<String>, DirectoryError> {
        let hash = match (password, act.target()) {
            (Some(password), Some(user)) => self.new_password(user, password).await?,
            _ => None,
        };
        let _turn = self.turn.lock().await;
        let now_ns = self.now_ns();
        let used = {
            let tables = self.tables.read();
            tables.check_possible(act)?;
            match by {
                By::One(asker) if tables.is_dangerous(act, asker) => {
                    return Err(refused("this takes two people: it needs a statement that it was approved"));
                }
                By::One(_) => None,
                By::Statement(note) => Some(self.admit(&tables, act, note, now_ns)?.id),
            }
        };
        let mut kinds = act.touches().to_vec();
        if used.is_some() {
            kinds.extend([Kind::Requests, Kind::Used]);
        }
        let order = order(act, by, now_ns);
        let by = if let By::One(by) = by { by.cloned() } else { None };
        let ready = Ready { hash, used, order, by, now_ns };
        self.change_all(&kinds, |tables| tables.carry_out(act, ready)).await
    }

    /// Whether a statement is one for this act, by now. Nothing of it is believed before the signature is.
    fn admit(&self, tables: &Tables, act: &Act, note: &str, now_ns: i64) -> Result<Statement, DirectoryError> {
        let statement = Statement::open(note, &self.approval_key())
            .map_err(|fault| refused(format!("this is no approval of ours: {fault}")))?;
        if statement.act != tables.text(act) {
            return Err(refused(CHANGED));
        }
        if now_ns < statement.approved_ns || statement.expires_ns <= now_ns {
            return Err(refused("the approval has expired"));
        }
        if tables.used.contains_key(&statement.id) {
            return Err(refused("the approval was used already"));
        }
        self.check_ground(tables, act, &statement, now_ns)?;
        Ok(statement)
    }

    fn check_ground(
        &self,
        tables: &Tables,
        act: &Act,
        Statement { requester, ground, .. }: &Statement,
        now_ns: i64,
    ) -> Result<(), DirectoryError> {
        match ground {
            Ground::BreakGlass { .. } | Ground::Waived if act.is_final() => return Err(refused(TWO_ALWAYS)),
            Ground::BreakGlass { id, .. } => {
                let is_theirs = |glass: &Glass| glass.user == *requester && self.lasts(tables, glass);
                let is_broken = tables.glasses.get(id).is_some_and(is_theirs);
                return if is_broken { Ok(()) } else { Err(refused("the glass is not broken, or not any more")) };
            }
            Ground::Approved { by } => tables.check_approver(act, requester, by, now_ns)?,
            Ground::Waived if tables.second(requester, act.target(), now_ns) != Second::Nobody => {
                return Err(refused("there is somebody else who must approve it"));
            }
            Ground::Waived => {}
        }
        if tables.is_administrator(requester, now_ns) {
            return Ok(());
        }
        Err(refused(format!("`{requester}`, who asked for it, is no administrator any more")))
    }
}

/// What is left of it for the layer that has the data (`logkeep_ingest`), which checks it again.
fn order(act: &Act, by: By<'_>, ordered_ns: i64) -> Option<Order> {
    let (true, By::Statement(note)) = (act.is_final(), by) else { return None };
    Some(Order { note: note.to_owned(), ordered_ns })
}

impl Tables {
    /// Whether somebody may approve what another asked for.
    pub(super) fn check_approver(
        &self,
        act: &Act,
        requester: &UserName,
        approver: &UserName,
        now_ns: i64,
    ) -> Result<(), DirectoryError> {
        if approver == requester {
            return Err(refused("nobody approves what they asked for themselves, by whatever they are known"));
        }
        if act.target() == Some(approver) {
            return Err(refused("nobody approves what is about themselves"));
        }
        if !self.is_administrator(approver, now_ns) {
            return Err(refused(format!("`{approver}` is no administrator")));
        }
        Ok(())
    }

    /// Whether it can be done at all, whoever wants it.
    pub(super) fn check_possible(&self, act: &Act) -> Result<(), DirectoryError> {
        match act {
            Act::AddUser { user, scope, .. } => {
                Rights::check_scope(scope.as_ref())?;
                self.check_new(user)
            }
            Act::SetUser { user, roles, scope, disabled } => {
                Rights::check_scope(scope.as_ref())?;
                self.check_set(user, roles, *disabled)
            }
            Act::PasswordLink { user } => self.check_may_have_password(user),
            Act::ResetSecondFactor { user } if self.factors.contains_key(user) => Ok(()),
            Act::ResetSecondFactor { user } => Err(second::none_of(user)),
            Act::DestroyKeys { tenant } if self.orders.contains_key(tenant.as_str()) => {
                Err(DirectoryError::Exists(format!("an order to destroy all keys of the tenant `{tenant}`")))
            }
            Act::DestroyKeys { tenant } => self.check_not_held(tenant),
            Act::SetRetention { tenant, class, days } => self.check_retention(tenant, class, *days),
            Act::PlaceHold { hold, tenant, class, reason } => {
                self.check_new_hold(hold, tenant, class.as_deref(), reason)
            }
            Act::ReleaseHold { hold, tenant } => self.check_held(hold, tenant),
        }
    }

    /// Sessions and tokens of somebody end with what they could do, so that nothing stays of it.
    fn carry_out(&mut self, act: &Act, Ready { hash, used, order, by, now_ns }: Ready) -> Option<String> {
        if let Some(id) = used {
            self.use_up(id, now_ns);
        }
        match act {
            Act::AddUser { user, roles, scope } => {
                let rights = Rights { roles: roles.clone(), scope: scope.clone() };
                let is_to_choose = hash.is_none();
                self.users.insert(user.clone(), User::new(hash, rights, now_ns));
                is_to_choose.then(|| self.password_link(user, now_ns))
            }
            Act::SetUser { user: name, roles, scope, disabled } => {
                if let Some(user) = self.users.get_mut(name) {
                    user.administered_ns = user.administered_until(roles, *disabled, now_ns);
                    user.roles = roles.clone();
                    user.scope = scope.clone();
                    user.disabled = *disabled;
                }
                self.sessions.retain(|_, session| session.user != *name);
                // Whoever has a link for them, from before they managed people, must not become them.
                if is_powerful(roles) {
                    self.links.retain(|_, link| !link.is_for(name));
                }
                None
            }
            Act::PasswordLink { user } => Some(self.password_link(user, now_ns)),
            // Whoever has their sessions may be who has the app.
            Act::ResetSecondFactor { user } => {
                self.factors.remove(user);
                self.sessions.retain(|_, session| session.user != *user);
                None
            }
            Act::DestroyKeys { tenant } => {
                self.orders.extend(order.map(|order| (tenant.to_string(), order)));
                None
            }
            Act::SetRetention { tenant, class, days } => {
                self.set_retention(tenant, class, *days, order);
                None
            }
            Act::PlaceHold { .. } => {
                self.place_hold(act, by, now_ns);
                None
            }
            Act::ReleaseHold { hold, .. } => {
                if let Some(row) = self.holds.get_mut(hold) {
                    row.release = order;
                }
                None
            }
        }
    }

    fn password_link(&mut self, user: &UserName, now_ns: i64) -> String {
        link::add(&mut self.links, Purpose::Password(user.clone()), PASSWORD_LINK_LASTS, now_ns)
    }

    fn use_up(&mut self, id: String, now_ns: i64) {
        self.requests.remove(&id);
        self.used.retain(|_, used_ns| used_ns.saturating_add(REMEMBERED_NS) > now_ns);
        while self.used.len() >= MOST_USED {
            let Some(oldest) = self.used.iter().min_by_key(|(_, used_ns)| **used_ns).map(|(id, _)| id.clone()) else {
                break;
            };
            self.used.remove(&oldest);
        }
        self.used.insert(id, now_ns);
    }
}

impl Act {
    /// What changes with it, beside the statement.
    fn touches(&self) -> &'static [Kind] {
        match self {
            Self::AddUser { .. } => &[Kind::Users, Kind::Links],
            Self::SetUser { .. } => &[Kind::Users, Kind::Sessions, Kind::Links],
            Self::PasswordLink { .. } => &[Kind::Links],
            Self::ResetSecondFactor { .. } => &[Kind::Factors, Kind::Sessions],
            Self::DestroyKeys { .. } => &[Kind::Orders],
            Self::SetRetention { .. } => &[Kind::Retention],
            Self::PlaceHold { .. } | Self::ReleaseHold { .. } => &[Kind::Holds],
        }
    }
}

/// Statements that were used, and when.
pub(super) type Used = BTreeMap<String, i64>;

pub(super) fn refused(what: impl Into<String>) -> DirectoryError {
    DirectoryError::Refused(what.into())
}
