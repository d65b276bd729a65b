//! Breaking the glass: to do, in an emergency and for a short time, what one otherwise may not.
//!
//! It lasts as long as was said and no longer than the session in which it was done. What is kept of it outlives both, and a restart, until
//! somebody else has looked at it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use logkeep_cipher::random_bytes;
use serde::{Deserialize, Serialize};

use super::carry_out::refused;
use super::user::User;
use super::{DAY_NS, Directory, DirectoryError, Rights, Role, Tables, UserName, after};
use crate::identity::{Identity, Known};

pub(super) const TABLE: &str = "directory/break_glass";

/// How long it lasts at most, minutes.
const LONGEST_MINUTES: u64 = 60;
/// Characters of a reason at least, bytes of a reason and a note at most.
const LEAST_REASON: usize = 10;
const MOST_TEXT: usize = 1_000;
/// Within which time somebody must have looked at it.
const REVIEWED_WITHIN_NS: i64 = 2 * DAY_NS;
/// How long it is remembered after that, and how many are in all.
const REMEMBERED_NS: i64 = 90 * DAY_NS;
const MOST_GLASSES: usize = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Glass {
    pub(super) user: UserName,
    session: String,
    pub(super) reason: String,
    began_ns: i64,
    ends_ns: i64,
    /// When that it is over was noticed.
    ended_ns: Option<i64>,
    review: Option<Review>,
}

/// That somebody has looked at what was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who.
    pub by: UserName,
    /// What they say.
    pub note: String,
    /// When, nanoseconds.
    pub at_ns: i64,
}

/// What is shown of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlassInfo {
    /// By which it is named, also in the audit trail.
    pub id: String,
    /// Who.
    pub user: UserName,
    /// What for.
    pub reason: String,
    /// Since when, nanoseconds.
    pub began_ns: i64,
    /// Until when at most, nanoseconds.
    pub ends_ns: i64,
    /// Whether it lasts.
    pub is_active: bool,
    /// Whether that it is over was noticed.
    pub is_closed: bool,
    /// Who has looked at it, if anybody has.
    pub review: Option<Review>,
    /// Whether somebody should have by now.
    pub is_overdue: bool,
}

/// One that is to be broken.
pub struct NewGlass {
    /// By which it will be named.
    pub id: String,
    glass: Glass,
}

impl NewGlass {
    /// What for.
    pub fn reason(&self) -> &str {
        &self.glass.reason
    }

    /// Until when, nanoseconds.
    pub fn ends_ns(&self) -> i64 {
        self.glass.ends_ns
    }
}

fn text(name: &str, text: &str, least: usize) -> Result<String, DirectoryError> {
    let text = text.trim();
    if text.chars().count() < least || text.len() > MOST_TEXT || text.chars().any(char::is_control) {
        let what = format!("`{name}` must have {least} characters at least and {MOST_TEXT} bytes at most, on one line");
        return Err(DirectoryError::Invalid(what));
    }
    Ok(text.to_owned())
}

impl Directory {
    /// Whether it still lasts.
    pub(super) fn lasts(&self, tables: &Tables, glass: &Glass) -> bool {
        let is_in_time = glass.ended_ns.is_none() && self.now_ns() < glass.ends_ns;
        let is_let_in = tables.users.get(&glass.user).is_some_and(|user| !user.disabled);
        is_in_time && is_let_in && self.is_session_in(tables, &glass.session)
    }

    /// That which somebody has broken, if it lasts.
    pub(super) fn broken<'t>(&self, tables: &'t Tables, who: &Identity) -> Option<(&'t str, &'t Glass)> {
        let Known::Session { id, user } = who.known() else { return None };
        self.broken_in(tables, id, user)
    }

    fn broken_in<'t>(&self, tables: &'t Tables, session: &str, user: &UserName) -> Option<(&'t str, &'t Glass)> {
        let is_it = |glass: &Glass| glass.session == session && glass.user == *user && self.lasts(tables, glass);
        tables.glasses.iter().find(|(_, glass)| is_it(glass)).map(|(id, glass)| (id.as_str(), glass))
    }

    /// What somebody may do in this session, and the glass that they have broken for it, if they have.
    pub fn session_rights(&self, session: &str, user: &UserName) -> Option<(Rights, Option<String>)> {
        let mut rights = self.rights(user)?;
        let tables = self.tables.read();
        let Some((id, _)) = self.broken_in(&tables, session, user) else { return Some((rights, None)) };
        rights.roles.extend([Role::Administrator, Role::Analyst]);
        rights.scope = None;
        Some((rights, Some(id.to_owned())))
    }

    /// Prepares breaking the glass, which has an effect once it is kept.
    ///
    /// # Errors
    /// [`DirectoryError::Invalid`] for a reason or a time that are no good; [`DirectoryError::Refused`] where it is broken, or too many
    /// have not been looked at.
    pub fn new_glass(&self, who: &Identity, reason: &str, minutes: u64) -> Result<NewGlass, DirectoryError> {
        let Known::Session { id: session, user } = who.known() else {
            return Err(refused("only who is signed in can break the glass"));
        };
        let reason = text("reason", reason, LEAST_REASON)?;
        if minutes == 0 || minutes > LONGEST_MINUTES {
            return Err(DirectoryError::Invalid(format!("`minutes` must be 1 to {LONGEST_MINUTES}")));
        }
        let began_ns = self.now_ns();
        let glass = Glass {
            user: user.clone(),
            session: session.clone(),
            reason,
            began_ns,
            ends_ns: after(began_ns, Duration::from_secs(minutes * 60)),
            ended_ns: None,
            review: None,
        };
        self.check_glass(&self.tables.read(), &glass)?;
        Ok(NewGlass { id: hex::encode(random_bytes::<8>()), glass })
    }

    fn check_glass(&self, tables: &Tables, glass: &Glass) -> Result<(), DirectoryError> {
        if self.broken_in(tables, &glass.session, &glass.user).is_some() {
            return Err(refused("you have broken the glass already"));
        }
        let is_kept = |old: &&Glass| !old.is_forgotten(glass.began_ns);
        if tables.glasses.values().filter(is_kept).count() >= MOST_GLASSES {
            return Err(refused(format!("it was broken {MOST_GLASSES} times, which is all that is kept: review some")));
        }
        Ok(())
    }

    /// Breaks the glass.
    ///
    /// # Errors
    /// As [`Directory::new_glass`].
    pub async fn break_glass(&self, NewGlass { id, glass }: NewGlass) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        self.check_glass(&self.tables.read(), &glass)?;
        let add = |glasses: &mut BTreeMap<String, Glass>| {
            glasses.retain(|_, old| !old.is_forgotten(glass.began_ns));
            glasses.insert(id, glass);
        };
        self.change(TABLE, |tables| &mut tables.glasses, add).await
    }

    /// All that are kept, the latest first.
    pub fn glasses(&self) -> Vec<GlassInfo> {
        let now_ns = self.now_ns();
        let tables = self.tables.read();
        let info = |(id, glass): (&String, &Glass)| GlassInfo {
            id: id.clone(),
            user: glass.user.clone(),
            reason: glass.reason.clone(),
            began_ns: glass.began_ns,
            ends_ns: glass.ends_ns,
            is_active: self.lasts(&tables, glass),
            is_closed: glass.ended_ns.is_some(),
            review: glass.review.clone(),
            is_overdue: glass.review.is_none() && glass.began_ns.saturating_add(REVIEWED_WITHIN_NS) <= now_ns,
        };
        let mut found: Vec<GlassInfo> = tables.glasses.iter().map(info).collect();
        found.sort_by(|a, b| (b.began_ns, &b.id).cmp(&(a.began_ns, &a.id)));
        found
    }

    /// Ends it, or notes that it has ended.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`].
    pub async fn end_glass(&self, id: &str) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        let now_ns = self.now_ns();
        let end = |glass: &mut Glass| glass.ended_ns = glass.ended_ns.or(Some(now_ns));
        self.change_glass(id, end).await
    }

    /// Whether somebody may say that they have looked at it.
    ///
    /// # Errors
    /// [`DirectoryError`] says why not.
    pub fn check_review(&self, id: &str, note: &str, reviewer: &UserName) -> Result<Review, DirectoryError> {
        let note = text("note", note, 1)?;
        let tables = self.tables.read();
        let glass = tables.glasses.get(id).ok_or_else(|| none_of(id))?;
        if glass.user == *reviewer {
            return Err(refused("nobody reviews what they have done themselves"));
        }
        if let Some(Review { by, .. }) = &glass.review {
            return Err(refused(format!("`{by}` has reviewed it already")));
        }
        if self.lasts(&tables, glass) {
            return Err(refused("it has not ended yet: end the session first if it must"));
        }
        let reviews = |roles: &BTreeSet<Role>| roles.contains(&Role::Administrator) || roles.contains(&Role::Auditor);
        // Who has broken the glass is none of them by that, and may have added whom they like since.
        let is_fit = |user: &User| !user.disabled && reviews(&user.roles) && user.created_ns <= glass.began_ns;
        if !tables.users.get(reviewer).is_some_and(is_fit) {
            return Err(refused(format!("`{reviewer}` is no administrator or auditor who was there before")));
        }
        Ok(Review { by: reviewer.clone(), note, at_ns: self.now_ns() })
    }

    /// Keeps that somebody has looked at it.
    ///
    /// # Errors
    /// As [`Directory::check_review`].
    pub async fn review_glass(&self, id: &str, review: Review) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        self.check_review(id, &review.note, &review.by)?;
        self.change_glass(id, |glass| glass.review = Some(review)).await
    }

    /// With the turn held.
    async fn change_glass(&self, id: &str, change: impl FnOnce(&mut Glass)) -> Result<(), DirectoryError> {
        let changed = |glasses: &mut BTreeMap<String, Glass>| glasses.get_mut(id).map(change);
        self.change(TABLE, |tables| &mut tables.glasses, changed).await?.ok_or_else(|| none_of(id))
    }
}

impl Glass {
    fn is_forgotten(&self, now_ns: i64) -> bool {
        self.review.as_ref().is_some_and(|review| review.at_ns.saturating_add(REMEMBERED_NS) <= now_ns)
    }
}

fn none_of(id: &str) -> DirectoryError {
    DirectoryError::NotFound(format!("broken glass `{}`", id.chars().take(64).collect::<String>()))
}
