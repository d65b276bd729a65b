//! Documents that senders gave names.

use logkeep_record::{Class, TenantId};
use sqlx::{Row as _, SqliteConnection};

use super::SqliteCatalog;
use crate::{CatalogError, DocumentsRow};

fn documents_name(tenant: &str, class: &str, last: i64) -> String {
    format!("documents/{tenant}/{class}/{last}")
}

impl SqliteCatalog {
    pub(super) async fn add_documents(
        &self,
        tx: &mut SqliteConnection,
        tenant: &TenantId,
        class: &Class,
        row: &DocumentsRow,
    ) -> Result<(), CatalogError> {
        let last = row.last as i64;
        let body = self.cipher.seal(&documents_name(tenant.as_str(), class.as_str(), last), &row.body);
        sqlx::query(
            "INSERT INTO documents (tenant, class, last, received_ns, documents, body) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(tenant.as_str())
        .bind(class.as_str())
        .bind(last)
        .bind(row.received_ns)
        .bind(row.documents as i64)
        .bind(body)
        .execute(tx)
        .await?;
        Ok(())
    }

    pub(super) async fn leave_documents(&self, since_ns: i64, most: u64) -> Result<u64, CatalogError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "DELETE FROM documents WHERE received_ns < ? OR (tenant, class, last) IN (SELECT tenant, class, last FROM \
            (SELECT tenant, class, last, documents AS own, sum(documents) OVER \
            (ORDER BY received_ns DESC, tenant, class, last DESC) AS up_to FROM documents) WHERE up_to - own >= ?)",
        )
        .bind(since_ns)
        .bind(most as i64)
        .execute(&mut *tx)
        .await?;
        let left: i64 =
            sqlx::query_scalar("SELECT coalesce(sum(documents), 0) FROM documents").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(left as u64)
    }

    pub(super) async fn all_documents(&self) -> Result<Vec<Vec<u8>>, CatalogError> {
        let rows =
            sqlx::query("SELECT tenant, class, last, body FROM documents ORDER BY received_ns, tenant, class, last")
                .fetch_all(&self.pool)
                .await?;
        let open = |row: sqlx::sqlite::SqliteRow| {
            let (tenant, class): (String, String) = (row.try_get("tenant")?, row.try_get("class")?);
            let (last, sealed): (i64, Vec<u8>) = (row.try_get("last")?, row.try_get("body")?);
            let opened = self.cipher.open(&documents_name(&tenant, &class, last), &sealed);
            opened.map_err(|error| CatalogError::Corrupt(error.to_string()))
        };
        rows.into_iter().map(open).collect()
    }
}
