//! What is different in a bucket: no lock, no rename, and what a dead backup leaves.

use super::*;
use crate::backup::place::Standing;
use crate::backup::slot::{BucketSlot, Slot};

async fn claim(bucket: &Bucket) -> Box<BucketSlot> {
    let standing = Standing::of(bucket).await.unwrap();
    Box::new(BucketSlot::claim(bucket, standing).await.unwrap())
}

fn bucket() -> Bucket {
    let Place::Bucket(bucket) = place(Kind::Bucket, Path::new("")) else { unreachable!() };
    bucket
}

async fn names(bucket: &Bucket) -> Vec<String> {
    kept(&Place::Bucket(bucket.clone())).await.into_keys().collect()
}

#[tokio::test]
async fn one_that_began_earlier_and_ends_later_does_not_count() {
    let bucket = bucket();
    let (mut first, mut second) = (claim(&bucket).await, claim(&bucket).await);
    assert_eq!((first.number(), second.number()), (1, 2));
    for slot in [&mut first, &mut second] {
        let bytes = format!("of {}", slot.number());
        slot.put("catalog.key", &mut bytes.as_bytes(), None).await.unwrap();
        slot.put("objects/a/b/segment/x", &mut &b"shared"[..], None).await.unwrap();
    }
    second.commit("contents", "manifest of 2").await.unwrap();
    let refused = first.commit("contents", "manifest of 1").await.unwrap_err().to_string();
    assert!(refused.contains("does not count"), "{refused}");
    let standing = Standing::of(&bucket).await.unwrap();
    assert_eq!((standing.latest, standing.highest), (Some(2), 2));
    let of_second = ["catalog.key", "contents", "manifest"].map(|name| format!("backups/000000000002/{name}"));
    let first = "backups/000000000001/manifest";
    let expected: Vec<&str> =
        [first].into_iter().chain(of_second.iter().map(String::as_str)).chain(["objects/a/b/segment/x"]).collect();
    assert_eq!(names(&bucket).await, expected, "nothing else is left of the first");
    assert_eq!(bucket.size(first).await.unwrap(), Some(0));
    assert_eq!(bucket.read("backups/000000000002/catalog.key", 10).await.unwrap(), "of 2", "not what the first wrote");
    assert_eq!(claim(&bucket).await.number(), 3);
}

#[tokio::test]
async fn two_that_end_as_they_began_both_count() {
    let bucket = bucket();
    let (first, second) = (claim(&bucket).await, claim(&bucket).await);
    first.commit("contents", "manifest of 1").await.unwrap();
    assert_eq!(Standing::of(&bucket).await.unwrap().latest, Some(1));
    second.commit("contents", "manifest of 2").await.unwrap();
    assert_eq!(Standing::of(&bucket).await.unwrap().latest, Some(2));
    assert_eq!(bucket.read("backups/000000000001/manifest", 20).await.unwrap(), "manifest of 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_died_leaves_the_one_before_it_and_is_tidied_away() {
    let lab = Lab::new(Kind::Bucket).await;
    let Place::Bucket(bucket) = &lab.place else { unreachable!() };
    lab.backup().await.unwrap();
    for _ in 0..3 {
        let mut died = claim(bucket).await;
        died.put("wal/000000000009.wal", &mut &b"half"[..], None).await.unwrap();
        // Dropped, as by a kill; what is under way then may get there all the same.
        write(&lab.place, &format!("backups/{:012}/wal/late", died.number()), b"half").await;
    }
    let copy = open(&lab.restore("copy").await.unwrap(), usize::MAX).await;
    assert_eq!(bodies(&copy), texts(0..130));
    copy.close();
    lab.grow(130..140).await;
    assert_eq!(lab.backup().await.unwrap().manifest.number, 5, "a number is not used twice");
    let left: Vec<String> =
        names(bucket).await.into_iter().filter(|name| (2..5).any(|n| name.contains(&format!("/{n:012}/")))).collect();
    assert_eq!(left, (2..5).map(|number| format!("backups/{number:012}/manifest")).collect::<Vec<_>>());
    assert!(!names(bucket).await.iter().any(|name| name.ends_with("/claim")));
    let later = open(&lab.restore("later").await.unwrap(), usize::MAX).await;
    assert_eq!(bodies(&later), texts(0..140));
    later.close();
    lab.ingest.close();
}

#[tokio::test]
async fn a_file_that_is_not_what_it_should_be_gets_no_name() {
    let bucket = bucket();
    let mut slot = claim(&bucket).await;
    for bytes in [vec![7; 10], vec![7; 5_000]] {
        let digest = slot.put("objects/a/b/segment/x", &mut &*bytes, None).await.unwrap();
        let other = slot.put("objects/a/b/segment/y", &mut &bytes[1..], Some(digest)).await.unwrap();
        assert_ne!(other, digest);
        assert_eq!(slot.length("objects/a/b/segment/y"), None);
    }
    slot.restart().await.unwrap();
    assert_eq!(bucket.size("objects/a/b/segment/y").await.unwrap(), None);
    assert_eq!(bucket.size("objects/a/b/segment/x").await.unwrap(), Some(5_000), "what is shared stays");
}
