//! The catalog over real files.

use super::*;
use crate::{DocumentsRow, Page, Pages, SegmentId};

fn segment(first: u64, last: u64) -> SegmentRow {
    SegmentRow {
        id: SegmentId::new(first, last, [1; 6]),
        first_batch: first,
        last_batch: last,
        records: 5,
        min_time_ns: 1,
        max_time_ns: 2,
        max_received_ns: 3,
        plain_bytes: 4,
        sealed_bytes: 5,
        sha256: [7; 32],
        wrapped_key: vec![9; 61],
    }
}

fn change(add: Vec<SegmentRow>, remove: Vec<SegmentId>, all: &[SegmentRow]) -> Change {
    let flushed = all.last().map_or(0, |segment| segment.last_batch + 1);
    let head = Head { flushed, segments: Head::commit_to(all), ..Head::default() };
    let keys = vec![BatchKey { hmac: [flushed as u8; 32], received_ns: flushed as i64 }];
    let pages = Pages::default();
    Change {
        tenant: TenantId::default(),
        class: Class::default(),
        add,
        remove,
        head,
        keys,
        documents: None,
        pages,
        secrets: vec![],
    }
}

fn page(first: u64, last: u64, body: &str) -> Page {
    Page { row: PageRow { first, last, from_minute: 7, to_minute: 8 }, body: body.into() }
}

#[tokio::test]
async fn pages_follow_each_other_and_tampering_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let catalog = SqliteCatalog::open(&path, &DataKey::generate()).await.unwrap();
    let turn = |flushed: u64, add: Page, remove: Vec<PageRow>| Change {
        head: Head { flushed, ..Head::default() },
        class: Class::ledger(),
        pages: Pages { add: Some(add), remove },
        ..change(vec![], vec![], &[])
    };
    let (a, b, ab) = (page(0, 3, "from 10.0.0.1"), page(4, 4, "b"), page(0, 4, "from 10.0.0.1 and b"));
    catalog.commit(turn(4, a.clone(), vec![])).await.unwrap();
    catalog.commit(turn(5, b.clone(), vec![])).await.unwrap();
    assert_eq!(catalog.pages().await.unwrap()[0].pages, [a.row.clone(), b.row.clone()]);
    catalog.commit(turn(5, ab.clone(), vec![a.row.clone(), b.row])).await.unwrap();
    assert_eq!(catalog.pages().await.unwrap()[0].pages, std::slice::from_ref(&ab.row));
    assert!(catalog.load().await.unwrap().is_empty(), "the ledger has no tree");
    let body = catalog.page(&TenantId::default(), &Class::ledger(), &ab.row).await.unwrap();
    assert_eq!(body, Some(ab.body));
    assert_eq!(catalog.page(&TenantId::default(), &Class::ledger(), &a.row).await.unwrap(), None, "merged away");
    for (tampering, named) in [
        ("UPDATE ledger SET last = 5", "ledger/default/ledger/0-5"),
        ("UPDATE ledger SET last = 4, tenant = 'other'", "the page of batch 0 is missing"),
    ] {
        sqlx::raw_sql(tampering).execute(&catalog.pool).await.unwrap();
        let error = catalog.pages().await.unwrap_err().to_string();
        assert!(error.contains(named), "{tampering}: {error}");
    }
    catalog.close().await;
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"10.0.0.1"));
}

#[tokio::test]
async fn what_is_kept_with_a_change_is_there_with_it_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(&folder.path().join("catalog.sqlite"), &DataKey::generate()).await.unwrap();
    let with = |flushed: u64, secret: &[u8]| Change {
        head: Head { flushed, ..Head::default() },
        secrets: vec![("why".to_owned(), secret.to_vec())],
        ..change(vec![], vec![], &[])
    };
    catalog.commit(with(0, b"first")).await.unwrap();
    assert_eq!(catalog.secret("why").await.unwrap().unwrap(), b"first");
    sqlx::raw_sql("CREATE TRIGGER no BEFORE UPDATE ON heads BEGIN SELECT RAISE(ABORT, 'no'); END")
        .execute(&catalog.pool)
        .await
        .unwrap();
    catalog.commit(with(0, b"second")).await.unwrap_err();
    assert_eq!(catalog.secret("why").await.unwrap().unwrap(), b"first");
}

#[tokio::test]
async fn documents_are_sealed_and_cannot_be_moved() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(&folder.path().join("catalog.sqlite"), &DataKey::generate()).await.unwrap();
    let row = DocumentsRow { last: 3, received_ns: 5, documents: 1, body: b"what is known".to_vec() };
    catalog.commit(Change { documents: Some(row), ..change(vec![], vec![], &[]) }).await.unwrap();
    assert_eq!(catalog.documents().await.unwrap(), [b"what is known"]);
    sqlx::raw_sql("UPDATE documents SET last = 4").execute(&catalog.pool).await.unwrap();
    let error = catalog.documents().await.unwrap_err().to_string();
    assert!(error.contains("documents/default/default/4"), "{error}");
}

#[tokio::test]
async fn what_was_destroyed_is_in_no_file_and_in_no_segment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let catalog = SqliteCatalog::open(&path, &DataKey::generate()).await.unwrap();
    let (a, b) = (segment(0, 3), segment(4, 4));
    let document = DocumentsRow { last: 3, received_ns: 5, documents: 1, body: b"what is known".to_vec() };
    let mut first = change(vec![a.clone(), b.clone()], vec![], &[a.clone(), b.clone()]);
    first.documents = Some(document);
    catalog.commit(first).await.unwrap();
    let sealed = sealed(&catalog, &TenantId::default(), &a.id).await;
    let holds = |what: &[u8]| {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()));
        files.map(Result::unwrap).any(|bytes| bytes.windows(what.len()).any(|window| window == what))
    };
    assert!(holds(&sealed[..48]), "or nothing would be looked for");
    let mut gone = change(vec![], vec![a.id, b.id], &[]);
    gone.head = Head { flushed: 5, destroyed: 5, ..gone.head };
    gone.keys.clear();
    catalog.commit(gone).await.unwrap();
    catalog.forget_tenant(&TenantId::default()).await.unwrap();
    assert!(!holds(&sealed[..48]));
    let states = catalog.load().await.unwrap();
    assert_eq!((states[0].segments.len(), states[0].head.destroyed), (0, 5));
    assert_eq!((catalog.batch_keys(0).await.unwrap(), catalog.documents().await.unwrap()), (vec![], vec![]));
}

/// Rows move from page to page as others come and go, and SQLite leaves parts of them behind.
#[tokio::test]
async fn of_rows_that_have_moved_nothing_is_left_either() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let catalog = SqliteCatalog::open(&path, &DataKey::generate()).await.unwrap();
    // One with which something is left if the file is not written anew.
    let mut next = 8_u64;
    let mut chance = |of: usize| {
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (next >> 33) as usize % of
    };
    let tenants = [TenantId::default(), TenantId::new("other").unwrap()];
    let mut there = [const { Vec::<SegmentRow>::new() }; 2];
    let mut gone: Vec<Vec<u8>> = Vec::new();
    for number in 0..300 {
        for (tenant, there) in tenants.iter().zip(&mut there) {
            let of = |change: Change| Change { tenant: tenant.clone(), ..change };
            there.push(SegmentRow { wrapped_key: vec![9; 61 + chance(60)], ..segment(number, number) });
            catalog.commit(of(change(there[there.len() - 1..].to_vec(), vec![], there))).await.unwrap();
            if there.len() > 12 && chance(5) == 0 {
                let from = chance(there.len() - 8);
                let merged = segment(there[from].first_batch, there[from + 7].last_batch);
                let merged = SegmentRow { wrapped_key: vec![9; 61 + chance(60)], ..merged };
                let removed: Vec<_> = there.splice(from..from + 8, [merged.clone()]).map(|row| row.id).collect();
                for id in &removed {
                    gone.push(sealed(&catalog, tenant, id).await);
                }
                catalog.commit(of(change(vec![merged], removed, there))).await.unwrap();
            }
        }
    }
    let [there, _] = there;
    for row in &there {
        gone.push(sealed(&catalog, &TenantId::default(), &row.id).await);
    }
    let ids = there.into_iter().map(|row| row.id).collect();
    catalog.commit(Change { keys: vec![], ..change(vec![], ids, &[]) }).await.unwrap();
    catalog.forget_tenant(&TenantId::default()).await.unwrap();
    let left =
        [path.clone(), folder.path().join("catalog.sqlite-wal")].map(|file| std::fs::read(file).unwrap()).concat();
    let windows: std::collections::HashSet<&[u8]> = left.windows(16).collect();
    let found = gone.iter().filter(|body| body.windows(16).any(|part| windows.contains(part))).count();
    assert_eq!(found, 0, "of {} rows", gone.len());
}

async fn sealed(catalog: &SqliteCatalog, tenant: &TenantId, id: &SegmentId) -> Vec<u8> {
    let body = sqlx::query_scalar("SELECT body FROM segments WHERE tenant = ? AND id = ?");
    let body = body.bind(tenant.as_str()).bind(id.as_str());
    body.fetch_one(&catalog.pool).await.unwrap()
}

#[tokio::test]
async fn a_database_that_was_cut_off_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let key = DataKey::generate();
    let catalog = SqliteCatalog::open(&path, &key).await.unwrap();
    for number in 0..20 {
        catalog.set_secret(&number.to_string(), &[0; 1_000]).await.unwrap();
    }
    catalog.check().await.unwrap();
    catalog.close().await;
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 4_096).unwrap();
    let refusal = match SqliteCatalog::open(&path, &key).await {
        Ok(catalog) => catalog.check().await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    assert!(refusal.is_err(), "{refusal:?}");
}

#[tokio::test]
async fn a_check_names_what_only_a_server_would_read() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(&folder.path().join("catalog.sqlite"), &DataKey::generate()).await.unwrap();
    catalog.set_secrets(&[("directory/tokens", b"two"), ("signer", b"one")]).await.unwrap();
    let documents = Some(DocumentsRow { last: 0, received_ns: 7, documents: 1, body: b"ids".to_vec() });
    catalog.commit(Change { documents, ..change(vec![], vec![], &[]) }).await.unwrap();
    catalog.check().await.unwrap();
    for (tampering, named) in [
        ("UPDATE documents SET body = x'00'", "documents/"),
        ("UPDATE batch_keys SET hmac = x'00'", "a batch key"),
        ("UPDATE meta SET value = x'00' WHERE name = 'directory/tokens'", "meta/directory/tokens"),
    ] {
        sqlx::raw_sql(tampering).execute(&catalog.pool).await.unwrap();
        let error = catalog.check().await.unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[tokio::test]
async fn what_was_committed_is_loaded_and_tampering_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let key = DataKey::generate();
    let catalog = SqliteCatalog::open(&path, &key).await.unwrap();
    let (a, b, ab) = (segment(0, 3), segment(4, 4), segment(0, 4));
    catalog.commit(change(vec![a.clone(), b.clone()], vec![], &[a.clone(), b.clone()])).await.unwrap();
    catalog.commit(change(vec![ab.clone()], vec![a.id, b.id], std::slice::from_ref(&ab))).await.unwrap();
    catalog.set_secrets(&[("signer", b"other words"), ("beside", b"two")]).await.unwrap();
    catalog.set_secret("signer", b"secret words").await.unwrap();
    catalog.close().await;

    let catalog = SqliteCatalog::open(&path, &key).await.unwrap();
    let states = catalog.load().await.unwrap();
    assert_eq!(states[0].segments, [ab]);
    assert_eq!(catalog.secret("signer").await.unwrap().unwrap(), b"secret words");
    assert_eq!(catalog.secret("beside").await.unwrap().unwrap(), b"two");
    assert_eq!(catalog.secret("other").await.unwrap(), None);
    let key = BatchKey { hmac: [5; 32], received_ns: 5 };
    assert_eq!(catalog.batch_keys(5).await.unwrap(), [(TenantId::default(), key)]);
    assert_eq!(catalog.batch_keys(6).await.unwrap(), []);

    for (tampering, named) in [
        ("UPDATE heads SET class = 'other'", "heads/default/other"),
        ("UPDATE heads SET class = 'default'; DELETE FROM segments", "batches from 0 to 5 are missing"),
    ] {
        sqlx::raw_sql(tampering).execute(&catalog.pool).await.unwrap();
        let error = catalog.load().await.unwrap_err().to_string();
        assert!(error.contains(named), "{tampering}: {error}");
    }
    catalog.close().await;
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(12).any(|window| window == b"secret words"));
}
