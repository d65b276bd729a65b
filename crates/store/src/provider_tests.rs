//! The key file: made once, kept private, never guessed at.

use std::os::unix::fs::PermissionsExt;

use super::*;

struct Folders {
    _root: tempfile::TempDir,
    key: PathBuf,
    data: PathBuf,
}

fn folders() -> Folders {
    let root = tempfile::tempdir().unwrap();
    let (key, data) = (root.path().join("keys/logkeep.key"), root.path().join("data"));
    fs::create_dir(&data).unwrap();
    Folders { _root: root, key, data }
}

#[tokio::test]
async fn is_made_once_and_opens_again() {
    let at = folders();
    let made = LocalKeyFile::open_or_create(&at.key, &at.data, false).unwrap();
    let mode = fs::metadata(&at.key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(at.key.parent().unwrap()).unwrap().count(), 1, "no second copy of the key");

    let opened = LocalKeyFile::open_or_create(&at.key, &at.data, true).unwrap();
    assert_eq!(opened.key_id(), made.key_id());
    let key = DataKey::generate();
    let wrapped = made.wrap(&key, "a/b/segment/1").await.unwrap();
    assert_eq!(opened.unwrap(&wrapped, "a/b/segment/1").await.unwrap(), key);
    assert!(matches!(opened.unwrap(&wrapped, "a/b/segment/2").await, Err(KeyProviderError::Unwrap(_))));
    let text = fs::read_to_string(&at.key).unwrap();
    let secret = text.lines().last().unwrap().strip_prefix("key ").unwrap();
    assert!(!format!("{made:?}").contains(secret));
}

#[test]
fn data_without_its_key_is_refused() {
    let at = folders();
    let answer = LocalKeyFile::open_or_create(&at.key, &at.data, true);
    assert!(matches!(answer, Err(KeyProviderError::Missing(_))));
    assert!(!at.key.exists(), "no new key is made that would open nothing");
}

#[test]
fn a_file_open_to_others_is_refused() {
    let at = folders();
    LocalKeyFile::open_or_create(&at.key, &at.data, false).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o660] {
        fs::set_permissions(&at.key, fs::Permissions::from_mode(mode)).unwrap();
        let error = LocalKeyFile::open(&at.key).unwrap_err();
        assert!(matches!(error, KeyProviderError::Exposed { .. }), "{mode:o}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn a_key_within_the_data_is_refused() {
    let at = folders();
    for path in [at.data.join("key"), at.data.join("deep/er/key")] {
        let answer = LocalKeyFile::open_or_create(&path, &at.data, false);
        assert!(matches!(answer, Err(KeyProviderError::WithinData { .. })), "{}", path.display());
        assert!(!path.exists());
    }
}

#[test]
fn damaged_files_are_refused_without_repeating_the_key() {
    let at = folders();
    LocalKeyFile::open_or_create(&at.key, &at.data, false).unwrap();
    let text = fs::read_to_string(&at.key).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let check = |altered: String| {
        fs::write(&at.key, &altered).unwrap();
        let error = LocalKeyFile::open(&at.key).unwrap_err();
        assert!(matches!(error, KeyProviderError::Damaged { .. }), "{altered:?}: {error}");
        assert!(!error.to_string().contains(&lines[2][4..20]), "{error}");
    };
    check(String::new());
    check(text.replace("file 1", "file one"));
    check(lines[..2].join("\n"));
    check(format!("{text}more\n"));
    check(text.replace(lines[1], "id 0000000000000000"));
    check(text.replace(lines[2], "key AAAA"));
    check(text.replace(lines[2], "key %%%%"));
    check("x".repeat(10_000));
}

#[test]
fn a_file_of_a_later_version_is_named_with_it() {
    let at = folders();
    LocalKeyFile::open_or_create(&at.key, &at.data, false).unwrap();
    let text = fs::read_to_string(&at.key).unwrap();
    fs::write(&at.key, text.replace("file 1", "file 2")).unwrap();
    let error = LocalKeyFile::open(&at.key).unwrap_err();
    assert!(matches!(error, KeyProviderError::Version { found: 2, .. }), "{error}");
}

#[tokio::test]
async fn a_retired_key_still_opens_what_it_wrapped_and_wraps_nothing() {
    let at = folders();
    let old = LocalKeyFile::open_or_create(&at.key, &at.data, false).unwrap();
    let key = DataKey::generate();
    let wrapped = old.wrap(&key, "a").await.unwrap();
    let new = LocalKeyFile::replace(&at.key).unwrap();
    let retired_id = old.key_id();
    assert_ne!(new.key_id(), retired_id);
    assert!(!new.is_current(&wrapped, "a"));
    assert_eq!(new.unwrap(&wrapped, "a").await.unwrap(), key);
    let rewrapped = new.wrap(&key, "a").await.unwrap();
    assert!(new.is_current(&rewrapped, "a"));
    assert_eq!(old.key_id(), retired_id, "until it looks again");
    let rewrapped_before = old.wrap(&key, "a").await.unwrap();
    assert_eq!(old.unwrap(&rewrapped, "a").await.unwrap(), key, "a refusal makes it look again");
    assert_eq!(old.key_id(), new.key_id());
    assert!(!old.is_current(&rewrapped_before, "a"));
    assert_eq!(old.unwrap(&rewrapped_before, "a").await.unwrap(), key);
    assert!(old.unwrap(&rewrapped, "b").await.is_err());
    let retired = LocalKeyFile::retired(&at.key).unwrap();
    assert_eq!(retired[0].0, retired_id);
    let mode = fs::metadata(&retired[0].1).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(fs::read_dir(at.key.parent().unwrap()).unwrap().count(), 2, "no further copy of a key");

    // What an interrupted replacement leaves is neither used nor in the way.
    fs::write(at.key.with_file_name("logkeep.key.next"), "half").unwrap();
    let third = LocalKeyFile::replace(&at.key).unwrap();
    assert_eq!(third.unwrap(&wrapped, "a").await.unwrap(), key);
    assert_eq!(third.unwrap(&rewrapped, "a").await.unwrap(), key);
    let moved = retired[0].1.with_file_name("logkeep.key.0000000000000000");
    fs::rename(&retired[0].1, moved).unwrap();
    assert!(matches!(LocalKeyFile::open(&at.key), Err(KeyProviderError::Damaged { .. })));
}
