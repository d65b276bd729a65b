//! Records as they arrive, for whoever holds a grant.

use logkeep_access::Grant;
use logkeep_ingest::Arrived;
use logkeep_record::{Record, TenantId};

use super::{reads, view};
use crate::exec::view::View;
use crate::exec::{Dataset, QueryError};
use crate::kql::{Compiled, Expr};

/// What of the records that arrive one reader follows.
pub struct Follower {
    tenant: TenantId,
    view: std::sync::Arc<View>,
    filter: Compiled,
}

impl Follower {
    /// The records of logs that match.
    ///
    /// # Errors
    /// [`QueryError`]: the grant is not for this, or the filter is wrong.
    pub fn new(grant: &Grant, filter: &Expr) -> Result<Self, QueryError> {
        if !reads(grant, Dataset::Logs) {
            return Err(QueryError::Denied(Dataset::Logs.name()));
        }
        let (tenant, view) = (grant.tenant().clone(), view(grant, Dataset::Logs)?);
        Ok(Self { tenant, view, filter: Compiled::new(filter)? })
    }

    /// Those that it follows of what has arrived, as the reader may see them, each with its row.
    pub fn matches<'a>(&'a self, arrived: &'a Arrived) -> impl Iterator<Item = (usize, Record<'a>)> {
        let is_followed = arrived.tenant == self.tenant && arrived.class.holds_logs();
        let rows = if is_followed { arrived.rows.len() } else { 0 };
        let mut masker = self.view.mask.as_ref().map(|mask| mask.masker());
        (0..rows).filter_map(move |row| {
            let mut record = arrived.rows.record(row).ok()?;
            if !self.view.admits(&arrived.class, &record.resource) {
                return None;
            }
            if let Some(masker) = &mut masker {
                masker.apply(&mut record);
            }
            self.filter.matches(&record).then_some((row, record))
        })
    }
}
