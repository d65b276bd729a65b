//! What a sealed object gives back, and everything it must refuse.

use proptest::prelude::*;

use super::*;

const PATH: &str = "acme/web/segment/7";
const CHUNK: usize = CHUNK_BYTES as usize;

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place / 3 + place / CHUNK) as u8).collect()
}

/// Reads `range` as a store would: only the bytes that the cipher asked for, as far as they exist.
fn read(key: &DataKey, path: &str, sealed: &[u8], total: u64, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
    let cipher = ObjectCipher::new(key, path);
    let span = cipher.chunk_range(&range, total)?;
    let end = (span.sealed.end as usize).min(sealed.len());
    let start = (span.sealed.start as usize).min(end);
    cipher.open_range(&sealed[start..end], span.first_chunk, total, &range)
}

/// Reads all of an object whose length is known only from its sealed bytes, as `verify` does.
fn read_all(key: &DataKey, path: &str, sealed: &[u8]) -> Option<Result<Vec<u8>, ObjectError>> {
    let total = ObjectCipher::plain_len(sealed.len() as u64)?;
    Some(ObjectCipher::new(key, path).open_range(sealed, 0, total, &(0..total)))
}

#[test]
fn whole_objects_round_trip() {
    let key = DataKey::generate();
    for len in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17] {
        let plain = content(len);
        let sealed = seal_object(&key, PATH, &plain);
        assert_eq!(sealed.len() as u64, ObjectCipher::sealed_len(len as u64), "{len}");
        assert_eq!(ObjectCipher::plain_len(sealed.len() as u64), Some(len as u64));
        assert_eq!(read_all(&key, PATH, &sealed), Some(Ok(plain)), "{len}");
    }
}

#[test]
fn lengths_of_no_object() {
    for len in [0, 8, 23, HEADER_BYTES + SEALED_CHUNK_BYTES + 1, HEADER_BYTES + SEALED_CHUNK_BYTES + 16] {
        assert_eq!(ObjectCipher::plain_len(len), None, "{len}");
    }
}

#[test]
fn another_key_path_or_order_is_refused() {
    let key = DataKey::generate();
    let plain = content(3 * CHUNK);
    let sealed = seal_object(&key, PATH, &plain);
    let refused = |path: &str, chunk| Some(Err(ObjectError::Refused { path: path.into(), chunk }));
    assert_eq!(read_all(&DataKey::generate(), PATH, &sealed), refused(PATH, 0));
    assert_eq!(read_all(&key, "acme/web/segment/8", &sealed), refused("acme/web/segment/8", 0));

    let (header, whole) = (HEADER_BYTES as usize, SEALED_CHUNK_BYTES as usize);
    let mut swapped = sealed.clone();
    let (first, second) = swapped[header + whole..].split_at_mut(whole);
    first.swap_with_slice(second);
    assert_eq!(read_all(&key, PATH, &swapped), refused(PATH, 1));

    let cut_at_chunk = &sealed[..header + 2 * whole];
    assert_eq!(read_all(&key, PATH, cut_at_chunk), refused(PATH, 1), "the last chunk is marked as last");
}

#[test]
fn cut_and_lengthened_objects_are_refused() {
    let key = DataKey::generate();
    let total = CHUNK as u64 + 100;
    let sealed = seal_object(&key, PATH, &content(total as usize));
    for cut in [0, 7, 8, 100, 8 + CHUNK, sealed.len() - 1] {
        assert!(read(&key, PATH, &sealed[..cut], total, 0..total).is_err(), "cut at {cut}");
    }
    let cut = read(&key, PATH, &sealed[..sealed.len() - 1], total, 0..total);
    assert_eq!(cut, Err(ObjectError::Cut { path: PATH.into(), chunk: 1, found: 115, expected: 116 }));
    let mut longer = sealed.clone();
    longer.extend_from_slice(b"more");
    let trailing = ObjectCipher::new(&key, PATH).open_range(&longer, 0, total, &(0..total));
    assert_eq!(trailing, Err(ObjectError::Trailing { path: PATH.into(), chunk: 1, surplus: 4 }));
}

#[test]
fn ranges_outside_are_refused() {
    let cipher = ObjectCipher::new(&DataKey::generate(), PATH);
    #[expect(clippy::reversed_empty_ranges, reason = "a reversed range is one of the cases")]
    for (range, total) in [(0..2, 1), (2..1, 4), (0..0, u64::MAX)] {
        let answer = cipher.chunk_range(&range, total);
        assert!(matches!(answer, Err(ObjectError::Range { .. })), "{range:?} of {total}");
        assert!(cipher.open_range(&[], 0, total, &range).is_err());
    }
    // A first chunk that does not belong to the range gives an error, never other bytes.
    assert!(cipher.open_range(&[], 9, 10, &(0..10)).is_err());
}

#[test]
fn any_flipped_byte_is_noticed() {
    let key = DataKey::generate();
    let plain = content(CHUNK + 40);
    let sealed = seal_object(&key, PATH, &plain);
    let places = (0..40).chain([CHUNK, CHUNK + 8, CHUNK + 23, CHUNK + 24]).chain(sealed.len() - 40..sealed.len());
    for place in places {
        let mut altered = sealed.clone();
        altered[place] ^= 0x10;
        assert!(matches!(read_all(&key, PATH, &altered), Some(Err(_))), "byte {place}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_range_reads_as_the_content(len in 0usize..200_000, a in any::<u32>(), b in any::<u32>()) {
        let plain = content(len);
        let key = DataKey::from_bytes([5; 32]);
        let sealed = seal_object(&key, PATH, &plain);
        let (a, b) = (a as usize % (len + 1), b as usize % (len + 1));
        let (start, end) = (a.min(b), a.max(b));
        let read = read(&key, PATH, &sealed, len as u64, start as u64..end as u64);
        prop_assert_eq!(read.unwrap(), &plain[start..end]);
    }

    #[test]
    fn plain_len_inverts_sealed_len(len in 0u64..1 << 40) {
        prop_assert_eq!(ObjectCipher::plain_len(ObjectCipher::sealed_len(len)), Some(len));
    }

    #[test]
    fn bytes_of_no_object_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), total in any::<u64>(),
                                      first in any::<u64>(), start in any::<u64>(), end in any::<u64>()) {
        let cipher = ObjectCipher::new(&DataKey::from_bytes([5; 32]), PATH);
        let _ = cipher.chunk_range(&(start..end), total);
        prop_assert!(cipher.open_range(&bytes, first, total % (1 << 30), &(0..total % (1 << 30))).is_err());
    }
}
