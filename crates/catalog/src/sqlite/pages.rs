//! The ledger's table. A body is sealed with what the page counts in front of it: JSON, behind its length.

use logkeep_record::{Class, TenantId};
use sqlx::SqliteConnection;

use super::SqliteCatalog;
use crate::{CatalogError, ClassPages, Page, PageRow, Pages};

impl SqliteCatalog {
    pub(super) async fn all_pages(&self) -> Result<Vec<ClassPages>, CatalogError> {
        let mut tx = self.pool.begin().await?;
        let heads = self.heads(&mut tx).await?;
        let (mut all, mut found) = (Vec::with_capacity(heads.len()), 0);
        for (tenant, class, head) in heads {
            let pages = self.pages_of(&mut tx, &tenant, &class).await?;
            let class = ClassPages { tenant, class, pages };
            class.check(head.flushed)?;
            found += class.pages.len() as i64;
            all.push(class);
        }
        let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(&mut *tx).await?;
        if stored != found {
            return Err(CatalogError::Corrupt("of the ledger belongs to no head".into()));
        }
        Ok(all)
    }

    pub(super) async fn page_body(
        &self,
        tenant: &TenantId,
        class: &Class,
        page: &PageRow,
    ) -> Result<Option<Vec<u8>>, CatalogError> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT body FROM ledger WHERE tenant = ? AND class = ? AND first = ? AND last = ?")
                .bind(tenant.as_str())
                .bind(class.as_str())
                .bind(page.first as i64)
                .bind(page.last as i64)
                .fetch_optional(&self.pool)
                .await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let (row, body) = self.open_page(tenant, class, (page.first, page.last), &sealed)?;
        if row == *page { Ok(Some(body)) } else { Err(CatalogError::Corrupt("of the ledger is another".into())) }
    }

    pub(super) async fn change_pages(
        &self,
        tx: &mut SqliteConnection,
        tenant: &TenantId,
        class: &Class,
        change: &Pages,
    ) -> Result<(), CatalogError> {
        for page in &change.remove {
            sqlx::query("DELETE FROM ledger WHERE tenant = ? AND class = ? AND first = ? AND last = ?")
                .bind(tenant.as_str())
                .bind(class.as_str())
                .bind(page.first as i64)
                .bind(page.last as i64)
                .execute(&mut *tx)
                .await?;
        }
        let Some(Page { row, body }) = &change.add else { return Ok(()) };
        let name = page_name(tenant, class, (row.first, row.last));
        let head = serde_json::to_vec(row).map_err(|error| CatalogError::Corrupt(format!("`{name}`: {error}")))?;
        let plain = [&(head.len() as u16).to_le_bytes(), head.as_slice(), body].concat();
        sqlx::query("INSERT INTO ledger (tenant, class, first, last, body) VALUES (?, ?, ?, ?, ?)")
            .bind(tenant.as_str())
            .bind(class.as_str())
            .bind(row.first as i64)
            .bind(row.last as i64)
            .bind(self.cipher.seal(&name, &plain))
            .execute(&mut *tx)
            .await?;
        Ok(())
    }

    async fn pages_of(
        &self,
        tx: &mut SqliteConnection,
        tenant: &TenantId,
        class: &Class,
    ) -> Result<Vec<PageRow>, CatalogError> {
        let places: Vec<(i64, i64)> =
            sqlx::query_as("SELECT first, last FROM ledger WHERE tenant = ? AND class = ? ORDER BY first")
                .bind(tenant.as_str())
                .bind(class.as_str())
                .fetch_all(&mut *tx)
                .await?;
        let mut pages = Vec::with_capacity(places.len());
        for (first, last) in places {
            // One at a time: together they may be larger than what should be in memory.
            let sealed: Vec<u8> =
                sqlx::query_scalar("SELECT body FROM ledger WHERE tenant = ? AND class = ? AND first = ?")
                    .bind(tenant.as_str())
                    .bind(class.as_str())
                    .bind(first)
                    .fetch_one(&mut *tx)
                    .await?;
            pages.push(self.open_page(tenant, class, (first as u64, last as u64), &sealed)?.0);
        }
        Ok(pages)
    }

    fn open_page(
        &self,
        tenant: &TenantId,
        class: &Class,
        place: (u64, u64),
        sealed: &[u8],
    ) -> Result<(PageRow, Vec<u8>), CatalogError> {
        let name = page_name(tenant, class, place);
        let mut plain = self.cipher.open(&name, sealed).map_err(|error| CatalogError::Corrupt(error.to_string()))?;
        let corrupt = || CatalogError::Corrupt(format!("`{name}` is not as it must be"));
        let (length, rest) = plain.split_first_chunk::<2>().ok_or_else(corrupt)?;
        let end = usize::from(u16::from_le_bytes(*length));
        let row: PageRow = rest.get(..end).and_then(|head| serde_json::from_slice(head).ok()).ok_or_else(corrupt)?;
        if (row.first, row.last) != place {
            return Err(corrupt());
        }
        plain.drain(..2 + end);
        Ok((row, plain))
    }
}

fn page_name(tenant: &TenantId, class: &Class, (first, last): (u64, u64)) -> String {
    format!("ledger/{tenant}/{class}/{first}-{last}")
}
