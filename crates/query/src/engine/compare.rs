//! How the selected records differ from others.

use logkeep_access::Grant;
use logkeep_record::TimeRange;

use super::{QueryEngine, Selection, blocking};
use crate::exec::{Budget, Comparison, Differences, QueryError, With, named_fields};

impl QueryEngine {
    /// In which fields and values the selected records differ from others by more than chance: `most` fields, and `values` of each.
    ///
    /// # Errors
    /// [`QueryError`].
    pub async fn compare(
        &self,
        grant: &Grant,
        selection: &Selection,
        with: With,
        (most, values): (usize, usize),
        budget: &Budget,
    ) -> Result<Differences, QueryError> {
        let (range, other) = (selection.range, compared_range(selection.range, with));
        let named = if with == With::Rest { named_fields(&selection.filter) } else { Default::default() };
        let asked = Comparison { with, range, other, named, fields: most, values };
        let whole = TimeRange::new(other.start_ns(), range.end_ns()).unwrap_or(range);
        let scan = self.scan(grant, &Selection { range: whole, ..selection.clone() }, budget)?;
        blocking(budget, move || scan.compare(&asked)).await
    }
}

/// The time of the records with which those of a range are compared.
pub fn compared_range(range: TimeRange, with: With) -> TimeRange {
    let (start, end) = (range.start_ns(), range.end_ns());
    let before = TimeRange::new(start.saturating_sub(end.saturating_sub(start)), start);
    if with == With::Before { before.unwrap_or(range) } else { range }
}
