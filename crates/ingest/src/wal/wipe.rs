//! Taking a tenant's keys out of a file of the log that is kept although it is damaged.

use logkeep_record::TenantId;

use super::frame::{FRAME_HEAD_BYTES, FRAME_MAGIC, FrameHead, Kind};

/// Of a wrapped key, whatever wrapped it: without them none opens.
const WIPED_BYTES: usize = 61;

/// Overwrites the tenant's wrapped keys, and no byte of a frame that is whole and another's. Where no frame is whole, what follows the
/// tenant's name as a key would is taken for one. Says whether there were any that had not been overwritten.
pub(crate) fn wipe_keys(bytes: &mut [u8], tenant: &TenantId) -> bool {
    let name = tenant.as_str().as_bytes();
    let (mut at, mut is_wiped) = (0, false);
    while at < bytes.len() {
        let (body, next) = match whole_frame(&bytes[at..]) {
            Some((Kind::Key, len)) => (at + FRAME_HEAD_BYTES, at + len),
            Some((_, len)) => {
                at += len;
                continue;
            }
            None => (at, at + 1),
        };
        at = next;
        let key = body + 1 + name.len();
        if usize::from(bytes[body]) == name.len() && bytes.get(body + 1..key) == Some(name) {
            let end = bytes.len().min(key + WIPED_BYTES);
            is_wiped |= bytes[key..end].iter().any(|byte| *byte != 0);
            bytes[key..end].fill(0);
        }
    }
    is_wiped
}

/// Kind and length of the frame that these bytes begin with, if all of it is as it was written.
fn whole_frame(bytes: &[u8]) -> Option<(Kind, usize)> {
    if !bytes.starts_with(&FRAME_MAGIC) {
        return None;
    }
    let head = FrameHead::decode(bytes)?;
    let len = FRAME_HEAD_BYTES + head.len as usize;
    let body = bytes.get(FRAME_HEAD_BYTES..len).filter(|body| !body.is_empty())?;
    (head.checksum(body) == head.crc).then_some((head.kind, len))
}

#[cfg(test)]
mod tests {
    use logkeep_cipher::DataKey;
    use logkeep_store::system_disk;

    use super::*;
    use crate::wal::WalFile;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[test]
    fn one_tenants_keys_are_wiped_and_no_other_byte() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = WalFile::create(&*system_disk(), folder.path(), 1).unwrap();
        let wrapped = |byte: u8| [byte; WIPED_BYTES];
        for (name, byte) in [("shop", 7), ("shopping", 8), ("a", 9)] {
            file.add_key(&tenant(name), &DataKey::from_bytes([1; 32]), &wrapped(byte));
        }
        file.commit().unwrap();
        let whole = std::fs::read(file.path()).unwrap();
        let mut wiped = whole.clone();
        assert!(!wipe_keys(&mut wiped, &tenant("sho")) && wiped == whole, "of another tenant");
        assert!(wipe_keys(&mut wiped, &tenant("shop")) && !wipe_keys(&mut wiped, &tenant("shop")));
        let at = whole.windows(WIPED_BYTES).position(|window| window == wrapped(7)).unwrap();
        let mut expected = whole.clone();
        expected[at..at + WIPED_BYTES].fill(0);
        assert_eq!(wiped, expected);
        // However it is damaged or cut off, of the key nothing stays.
        for place in 0..at {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            let is_name = (at - 4..at).contains(&place) || place == at - 5;
            assert_eq!(wipe_keys(&mut damaged, &tenant("shop")), !is_name, "byte {place}");
            assert!(is_name || damaged[at..at + WIPED_BYTES] == [0; WIPED_BYTES], "byte {place}");
        }
        for cut in 0..whole.len() {
            let mut short = whole[..cut].to_vec();
            wipe_keys(&mut short, &tenant("shop"));
            assert!(!short.contains(&7), "cut off at {cut}");
        }
    }
}
