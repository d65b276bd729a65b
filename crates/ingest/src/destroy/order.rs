//! Orders to destroy what a tenant has: approvals of two people, as the catalog keeps them.
//!
//! Whoever has an approval carried out puts it there in the write that uses it up. From then on nothing of the tenant is
//! taken in or read, whatever happens to the process: what is not destroyed yet is destroyed after the next start. What
//! destroys believes nobody: it checks the signature again, by the keys of this folder, what the approval is for, that it is
//! of two people, and that it was carried out while it was good.

use std::collections::BTreeMap;
use std::str::Lines;
use std::sync::Arc;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_record::{Class, TenantId};
use logkeep_tlog::{NoteError, PublicKey, open_statement};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

/// Where the catalog keeps the public keys by which approvals are checked, one a line. A copy that was restored signs with
/// another, and has the orders from before.
pub const APPROVAL_KEYS: &str = "directory/approval-keys";
/// Where the catalog keeps the orders: JSON, `{"version": 1, "rows": {TENANT: ORDER}}`.
pub const DESTRUCTION_ORDERS: &str = "directory/destruction_orders";
const VERSION: u32 = 1;
/// What an approval calls the act.
const ACT: &str = "destroy_keys";

/// An order as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestructionOrder {
    /// The approval: a signed note (docs/guide/approvals.md).
    pub note: String,
    /// When it was carried out, nanoseconds.
    pub ordered_ns: i64,
}

/// What an order says, once it was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destruction {
    /// The id of the approval.
    pub approval: String,
    /// Who asked.
    pub requester: String,
    /// Who approved.
    pub approver: String,
    /// When, nanoseconds.
    pub approved_ns: i64,
}

#[derive(Deserialize)]
struct Stored {
    version: u32,
    rows: BTreeMap<String, DestructionOrder>,
}

/// The part of an act that matters here.
#[derive(Deserialize)]
struct Act {
    act: String,
    tenant: Option<String>,
}

impl DestructionOrder {
    /// What it says, if it is an approval by two people to destroy what this tenant has, signed by one of these keys.
    fn read(&self, tenant: &TenantId, keys: &[PublicKey]) -> Result<Destruction, String> {
        let body = open_statement(&self.note, "approval", keys).map_err(|error| error.to_string())?;
        let mut lines = body.lines();
        if next(&mut lines, "version")? != "1" {
            return Err("it is of another version".to_owned());
        }
        let act: Act = serde_json::from_str(next(&mut lines, "act")?).map_err(|error| format!("its act: {error}"))?;
        if act.act != ACT || act.tenant.as_deref() != Some(tenant.as_str()) {
            return Err("it approves something else".to_owned());
        }
        next(&mut lines, "hash")?;
        let mut text = |name| next(&mut lines, name).map(str::to_owned);
        let (approval, requester, approver) = (text("id")?, text("requester")?, text("approver")?);
        if requester == approver {
            return Err("whoever asked has approved it".to_owned());
        }
        let mut time = |name| next(&mut lines, name)?.parse::<i64>().map_err(|_| format!("`{name}` is no time"));
        let (_, approved_ns, expires_ns) = (time("requested")?, time("approved")?, time("expires")?);
        if !(approved_ns..expires_ns).contains(&self.ordered_ns) {
            return Err("it was not carried out while it was good".to_owned());
        }
        Ok(Destruction { approval, requester, approver, approved_ns })
    }
}

/// What the next line says, which must have this name.
fn next<'a>(lines: &mut Lines<'a>, name: &str) -> Result<&'a str, String> {
    let said = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
    said.ok_or_else(|| format!("it has no line `{name}` in its place"))
}

/// The orders in a catalog, each checked.
///
/// # Errors
/// [`CatalogError::Corrupt`] names the one that is none.
pub(crate) async fn orders(catalog: &dyn Catalog) -> Result<BTreeMap<TenantId, Arc<Destruction>>, CatalogError> {
    let corrupt = |what: String| CatalogError::Corrupt(format!("`{DESTRUCTION_ORDERS}`: {what}"));
    let Some(bytes) = catalog.secret(DESTRUCTION_ORDERS).await? else { return Ok(BTreeMap::new()) };
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    if stored.version != VERSION {
        return Err(corrupt(format!("it is of version {}, this program knows {VERSION}", stored.version)));
    }
    let keys = approval_keys(catalog).await?;
    let read = |(name, order): (String, DestructionOrder)| {
        let tenant = TenantId::new(&name).map_err(|error| corrupt(error.to_string()))?;
        let destruction = order.read(&tenant, &keys);
        let destruction = destruction.map_err(|what| corrupt(format!("the order for `{tenant}`: {what}")))?;
        Ok((tenant, Arc::new(destruction)))
    };
    stored.rows.into_iter().map(read).collect()
}

async fn approval_keys(catalog: &dyn Catalog) -> Result<Vec<PublicKey>, CatalogError> {
    let text = catalog.secret(APPROVAL_KEYS).await?.unwrap_or_default();
    let corrupt = |error: NoteError| CatalogError::Corrupt(format!("`{APPROVAL_KEYS}`: {error}"));
    String::from_utf8_lossy(&text).lines().map(|line| line.parse().map_err(corrupt)).collect()
}

/// The orders that the engine knows.
#[derive(Default)]
pub(crate) struct Destructions(RwLock<BTreeMap<TenantId, Arc<Destruction>>>);

impl Destructions {
    pub(crate) fn know(&self, orders: BTreeMap<TenantId, Arc<Destruction>>) {
        *self.0.write() = orders;
    }

    pub(crate) fn of(&self, tenant: &TenantId) -> Option<Arc<Destruction>> {
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
    use logkeep_tlog::{Signer, sign_statement};

    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("logkeep-0011223344556677/approvals", [seed; 32]).unwrap()
    }

    /// An order as the directory writes it.
    pub(crate) fn order(act: &str, requester: &str, ground: &str) -> DestructionOrder {
        signed(9, act, requester, ground)
    }

    /// The key that signs [`order`]s.
    pub(crate) fn key() -> PublicKey {
        signer(9).public_key()
    }

    fn signed(seed: u8, act: &str, requester: &str, ground: &str) -> DestructionOrder {
        let body = format!(
            "version 1\nact {act}\nhash 00\nid 6f1c\nrequester {requester}\n{ground}\nrequested 1\napproved 22\nexpires 333\n"
        );
        DestructionOrder { note: sign_statement(&signer(seed), "approval", &body).unwrap(), ordered_ns: 22 }
    }

    pub(crate) fn act(tenant: &str) -> String {
        format!(r#"{{"act":"destroy_keys","tenant":"{tenant}","was":null}}"#)
    }

    #[test]
    fn an_order_is_an_approval_by_two_people_of_exactly_this() {
        let shop = TenantId::new("shop").unwrap();
        let good = order(&act("shop"), "alice", "approver bob");
        let (requester, approver) = ("alice".to_owned(), "bob".to_owned());
        let expected = Destruction { approval: "6f1c".to_owned(), requester, approver, approved_ns: 22 };
        assert_eq!(good.read(&shop, &[signer(8).public_key(), key()]), Ok(expected));
        let at = |ordered_ns| DestructionOrder { ordered_ns, ..good.clone() };
        let other_kind = sign_statement(&signer(9), "destruction", good.note.split_once('\n').unwrap().1).unwrap();
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
            (signed(7, &act("shop"), "alice", "approver bob"), "signature"),
            (DestructionOrder { note: other_kind, ..good.clone() }, "approval"),
            (DestructionOrder { note: good.note.replace("bob", "eve"), ..good.clone() }, "signature"),
        ] {
            let refused = bad.read(&shop, &[key()]).unwrap_err();
            assert!(refused.contains(why), "{refused}: {}", bad.note);
        }
    }
}
