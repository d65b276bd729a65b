//! Orders to destroy what a tenant has.
//!
//! From an [`Order`] on nothing of the tenant is taken in or read, whatever happens to the process: what is not destroyed yet is
//! destroyed after the next start.

use std::collections::BTreeMap;
use std::sync::Arc;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_record::{Class, TenantId};
use logkeep_tlog::PublicKey;
use parking_lot::RwLock;
use serde::Deserialize;

use crate::order::{Approval, Order, approval_keys, table};

/// Where the catalog keeps the orders: JSON, `{"version": 1, "rows": {TENANT: ORDER}}`.
pub const DESTRUCTION_ORDERS: &str = "directory/destruction_orders";
/// What an approval calls the act.
const ACT: &str = "destroy_keys";

/// The part of an act that matters here.
#[derive(Deserialize)]
struct Act {
    act: String,
    tenant: Option<String>,
}

/// By whose word what this tenant has is to be destroyed, if the order says so.
fn read(order: &Order, tenant: &TenantId, keys: &[PublicKey]) -> Result<Approval, String> {
    let (act, approval) = order.read::<Act>(keys)?;
    if act.act != ACT || act.tenant.as_deref() != Some(tenant.as_str()) {
        return Err("it approves something else".to_owned());
    }
    Ok(approval)
}

/// The orders in a catalog, each checked.
///
/// # Errors
/// [`CatalogError::Corrupt`] names the one that is none.
pub(crate) async fn orders(catalog: &dyn Catalog) -> Result<BTreeMap<TenantId, Arc<Approval>>, CatalogError> {
    let corrupt = |what: String| CatalogError::Corrupt(format!("`{DESTRUCTION_ORDERS}`: {what}"));
    let orders = table(catalog, DESTRUCTION_ORDERS).await?;
    let keys = approval_keys(catalog).await?;
    let checked = |(name, order): (String, Order)| {
        let tenant = TenantId::new(&name).map_err(|error| corrupt(error.to_string()))?;
        let approval = read(&order, &tenant, &keys);
        let approval = approval.map_err(|what| corrupt(format!("the order for `{tenant}`: {what}")))?;
        Ok((tenant, Arc::new(approval)))
    };
    orders.into_iter().map(checked).collect()
}

/// The orders that the engine knows.
#[derive(Default)]
pub(crate) struct Destructions(RwLock<BTreeMap<TenantId, Arc<Approval>>>);

impl Destructions {
    pub(crate) fn know(&self, orders: BTreeMap<TenantId, Arc<Approval>>) {
        *self.0.write() = orders;
    }

    pub(crate) fn of(&self, tenant: &TenantId) -> Option<Arc<Approval>> {
        self.0.read().get(tenant).cloned()
    }

    pub(crate) fn tenants(&self) -> Vec<TenantId> {
        self.0.read().keys().cloned().collect()
    }

    /// Whether what there is of this class goes, and nothing is added to it any more. The audit trail stays: it says who has
    /// read what was destroyed, and by whose word.
    pub(crate) fn takes(&self, tenant: &TenantId, class: &Class) -> bool {
        *class != Class::audit() && self.0.read().contains_key(tenant)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::order::tests::{as_other_kind, forged, key, order};

    pub(crate) fn act(tenant: &str) -> String {
        format!(r#"{{"act":"destroy_keys","tenant":"{tenant}","was":null}}"#)
    }

    #[test]
    fn an_order_is_an_approval_by_two_people_of_exactly_this() {
        let shop = TenantId::new("shop").unwrap();
        let good = order(&act("shop"), "alice", "approver bob");
        let (requester, approver) = ("alice".to_owned(), "bob".to_owned());
        let expected = Approval { approval: "6f1c".to_owned(), requester, approver, approved_ns: 22 };
        assert_eq!(read(&good, &shop, &[key()]), Ok(expected));
        let at = |ordered_ns| Order { ordered_ns, ..good.clone() };
        for (bad, why) in [
            (order(&act("bank"), "alice", "approver bob"), "something else"),
            (order(&act("shopping"), "alice", "approver bob"), "something else"),
            (order(r#"{"act":"set_user","tenant":"shop"}"#, "alice", "approver bob"), "something else"),
            (order(r#"{"act":"destroy_keys","tenant":"bank","tenant":"shop"}"#, "alice", "approver bob"), "duplicate"),
            (order(&act("shop"), "alice", "approver alice"), "whoever asked"),
            (order(&act("shop"), "alice", "waived nobody else could approve"), "no line `approver`"),
            (order(&act("shop"), "alice", "break-glass aa the store is on fire"), "no line `approver`"),
            (order(&act("shop"), "alice", "break-glass aa fire\napprover bob"), "no line `approver`"),
            (order(&act("shop"), "alice", "approver bob\napprover eve"), "no line `requested`"),
            (at(21), "while it was good"),
            (at(333), "while it was good"),
            (forged(&act("shop")), "signature"),
            (as_other_kind(&good), "approval"),
            (Order { note: good.note.replace("bob", "eve"), ..good.clone() }, "signature"),
        ] {
            let refused = read(&bad, &shop, &[key()]).unwrap_err();
            assert!(refused.contains(why), "{refused}: {}", bad.note);
        }
    }
}
