//! One suite over every catalog: what the engine relies on, and so what the model must not be kinder about.

#![allow(clippy::unwrap_used, reason = "these are tests, helpers included")]

use std::sync::Arc;

use logkeep_catalog::{BatchKey, Catalog, Change, DocumentsRow, Head, Pages, SegmentId, SegmentRow, SqliteCatalog};
use logkeep_cipher::DataKey;
use logkeep_record::{Class, TenantId};
use logkeep_sim::ModelCatalog;

fn segment(first: u64, last: u64, name: u8) -> SegmentRow {
    SegmentRow {
        id: SegmentId::new(first, last, [name; 6]),
        first_batch: first,
        last_batch: last,
        records: 5,
        min_time_ns: 1,
        max_time_ns: 2,
        max_received_ns: 3,
        plain_bytes: 4,
        sealed_bytes: 5,
        sha256: [name; 32],
        wrapped_key: vec![9; 61],
    }
}

/// To the state in which `all` are the segments.
fn change(class: &str, add: &[&SegmentRow], remove: &[&SegmentRow], all: &[&SegmentRow]) -> Change {
    let all: Vec<SegmentRow> = all.iter().map(|row| (*row).clone()).collect();
    let flushed = all.last().map_or(0, |row| row.last_batch + 1);
    Change {
        tenant: TenantId::default(),
        class: Class::new(class).unwrap(),
        add: add.iter().map(|row| (*row).clone()).collect(),
        remove: remove.iter().map(|row| row.id.clone()).collect(),
        head: Head { flushed, segments: Head::commit_to(&all), ..Head::default() },
        keys: vec![BatchKey { hmac: [flushed as u8; 32], received_ns: flushed as i64 }],
        documents: None,
        pages: Pages::default(),
        secrets: vec![(format!("flushed {class}"), flushed.to_le_bytes().to_vec())],
    }
}

async fn segments(catalog: &dyn Catalog) -> Vec<(String, Vec<SegmentRow>)> {
    let states = catalog.load().await.unwrap();
    states.into_iter().map(|state| (state.class.to_string(), state.segments)).collect()
}

async fn suite(catalog: &dyn Catalog) {
    assert!(catalog.load().await.unwrap().is_empty());
    let (a, b, ab, c) = (segment(0, 3, 1), segment(4, 4, 2), segment(0, 4, 3), segment(5, 9, 4));

    catalog.commit(change("default", &[&a], &[], &[&a])).await.unwrap();
    catalog.commit(change("default", &[&b], &[], &[&a, &b])).await.unwrap();
    catalog.commit(change("audit", &[&a], &[], &[&a])).await.unwrap();
    assert_eq!(
        segments(catalog).await,
        [("audit".to_owned(), vec![a.clone()]), ("default".to_owned(), vec![a.clone(), b.clone()])],
        "classes are apart, and in order"
    );

    let twice = change("default", &[&c, &b], &[&a], &[&a, &b]);
    assert!(catalog.commit(twice).await.is_err(), "a name is given once");
    assert_eq!(segments(catalog).await[1].1, [a.clone(), b.clone()], "and nothing of the change was done");
    assert!(!catalog.batch_keys(0).await.unwrap().iter().any(|(_, key)| key.received_ns == 10), "nor of its keys");

    catalog.commit(change("default", &[&ab], &[&a, &b], &[&ab])).await.unwrap();
    assert_eq!(segments(catalog).await[1].1, std::slice::from_ref(&ab), "replaced in one step");

    catalog.commit(change("default", &[], &[&ab], &[&c])).await.unwrap();
    let error = catalog.load().await.unwrap_err().to_string();
    assert!(error.contains("set the data folder aside"), "a head that names other segments is found out: {error}");
    catalog.commit(change("default", &[&ab], &[], &[&ab])).await.unwrap();
    assert_eq!(segments(catalog).await[1].1, [ab]);

    let mut keys: Vec<i64> = catalog.batch_keys(5).await.unwrap().iter().map(|(_, key)| key.received_ns).collect();
    keys.sort_unstable();
    assert_eq!(keys, [5, 10], "each once, however often it came");
    assert_eq!(catalog.batch_keys(11).await.unwrap(), []);
    assert_eq!(catalog.batch_keys(0).await.unwrap(), [], "what was too old is forgotten for good");

    for (last, received_ns, documents) in [(20, 50, 3), (21, 70, 2), (22, 60, 4)] {
        let row = DocumentsRow { last, received_ns, documents, body: format!("of {last}").into_bytes() };
        let change = change("default", &[], &[], &[&segments(catalog).await[1].1[0]]);
        catalog.commit(Change { documents: Some(row), ..change }).await.unwrap();
    }
    let bodies = async || -> Vec<String> {
        let bodies = catalog.documents().await.unwrap();
        bodies.into_iter().map(|body| String::from_utf8(body).unwrap()).collect()
    };
    assert_eq!(bodies().await, ["of 20", "of 22", "of 21"], "oldest first");
    assert_eq!(catalog.forget_documents(50, 7).await.unwrap(), 9, "six are less than seven");
    assert_eq!(catalog.forget_documents(50, 6).await.unwrap(), 6);
    assert_eq!(bodies().await, ["of 22", "of 21"]);
    assert_eq!(catalog.forget_documents(61, 100).await.unwrap(), 2);
    assert_eq!(bodies().await, ["of 21"], "by age");

    let other = TenantId::new("other").unwrap();
    let of_other = Change { tenant: other.clone(), ..change("default", &[], &[], &[]) };
    let key = BatchKey { hmac: [7; 32], received_ns: 80 };
    catalog.commit(Change { keys: vec![key.clone()], ..of_other }).await.unwrap();
    catalog.forget_tenant(&TenantId::default()).await.unwrap();
    assert_eq!((bodies().await, catalog.batch_keys(0).await.unwrap()), (vec![], vec![(other, key)]), "of one tenant");
    let gone = change("default", &[], &[&segments(catalog).await[1].1[0]], &[]);
    let head = Head { flushed: 5, destroyed: 5, ..gone.head.clone() };
    catalog.commit(Change { head, ..gone }).await.unwrap();
    assert_eq!(segments(catalog).await[1].1, [], "what was destroyed is not missed");

    assert_eq!(catalog.secret("signer").await.unwrap(), None);
    catalog.set_secret("signer", b"one").await.unwrap();
    catalog.set_secret("signer", b"two").await.unwrap();
    catalog.set_secret("other", b"three").await.unwrap();
    assert_eq!(catalog.secret("signer").await.unwrap().as_deref(), Some(&b"two"[..]));
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    suite(&SqliteCatalog::open(&folder.path().join("catalog.sqlite"), &DataKey::generate()).await.unwrap()).await;
}

#[tokio::test]
async fn the_model() {
    suite(&ModelCatalog::new(Arc::new(|| Ok(())))).await;
}
