//! Data folders of released versions, opened with today's code; and files of versions nobody knows yet, refused.
//!
//! `fixtures/<version>` is a folder as that version left it after a kill: segments, and batches that are only in the
//! write-ahead log. It is kept for ever. A format that changes gets a new fixture beside the old ones:
//!
//! ```sh
//! cargo test --workspace --test formats -- --ignored make_a_fixture
//! ```

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

#[path = "formats/fixture.rs"]
mod fixture;
#[path = "formats/keys.rs"]
mod keys;
#[path = "formats/make.rs"]
mod make;

use std::fs;
use std::path::{Path, PathBuf};

use logkeep_ingest::Ingest;

use self::fixture::{Copy, data_dirs, described, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_every_release_verifies_and_reads_as_it_was_written() {
    for fixture in data_dirs() {
        let copy = Copy::of(&fixture);
        assert_eq!(copy.verify().await, Vec::<String>::new(), "{}", fixture.display());
        let expected = fs::read_to_string(fixture.join("records.txt")).unwrap();
        let ingest = open(&copy).await.unwrap();
        assert_eq!(ingest.faults(), [], "{}", fixture.display());
        assert_eq!(described(&ingest), expected, "{}", fixture.display());
        ingest.close();
        assert_eq!(described(&ingest), expected, "{}: after what was live went to segments", fixture.display());
        assert_eq!(copy.verify().await, Vec::<String>::new(), "{}", fixture.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_every_release_can_be_written_to() {
    for fixture in data_dirs() {
        let copy = Copy::of(&fixture);
        let ingest = open(&copy).await.unwrap();
        let before = described(&ingest).lines().count();
        make::store(&ingest, "default", "default", make::plain(7), None).await;
        ingest.close();
        let ingest = open(&copy).await.unwrap();
        assert_eq!(described(&ingest).lines().count(), before + 7);
        ingest.close();
        assert_eq!(copy.verify().await, Vec::<String>::new());
    }
}

/// Why a copy of the latest fixture does not open after `damage`.
async fn refusal(damage: impl AsyncFnOnce(&Path)) -> String {
    let copy = Copy::of(&data_dirs().pop().unwrap());
    damage(&copy.data()).await;
    match open(&copy).await {
        Ok(ingest) => {
            let damaged = damaged_segment(&ingest);
            ingest.close();
            damaged.expect("it opened, and every segment in it too")
        }
        Err(error) => format!("{error:#}"),
    }
}

fn damaged_segment(ingest: &Ingest) -> Option<String> {
    let snapshot = ingest.snapshot();
    let views = fixture::CLASSES
        .iter()
        .filter_map(|(tenant, class)| snapshot.class(&fixture::tenant(tenant), &fixture::class(class)));
    let segments: Vec<_> = views.flat_map(|view| view.segments.iter().cloned()).collect();
    segments.iter().find_map(|segment| segment.segment().err()).map(|error| error.to_string())
}

fn first_file(folder: &Path) -> PathBuf {
    fixture::files(folder).into_iter().next().unwrap()
}

/// Sets one byte of the first file below `folder`.
fn set_byte(folder: &Path, at: usize, byte: u8) {
    let file = first_file(folder);
    let mut bytes = fs::read(&file).unwrap();
    bytes[at] = byte;
    fs::write(file, bytes).unwrap();
}

fn says(refusal: &str, parts: &[&str]) {
    for part in parts {
        assert!(refusal.contains(part), "`{part}` is not in: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_another_version_is_refused() {
    let refusal = refusal(async |data| {
        let file = first_file(&data.join("wal"));
        let mut bytes = fs::read(&file).unwrap();
        bytes[7] = 9;
        let checksum = crc32c::crc32c(&bytes[..16]);
        bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
        fs::write(file, bytes).unwrap();
    })
    .await;
    says(&refusal, &["wal/0000000000", ".wal", "version 9", "knows version 6", "use the logkeep that wrote it"]);
}

/// A bit that rots must not keep all the rest from being read: without the right checksum it is no other version.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_version_byte_is_damaged_is_read_all_the_same() {
    let fixture = data_dirs().pop().unwrap();
    let copy = Copy::of(&fixture);
    set_byte(&copy.data().join("wal"), 7, 9);
    let ingest = open(&copy).await.unwrap();
    let faults: Vec<_> = ingest.faults().iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(faults, ["the head of the file is damaged"]);
    assert_eq!(described(&ingest), fs::read_to_string(fixture.join("records.txt")).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_object_of_another_version_is_refused() {
    let refusal = refusal(async |data| set_byte(&data.join("objects/default/default"), 4, 2)).await;
    says(&refusal, &["default/default/segment/", "version 2", "knows version 1", "use the logkeep that wrote it"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_of_another_version_is_refused() {
    // Beside the magic at the end of the content.
    let alter = |content: &mut Vec<u8>| {
        let at = content.len() - 8;
        content[at] = 9;
    };
    let refusal = refusal(async |data| fixture::replace_segment(data, alter).await).await;
    says(&refusal, &["default/default/segment/", "format version 9", "reads up to 3", "use a newer logkeep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_of_another_version_is_refused() {
    // The version is a part of the file's head, after the journal has been folded in.
    let refusal = refusal(async |data| fixture::set_catalog_version(&data.join("catalog.sqlite"), 99).await).await;
    says(&refusal, &["catalog.sqlite", "version 99", "knows up to 3", "use a newer logkeep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapped_key_of_another_version_is_refused() {
    let refusal = refusal(async |data| {
        let path = data.join("catalog.key");
        let mut bytes = fs::read(&path).unwrap();
        bytes[0] = 2;
        fs::write(path, bytes).unwrap();
    })
    .await;
    says(&refusal, &["catalog.key", "version 2", "knows version 1", "use the logkeep that wrote it"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_of_another_version_is_refused() {
    let refusal = refusal(async |data| {
        let path = data.with_file_name("key");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replacen("logkeep-key-file 1", "logkeep-key-file 7", 1)).unwrap();
    })
    .await;
    says(&refusal, &["/key`", "version 7", "knows version 1", "use a newer logkeep"]);
}
