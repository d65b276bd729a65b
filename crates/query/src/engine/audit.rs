//! The audit trail, with what the records of one request say put together.
//!
//! A request leaves a record before it is answered and another when it has been. The first is what a page is made of; the others
//! of the same request are looked up by its number.

use std::collections::{HashMap, HashSet};

use logkeep_access::{AUDIT_CLOSED, AUDIT_ID, Grant};
use logkeep_record::{Record, TimeRange};

use super::{QueryEngine, Selection, blocking};
use crate::exec::{Budget, Dataset, Found, Needs, Order, Page, QueryError, Search};
use crate::kql::{Compiled, Expr, Predicate, Span};

/// A clock that is set back makes a request end before it began; by more than this nothing is looked for.
const CLOCK_STEP_NS: i64 = 3_600 * 1_000_000_000;

/// What one request left in the trail, or one thing that the server did by itself.
pub struct AuditEntry {
    /// What was asked for or done, by whom, and what was decided.
    pub opened: Found,
    /// What came of it; `None` while it goes on, where nothing was to come, and where the server ended before.
    pub closed: Option<Found>,
}

/// A page of the trail.
pub struct AuditPage {
    /// In the order that was asked for.
    pub entries: Vec<AuditEntry>,
    /// Whether there are more behind them.
    pub more: bool,
}

impl QueryEngine {
    /// A page of the audit trail. `filter` and `range` are about what was asked for, not about what came of it.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn audit(
        &self,
        grant: &Grant,
        filter: &Expr,
        range: TimeRange,
        search: Search,
        budget: &Budget,
    ) -> Result<AuditPage, QueryError> {
        let filter = Expr::and(vec![filter.clone(), Expr::Not(Box::new(is_closing()))]);
        let selection = Selection { filter, range, ..Selection::all(Dataset::Audit) };
        let Page { records, more } = self.search(grant, &selection, search, budget).await?;
        let mut closings = self.closings(grant, &records, budget).await?;
        let entry = |opened: Found| {
            let closed = number(&opened.record()?).and_then(|id| closings.remove(&id));
            Ok(AuditEntry { opened, closed })
        };
        Ok(AuditPage { entries: records.into_iter().map(entry).collect::<Result<_, QueryError>>()?, more })
    }

    /// The closing records of the same requests, by number.
    async fn closings(
        &self,
        grant: &Grant,
        opened: &[Found],
        budget: &Budget,
    ) -> Result<HashMap<String, Found>, QueryError> {
        let mut ids = HashSet::new();
        for found in opened {
            ids.extend(number(&found.record()?));
        }
        let Some(first_ns) = opened.iter().map(|found| found.key.time_ns).min() else { return Ok(HashMap::new()) };
        let range = TimeRange::new(first_ns.saturating_sub(CLOCK_STEP_NS), i64::MAX).unwrap_or(TimeRange::ALL);
        let all = Selection { range, ..Selection::all(Dataset::Audit) };
        let mut scan = self.scan(grant, &all, budget)?;
        scan.also_needs(Needs::Any(ids.iter().map(|id| Needs::tokens(id)).collect()));
        let search = Search { limit: ids.len().max(1), order: Order::Ascending, after: None };
        scan.filter = Some(Compiled::with_one_of(&is_closing(), AUDIT_ID, ids)?.into());
        let page = blocking(budget, move || scan.page(&search)).await?;
        let numbered = |found: Found| Ok(number(&found.record()?).map(|id| (id, found)));
        page.records.into_iter().filter_map(|found| numbered(found).transpose()).collect()
    }
}

fn is_closing() -> Expr {
    let predicate = Predicate::Phrase(AUDIT_CLOSED.to_owned());
    Expr::Field { name: "event_name".into(), predicate, span: Span::default() }
}

/// The number that the records of one request share.
fn number(record: &Record<'_>) -> Option<String> {
    let (_, value) = record.attributes.iter().find(|(key, _)| key == AUDIT_ID)?;
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
