//! Pages of the ledger: what they count, not what is on them.

use logkeep_record::{Class, TenantId};

use crate::{CatalogError, PageRow};

/// A page with what is on it, which only who wrote it understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it counts.
    pub row: PageRow,
    /// What is on it.
    pub body: Vec<u8>,
}

/// Pages that a change adds and removes.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// The new one.
    pub add: Option<Page>,
    /// Those it stands for.
    pub remove: Vec<PageRow>,
}

/// The pages of one tenant and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassPages {
    /// Whose.
    pub tenant: TenantId,
    /// Of which class.
    pub class: Class,
    /// In order.
    pub pages: Vec<PageRow>,
}

impl ClassPages {
    /// Every batch below the head is counted on exactly one page.
    ///
    /// # Errors
    /// [`CatalogError::Corrupt`] says which is not.
    pub fn check(&self, flushed: u64) -> Result<(), CatalogError> {
        let mut next = 0;
        for page in &self.pages {
            if page.first != next || page.last < page.first {
                break;
            }
            next = page.last + 1;
        }
        if next == flushed && self.pages.last().is_none_or(|last| last.last + 1 == next) {
            return Ok(());
        }
        let place = format!("of the ledger of `{}/{}`", self.tenant, self.class);
        Err(CatalogError::Corrupt(format!("{place}: the page of batch {next} is missing, or one too many")))
    }
}
