//! What the ledger says.

use std::ops::RangeInclusive;

use logkeep_catalog::{Catalog, CatalogError, PageRow};
use logkeep_record::{Class, TenantId};

use super::Ledger;
use crate::engine::Ingest;
use crate::state::ClassKey;

/// Attempts while pages are joined as they are read.
const ATTEMPTS: usize = 10;

/// Pages to be read, and what is on none yet.
type Found = (Vec<(ClassKey, PageRow)>, Ledger);

impl Ingest {
    /// Counts what became of records beside any batch. Durable within about a second, or when the engine stops.
    pub fn count(&self, tenant: &TenantId, lines: &Ledger) {
        self.shared.waiting.lock().add(tenant, lines, self.shared.clock.elapsed_ns());
    }

    /// What the sources of a tenant sent in these minutes, and what became of it: a line for `step` minutes, at most
    /// `most` of them.
    ///
    /// # Errors
    /// [`CatalogError`]: a page cannot be read.
    pub async fn ledger(
        &self,
        tenant: &TenantId,
        minutes: RangeInclusive<i64>,
        step: i64,
        most: usize,
    ) -> Result<Ledger, CatalogError> {
        for _ in 0..ATTEMPTS {
            let (pages, live) = self.found(tenant, &minutes);
            let mut whole = Wanted { lines: Ledger::bounded(most), minutes: &minutes, step };
            if self.read(&pages, &mut whole).await? {
                whole.take(&live);
                return Ok(whole.lines);
            }
        }
        Err(gone())
    }

    /// The audit trail has no senders.
    fn found(&self, tenant: &TenantId, minutes: &RangeInclusive<i64>) -> Found {
        let asked = |page: &&PageRow| page.from_minute <= *minutes.end() && page.to_minute >= *minutes.start();
        let state = self.shared.state.lock();
        let of_senders = |class: &ClassKey| class.0 == *tenant && class.1 != Class::audit();
        let classes = state.pages.iter().filter(|(class, _)| of_senders(class));
        let pages = classes
            .flat_map(|(class, pages)| pages.iter().filter(asked).map(move |page| (class.clone(), page.clone())))
            .collect();
        let mut live = Ledger::bounded(usize::MAX);
        for (_, partition) in state.partitions.iter().filter(|(class, _)| of_senders(class)) {
            live.merge(&partition.ledger);
        }
        if let Some(waiting) = self.shared.waiting.lock().lines.get(tenant) {
            live.merge(waiting);
        }
        (pages, live)
    }

    /// False if a page was joined with others meanwhile.
    async fn read(&self, pages: &[(ClassKey, PageRow)], whole: &mut Wanted<'_>) -> Result<bool, CatalogError> {
        for ((tenant, class), page) in pages {
            let Some(body) = self.shared.catalog.page(tenant, class, page).await? else { return Ok(false) };
            whole.take(&Ledger::from_page(&body)?);
        }
        Ok(true)
    }
}

/// What each page of a class counts as stored.
pub(crate) async fn stored_by_page(
    catalog: &dyn Catalog,
    class: &ClassKey,
) -> Result<Vec<(PageRow, u64)>, CatalogError> {
    for _ in 0..ATTEMPTS {
        let all = catalog.pages().await?.into_iter();
        let own = all.filter(|pages| (&pages.tenant, &pages.class) == (&class.0, &class.1));
        let mut found = Vec::new();
        let mut rows = own.flat_map(|own| own.pages);
        let whole = loop {
            let Some(row) = rows.next() else { break true };
            let Some(body) = catalog.page(&class.0, &class.1, &row).await? else { break false };
            let stored = Ledger::from_page(&body)?.stored();
            found.push((row, stored));
        };
        if whole {
            return Ok(found);
        }
    }
    Err(gone())
}

/// A running server joins pages, but not that often.
fn gone() -> CatalogError {
    CatalogError::Corrupt("of the ledger: pages that should be there are not".into())
}

struct Wanted<'a> {
    lines: Ledger,
    minutes: &'a RangeInclusive<i64>,
    step: i64,
}

impl Wanted<'_> {
    fn take(&mut self, lines: &Ledger) {
        for (minute, source, counts) in lines.lines().filter(|(minute, ..)| self.minutes.contains(minute)) {
            self.lines.add(minute - minute.rem_euclid(self.step), source, counts);
        }
    }
}
