//! Which changes take two people, and who can be the second.
//!
//! Nobody may come to manage people, or take the place of somebody who does, by one person's word. To keep somebody out, or to take
//! roles from them, is always done at once: it is how harm is stopped.

use std::collections::BTreeSet;

use super::keeping::is_shorter;
use super::user::User;
use super::{DAY_NS, Directory, Role, Tables, UserName};
use crate::approval::{Act, Was};
use crate::scope::Scope;

/// Whoever was kept out or lost the role less long ago still counts: nobody gets rid of the second pair of eyes by that.
const COUNTS_FOR_NS: i64 = 7 * DAY_NS;

/// Who could approve something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Second {
    /// There is somebody.
    There,
    /// There is an administrator, who may not or cannot now: whom it is about, or one who was kept out lately.
    NotNow,
    /// There is no other administrator at all.
    Nobody,
}

/// Whether these roles let somebody change what people may do.
pub(super) fn is_powerful(roles: &BTreeSet<Role>) -> bool {
    roles.contains(&Role::Administrator) || roles.contains(&Role::BreakGlass)
}

impl User {
    /// Whether they manage people, and can sign in.
    pub(super) fn administers(&self, now_ns: i64) -> bool {
        let can_sign_in =
            self.password.is_some() || self.origin.as_ref().is_some_and(|origin| origin.is_recent(now_ns));
        can_sign_in && !self.disabled && self.roles.contains(&Role::Administrator)
    }

    fn administered_lately(&self, now_ns: i64) -> bool {
        self.administered_ns.is_some_and(|last_ns| last_ns.saturating_add(COUNTS_FOR_NS) > now_ns)
    }

    /// When they last managed people, once they have these roles or are kept out.
    pub(super) fn administered_until(&self, roles: &BTreeSet<Role>, disabled: bool, now_ns: i64) -> Option<i64> {
        let ends = disabled || !roles.contains(&Role::Administrator);
        if self.administers(now_ns) && ends { Some(now_ns) } else { self.administered_ns }
    }

    fn was(&self) -> Was {
        Was::User { roles: self.roles.clone(), scope: self.scope.clone(), disabled: self.disabled }
    }

    /// Whether they may do more with these roles and this scope.
    fn gains(&self, roles: &BTreeSet<Role>, scope: Option<&Scope>) -> bool {
        let is_narrower = match (&self.scope, scope) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(before), Some(after)) => after.is_within(before),
        };
        !roles.is_subset(&self.roles) || !is_narrower
    }
}

impl Directory {
    /// Whether somebody manages people, and nobody else does.
    pub fn has_one_administrator(&self) -> bool {
        let now_ns = self.now_ns();
        self.tables.read().users.values().filter(|user| user.administers(now_ns)).count() == 1
    }
}

impl Tables {
    /// The text of an act as things are.
    pub(super) fn text(&self, act: &Act) -> String {
        let was = match act {
            Act::SetRetention { tenant, class, .. } => Some(Was::Retention { days: self.days(tenant, class) }),
            Act::ReleaseHold { hold, .. } => self.was_held(hold),
            _ => self.before(act).map(User::was),
        };
        act.text(was.as_ref())
    }

    /// Whom it is about, as they are.
    fn before(&self, act: &Act) -> Option<&User> {
        self.users.get(act.target()?)
    }

    /// Whether it takes two people, if this one asks for it.
    pub(super) fn is_dangerous(&self, act: &Act, asker: Option<&UserName>) -> bool {
        let is_own = asker.is_some() && asker == act.target();
        let before = self.before(act);
        let was_powerful = before.is_some_and(|user| is_powerful(&user.roles));
        match act {
            // The first person there is has nobody to ask.
            Act::AddUser { roles, .. } => is_powerful(roles) && !self.users.is_empty(),
            Act::SetUser { roles, scope, disabled, .. } => {
                let is_made = is_powerful(roles) && !was_powerful;
                let is_let_in = is_powerful(roles) && !disabled && before.is_some_and(|user| user.disabled);
                let gains = before.is_some_and(|user| user.gains(roles, scope.as_ref()));
                is_made || is_let_in || (gains && (is_own || (was_powerful && is_powerful(roles))))
            }
            Act::PasswordLink { .. } | Act::ResetSecondFactor { .. } => was_powerful && !is_own,
            Act::DestroyKeys { .. } | Act::ReleaseHold { .. } => true,
            Act::SetRetention { tenant, class, days } => is_shorter(*days, self.days(tenant, class)),
            Act::PlaceHold { .. } => false,
        }
    }

    /// Whether this person manages people, and is let in.
    pub(super) fn is_administrator(&self, name: &UserName, now_ns: i64) -> bool {
        self.users.get(name).is_some_and(|user| user.administers(now_ns))
    }

    /// Who could approve what this person asks for.
    pub(super) fn second(&self, requester: &UserName, target: Option<&UserName>, now_ns: i64) -> Second {
        let others = || self.users.iter().filter(|(name, _)| *name != requester);
        if others().any(|(name, user)| Some(name) != target && user.administers(now_ns)) {
            Second::There
        } else if others().any(|(_, user)| user.administers(now_ns) || user.administered_lately(now_ns)) {
            Second::NotNow
        } else {
            Second::Nobody
        }
    }
}
