//! For how long data are kept, and what is held: what can be asked for, and how it is kept for the layer that destroys
//! (`logkeep_ingest`), which believes the orders and nothing else of it.

use logkeep_cipher::random_bytes;
use logkeep_ingest::{AUDIT_DAYS, HoldRow, Order, RetentionRow};
use logkeep_record::{Class, TenantId};

use super::carry_out::refused;
use super::{Directory, DirectoryError, Tables, UserName};
use crate::approval::{Act, Was};

/// A hundred years: whoever wants more wants for ever.
const MOST_DAYS: u32 = 36_500;
/// Classes with a retention at most, and holds, released ones included.
const MOST_ROWS: usize = 10_000;
/// How often two people may shorten one retention: each time is kept, as what was destroyed by it names it.
const MOST_ORDERS: usize = 1_000;
/// Characters of a reason.
const MOST_REASON: usize = 500;

/// A hold that was not released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldInfo {
    /// By which it is named.
    pub id: String,
    /// Which class it covers; `None` for all.
    pub class: Option<String>,
    /// Why.
    pub reason: String,
    /// Who placed it, where that is known.
    pub by: Option<String>,
    /// When, nanoseconds.
    pub placed_ns: i64,
}

/// A name for a hold that no other has.
pub fn new_hold_id() -> String {
    hex::encode(random_bytes::<8>())
}

/// Whether a retention ends sooner than another; `None` never does.
pub(super) fn is_shorter(days: Option<u32>, than: Option<u32>) -> bool {
    days.is_some_and(|days| than.is_none_or(|than| days < than))
}

fn invalid(what: impl Into<String>) -> DirectoryError {
    DirectoryError::Invalid(what.into())
}

fn row_name(tenant: &TenantId, class: &Class) -> String {
    format!("{tenant}/{class}")
}

impl Directory {
    /// The classes of a tenant that have a retention, and after how many days what they have is destroyed.
    pub fn retention(&self, tenant: &TenantId) -> Vec<(String, u32)> {
        let tables = self.tables.read();
        let own = |(name, row): (&String, &RetentionRow)| {
            let class = name.strip_prefix(tenant.as_str())?.strip_prefix('/')?;
            Some((class.to_owned(), row.days?))
        };
        tables.retention.iter().filter_map(own).collect()
    }

    /// The holds on what a tenant has, the oldest first.
    pub fn holds(&self, tenant: &TenantId) -> Vec<HoldInfo> {
        let tables = self.tables.read();
        let own = tables.holds.iter().filter(|(_, row)| row.tenant == tenant.as_str() && row.release.is_none());
        let info = |(id, row): (&String, &HoldRow)| HoldInfo {
            id: id.clone(),
            class: row.class.clone(),
            reason: row.reason.clone(),
            by: row.by.clone(),
            placed_ns: row.placed_ns,
        };
        let mut holds: Vec<HoldInfo> = own.map(info).collect();
        holds.sort_by(|a, b| (a.placed_ns, &a.id).cmp(&(b.placed_ns, &b.id)));
        holds
    }
}

impl Tables {
    pub(super) fn days(&self, tenant: &TenantId, class: &Class) -> Option<u32> {
        self.retention.get(&row_name(tenant, class))?.days
    }

    pub(super) fn was_held(&self, hold: &str) -> Option<Was> {
        let HoldRow { class, reason, by, placed_ns, .. } = self.holds.get(hold)?.clone();
        Some(Was::Hold { class, reason, by, placed_ns })
    }

    pub(super) fn check_retention(
        &self,
        tenant: &TenantId,
        class: &Class,
        days: Option<u32>,
    ) -> Result<(), DirectoryError> {
        if *class == Class::ledger() {
            return Err(invalid("the class `ledger` holds no records: it counts what senders sent, and stays"));
        }
        match days {
            Some(days) if !(1..=MOST_DAYS).contains(&days) => {
                return Err(invalid(format!("`days` is 1 to {MOST_DAYS}, or null for ever")));
            }
            Some(days) if *class == Class::audit() && days < AUDIT_DAYS => {
                return Err(refused(format!(
                    "the audit trail is kept for {AUDIT_DAYS} days at least, whoever wants it otherwise"
                )));
            }
            _ => {}
        }
        self.check_not_destroyed(tenant)?;
        let row = self.retention.get(&row_name(tenant, class));
        if row.is_none() && self.retention.len() >= MOST_ROWS {
            return Err(refused(format!("{MOST_ROWS} classes have a retention, which is all that may")));
        }
        let is_full = row.is_some_and(|row| row.orders.len() >= MOST_ORDERS);
        if is_full && is_shorter(days, self.days(tenant, class)) {
            return Err(refused(format!("this retention was shortened {MOST_ORDERS} times, which is all that may")));
        }
        Ok(())
    }

    pub(super) fn check_new_hold(
        &self,
        id: &str,
        tenant: &TenantId,
        class: Option<&str>,
        reason: &str,
    ) -> Result<(), DirectoryError> {
        if reason.trim().is_empty() || reason.chars().count() > MOST_REASON || reason.contains(char::is_control) {
            return Err(invalid(format!("`reason` is a line of 1 to {MOST_REASON} characters that says why")));
        }
        if let Some(Err(error)) = class.map(Class::new) {
            return Err(invalid(error.to_string()));
        }
        if self.holds.contains_key(id) {
            return Err(DirectoryError::Exists(format!("the hold `{id}`")));
        }
        if self.holds.len() >= MOST_ROWS {
            return Err(refused(format!("there were {MOST_ROWS} holds, which is all that may be")));
        }
        self.check_not_destroyed(tenant)
    }

    fn check_not_destroyed(&self, tenant: &TenantId) -> Result<(), DirectoryError> {
        if self.orders.contains_key(tenant.as_str()) {
            return Err(refused(format!("what the tenant `{tenant}` had was destroyed: there is nothing to keep")));
        }
        Ok(())
    }

    pub(super) fn check_held(&self, id: &str, tenant: &TenantId) -> Result<(), DirectoryError> {
        let is_it = |row: &&HoldRow| row.tenant == tenant.as_str() && row.release.is_none();
        let shown: String = id.chars().take(64).collect();
        self.holds
            .get(id)
            .filter(is_it)
            .map(drop)
            .ok_or(DirectoryError::NotFound(format!("hold `{shown}` on `{tenant}`")))
    }

    /// Whether every key of a tenant may be destroyed, as far as holds are concerned. The audit trail is none of what goes.
    pub(super) fn check_not_held(&self, tenant: &TenantId) -> Result<(), DirectoryError> {
        let stands = |(_, row): &(&String, &HoldRow)| {
            let is_audit = row.class.as_deref() == Some(Class::audit().as_str());
            row.tenant == tenant.as_str() && row.release.is_none() && !is_audit
        };
        match self.holds.iter().find(stands) {
            Some((id, row)) => {
                let what =
                    format!("what the tenant `{tenant}` has is held by `{id}` ({}): release it first", row.reason);
                Err(refused(what))
            }
            None => Ok(()),
        }
    }

    pub(super) fn set_retention(&mut self, tenant: &TenantId, class: &Class, days: Option<u32>, order: Option<Order>) {
        let row = self.retention.entry(row_name(tenant, class)).or_default();
        row.days = days;
        row.orders.extend(order);
    }

    pub(super) fn place_hold(&mut self, act: &Act, by: Option<UserName>, placed_ns: i64) {
        let Act::PlaceHold { hold, tenant, class, reason } = act else { return };
        let row = HoldRow {
            tenant: tenant.to_string(),
            class: class.clone(),
            reason: reason.clone(),
            by: by.map(|by| by.to_string()),
            placed_ns,
            release: None,
        };
        self.holds.insert(hold.clone(), row);
    }
}
