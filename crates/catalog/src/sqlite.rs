//! The catalog in one SQLite file.

mod documents;
mod pages;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use logkeep_cipher::{BlobCipher, DataKey};
use logkeep_record::{Class, TenantId};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use crate::{BatchKey, Catalog, CatalogError, Change, ClassPages, ClassState, Head, PageRow, SegmentRow};

/// SQLite in WAL mode, one connection, synchronous: a commit is durable when it returns.
pub struct SqliteCatalog {
    pool: SqlitePool,
    cipher: Arc<BlobCipher>,
}

impl SqliteCatalog {
    /// Opens the file, or creates it. `key` seals the rows and is used for nothing else.
    ///
    /// # Errors
    /// [`CatalogError`]: the file is locked by another process, is no catalog, or is of a later version.
    pub async fn open(path: &Path, key: &DataKey) -> Result<Self, CatalogError> {
        Self::connect(path, Arc::new(BlobCipher::new(key))).await
    }

    async fn connect(path: &Path, cipher: Arc<BlobCipher>) -> Result<Self, CatalogError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "on")
            .pragma("temp_store", "memory")
            .pragma("cell_size_check", "on");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        migrate(&pool, path).await?;
        Ok(Self { pool, cipher })
    }

    /// A copy in a new file, as of one instant, while others may write: rows sealed as they are, rows that were deleted
    /// left out. Close it, and sync the file, before relying on it.
    ///
    /// # Errors
    /// [`CatalogError::Database`]: the file is there already, or cannot be written.
    pub async fn copy_to(&self, path: &Path) -> Result<Self, CatalogError> {
        let name =
            path.to_str().ok_or_else(|| sqlx::Error::Configuration("the path of the copy is not UTF-8".into()))?;
        sqlx::query("VACUUM INTO ?").bind(name).execute(&self.pool).await?;
        Self::connect(path, self.cipher.clone()).await
    }

    /// Closes the file, folding its journal in.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn seal<T: Serialize>(&self, name: &str, row: &T) -> Result<Vec<u8>, CatalogError> {
        let plain = serde_json::to_vec(row).map_err(|error| CatalogError::Corrupt(format!("`{name}`: {error}")))?;
        Ok(self.cipher.seal(name, &plain))
    }

    fn open_row<T: DeserializeOwned>(&self, name: &str, sealed: &[u8]) -> Result<T, CatalogError> {
        let plain = self.cipher.open(name, sealed).map_err(|error| CatalogError::Corrupt(error.to_string()))?;
        serde_json::from_slice(&plain).map_err(|error| CatalogError::Corrupt(format!("`{name}`: {error}")))
    }

    /// Whether each secret opens.
    async fn check_secrets(&self) -> Result<(), CatalogError> {
        let rows = sqlx::query("SELECT name, value FROM meta").fetch_all(&self.pool).await?;
        rows.into_iter().try_for_each(|row| self.open_secret(row.try_get("name")?, row.try_get("value")?).map(drop))
    }

    fn open_secret(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, CatalogError> {
        self.cipher.open(&format!("meta/{name}"), sealed).map_err(|error| CatalogError::Corrupt(error.to_string()))
    }

    async fn keep_secret(&self, tx: &mut SqliteConnection, name: &str, secret: &[u8]) -> Result<(), CatalogError> {
        sqlx::query("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value")
            .bind(name)
            .bind(self.cipher.seal(&format!("meta/{name}"), secret))
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn all_batch_keys(&self) -> Result<Vec<(TenantId, BatchKey)>, CatalogError> {
        let rows = sqlx::query("SELECT tenant, hmac, received_ns FROM batch_keys").fetch_all(&self.pool).await?;
        let read = |row: SqliteRow| {
            let corrupt = |what: String| CatalogError::Corrupt(format!("of a batch key: {what}"));
            let tenant = TenantId::new(row.try_get("tenant")?).map_err(|error| corrupt(error.to_string()))?;
            let hmac: Vec<u8> = row.try_get("hmac")?;
            let hmac = hmac.try_into().map_err(|_| corrupt("it is not 32 bytes".into()))?;
            Ok((tenant, BatchKey { hmac, received_ns: row.try_get("received_ns")? }))
        };
        rows.into_iter().map(read).collect()
    }

    /// Every class with its head.
    async fn heads(&self, tx: &mut SqliteConnection) -> Result<Vec<(TenantId, Class, Head)>, CatalogError> {
        let rows = sqlx::query("SELECT tenant, class, body FROM heads ORDER BY tenant, class").fetch_all(tx).await?;
        let corrupt = |error: logkeep_record::NameError| CatalogError::Corrupt(error.to_string());
        let read = |row: SqliteRow| {
            let name = |column: &str| row.try_get::<String, _>(column);
            let tenant = TenantId::new(&name("tenant")?).map_err(corrupt)?;
            let class = Class::new(&name("class")?).map_err(corrupt)?;
            let head = self.open_row(&head_name(&tenant, &class), row.try_get("body")?)?;
            Ok((tenant, class, head))
        };
        rows.into_iter().map(read).collect()
    }

    async fn segments_of(
        &self,
        tx: &mut SqliteConnection,
        tenant: &TenantId,
        class: &Class,
    ) -> Result<Vec<SegmentRow>, CatalogError> {
        let rows = sqlx::query("SELECT id, body FROM segments WHERE tenant = ? AND class = ? ORDER BY id")
            .bind(tenant.as_str())
            .bind(class.as_str())
            .fetch_all(&mut *tx)
            .await?;
        let open = |row: SqliteRow| {
            let id: String = row.try_get("id")?;
            let name = segment_name(tenant, class, &id);
            let segment: SegmentRow = self.open_row(&name, row.try_get("body")?)?;
            if segment.id.as_str() == id {
                Ok(segment)
            } else {
                Err(CatalogError::Corrupt(format!("`{name}` is another")))
            }
        };
        let mut segments = rows.into_iter().map(open).collect::<Result<Vec<_>, CatalogError>>()?;
        segments.sort_by_key(|segment| segment.first_batch);
        Ok(segments)
    }
}

/// The schema, step by step; a step that has been released is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_ledger.sql"),
    include_str!("../migrations/0003_documents.sql"),
];

/// Brings the file to this program's version, which SQLite keeps as `user_version`.
async fn migrate(pool: &SqlitePool, path: &Path) -> Result<(), CatalogError> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(pool).await?;
    let done = usize::try_from(version).ok().filter(|done| *done <= MIGRATIONS.len());
    let unknown =
        || CatalogError::Version { path: path.display().to_string(), found: version, known: MIGRATIONS.len() };
    let done = done.ok_or_else(unknown)?;
    for (step, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {}", step + 1))).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

fn segment_name(tenant: &TenantId, class: &Class, id: &str) -> String {
    format!("segments/{tenant}/{class}/{id}")
}

fn head_name(tenant: &TenantId, class: &Class) -> String {
    format!("heads/{tenant}/{class}")
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn load(&self) -> Result<Vec<ClassState>, CatalogError> {
        // One snapshot of the database: a running server commits in between.
        let mut tx = self.pool.begin().await?;
        let heads = self.heads(&mut tx).await?;
        let mut states = Vec::with_capacity(heads.len());
        let mut segments = 0;
        for (tenant, class, head) in heads {
            if class == Class::ledger() {
                continue;
            }
            let state = ClassState { head, segments: self.segments_of(&mut tx, &tenant, &class).await?, tenant, class };
            state.check()?;
            segments += state.segments.len() as i64;
            states.push(state);
        }
        let all: i64 = sqlx::query_scalar("SELECT count(*) FROM segments").fetch_one(&mut *tx).await?;
        if all != segments {
            return Err(CatalogError::Corrupt("of a segment belongs to no head".into()));
        }
        Ok(states)
    }

    async fn commit(&self, change: Change) -> Result<(), CatalogError> {
        let (tenant, class) = (&change.tenant, &change.class);
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for id in &change.remove {
            sqlx::query("DELETE FROM segments WHERE tenant = ? AND class = ? AND id = ?")
                .bind(tenant.as_str())
                .bind(class.as_str())
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?;
        }
        for segment in &change.add {
            let body = self.seal(&segment_name(tenant, class, segment.id.as_str()), segment)?;
            sqlx::query("INSERT INTO segments (tenant, class, id, body) VALUES (?, ?, ?, ?)")
                .bind(tenant.as_str())
                .bind(class.as_str())
                .bind(segment.id.as_str())
                .bind(body)
                .execute(&mut *tx)
                .await?;
        }
        self.change_pages(&mut tx, tenant, class, &change.pages).await?;
        let body = self.seal(&head_name(tenant, class), &change.head)?;
        sqlx::query(
            "INSERT INTO heads (tenant, class, body) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
        )
        .bind(tenant.as_str())
        .bind(class.as_str())
        .bind(body)
        .execute(&mut *tx)
        .await?;
        for key in &change.keys {
            sqlx::query(
                "INSERT INTO batch_keys (tenant, hmac, received_ns) VALUES (?, ?, ?) \
                ON CONFLICT DO UPDATE SET received_ns = max(received_ns, excluded.received_ns)",
            )
            .bind(tenant.as_str())
            .bind(key.hmac.as_slice())
            .bind(key.received_ns)
            .execute(&mut *tx)
            .await?;
        }
        if let Some(documents) = &change.documents {
            self.add_documents(&mut tx, tenant, class, documents).await?;
        }
        for (name, secret) in &change.secrets {
            self.keep_secret(&mut tx, name, secret).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn check(&self) -> Result<(), CatalogError> {
        let faults: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(10)").fetch_all(&self.pool).await?;
        match faults.as_slice() {
            [fine] if fine == "ok" => {}
            faults => return Err(CatalogError::Damaged(faults.join("; "))),
        }
        self.check_secrets().await?;
        self.all_batch_keys().await?;
        self.all_documents().await.map(drop)
    }

    async fn forget_batch_keys(&self, since_ns: i64) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM batch_keys WHERE received_ns < ?").bind(since_ns).execute(&self.pool).await?;
        Ok(())
    }

    async fn batch_keys(&self, since_ns: i64) -> Result<Vec<(TenantId, BatchKey)>, CatalogError> {
        self.forget_batch_keys(since_ns).await?;
        self.all_batch_keys().await
    }

    async fn forget_documents(&self, since_ns: i64, most: u64) -> Result<u64, CatalogError> {
        self.leave_documents(since_ns, most).await
    }

    async fn documents(&self) -> Result<Vec<Vec<u8>>, CatalogError> {
        self.all_documents().await
    }

    async fn pages(&self) -> Result<Vec<ClassPages>, CatalogError> {
        self.all_pages().await
    }

    async fn page(&self, tenant: &TenantId, class: &Class, page: &PageRow) -> Result<Option<Vec<u8>>, CatalogError> {
        self.page_body(tenant, class, page).await
    }

    // Writes the file anew from what is in it, and empties the journal, which has pages as they were. What is deleted is overwritten
    // (`secure_delete`), but of rows that have moved from page to page a part may be left where they were.
    async fn leave_nothing_deleted(&self) -> Result<(), CatalogError> {
        sqlx::query("VACUUM").execute(&self.pool).await?;
        let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.pool).await?;
        let reads = || std::io::Error::new(std::io::ErrorKind::ResourceBusy, "another process reads the catalog");
        if busy == 0 { Ok(()) } else { Err(reads().into()) }
    }

    async fn forget_tenant(&self, tenant: &TenantId) -> Result<(), CatalogError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for delete in ["DELETE FROM batch_keys WHERE tenant = ?", "DELETE FROM documents WHERE tenant = ?"] {
            sqlx::query(delete).bind(tenant.as_str()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        self.leave_nothing_deleted().await
    }

    async fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, CatalogError> {
        let sealed: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT value FROM meta WHERE name = ?").bind(name).fetch_optional(&self.pool).await?;
        sealed.map(|sealed| self.open_secret(name, &sealed)).transpose()
    }

    async fn set_secrets(&self, secrets: &[(&str, &[u8])]) -> Result<(), CatalogError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (name, secret) in secrets {
            self.keep_secret(&mut tx, name, secret).await?;
        }
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests;
