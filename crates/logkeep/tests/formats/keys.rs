//! Another key for a folder of every release.

use std::fs;
use std::path::PathBuf;

use logkeep_server::rotate_keys;
use logkeep_store::LocalKeyFile;

use super::fixture::{Copy, data_dirs, described, files, open};

/// Name and bytes of every object.
fn objects(copy: &Copy) -> Vec<(PathBuf, Vec<u8>)> {
    let objects = files(&copy.data().join("objects"));
    objects.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// Every record, and beside them what the trail has of so many rotations: that each began, and that it was done.
async fn reads_as_before(copy: &Copy, expected: &str, rotations: usize) {
    assert_eq!(copy.verify().await, Vec::<String>::new());
    let ingest = open(copy).await.unwrap();
    assert_eq!(ingest.faults(), []);
    let described = described(&ingest);
    let is_said = |line: &&str| line.starts_with("default audit") && line.contains("the key is replaced");
    let (said, records): (Vec<&str>, Vec<&str>) = described.lines().partition(is_said);
    assert_eq!(records, expected.lines().collect::<Vec<_>>());
    assert_eq!(said.len(), 2 * rotations, "{said:?}");
    ingest.close();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_folder_needs_only_the_new_key_and_no_object_was_rewritten() {
    for fixture in data_dirs() {
        let copy = Copy::of(&fixture);
        let expected = fs::read_to_string(fixture.join("records.txt")).unwrap();
        let before = objects(&copy);
        let old = fs::read(copy.key()).unwrap();
        let rotated = rotate_keys(&copy.data(), &copy.source()).await.unwrap();
        assert!(!rotated.resumed && rotated.segments > Some(0), "{rotated:?}");
        let after = objects(&copy);
        assert!(before.iter().all(|object| after.contains(object)), "objects are as they were");
        reads_as_before(&copy, &expected, 1).await;
        let [retired] = rotated.retired.as_slice() else { panic!("{rotated:?}") };
        assert_eq!(fs::read(retired).unwrap(), old);
        fs::remove_file(retired).unwrap();
        reads_as_before(&copy, &expected, 1).await;
        fs::write(copy.key(), old).unwrap();
        let refused = open(&copy).await.err().unwrap().to_string();
        assert!(refused.contains("does not open with this key file"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_was_cut_short_is_readable_and_brought_to_its_end() {
    for fixture in data_dirs() {
        let copy = Copy::of(&fixture);
        let expected = fs::read_to_string(fixture.join("records.txt")).unwrap();
        // Stopped when the new key was in place and nothing was under it.
        LocalKeyFile::replace(&copy.key()).unwrap();
        let new = fs::read(copy.key()).unwrap();
        assert_eq!(copy.verify().await, Vec::<String>::new());
        let rotated = rotate_keys(&copy.data(), &copy.source()).await.unwrap();
        assert!(rotated.resumed, "{rotated:?}");
        assert_eq!(fs::read(copy.key()).unwrap(), new, "no further key is made");
        rotated.retired.iter().for_each(|retired| fs::remove_file(retired).unwrap());
        reads_as_before(&copy, &expected, 1).await;
        let again = rotate_keys(&copy.data(), &copy.source()).await.unwrap();
        assert!(!again.resumed && again.segments > Some(0), "{again:?}");
        reads_as_before(&copy, &expected, 2).await;
    }
}
