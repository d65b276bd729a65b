//! One suite for every backend: what is written is read, what is damaged is refused, what is taken stays.

use std::fs;
use std::ops::Range;

use logkeep_cipher::ObjectError;
use logkeep_record::{Class, TenantId};
use object_store::memory::InMemory;
use proptest::prelude::*;

use super::*;
use crate::path::ObjectKind;

fn path(name: &str) -> ObjectPath {
    ObjectPath::new(&TenantId::new("acme").unwrap(), &Class::default(), ObjectKind::Segment, name).unwrap()
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place / 7) as u8).collect()
}

fn local() -> (tempfile::TempDir, SealedObjects) {
    let folder = tempfile::tempdir().unwrap();
    let objects = SealedObjects::local(&folder.path().join("objects")).unwrap();
    (folder, objects)
}

/// Runs a check on every backend.
async fn everywhere<F: Future<Output = ()>>(check: impl Fn(SealedObjects) -> F) {
    let (_folder, objects) = local();
    check(objects).await;
    check(SealedObjects::new(Arc::new(InMemory::new()))).await;
}

#[tokio::test]
async fn writes_reads_lists_and_deletes() {
    everywhere(async |objects| {
        let (key, plain) = (DataKey::generate(), content(200_000));
        let receipt = objects.put(&path("b"), &key, plain.clone()).await.unwrap();
        assert_eq!(receipt.sealed_bytes, logkeep_cipher::ObjectCipher::sealed_len(200_000));
        assert_eq!(objects.digest(&path("b")).await.unwrap(), receipt.sha256);

        let object = objects.open(&path("b"), &key, 200_000).unwrap();
        assert_eq!(object.read(0..200_000).await.unwrap(), plain);
        assert_eq!(object.read(65_530..65_540).await.unwrap(), plain[65_530..65_540]);
        let ranges = [199_000..200_000, 5..10, 0..0, 8..131_072, 5..10];
        let parts = object.read_ranges(&ranges).await.unwrap();
        for (range, part) in ranges.iter().zip(parts) {
            assert_eq!(part, plain[range.start as usize..range.end as usize], "{range:?}");
        }

        objects.put(&path("a"), &DataKey::generate(), Vec::new()).await.unwrap();
        assert_eq!(objects.list("acme/default/segment").await.unwrap(), [path("a"), path("b")]);
        assert_eq!(objects.list("acme/other/segment").await.unwrap(), []);
        objects.delete(&path("b")).await.unwrap();
        objects.delete(&path("b")).await.unwrap();
        assert_eq!(objects.list("acme/default/segment").await.unwrap(), [path("a")]);
        assert!(matches!(objects.digest(&path("b")).await, Err(StoreError::Missing { .. })));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_overwritten() {
    everywhere(async |objects| {
        let key = DataKey::generate();
        objects.put(&path("a"), &key, b"first".to_vec()).await.unwrap();
        let second = objects.put(&path("a"), &DataKey::generate(), b"second".to_vec()).await;
        assert!(matches!(second, Err(StoreError::Exists { .. })));
        let object = objects.open(&path("a"), &key, 5).unwrap();
        assert_eq!(object.read(0..5).await.unwrap(), b"first".as_slice());
    })
    .await;
}

#[tokio::test]
async fn bad_ranges_and_wrong_keys_are_refused() {
    everywhere(async |objects| {
        objects.put(&path("a"), &DataKey::generate(), content(100)).await.unwrap();
        let object = objects.open(&path("a"), &DataKey::generate(), 100).unwrap();
        let wrong_key = object.read(0..100).await;
        assert!(matches!(wrong_key, Err(StoreError::Damaged(ObjectError::Refused { chunk: 0, .. }))));
        #[expect(clippy::reversed_empty_ranges, reason = "a reversed range is one of the cases")]
        for range in [50..101, 20..10] {
            let outside = object.read(range.clone()).await;
            assert!(matches!(outside, Err(StoreError::Damaged(ObjectError::Range { .. }))), "{range:?}");
            let outside = object.read_ranges(&[0..100, range.clone()]).await;
            assert!(matches!(outside, Err(StoreError::Damaged(ObjectError::Range { .. }))), "{range:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_missing_object_is_called_missing() {
    everywhere(async |objects| {
        let read = match objects.open(&path("a"), &DataKey::generate(), 5) {
            Ok(object) => object.read(0..5).await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert!(matches!(read, Err(StoreError::Missing { .. })));
    })
    .await;
}

#[tokio::test]
async fn on_disk_it_is_private_unreadable_and_without_litter() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, objects) = local();
    objects.put(&path("a"), &DataKey::generate(), b"canary-canary-canary".repeat(10)).await.unwrap();
    let root = folder.path().join("objects");
    let file = root.join("acme/default/segment/a");
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(6).any(|window| window == b"canary"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(root.join("acme")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(root.join(".tmp")).unwrap().count(), 0);

    fs::write(root.join(".tmp/half"), b"what a crash left").unwrap();
    let reader = SealedObjects::local_read_only(&root);
    assert_eq!(reader.list("acme/default/segment").await.unwrap(), [path("a")]);
    let refused = reader.put(&path("b"), &DataKey::generate(), Vec::new()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { what: "written", .. })));
    assert!(matches!(reader.delete(&path("a")).await, Err(StoreError::Unavailable { what: "deleted", .. })));
    assert!(root.join(".tmp/half").exists(), "a reader does not tidy");
    let again = SealedObjects::local(&root).unwrap();
    assert_eq!(fs::read_dir(root.join(".tmp")).unwrap().count(), 0);
    assert_eq!(again.list("acme/default/segment").await.unwrap(), [path("a")]);
}

#[tokio::test]
async fn cut_lengthened_moved_and_altered_files_are_refused() {
    let (folder, objects) = local();
    let (key, len) = (DataKey::generate(), 70_000u64);
    objects.put(&path("a"), &key, content(len as usize)).await.unwrap();
    let file = folder.path().join("objects/acme/default/segment/a");
    let sealed = fs::read(&file).unwrap();
    let read = |at: &str| objects.open(&path(at), &key, len).and_then(|object| object.read_blocking(0..len));
    let damaged = |answer: Result<_, StoreError>| matches!(answer, Err(StoreError::Damaged(_)));
    assert!(read("a").is_ok());

    fs::copy(&file, file.with_file_name("b")).unwrap();
    assert!(damaged(read("b")), "another name");
    fs::write(&file, &sealed[..sealed.len() - 1]).unwrap();
    assert!(damaged(read("a")), "cut");
    fs::write(&file, [sealed.as_slice(), b"x"].concat()).unwrap();
    assert!(damaged(read("a")), "lengthened");
    let mut altered = sealed.clone();
    altered[66_000] ^= 4;
    fs::write(&file, &altered).unwrap();
    assert!(matches!(read("a"), Err(StoreError::Damaged(ObjectError::Refused { chunk: 1, .. }))));
    let first_chunk = objects.open(&path("a"), &key, len).unwrap().read_blocking(0..100);
    assert_eq!(first_chunk.unwrap(), content(100), "an intact chunk still reads");

    // Cut while it is open: the read must not wait for bytes or return fewer.
    fs::write(&file, &sealed).unwrap();
    let open = objects.open(&path("a"), &key, len).unwrap();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(100).unwrap();
    assert!(matches!(open.read_blocking(0..len), Err(StoreError::Damaged(ObjectError::Cut { .. }))));
}

#[tokio::test]
async fn blocking_reads_are_for_local_folders() {
    let objects = SealedObjects::new(Arc::new(InMemory::new()));
    let key = DataKey::generate();
    objects.put(&path("a"), &key, content(10)).await.unwrap();
    let object = objects.open(&path("a"), &key, 10).unwrap();
    assert!(matches!(object.read_blocking(0..10), Err(StoreError::NotLocal { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn many_ranges_read_as_the_content(len in 0u64..300_000, picks in prop::collection::vec(any::<(u32, u32)>(), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (_folder, objects) = local();
        let (key, plain) = (DataKey::generate(), content(len as usize));
        runtime.block_on(objects.put(&path("a"), &key, plain.clone())).unwrap();
        let object = objects.open(&path("a"), &key, len).unwrap();
        let ranges: Vec<Range<u64>> = picks.into_iter().map(|(a, b)| {
            let (a, b) = (u64::from(a) % (len + 1), u64::from(b) % (len + 1));
            a.min(b)..a.max(b)
        }).collect();
        let parts = object.read_ranges_blocking(&ranges).unwrap();
        for (range, part) in ranges.iter().zip(parts) {
            prop_assert_eq!(part, &plain[range.start as usize..range.end as usize]);
        }
    }
}
