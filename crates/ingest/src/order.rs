//! Orders: approvals of two people, as the catalog keeps them for the layer that has the data.
//!
//! Whoever has an approval carried out puts it there in the write that uses it up. What acts on it believes nobody: it checks the
//! signature again, by the keys of this folder, what the approval is for, that it is of two people, and that it was carried out
//! while it was good.
//!
//! Not here: what is ordered (`destroy`, `retention`).

use std::collections::BTreeMap;
use std::str::Lines;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_tlog::{NoteError, PublicKey, open_statement};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Where the catalog keeps the public keys by which approvals are checked, one a line. A copy that was restored signs with
/// another, and has the orders from before.
pub const APPROVAL_KEYS: &str = "directory/approval-keys";

/// Of the tables.
const VERSION: u32 = 1;

/// An order as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The approval: a signed note (docs/guide/approvals.md).
    pub note: String,
    /// When it was carried out, nanoseconds.
    pub ordered_ns: i64,
}

/// By whose word something was ordered, once that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The id of the approval.
    pub approval: String,
    /// Who asked.
    pub requester: String,
    /// Who approved.
    pub approver: String,
    /// When, nanoseconds.
    pub approved_ns: i64,
}

impl Order {
    /// What it orders and by whose word, if it is an approval by two people, signed by one of these keys. That the act is the one
    /// that is wanted is for the caller to see.
    pub(crate) fn read<Act: DeserializeOwned>(&self, keys: &[PublicKey]) -> Result<(Act, Approval), String> {
        let body = open_statement(&self.note, "approval", keys).map_err(|error| error.to_string())?;
        let mut lines = body.lines();
        if next(&mut lines, "version")? != "1" {
            return Err("it is of another version".to_owned());
        }
        let act = serde_json::from_str(next(&mut lines, "act")?).map_err(|error| format!("its act: {error}"))?;
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
        Ok((act, Approval { approval, requester, approver, approved_ns }))
    }
}

/// What the next line says, which must have this name.
fn next<'a>(lines: &mut Lines<'a>, name: &str) -> Result<&'a str, String> {
    let said = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
    said.ok_or_else(|| format!("it has no line `{name}` in its place"))
}

/// By which orders of this folder are checked.
pub(crate) async fn approval_keys(catalog: &dyn Catalog) -> Result<Vec<PublicKey>, CatalogError> {
    let text = catalog.secret(APPROVAL_KEYS).await?.unwrap_or_default();
    let corrupt = |error: NoteError| CatalogError::Corrupt(format!("`{APPROVAL_KEYS}`: {error}"));
    String::from_utf8_lossy(&text).lines().map(|line| line.parse().map_err(corrupt)).collect()
}

#[derive(Deserialize)]
struct Stored<Row> {
    version: u32,
    rows: BTreeMap<String, Row>,
}

/// A table that the directory keeps: JSON, `{"version": 1, "rows": {NAME: ROW}}`.
///
/// # Errors
/// [`CatalogError::Corrupt`]: it is of another form.
pub(crate) async fn table<Row: DeserializeOwned>(
    catalog: &dyn Catalog,
    name: &str,
) -> Result<BTreeMap<String, Row>, CatalogError> {
    let corrupt = |what: String| CatalogError::Corrupt(format!("`{name}`: {what}"));
    let Some(bytes) = catalog.secret(name).await? else { return Ok(BTreeMap::new()) };
    let stored: Stored<Row> = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
    if stored.version != VERSION {
        return Err(corrupt(format!("it is of version {}, this program knows {VERSION}", stored.version)));
    }
    Ok(stored.rows)
}

#[cfg(test)]
pub(crate) mod tests {
    use logkeep_tlog::{Signer, sign_statement};

    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("logkeep-0011223344556677/approvals", [seed; 32]).unwrap()
    }

    /// The key that signs [`order`]s.
    pub(crate) fn key() -> PublicKey {
        signer(9).public_key()
    }

    /// An order as the directory writes it, carried out at nanosecond 22.
    pub(crate) fn order(act: &str, requester: &str, ground: &str) -> Order {
        signed(&signer(9), ("6f1c", 22), act, requester, ground)
    }

    /// One of this id by alice and bob, that was carried out then.
    pub(crate) fn order_at(act: &str, id: &str, ordered_ns: i64) -> Order {
        signed(&signer(9), (id, ordered_ns), act, "alice", "approver bob")
    }

    /// As [`order`], by the key of somebody else.
    pub(crate) fn forged(act: &str) -> Order {
        signed(&signer(7), ("6f1c", 22), act, "alice", "approver bob")
    }

    fn signed(signer: &Signer, (id, ordered_ns): (&str, i64), act: &str, requester: &str, ground: &str) -> Order {
        let expires_ns = ordered_ns + 311;
        let body = format!(
            "version 1\nact {act}\nhash 00\nid {id}\nrequester {requester}\n{ground}\nrequested 1\napproved {ordered_ns}\nexpires {expires_ns}\n"
        );
        Order { note: sign_statement(signer, "approval", &body).unwrap(), ordered_ns }
    }

    /// A statement of another kind, with the same body.
    pub(crate) fn as_other_kind(order: &Order) -> Order {
        let body = open_statement(&order.note, "approval", &[key()]).unwrap();
        Order { note: sign_statement(&signer(9), "destruction", &body).unwrap(), ..order.clone() }
    }
}
