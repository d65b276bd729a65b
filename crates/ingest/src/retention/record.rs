//! What retention has destroyed of a class: kept, and signed, in the transaction that destroys it.

use std::fmt::Write as _;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_tlog::{Hash, NoteError, Signer, sign_statement};
use serde::{Deserialize, Serialize};

use super::DAY_NS;
use crate::state::ClassKey;

/// The kind of its statements.
pub(crate) const KIND: &str = "retention";
const VERSION: u32 = 1;

/// How far what was taken out of the catalog is destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Its objects are still there, and what they were opened by may be in the catalog's files.
    Cut,
    /// Nothing is left.
    Swept,
    /// The audit trail says so.
    Told,
}

/// Batches that were destroyed by one approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    /// The first.
    pub(crate) from: u64,
    /// The one behind the last.
    pub(crate) to: u64,
    pub(crate) records: u64,
    /// When the last of them arrived, nanoseconds.
    pub(crate) newest_ns: i64,
    /// The retention.
    pub(crate) days: u32,
    /// The approval of two people that made it so short.
    pub(crate) approval: String,
    /// What time it certainly was, nanoseconds.
    pub(crate) destroyed_ns: i64,
}

impl Range {
    /// Whether all of it had been there for long enough.
    pub(crate) fn is_old_enough(&self) -> bool {
        self.newest_ns.saturating_add(i64::from(self.days) * DAY_NS) <= self.destroyed_ns
    }
}

/// All that was destroyed of a class, as the catalog keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    version: u32,
    /// A tree that has all of it: its size and root.
    pub(crate) tree: (u64, String),
    /// From batch 0 on, without a gap.
    pub(crate) ranges: Vec<Range>,
    pub(crate) statement: String,
    pub(crate) step: Step,
}

/// Under which name the catalog keeps it.
pub(crate) fn name((tenant, class): &ClassKey) -> String {
    format!("retention/{tenant}/{class}")
}

impl Record {
    pub(crate) async fn load(catalog: &dyn Catalog, class: &ClassKey) -> Result<Option<Self>, CatalogError> {
        let name = name(class);
        let Some(bytes) = catalog.secret(&name).await? else { return Ok(None) };
        let corrupt = |what: String| CatalogError::Corrupt(format!("`{name}`: {what}"));
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        if record.version != VERSION {
            return Err(corrupt(format!("it is of version {}, this program knows {VERSION}", record.version)));
        }
        Ok(Some(record))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are JSON")
    }

    /// What was before, and this.
    pub(crate) fn with(
        before: Option<Self>,
        class: &ClassKey,
        range: Range,
        tree: (u64, Hash),
        signer: &Signer,
    ) -> Result<Self, NoteError> {
        let mut ranges = before.map(|record| record.ranges).unwrap_or_default();
        match ranges.last_mut().filter(|last| (&last.approval, last.days) == (&range.approval, range.days)) {
            Some(last) => {
                let (from, records) = (last.from, last.records + range.records);
                *last = Range { from, records, newest_ns: range.newest_ns.max(last.newest_ns), ..range };
            }
            None => ranges.push(range),
        }
        let tree = (tree.0, tree.1.to_string());
        let mut record = Self { version: VERSION, tree, ranges, statement: String::new(), step: Step::Cut };
        record.statement = sign_statement(signer, KIND, &record.body(class))?;
        Ok(record)
    }

    /// What its statement says (docs/formats/transparency-log.md).
    pub(crate) fn body(&self, (tenant, class): &ClassKey) -> String {
        let (size, root) = &self.tree;
        let mut body = format!("version 1\ntenant {tenant}\nclass {class}\ntree {size} {root}\n");
        for Range { from, to, records, newest_ns, days, approval, destroyed_ns } in &self.ranges {
            writeln!(body, "range {from} {to} {records} {newest_ns} {days} {approval} {destroyed_ns}")
                .expect("a string takes all that is written to it");
        }
        body
    }

    /// Batches below this were destroyed.
    pub(crate) fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |range| range.to)
    }
}
