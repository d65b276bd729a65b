//! Message templates: which there are, and what they leave open.

use std::sync::Arc;

use logkeep_access::Grant;
use logkeep_ingest::{SegmentHandle, Snapshot};
use logkeep_record::TimeRange;

use super::{QueryEngine, Selection, blocking};
use crate::exec::{Budget, Parameters, PatternSearch, Patterns, QueryError};

/// Of more than these nobody looks at examples.
const EXAMPLES: usize = 200;

impl QueryEngine {
    /// The message templates of the selected logs, and how many records have each. With `compare` also how many had it in the
    /// time of the same length before.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn patterns(
        &self,
        grant: &Grant,
        selection: &Selection,
        buckets: usize,
        compare: bool,
        budget: &Budget,
    ) -> Result<Patterns, QueryError> {
        let search = PatternSearch { range: selection.range, buckets, examples: EXAMPLES };
        self.count_patterns(grant, selection, search, compare, budget).await
    }

    /// The same, with as much of each as is asked for.
    pub(crate) async fn count_patterns(
        &self,
        grant: &Grant,
        selection: &Selection,
        search: PatternSearch,
        compare: bool,
        budget: &Budget,
    ) -> Result<Patterns, QueryError> {
        let whole = if compare { with_time_before(search.range) } else { search.range };
        let scan = self.scan(grant, &Selection { range: whole, ..selection.clone() }, budget)?;
        let all = segments(&self.snapshot(), grant);
        blocking(budget, move || scan.patterns(&search, &all)).await
    }

    /// What the selected records have where their template, which the selection names, leaves something open; `None` if nothing
    /// is known of it.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn parameters(
        &self,
        grant: &Grant,
        selection: &Selection,
        limit: usize,
        budget: &Budget,
    ) -> Result<Option<Parameters>, QueryError> {
        let scan = self.scan(grant, selection, budget)?;
        blocking(budget, move || scan.parameters(limit)).await
    }
}

/// The segments that hold a tenant's logs, those of each class in order of age.
pub(super) fn segments(snapshot: &Snapshot, grant: &Grant) -> Vec<Arc<SegmentHandle>> {
    snapshot.logs_of(grant.tenant()).flat_map(|view| view.segments.iter().cloned()).collect()
}

fn with_time_before(range: TimeRange) -> TimeRange {
    let (start, end) = (range.start_ns(), range.end_ns());
    TimeRange::new(start.saturating_sub(end.saturating_sub(start)), end).unwrap_or(range)
}
