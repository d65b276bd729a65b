//! The catalog as a model: tables in memory that outlive a crash, changed in one step or not at all.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use logkeep_catalog::{
    BatchKey, Catalog, CatalogError, Change, ClassPages, ClassState, DocumentsRow, Head, Page, PageRow, SegmentRow,
};
use logkeep_record::{Class, TenantId};
use parking_lot::Mutex;

/// Asked before and after each transaction whether the machine still runs.
pub type Gate = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

#[derive(Clone, Default)]
struct Tables {
    heads: BTreeMap<(TenantId, Class), Head>,
    segments: BTreeMap<(TenantId, Class, String), SegmentRow>,
    keys: BTreeMap<(TenantId, [u8; 32]), i64>,
    documents: BTreeMap<(TenantId, Class, u64), DocumentsRow>,
    secrets: BTreeMap<String, Vec<u8>>,
    pages: BTreeMap<(TenantId, Class, u64), Page>,
}

/// What a disk that never fails would hold. Clones share it.
#[derive(Clone)]
pub struct ModelCatalog {
    tables: Arc<Mutex<Tables>>,
    gate: Gate,
}

impl ModelCatalog {
    /// An empty one. If `gate` refuses before a transaction nothing happens; if it refuses after, the transaction is
    /// done and nobody hears of it.
    pub fn new(gate: Gate) -> Self {
        Self { tables: Arc::default(), gate }
    }

    fn transact<T>(&self, work: impl FnOnce(&mut Tables) -> Result<T, CatalogError>) -> Result<T, CatalogError> {
        (self.gate)()?;
        let mut tables = self.tables.lock();
        let mut next = tables.clone();
        let done = work(&mut next)?;
        *tables = next;
        (self.gate)()?;
        Ok(done)
    }
}

#[async_trait]
impl Catalog for ModelCatalog {
    async fn load(&self) -> Result<Vec<ClassState>, CatalogError> {
        let tables = self.tables.lock();
        let state = |((tenant, class), head): (&(TenantId, Class), &Head)| {
            let own = tables.segments.iter().filter(|((t, c, _), _)| t == tenant && c == class);
            let mut segments: Vec<SegmentRow> = own.map(|(_, row)| row.clone()).collect();
            segments.sort_by_key(|row| row.first_batch);
            let state = ClassState { tenant: tenant.clone(), class: class.clone(), head: head.clone(), segments };
            state.check().map(|()| state)
        };
        tables.heads.iter().filter(|((_, class), _)| *class != Class::ledger()).map(state).collect()
    }

    async fn check(&self) -> Result<(), CatalogError> {
        Ok(())
    }

    async fn forget_batch_keys(&self, since_ns: i64) -> Result<(), CatalogError> {
        self.transact(|tables| {
            tables.keys.retain(|_, received_ns| *received_ns >= since_ns);
            Ok(())
        })
    }

    async fn batch_keys(&self, since_ns: i64) -> Result<Vec<(TenantId, BatchKey)>, CatalogError> {
        self.transact(|tables| {
            tables.keys.retain(|_, received_ns| *received_ns >= since_ns);
            let key = |((tenant, hmac), received_ns): (&(TenantId, [u8; 32]), &i64)| {
                (tenant.clone(), BatchKey { hmac: *hmac, received_ns: *received_ns })
            };
            Ok(tables.keys.iter().map(key).collect())
        })
    }

    async fn forget_documents(&self, since_ns: i64, most: u64) -> Result<u64, CatalogError> {
        self.transact(|tables| {
            let mut rows: Vec<_> =
                tables.documents.iter().map(|(place, row)| (row.received_ns, place.clone())).collect();
            rows.sort_by(|a, b| b.cmp(a));
            let mut left = 0;
            for (received_ns, place) in rows {
                if received_ns < since_ns || left >= most {
                    tables.documents.remove(&place);
                } else {
                    left += tables.documents[&place].documents;
                }
            }
            Ok(left)
        })
    }

    async fn documents(&self) -> Result<Vec<Vec<u8>>, CatalogError> {
        let tables = self.tables.lock();
        let mut rows: Vec<&DocumentsRow> = tables.documents.values().collect();
        rows.sort_by_key(|row| row.received_ns);
        Ok(rows.into_iter().map(|row| row.body.clone()).collect())
    }

    async fn pages(&self) -> Result<Vec<ClassPages>, CatalogError> {
        let tables = self.tables.lock();
        let of = |((tenant, class), head): (&(TenantId, Class), &Head)| {
            let own = tables.pages.iter().filter(|((t, c, _), _)| t == tenant && c == class);
            let pages = own.map(|(_, page)| page.row.clone()).collect();
            let pages = ClassPages { tenant: tenant.clone(), class: class.clone(), pages };
            pages.check(head.flushed).map(|()| pages)
        };
        tables.heads.iter().map(of).collect()
    }

    async fn page(&self, tenant: &TenantId, class: &Class, page: &PageRow) -> Result<Option<Vec<u8>>, CatalogError> {
        let tables = self.tables.lock();
        let found = tables.pages.get(&(tenant.clone(), class.clone(), page.first)).filter(|found| found.row == *page);
        Ok(found.map(|found| found.body.clone()))
    }

    async fn commit(&self, change: Change) -> Result<(), CatalogError> {
        self.transact(|tables| {
            let (tenant, class) = (change.tenant, change.class);
            let place = |id: &str| (tenant.clone(), class.clone(), id.to_owned());
            for id in &change.remove {
                tables.segments.remove(&place(id.as_str()));
            }
            for row in change.add {
                let place = place(row.id.as_str());
                if tables.segments.insert(place, row).is_some() {
                    return Err(CatalogError::Storage(io::ErrorKind::AlreadyExists.into()));
                }
            }
            for page in change.pages.remove {
                tables.pages.remove(&(tenant.clone(), class.clone(), page.first));
            }
            if let Some(page) = change.pages.add {
                tables.pages.insert((tenant.clone(), class.clone(), page.row.first), page);
            }
            tables.heads.insert((tenant.clone(), class.clone()), change.head);
            for key in change.keys {
                let known = tables.keys.entry((tenant.clone(), key.hmac)).or_insert(key.received_ns);
                *known = key.received_ns.max(*known);
            }
            if let Some(row) = change.documents {
                tables.documents.insert((tenant, class, row.last), row);
            }
            tables.secrets.extend(change.secrets);
            Ok(())
        })
    }

    async fn leave_nothing_deleted(&self) -> Result<(), CatalogError> {
        Ok(())
    }

    async fn forget_tenant(&self, tenant: &TenantId) -> Result<(), CatalogError> {
        self.transact(|tables| {
            tables.keys.retain(|(of, _), _| of != tenant);
            tables.documents.retain(|(of, ..), _| of != tenant);
            Ok(())
        })
    }

    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, CatalogError> {
        Ok(self.tables.lock().secrets.get(name).cloned())
    }

    async fn set_secrets(&self, secrets: &[(&str, &[u8])]) -> Result<(), CatalogError> {
        self.transact(|tables| {
            let owned = |(name, secret): &(&str, &[u8])| ((*name).to_owned(), secret.to_vec());
            tables.secrets.extend(secrets.iter().map(owned));
            Ok(())
        })
    }
}
