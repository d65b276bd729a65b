//! For how long what a class has is kept, and what is held: as the directory keeps it, each part checked.
//!
//! Whatever shortens a retention or ends a hold is there as an [`Order`] of two people. What is not as it must be is a fault, and
//! keeps data: a retention that nobody has ordered ends nothing, and a hold whose release is none goes on.

use std::collections::BTreeMap;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_record::{Class, TenantId};
use logkeep_tlog::PublicKey;
use serde::{Deserialize, Serialize};

use crate::order::{Approval, Order, approval_keys, table};
use crate::state::ClassKey;

/// Where the catalog keeps retentions: JSON, `{"version": 1, "rows": {"TENANT/CLASS": ROW}}`.
pub const RETENTION: &str = "directory/retention";
/// Where the catalog keeps legal holds: JSON, `{"version": 1, "rows": {ID: ROW}}`.
pub const HOLDS: &str = "directory/holds";
/// For so many days the audit trail is kept at least, whoever wants it otherwise.
pub const AUDIT_DAYS: u32 = 365;

/// The retention of a class, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRow {
    /// Days since arrival after which it is destroyed; `None` for never.
    pub days: Option<u32>,
    /// Whatever made it shorter, oldest first. One person may make it longer, which leaves no order.
    pub orders: Vec<Order>,
}

/// A legal hold, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldRow {
    /// Whose data are held.
    pub tenant: String,
    /// Which class of them; `None` for all.
    pub class: Option<String>,
    /// Why.
    pub reason: String,
    /// Who placed it, where that is known.
    pub by: Option<String>,
    /// When, nanoseconds.
    pub placed_ns: i64,
    /// By whose word it is over.
    pub release: Option<Order>,
}

impl HoldRow {
    /// Whether it is about this class of this tenant.
    pub fn covers(&self, tenant: &str, class: &str) -> bool {
        self.tenant == tenant && self.class.as_deref().is_none_or(|own| own == class)
    }
}

/// The part of an act that matters here.
#[derive(Deserialize)]
struct Act {
    act: String,
    tenant: Option<String>,
    class: Option<String>,
    days: Option<u32>,
    hold: Option<String>,
}

/// An order that made a retention this short.
struct Shortened {
    days: u32,
    by: Approval,
}

/// The retention of a class.
pub(crate) struct Rule {
    days: Option<u32>,
    orders: Vec<Shortened>,
}

impl Rule {
    /// After how many days what it has is destroyed, and by which approval; `None` for never.
    pub(crate) fn in_force(&self) -> Option<(u32, &Approval)> {
        let days = self.days?;
        let order = self.orders.last().filter(|order| order.days <= days)?;
        Some((days, &order.by))
    }

    /// Whether the approval of this id allowed to destroy after so many days at that time.
    pub(crate) fn allowed(&self, approval: &str, days: u32, at_ns: i64) -> bool {
        let is_it = |order: &&Shortened| order.by.approval == approval;
        self.orders.iter().find(is_it).is_some_and(|order| order.days <= days && order.by.approved_ns <= at_ns)
    }
}

/// All of it.
#[derive(Default)]
pub(crate) struct Rules {
    pub(crate) classes: BTreeMap<ClassKey, Rule>,
    /// Those that are not released.
    holds: Vec<(String, HoldRow)>,
    /// What is not as it must be: of which row, and how.
    pub(crate) faults: Vec<(String, String)>,
}

impl Rules {
    /// What the catalog has.
    ///
    /// # Errors
    /// [`CatalogError`]: a table cannot be read. What is wrong with a row is among the faults.
    pub(crate) async fn read(catalog: &dyn Catalog) -> Result<Self, CatalogError> {
        let retention: BTreeMap<String, RetentionRow> = table(catalog, RETENTION).await?;
        let holds: BTreeMap<String, HoldRow> = table(catalog, HOLDS).await?;
        let mut rules = Self::default();
        if retention.is_empty() && holds.is_empty() {
            return Ok(rules);
        }
        let keys = approval_keys(catalog).await?;
        for (name, row) in retention {
            rules.add(&name, &row, &keys);
        }
        for (id, row) in holds {
            match row.release.as_ref().map(|order| release(order, &id, &row, &keys)) {
                Some(Ok(())) => continue,
                Some(Err(what)) => rules.fault(format!("hold {id}"), format!("it is released, and {what}")),
                None => {}
            }
            rules.holds.push((id, row));
        }
        Ok(rules)
    }

    fn fault(&mut self, object: String, what: String) {
        self.faults.push((object, what));
    }

    fn add(&mut self, name: &str, row: &RetentionRow, keys: &[PublicKey]) {
        let object = format!("retention of {name}");
        let names = name
            .split_once('/')
            .and_then(|(tenant, class)| Some((TenantId::new(tenant).ok()?, Class::new(class).ok()?)));
        let Some(class) = names else { return self.fault(object, "there is no such class".to_owned()) };
        let mut rule = Rule { days: row.days, orders: Vec::with_capacity(row.orders.len()) };
        for order in &row.orders {
            match shortened(order, &class, keys) {
                Ok(order) => rule.orders.push(order),
                Err(what) => self.fault(object.clone(), format!("an order of it is none: {what}")),
            }
        }
        rule.orders.sort_by_key(|order| order.by.approved_ns);
        if let (Some(days), None) = (rule.days, rule.in_force()) {
            self.fault(object, format!("it is {days} days, and no two people have ordered that it be so short"));
        }
        self.classes.insert(class, rule);
    }

    /// The hold by which nothing of this class is destroyed, if there is one.
    pub(crate) fn hold_of(&self, (tenant, class): &ClassKey) -> Option<(&str, &HoldRow)> {
        let mut holds = self.holds.iter();
        holds.find(|(_, hold)| hold.covers(tenant.as_str(), class.as_str())).map(|(id, hold)| (id.as_str(), hold))
    }

    /// When two people last shortened anything, nanoseconds.
    pub(crate) fn newest_order_ns(&self) -> i64 {
        let orders = self.classes.values().flat_map(|rule| &rule.orders);
        orders.map(|order| order.by.approved_ns).max().unwrap_or(0)
    }
}

fn shortened(order: &Order, (tenant, class): &ClassKey, keys: &[PublicKey]) -> Result<Shortened, String> {
    let (act, by) = order.read::<Act>(keys)?;
    let is_it = act.act == "set_retention"
        && act.tenant.as_deref() == Some(tenant.as_str())
        && act.class.as_deref() == Some(class.as_str());
    let days = act.days.filter(|_| is_it).ok_or("it approves something else")?;
    if days == 0 || (*class == Class::audit() && days < AUDIT_DAYS) {
        return Err(format!("{days} days are fewer than this class is kept for at least"));
    }
    Ok(Shortened { days, by })
}

fn release(order: &Order, id: &str, hold: &HoldRow, keys: &[PublicKey]) -> Result<(), String> {
    let (act, _) = order.read::<Act>(keys)?;
    let is_it = act.act == "release_hold"
        && act.hold.as_deref() == Some(id)
        && act.tenant.as_deref() == Some(hold.tenant.as_str());
    if is_it { Ok(()) } else { Err("what was approved is something else".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::tests::{forged, key, order, order_at};

    fn set(class: &str, days: u32) -> String {
        format!(r#"{{"act":"set_retention","tenant":"shop","class":"{class}","days":{days},"was":{{"days":null}}}}"#)
    }

    fn rules(name: &str, days: Option<u32>, orders: Vec<Order>) -> Rules {
        let mut rules = Rules::default();
        rules.add(name, &RetentionRow { days, orders }, &[key()]);
        rules
    }

    #[test]
    fn only_what_two_people_have_ordered_ends_anything() {
        let two = "approver bob";
        let good = || order(&set("web", 30), "alice", two);
        for (days, orders, in_force, fault) in [
            (Some(30), vec![good()], Some(30), ""),
            (Some(90), vec![good()], Some(90), ""),
            (None, vec![good()], None, ""),
            (None, vec![], None, ""),
            (Some(29), vec![good()], None, "it is 29 days, and no two people"),
            (Some(30), vec![], None, "it is 30 days, and no two people"),
            (Some(30), vec![forged(&set("web", 30))], None, "signature"),
            (Some(30), vec![order(&set("api", 30), "alice", two)], None, "something else"),
            (Some(30), vec![order(&set("web", 30), "alice", "approver alice")], None, "whoever asked"),
            (Some(30), vec![order(&set("web", 30), "alice", "waived nobody else")], None, "no line `approver`"),
            (Some(30), vec![order(&set("web", 30), "alice", "break-glass aa fire")], None, "no line `approver`"),
            (Some(30), vec![Order { ordered_ns: 333, ..good() }], None, "while it was good"),
            (Some(30), vec![order(&set("web", 0), "alice", two)], None, "fewer than"),
            // The later of two is what counts, in whatever order they lie there.
            (Some(30), vec![order_at(&set("web", 90), "b", 40), good()], None, "it is 30 days"),
            (Some(90), vec![order_at(&set("web", 90), "b", 40), good()], Some(90), ""),
        ] {
            let rules = rules("shop/web", days, orders.clone());
            let rule = &rules.classes[&(TenantId::new("shop").unwrap(), Class::new("web").unwrap())];
            assert_eq!(rule.in_force().map(|(days, _)| days), in_force, "{days:?} {orders:?}");
            let found = rules.faults.iter().any(|(_, what)| what.contains(fault));
            assert!(if fault.is_empty() { rules.faults.is_empty() } else { found }, "{fault}: {:?}", rules.faults);
        }
        let short = rules("shop/audit", Some(364), vec![order(&set("audit", 364), "alice", two)]);
        assert!(short.faults[0].1.contains("364 days are fewer"), "{:?}", short.faults);
        assert!(rules("shop/No", None, vec![]).faults[0].1.contains("no such class"));
    }

    #[test]
    fn a_hold_ends_by_the_word_of_two_about_exactly_it() {
        let hold = HoldRow {
            tenant: "shop".into(),
            class: None,
            reason: "a case".into(),
            by: None,
            placed_ns: 1,
            release: None,
        };
        let act = |hold: &str, tenant: &str| format!(r#"{{"act":"release_hold","hold":"{hold}","tenant":"{tenant}"}}"#);
        let released = |order: Order| release(&order, "h1", &hold, &[key()]);
        assert_eq!(released(order(&act("h1", "shop"), "alice", "approver bob")), Ok(()));
        for (bad, why) in [
            (order(&act("h2", "shop"), "alice", "approver bob"), "something else"),
            (order(&act("h1", "bank"), "alice", "approver bob"), "something else"),
            (order(&set("web", 1), "alice", "approver bob"), "something else"),
            (order(&act("h1", "shop"), "alice", "approver alice"), "whoever asked"),
            (order(&act("h1", "shop"), "alice", "waived nobody else"), "no line `approver`"),
            (forged(&act("h1", "shop")), "signature"),
        ] {
            let refused = released(bad).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        let of_web = HoldRow { class: Some("web".into()), ..hold.clone() };
        let covered = [("shop", "web"), ("shop", "api"), ("bank", "web")]
            .map(|(tenant, class)| (hold.covers(tenant, class), of_web.covers(tenant, class)));
        assert_eq!(covered, [(true, true), (true, false), (false, false)]);
    }
}
