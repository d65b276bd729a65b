//! Proving one record.

use logkeep_access::Grant;
use logkeep_record::{Class, RecordId};

use super::{QueryEngine, Selection, blocking};
use crate::exec::{Budget, Dataset, QueryError};

/// How far a record is sealed.
pub enum Seal {
    /// The file that proves it.
    Proof(String),
    /// It is durable, and the next checkpoint will cover it.
    Pending,
}

impl QueryEngine {
    /// The proof of one record; `None` if there is none by this id.
    ///
    /// # Errors
    /// [`QueryError`], among them [`QueryError::Withheld`] if it would tell more than the reader may see, and
    /// [`QueryError::Damaged`] if what is stored does not prove the record.
    pub async fn proof(&self, grant: &Grant, id: &RecordId, budget: &Budget) -> Result<Option<Seal>, QueryError> {
        let dataset = if id.class == Class::spans() { Dataset::Spans } else { Dataset::Logs };
        let scan = self.scan(grant, &Selection::all(dataset), budget)?;
        let (ingest, tenant, id) = (self.ingest.clone(), grant.tenant().clone(), id.clone());
        blocking(budget, move || {
            let Some(found) = scan.in_batch(&id)? else { return Ok(None) };
            let sealed = ingest.sealed(&tenant, &id.class, id.batch);
            let Some(sealed) = sealed.map_err(|error| QueryError::Damaged(error.to_string()))? else {
                return Ok(Some(Seal::Pending));
            };
            let broken = |fault| {
                QueryError::Damaged(format!(
                    "record `{id}` is not what was acknowledged: {fault}; run `logkeep verify`"
                ))
            };
            found.prove(&tenant, &id, sealed).map(|file| Some(Seal::Proof(file))).map_err(broken)
        })
        .await
    }
}
